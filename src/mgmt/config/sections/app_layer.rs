//! `[app-layer]`: bounds of decoders. Names are those of `suricata.yaml` where it has one.

use crate::app::{Encrypted, Limits, WhenEncrypted};
use crate::mgmt::config::Profile;
use crate::mgmt::config::value::{Bytes, Within, words};
use crate::mgmt::config::visit::{Section, Visitor};

words! {
    /// What becomes of a session when all that follows in it is encrypted.
    EncryptionHandling {
        /// As the next one: the word of `suricata.yaml` for TLS.
        Default = "default",
        TrackOnly = "track-only",
        Bypass = "bypass",
        Full = "full",
    }
}

impl EncryptionHandling {
    fn told(self) -> WhenEncrypted {
        match self {
            EncryptionHandling::Default | EncryptionHandling::TrackOnly => WhenEncrypted::TrackOnly,
            EncryptionHandling::Bypass => WhenEncrypted::Bypass,
            EncryptionHandling::Full => WhenEncrypted::Full,
        }
    }
}

#[derive(Clone, Debug)]
pub struct AppLayer {
    pub sessions: u32,
    pub memory: Bytes,
    pub probe: u32,
    pub max_tx: u32,
    pub transaction_memory: Bytes,
    pub header: u32,
    pub http: AppHttp,
    pub files: Bodies,
    pub smb: AppSmb,
    pub smtp: AppSmtp,
    pub tls: Sealing,
    pub ssh: Sealing,
}

/// Of a protocol that comes to be encrypted.
#[derive(Clone, Debug)]
pub struct Sealing {
    pub handling: EncryptionHandling,
}

/// How much of a body or file is inspected, and when.
#[derive(Clone, Debug)]
pub struct Bodies {
    pub limit: Bytes,
    pub minimum: Bytes,
    pub window: Bytes,
}

#[derive(Clone, Debug)]
pub struct AppHttp {
    pub line: u32,
    pub request: Bodies,
    pub response: Bodies,
    pub layers: u8,
    pub bomb: Bytes,
}

#[derive(Clone, Debug)]
pub struct AppSmb {
    pub max_read: u32,
    pub max_write: u32,
}

#[derive(Clone, Debug)]
pub struct AppSmtp {
    pub body_md5: bool,
}

impl AppLayer {
    pub fn of(profile: Profile) -> AppLayer {
        let limits = Limits::default();
        let bytes = |bytes: usize| Bytes(bytes as u64);
        let bodies = |limit, minimum, window| Bodies {
            limit: Bytes(limit),
            minimum: Bytes(minimum),
            window: Bytes(window),
        };
        AppLayer {
            sessions: limits.sessions as u32,
            memory: bytes(limits.memory),
            probe: limits.probe as u32,
            max_tx: limits.transactions as u32,
            transaction_memory: bytes(limits.transaction),
            header: limits.header as u32,
            http: AppHttp {
                line: limits.line as u32,
                request: bodies(limits.request_body, limits.request_body_minimum, limits.request_body_window),
                response: bodies(
                    limits.response_body,
                    limits.response_body_minimum,
                    limits.response_body_window,
                ),
                layers: limits.compression_layers as u8,
                bomb: Bytes(limits.bomb_free),
            },
            files: bodies(limits.file, limits.file_minimum, limits.file_window),
            smb: AppSmb { max_read: limits.smb_read, max_write: limits.smb_write },
            smtp: AppSmtp { body_md5: profile != Profile::Suricata },
            tls: Sealing { handling: EncryptionHandling::Default },
            ssh: Sealing { handling: EncryptionHandling::TrackOnly },
        }
    }

    pub fn limits(&self) -> Limits {
        // 0 stands for all of a body, as in suricata.yaml.
        let all = |limit: Bytes| if limit.0 == 0 { u64::MAX } else { limit.0 };
        let size = |bytes: Bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX);
        let AppHttp { request, response, .. } = &self.http;
        Limits {
            sessions: self.sessions as usize,
            memory: size(self.memory),
            probe: self.probe as usize,
            transactions: self.max_tx as usize,
            transaction: size(self.transaction_memory),
            line: self.http.line as usize,
            header: self.header as usize,
            request_body: all(request.limit),
            response_body: all(response.limit),
            request_body_minimum: request.minimum.0,
            request_body_window: request.window.0,
            response_body_minimum: response.minimum.0,
            response_body_window: response.window.0,
            file: all(self.files.limit),
            file_minimum: self.files.minimum.0,
            file_window: self.files.window.0,
            bomb_free: self.http.bomb.0,
            smb_read: self.smb.max_read,
            smb_write: self.smb.max_write,
            body_md5: self.smtp.body_md5,
            compression_layers: usize::from(self.http.layers),
            encrypted: Encrypted { tls: self.tls.handling.told(), ssh: self.ssh.handling.told() },
            ..Limits::default()
        }
    }
}

