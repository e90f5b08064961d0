//! What an event says of hosts, services and contexts.

use crate::base::event::record::{Entry, entries};
use crate::base::event::{AppEvent, AppKind, Event, EventBody, FlowEvent, Origin};
use crate::base::{Dir, Time};
use crate::rules::app::AppProto;
use crate::session::Phase;
use std::net::IpAddr;

/// Protocols whose transactions tell of contexts.
pub const PROFILED: [AppProto; 9] = [
    AppProto::Http1,
    AppProto::Http2,
    AppProto::Tls,
    AppProto::Quic,
    AppProto::Dns,
    AppProto::Ftp,
    AppProto::Ssh,
    AppProto::Smtp,
    AppProto::Rdp,
];

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// TCP's flag of an opening.
const SYN: u8 = 0x02;
const PUSH: u8 = 0x08;

/// What a text is of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    UserAgent,
    ServerBanner,
    HttpHost,
    TlsName,
    TlsSubject,
    DnsName,
    SshClient,
    SmtpHello,
    RdpClient,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::UserAgent,
        Kind::ServerBanner,
        Kind::HttpHost,
        Kind::TlsName,
        Kind::TlsSubject,
        Kind::DnsName,
        Kind::SshClient,
        Kind::SmtpHello,
        Kind::RdpClient,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Kind::UserAgent => "user-agent",
            Kind::ServerBanner => "server-banner",
            Kind::HttpHost => "http-host",
            Kind::TlsName => "tls-name",
            Kind::TlsSubject => "tls-subject",
            Kind::DnsName => "dns-name",
            Kind::SshClient => "ssh-client",
            Kind::SmtpHello => "smtp-hello",
            Kind::RdpClient => "rdp-client",
        }
    }

    /// The end of the session that it is a property of.
    const fn whose(self) -> Dir {
        match self {
            // As a direction: who sends that way.
            Kind::UserAgent | Kind::DnsName | Kind::SshClient | Kind::SmtpHello | Kind::RdpClient => {
                Dir::ToServer
            }
            Kind::ServerBanner | Kind::HttpHost | Kind::TlsName | Kind::TlsSubject => Dir::ToClient,
        }
    }

    /// By the protocol and the name of a note.
    fn of(proto: &str, note: &str) -> Option<Kind> {
        Some(match (proto, note) {
            ("http1" | "http2", "http_user_agent") => Kind::UserAgent,
            ("http1", "server") | ("ftp" | "smtp", "~banner") => Kind::ServerBanner,
            ("http1", "hostname") => Kind::HttpHost,
            ("tls" | "quic", "sni") => Kind::TlsName,
            ("tls", "subject") => Kind::TlsSubject,
            ("dns", "queries[].rrname") => Kind::DnsName,
            ("ssh", "client.software_version") => Kind::SshClient,
            ("ssh", "server.software_version") => Kind::ServerBanner,
            ("smtp", "helo") => Kind::SmtpHello,
            ("rdp", "client.client_name") => Kind::RdpClient,
            _ => return None,
        })
    }

    /// By the name of a header of HTTP/2, whose notes are pairs of name and value.
    fn of_header(name: &[u8]) -> Option<Kind> {
        match name {
            b"server" => Some(Kind::ServerBanner),
            b":authority" => Some(Kind::HttpHost),
            _ => None,
        }
    }
}

/// The server's side of a conversation.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// IP protocol number.
    pub proto: u8,
    pub port: u16,
}

/// A session that ended, in which both ends spoke.
#[derive(Copy, Clone, Debug)]
pub struct Session {
    pub first: Time,
    pub last: Time,
    /// VLAN ids, as [`FlowTuple::context`](crate::base::FlowTuple::context) has them.
    pub vlans: u64,
    pub client: IpAddr,
    pub server: IpAddr,
    /// None without ports, and where the server did nothing but refuse.
    pub service: Option<Service>,
    /// The application protocol, as eve.json names it.
    pub app: Option<&'static str>,
    /// By the client, by the server.
    pub bytes: [u64; 2],
}

/// A text that an end of a session sent.
#[derive(Clone, Debug)]
pub struct Context {
    pub at: Time,
    pub vlans: u64,
    pub host: IpAddr,
    /// Of a server's.
    pub service: Option<Service>,
    pub kind: Kind,
    pub text: Box<str>,
}

#[derive(Clone, Debug)]
pub enum Seen {
    Session(Session),
    Context(Context),
}

