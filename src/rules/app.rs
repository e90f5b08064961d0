//! Application protocols, as rules name them. **To add one: one line in the table**; its buffers are in
//! [`context`](super::context), its numbers and flags in [`field`](super::field).

use serde::{Deserialize, Serialize};

/// A set of application protocols, a bit each.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Protos(pub u64);

impl Protos {
    pub const NONE: Protos = Protos(0);

    pub const fn of(all: &[AppProto]) -> Protos {
        let (mut bits, mut at) = (0, 0);
        while at < all.len() {
            bits |= 1 << all[at] as u64;
            at += 1;
        }
        Protos(bits)
    }

    pub const fn or(self, other: Protos) -> Protos {
        Protos(self.0 | other.0)
    }

    pub fn and(self, other: Protos) -> Protos {
        Protos(self.0 & other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, proto: AppProto) -> bool {
        self.0 & 1 << proto as u64 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = AppProto> {
        AppProto::ALL.iter().copied().filter(move |p| self.contains(*p))
    }

    /// Its only protocol.
    pub fn only(self) -> Option<AppProto> {
        self.iter().next().filter(|_| self.0.count_ones() == 1)
    }

    /// For people: the word that stands for the whole set, or for its first.
    pub fn label(self) -> &'static str {
        let known = [("files", FILES)];
        let mut words = WORDS.iter().chain(&known).filter(|(_, protos)| *protos == self);
        match (self.iter().next(), self.0.count_ones()) {
            (None, _) => "no protocol",
            (Some(proto), 1) => proto.name(),
            (Some(proto), _) => words.next().map_or(proto.name(), |(word, _)| word),
        }
    }

    /// By which transports its protocols are carried.
    pub fn carriers(self) -> Carriers {
        let each = self.iter().map(AppProto::carriers);
        each.fold(Carriers { tcp: false, udp: false }, |a, b| Carriers {
            tcp: a.tcp || b.tcp,
            udp: a.udp || b.udp,
        })
    }
}

/// Transports that carry a protocol.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Carriers {
    pub tcp: bool,
    pub udp: bool,
}

macro_rules! protocols {
    ($($variant:ident = $name:literal $carrier:ident;)*) => {
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum AppProto { $($variant),* }

        impl AppProto {
            pub const ALL: &'static [AppProto] = &[$(AppProto::$variant),*];

            pub const fn name(self) -> &'static str {
                match self { $(AppProto::$variant => $name),* }
            }

            pub const fn carriers(self) -> Carriers {
                match self { $(AppProto::$variant => $carrier),* }
            }
        }
    };
}

const TCP: Carriers = Carriers { tcp: true, udp: false };
const UDP: Carriers = Carriers { tcp: false, udp: true };
const BOTH: Carriers = Carriers { tcp: true, udp: true };

protocols! {
    Http1 = "http1" TCP;
    Http2 = "http2" TCP;
    Doh2 = "doh2" TCP;
    Dns = "dns" BOTH;
    Mdns = "mdns" UDP;
    Llmnr = "llmnr" UDP;
    Tls = "tls" TCP;
    Quic = "quic" UDP;
    Ssh = "ssh" TCP;
    Smtp = "smtp" TCP;
    Ftp = "ftp" TCP;
    FtpData = "ftp-data" TCP;
    Smb = "smb" TCP;
    Dcerpc = "dcerpc" BOTH;
    Dhcp = "dhcp" UDP;
    Nfs = "nfs" BOTH;
    Ntp = "ntp" UDP;
    Snmp = "snmp" UDP;
    Tftp = "tftp" UDP;
    Telnet = "telnet" TCP;
    Mqtt = "mqtt" TCP;
    Sip = "sip" BOTH;
    Rdp = "rdp" TCP;
    Krb5 = "krb5" BOTH;
    Ike = "ike" UDP;
    Pop3 = "pop3" TCP;
    Imap = "imap" TCP;
    Rfb = "rfb" TCP;
    Modbus = "modbus" TCP;
    Dnp3 = "dnp3" TCP;
    Enip = "enip" BOTH;
    Websocket = "websocket" TCP;
    Ldap = "ldap" BOTH;
    Pgsql = "pgsql" TCP;
    Mysql = "mysql" TCP;
    BittorrentDht = "bittorrent-dht" UDP;
    Irc = "irc" TCP;
    Jabber = "jabber" TCP;
}