impl Section for AppLayer {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "sessions",
            "Sessions of one worker whose protocol is looked for or decoded at once; beyond, one has no protocol.",
            &mut Within(&mut self.sessions, 64..=1 << 24).of("sessions"),
        );
        v.value(
            "memory",
            "Bytes of all transactions of one worker; beyond, new ones are refused.",
            &mut self.memory,
        );
        v.value(
            "probe",
            "First bytes of a direction by which its protocol is told.",
            &mut Within(&mut self.probe, 64..=1 << 16).of("bytes"),
        );
        v.value(
            "max-tx",
            "Transactions of one session at once; beyond, the oldest end as they stand (`too_many_transactions`).",
            &mut Within(&mut self.max_tx, 8..=65_536).of("transactions"),
        );
        v.value(
            "transaction-memory",
            "Bytes of one transaction's buffers, bodies and files apart; what comes beyond is cut off.",
            &mut self.transaction_memory,
        );
        v.value(
            "header-limit",
            "Bytes of a message's whole head.",
            &mut Within(&mut self.header, 1024..=1 << 20).of("bytes"),
        );
        v.section("http", "HTTP/1.", &mut self.http);
        v.section(
            "files",
            "Files that mails, FTP and others carry; of SMB, NFS and HTTP/2 16 MiB are inspected at least.",
            &mut Named(&mut self.files, FILES),
        );
        v.section("smb", "SMB.", &mut self.smb);
        v.section("smtp", "SMTP.", &mut self.smtp);
        v.section("tls", "TLS.", &mut self.tls);
        v.section("ssh", "SSH.", &mut self.ssh);
    }
}

impl Section for AppHttp {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "meta-field-limit",
            "Bytes of a line or a header field; longer ones are cut, and an event.",
            &mut Within(&mut self.line, 256..=1 << 20).of("bytes"),
        );
        Named(&mut self.request, REQUEST).visit(v);
        Named(&mut self.response, RESPONSE).visit(v);
        v.value(
            "body-decompress-layer-limit",
            "Codings of a body that are undone, one within the other; 0 for none.",
            &mut Within(&mut self.layers, 0..=8).of("codings"),
        );
        v.value(
            "compression-bomb-limit",
            "Bytes that a body may decode to however little came; beyond, it may be 2048 times what came.",
            &mut self.bomb,
        );
    }
}

impl Section for Sealing {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "encryption-handling",
            "From where both directions are encrypted: \"track-only\" (or \"default\"), the session goes on and no rule looks into its bytes;\n\
             \"bypass\", nothing looks at the session any more; \"full\", rules look into what is encrypted too.",
            &mut self.handling,
        );
    }
}

impl Section for AppSmb {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "max-read-size",
            "Bytes that one read may ask for or carry, or a server offer; more is an event. 0 for any.",
            &mut Within(&mut self.max_read, 0..=u32::MAX).of("bytes"),
        );
        v.value(
            "max-write-size",
            "The same of writes.",
            &mut Within(&mut self.max_write, 0..=u32::MAX).of("bytes"),
        );
    }
}

impl Section for AppSmtp {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "body-md5",
            "Make the sum of a mail's body where rules ask for it (`email.body_md5`); without, they do not match.",
            &mut self.body_md5,
        );
    }
}

/// Name and meaning of each of a body's keys.
type Words = [(&'static str, &'static str); 3];

const MINIMUM: &str = "Bytes of it that must be there before it is inspected, or its end. With streams.inspect = \"inline\" it is inspected\n\
     as it comes, before it leaves; so many bytes of its beginning are then kept to be looked at together.";

const REQUEST: Words = [
    ("request-body-limit", "Bytes of a request's body that are inspected; 0 for all."),
    ("request-body-minimal-inspect-size", MINIMUM),
    ("request-body-inspect-window", "Inspected bytes that are looked at again together with fresh ones."),
];
const RESPONSE: Words = [
    ("response-body-limit", "Bytes of a response's body that are inspected; 0 for all."),
    ("response-body-minimal-inspect-size", MINIMUM),
    ("response-body-inspect-window", "Inspected bytes that are looked at again together with fresh ones."),
];
const FILES: Words = [
    ("content-limit", "Bytes of a file that are inspected; 0 for all."),
    ("content-inspect-min-size", MINIMUM),
    ("content-inspect-window", "Inspected bytes that are looked at again together with fresh ones."),
];

struct Named<'a>(&'a mut Bodies, Words);

impl Section for Named<'_> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let [limit, minimum, window] = self.1;
        v.value(limit.0, limit.1, &mut self.0.limit);
        v.value(minimum.0, minimum.1, &mut self.0.minimum);
        v.value(window.0, window.1, &mut self.0.window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_key_changes_is_as_it_was() {
        let limits = AppLayer::of(Profile::Suricata).limits();
        assert_eq!(format!("{limits:?}"), format!("{:?}", Limits::default()));
        let mut all = AppLayer::of(Profile::Inline);
        all.http.request.limit = Bytes(0);
        assert_eq!(all.limits().request_body, u64::MAX);
    }
}