/// Hands over what an event tells; texts have at most `most` bytes.
pub fn seen_in(event: &Event, record: &[u8], most: usize, mut tell: impl FnMut(Seen)) {
    match &event.body {
        EventBody::Flow(flow) => {
            if let Some(session) = session(flow) {
                tell(Seen::Session(session));
            }
        }
        EventBody::App(app) if app.kind == AppKind::Transaction => {
            contexts(app, &event.origin, record, most, &mut |context| tell(Seen::Context(context)));
        }
        _ => {}
    }
}

/// Who answers nobody, and whom nobody answers, is nobody: a scan or forged senders would fill the database.
fn session(flow: &FlowEvent) -> Option<Session> {
    let stats = &flow.stats;
    // ICMP errors count in the session that they quote, and are no answer of the server's.
    let answered = flow.tcp.map_or(flow.state != Phase::New.name(), |tcp| tcp.flags[Dir::ToClient] != 0);
    if !answered || Dir::BOTH.into_iter().any(|dir| stats.packets[dir] == 0) {
        return None;
    }
    let tuple = &stats.tuple;
    let serves = match tuple.proto {
        // A port that refuses sends RST alone; of a session seen from its middle on, data must have come.
        TCP => flow.tcp.is_some_and(|tcp| tcp.flags[Dir::ToClient] & (SYN | PUSH) != 0),
        UDP | SCTP => true,
        _ => false,
    };
    Some(Session {
        first: stats.start,
        last: stats.last,
        vlans: tuple.context,
        client: tuple.src_ip(),
        server: tuple.dst_ip(),
        service: serves.then_some(Service { proto: tuple.proto, port: tuple.dport }),
        app: flow.app.proto.filter(|name| *name != "failed"),
        bytes: [stats.bytes[Dir::ToServer], stats.bytes[Dir::ToClient]],
    })
}

fn contexts(app: &AppEvent, origin: &Origin, record: &[u8], most: usize, tell: &mut dyn FnMut(Context)) {
    let tuple = &origin.tuple;
    let ends = [(tuple.src_ip(), tuple.sport), (tuple.dst_ip(), tuple.dport)];
    let [client, server] = match origin.dir {
        Dir::ToServer => ends,
        Dir::ToClient => [ends[1], ends[0]],
    };
    let noted = entries(record).filter_map(|(name, entry)| match entry {
        Entry::Text(text) if !text.is_empty() => Some((name, text)),
        _ => None,
    });
    let mut header = None;
    for (name, text) in noted {
        // The question stands in the answer, too.
        if app.proto == "dns" && name == "type" && text == b"response" {
            return;
        }
        let kind = match name {
            "request_headers[].name" | "response_headers[].name" => {
                header = Kind::of_header(text).filter(|_| app.proto == "http2");
                None
            }
            "request_headers[].value" | "response_headers[].value" => header.take(),
            _ => Kind::of(app.proto, name),
        };
        let Some(kind) = kind else { continue };
        let servers = kind.whose() == Dir::ToClient;
        tell(Context {
            at: origin.time,
            vlans: tuple.context,
            host: if servers { server.0 } else { client.0 },
            service: servers.then_some(Service { proto: tuple.proto, port: server.1 }),
            kind,
            text: readable(text, most),
        });
    }
}

/// A text of at most `most` bytes that a terminal and JSON can show; what is no UTF-8 or a control character is written `\xHH`.
fn readable(text: &[u8], most: usize) -> Box<str> {
    let mut out = String::with_capacity(text.len().min(most));
    let mut put = |part: &str| {
        let fits = out.len() + part.len() <= most;
        if fits {
            out.push_str(part);
        }
        fits
    };
    let mut buffer = [0; 4];
    'all: for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let fits = match letter {
                control if control.is_control() => {
                    let mut bytes = control.encode_utf8(&mut buffer).bytes();
                    bytes.all(|byte| put(&format!("\\x{byte:02X}")))
                }
                plain => put(plain.encode_utf8(&mut buffer)),
            };
            if !fits {
                break 'all;
            }
        }
        if !chunk.invalid().iter().all(|byte| put(&format!("\\x{byte:02X}"))) {
            break;
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_can_be_shown() {
        assert_eq!(&*readable(b"curl/8.5\r\n\xff\xc3\xa9", 64), "curl/8.5\\x0D\\x0A\\xFF\u{e9}");
        assert_eq!(&*readable("aé".as_bytes(), 2), "a");
        assert_eq!(&*readable(b"ab\x00", 4), "ab");
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