impl AppProto {
    /// As eve.json writes it.
    pub const fn log_name(self) -> &'static str {
        match self {
            AppProto::Http1 => "http",
            other => other.name(),
        }
    }
}

/// Protocols that a decoder yields today. A rule that needs another waits: it is loaded and never evaluated. A decoder
/// that arrives adds itself here.
#[rustfmt::skip]
pub const DECODED: Protos = Protos::of(&[
    AppProto::Tls,
    AppProto::Ssh,
    AppProto::Quic,
    AppProto::Http1,
    AppProto::Http2,
    AppProto::Doh2,
    AppProto::Smb,
    AppProto::Dns,
    AppProto::Mdns,
    AppProto::Llmnr,
    AppProto::Dcerpc,
    AppProto::Krb5,
    AppProto::Nfs,
    AppProto::Sip,
    AppProto::Snmp,
    AppProto::Dhcp,
    AppProto::Ntp,
    AppProto::Tftp,
    AppProto::Smtp,
    AppProto::Ftp,
    AppProto::FtpData,
    AppProto::Mqtt,
    AppProto::Websocket,
    AppProto::Rfb,
    AppProto::Modbus,
    AppProto::Dnp3,
    AppProto::Enip,
    AppProto::Telnet,
    AppProto::Ldap,
    AppProto::Pop3,
    AppProto::Imap,
    AppProto::Ike,
    AppProto::Rdp,
    AppProto::Pgsql,
]);

/// HTTP of any version; DNS over HTTPS is HTTP/2 that carries DNS.
pub const HTTP: Protos = Protos::of(&[AppProto::Http1, AppProto::Http2, AppProto::Doh2]);
pub const DNS: Protos = Protos::of(&[AppProto::Dns, AppProto::Doh2]);

/// Protocols whose transfers are files.
pub const FILES: Protos = HTTP.or(Protos::of(&[
    AppProto::Smtp,
    AppProto::Pop3,
    AppProto::Imap,
    AppProto::FtpData,
    AppProto::Smb,
    AppProto::Nfs,
]));

/// Words of a rule's header (and of `app-layer-protocol`) that are not a protocol's own name, or stand for several.
const WORDS: &[(&str, Protos)] = &[
    ("http", HTTP),
    ("http2", Protos::of(&[AppProto::Http2, AppProto::Doh2])),
    ("dns", DNS),
    ("ssl", Protos::of(&[AppProto::Tls])),
    ("ikev2", Protos::of(&[AppProto::Ike])),
    ("dcerpc", Protos::of(&[AppProto::Dcerpc, AppProto::Smb])),
];

/// What a protocol word stands for; words are in lower case.
pub fn named(word: &str) -> Option<Protos> {
    let known = WORDS.iter().find(|(name, _)| *name == word).map(|(_, protos)| *protos);
    known.or_else(|| AppProto::ALL.iter().find(|p| p.name() == word).map(|p| Protos::of(&[*p])))
}

/// What the word stands for without what carries it: `dns` is not DNS over HTTPS, nor `http`.
pub fn exactly(word: &str) -> Option<Protos> {
    let own = AppProto::ALL.iter().find(|proto| proto.name() == word).map(|proto| Protos::of(&[*proto]));
    let without_doh = |protos: Protos| {
        let plain = protos.iter().filter(|proto| *proto != AppProto::Doh2);
        plain.fold(Protos::NONE, |all, proto| all.or(Protos::of(&[proto])))
    };
    own.or_else(|| named(word).map(without_doh))
}

/// All protocol words, for the nearest.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(name, _)| *name).chain(AppProto::ALL.iter().map(|p| p.name()))
}

const _: () = assert!(AppProto::ALL.len() <= 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_what_carries_them() {
        assert_eq!(named("http").unwrap().iter().count(), 3);
        assert!(named("doh2").unwrap().and(named("dns").unwrap()).contains(AppProto::Doh2));
        assert_eq!(named("ssl"), named("tls"));
        assert_eq!(named("htp"), None);
        assert_eq!(exactly("dns"), Some(Protos::of(&[AppProto::Dns])));
        assert_eq!(exactly("http"), Some(Protos::of(&[AppProto::Http1, AppProto::Http2])));
        assert_eq!(exactly("dcerpc"), Some(Protos::of(&[AppProto::Dcerpc])));
        assert_eq!(named("dns").unwrap().carriers(), BOTH);
        assert_eq!(named("tls").unwrap().carriers(), TCP);
    }
}
