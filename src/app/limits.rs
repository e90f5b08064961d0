//! Every bound of this layer.

use super::streamed::Window;
use crate::rules::app::AppProto;

/// What a buffer's memory is cut down to when its owner is put by for the next session, in bytes.
pub const KEPT: usize = 2 * 1024;
/// What a buffer may keep from one message to the next of the same session, in bytes: most messages fit. One that grew
/// beyond it is cut down to [`KEPT`].
pub const KEPT_AT_WORK: usize = 16 * 1024;

/// Empties a buffer whose message is over.
pub fn let_go(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT_AT_WORK {
        buffer.shrink_to(KEPT);
    }
}

/// What becomes of a session when all that follows in it is encrypted: Suricata's `encryption-handling`.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenEncrypted {
    /// Its decoder goes on as far as it can; no rule looks into the bytes.
    #[default]
    TrackOnly,
    /// Nothing looks at it any more.
    Bypass,
    /// All goes on: rules look into the bytes too.
    Full,
}

/// The same by protocol.
#[derive(Copy, Clone, Debug, Default)]
pub struct Encrypted {
    pub tls: WhenEncrypted,
    pub ssh: WhenEncrypted,
}

impl Encrypted {
    pub(super) fn of(&self, proto: AppProto) -> WhenEncrypted {
        match proto {
            AppProto::Tls => self.tls,
            AppProto::Ssh => self.ssh,
            _ => WhenEncrypted::Full,
        }
    }
}

/// What the configuration says of decoders. Defaults are those of Suricata's stock configuration where it has one.
#[derive(Copy, Clone, Debug)]
pub struct Limits {
    /// Sessions of one worker whose protocol is looked for or decoded at once; beyond, a session has no protocol.
    pub sessions: usize,
    /// Bytes of all transactions and decoders of one worker; beyond, new transactions are refused.
    pub memory: usize,
    /// First bytes of a direction that are kept while its protocol is not known.
    pub probe: usize,
    /// Transactions of one session at once; beyond, the oldest ends as it stands.
    pub transactions: usize,
    /// Bytes of the named buffers of one transaction, streamed ones apart; what comes beyond is cut off.
    pub transaction: usize,
    /// A line or a header field; longer ones are an event of their protocol, and cut.
    pub line: usize,
    /// All header fields of a message.
    pub header: usize,
    /// Bytes of an HTTP request's and response's body that are inspected (`request-body-limit`, `response-body-limit`).
    pub request_body: u64,
    pub response_body: u64,
    /// Inspection of a body waits for so many bytes, or its end, and then looks back so far.
    pub request_body_minimum: u64,
    pub request_body_window: u64,
    pub response_body_minimum: u64,
    pub response_body_window: u64,
    /// Of files carried by other protocols.
    pub file: u64,
    pub file_minimum: u64,
    pub file_window: u64,
    /// Rules look in the packet that brings something, before an answer may say more of it. Bodies and files are looked into as they come: the minimums are waited for only by what further bytes could take back.
    pub at_once: bool,
    /// First bytes of a file that its type is told by, where somebody asks for it.
    pub file_type: usize,
    /// A body decompressed may be so many times longer than it came, once it is longer than `bomb_free`.
    pub bomb_ratio: u64,
    pub bomb_free: u64,
    /// Bytes that one read or write of SMB may carry, 0 for any (`max-read-size`, `max-write-size`).
    pub smb_read: u32,
    pub smb_write: u32,
    /// The sum of a mail's body is made, where rules ask for it.
    pub body_md5: bool,
    /// Layers of compression that are undone.
    pub compression_layers: usize,
    pub encrypted: Encrypted,
}

impl Limits {
    /// How a file is looked into of which so many bytes are.
    pub(super) fn files(&self, limit: u64) -> Window {
        Window { limit, minimum: self.file_minimum, back: self.file_window, at_once: self.at_once }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            sessions: 1 << 18,
            memory: 256 << 20,
            probe: 4096,
            transactions: 256,
            transaction: 256 << 10,
            line: 18_000,
            header: 64 << 10,
            request_body: 100 << 10,
            response_body: 100 << 10,
            request_body_minimum: 32 << 10,
            request_body_window: 4 << 10,
            response_body_minimum: 40 << 10,
            response_body_window: 16 << 10,
            file: 100 << 10,
            file_minimum: 32 << 10,
            file_window: 4 << 10,
            at_once: false,
            file_type: 4 << 10,
            bomb_ratio: 2048,
            bomb_free: 1 << 20,
            smb_read: 16 << 20,
            smb_write: 16 << 20,
            body_md5: false,
            compression_layers: 2,
            encrypted: Encrypted::default(),
        }
    }
}
