//! How sessions begin that never end: what is said first, and then a head, a line or a length whose end does not come.

use weir::base::Dir::{self, ToClient, ToServer};

/// The protocol, by TCP, its port, and what is said; the last to speak goes on for ever.
pub struct Opening {
    pub proto: &'static str,
    pub port: u16,
    pub said: &'static [(Dir, &'static [u8])],
}

const fn opening(proto: &'static str, port: u16, said: &'static [(Dir, &'static [u8])]) -> Opening {
    Opening { proto, port, said }
}

const ASKED: (Dir, &[u8]) = (ToServer, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
const UPGRADES: (Dir, &[u8]) =
    (ToServer, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
const UPGRADED: (Dir, &[u8]) =
    (ToClient, b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
const MAILS: (Dir, &[u8]) = (ToServer, b"EHLO a\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n");
const GREETS: (Dir, &[u8]) = (ToClient, b"220 ESMTP\r\n");
const DESKTOP: (Dir, &[u8]) = (ToServer, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\0\0\0\0");
const PREFACE: (Dir, &[u8]) = (ToServer, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
/// A bind of DCE/RPC.
const BIND: (Dir, &[u8]) = (
    ToServer,
    b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0\x01\0\0\0\0\0\x01\0\
      \x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x01\0\0\0\
      \x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\0\x2b\x10\x48\x60\x02\0\0\0",
);

pub const OPENINGS: &[Opening] = &[
    opening("http1", 80, &[(ToServer, b"GET /")]),
    opening("http1", 80, &[(ToServer, b"GET /?a=1&")]),
    opening("http1", 80, &[(ToServer, b"GET / HTTP/1.1\r\n")]),
    opening("http1", 80, &[(ToServer, b"GET / HTTP/1.1\r\nCookie: a=b; ")]),
    opening("http1", 80, &[(ToServer, b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")]),
    opening("http1", 80, &[(ToServer, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;")]),
    opening("http1", 80, &[(ToServer, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")]),
    opening(
        "http1",
        80,
        &[(
            ToServer,
            b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999\r\n\r\n--x\r\n\
              Content-Disposition: form-data; name=\"",
        )],
    ),
    opening("http1", 80, &[ASKED, (ToClient, b"HTTP/1.1 200 ")]),
    opening("http1", 80, &[ASKED, (ToClient, b"HTTP/1.1 200 ok\r\nX: ")]),
    opening("http1", 80, &[ASKED, (ToClient, b"HTTP/1.1 200 ok\r\n\r\n")]),
    opening("http1", 80, &[ASKED, (ToClient, b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n")]),
    opening("http1", 80, &[ASKED, (ToClient, b"HTTP/1.1 200 ok\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03")]),
    opening("http2", 80, &[PREFACE, (ToServer, b"\xff\xff\xff\x01\0\0\0\0\x01")]),
    opening("http2", 80, &[PREFACE, (ToServer, b"\0\0\x01\x01\0\0\0\0\x01\x82")]),
    opening("http2", 80, &[PREFACE, (ToClient, b"\0\0\0\x04\0\0\0\0\0\xff\xff\xff\x01\0\0\0\0\x01")]),
    opening("http2", 80, &[PREFACE, (ToClient, b"\0\0\0\x04\0\0\0\0\0\0\x40\0\x04\0\0\0\0\0")]),
    opening("tls", 443, &[(ToServer, b"\x16\x03\x01\x40\0\x01\0\xff\xff\x03\x03")]),
    opening("tls", 443, &[(ToServer, b"\x16\x03\x01\0\x05\x01\0\xff\xff\x03\x16\x03\x01\x40\0")]),
    opening("ssh", 22, &[(ToServer, b"SSH-2.0-")]),
    opening("ssh", 22, &[(ToServer, b"SSH-2.0-x\r\n\0\0\xff\xff\x04\x14")]),
    opening("ssh", 22, &[(ToServer, b"SSH-2.0-x\r\n"), (ToClient, b"SSH-2.0-x\r\n\0\0\xff\xff\x04\x14")]),
    opening("smtp", 25, &[(ToServer, b"EHLO ")]),
    opening("smtp", 25, &[GREETS, (ToServer, b"EHLO a\r\nBDAT 99999999\r\n")]),
    opening("smtp", 25, &[GREETS, MAILS, (ToClient, b"250 a\r\n250-")]),
    opening("smtp", 25, &[GREETS, MAILS, (ToClient, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n"), (ToServer, b"Subject: ")]),
    opening(
        "smtp",
        25,
        &[
            GREETS,
            MAILS,
            (ToClient, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n"),
            (ToServer, b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Disposition: attachment; filename="),
        ],
    ),
    opening(
        "smtp",
        25,
        &[
            GREETS,
            MAILS,
            (ToClient, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n"),
            (ToServer, b"Content-Type: a/b; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        ],
    ),
    opening(
        "smtp",
        25,
        &[
            GREETS,
            MAILS,
            (ToClient, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n"),
            (ToServer, b"Content-Type: text/plain; name=x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"),
        ],
    ),
    opening("ftp", 21, &[(ToServer, b"USER a\r\nCWD ")]),
    opening("ftp", 21, &[(ToServer, b"USER a\r\n"), (ToClient, b"331-")]),
    opening("ftp", 21, &[(ToServer, b"USER a\r\n"), (ToClient, b"331-a\r\n")]),
    opening("ftp-data", 40_001, &[(ToServer, b"x")]),
    opening("sip", 5060, &[(ToServer, b"INVITE sip:a SIP/2.0\r\nVia: ")]),
    opening("sip", 5060, &[(ToServer, b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\nv=0\r\n")]),
    opening("imap", 143, &[(ToClient, b"* OK ")]),
    opening("imap", 143, &[(ToClient, b"* OK hi\r\n"), (ToServer, b"a1 APPEND x {99999999}\r\nSubject: ")]),
    opening("imap", 143, &[(ToClient, b"* OK hi\r\n* 1 FETCH (BODY[] {99999999}\r\n\r\n")]),
    opening("pop3", 110, &[(ToClient, b"+OK ")]),
    opening("pop3", 110, &[(ToClient, b"+OK hi\r\n"), (ToServer, b"USER ")]),
    opening("pop3", 110, &[(ToClient, b"+OK hi\r\n"), (ToServer, b"RETR 1\r\n"), (ToClient, b"+OK\r\nA: ")]),
    opening("smb", 445, &[(ToServer, b"\0\xff\xff\xff\xfeSMB\x40\0\0\0\0\0\0\0\x05\0")]),
    opening("smb", 445, &[(ToServer, b"\0\xff\xff\xff\xfeSMB\x40\0\0\0\0\0\0\0\x09\0")]),
    opening("smb", 445, &[(ToServer, b"\0\0\xff\xff\xffSMB\x72\0\0\0\0")]),
    opening("mqtt", 1883, &[(ToServer, b"\x10\xff\xff\xff\x7f\0\x04MQTT\x04")]),
    opening("mqtt", 1883, &[(ToServer, b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02ab"), (ToServer, b"\x30\xff\xff\xff\x7f\0\x01t")]),
    opening("websocket", 80, &[UPGRADES, UPGRADED, (ToServer, b"\x01\x7f\0\0\0\0\x7f\xff\xff\xff")]),
    opening("websocket", 80, &[UPGRADES, UPGRADED, (ToClient, b"\x01\x01a")]),
    opening("pgsql", 5432, &[(ToServer, b"\0\0\0\x08\x04\xd2\x16\x2f"), (ToClient, b"N"), (ToServer, b"\0\0\0\x10\0\x03\0\0user\0a\0\0"), (ToServer, b"Q\x7f\xff\xff\xff")]),
    opening("ldap", 389, &[(ToServer, b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x63\x84\x7f\xff\xff\xf0")]),
    opening("dns", 53, &[(ToServer, b"\xff\xff\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01")]),
    opening("krb5", 88, &[(ToServer, b"\0\xff\xff\xff\x6a\x83\xff\xff\xf0\x30\x83\xff\xff\xe0\xa1\x03\x02\x01\x05")]),
    opening("nfs", 2049, &[(ToServer, b"\x80\xff\xff\xff\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\x07")]),
    opening("dcerpc", 135, &[BIND, (ToServer, b"\x05\0\0\x01\x10\0\0\0\xff\xff\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0")]),
    opening("telnet", 23, &[(ToServer, b"\xff\xfd\x18\xff\xfa\x18")]),
    opening("telnet", 23, &[(ToServer, b"\xff\xfd\x18")]),
    opening("rfb", 5900, &[(ToClient, b"RFB 003.008\n"), (ToServer, b"RFB 003.008\n")]),
    opening("rfb", 5900, &[(ToClient, b"RFB 003.008\n"), (ToServer, b"RFB 003.008\n"), (ToClient, b"\0\xff\xff\xff\xff")]),
    opening("rdp", 3389, &[DESKTOP, (ToServer, b"\x03\0\xff\xff\x02\xf0\x80\x7f\x65\x82\xff\xf0")]),
    opening("modbus", 502, &[(ToServer, b"\0\x01\0\0\0\xfe\x01\x10\0\0\0\x7b\xf6")]),
    opening("dnp3", 20000, &[(ToServer, b"\x05\x64\xff\xc4\x01\0\x02\0\xba\xe5")]),
    opening("enip", 44818, &[(ToServer, b"\x6f\0\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]),
];

/// A request, up to the mark before its options.
const DHCP: [u8; 240] =
    with([0; 240], &[(0, 1), (1, 1), (2, 6), (236, 0x63), (237, 0x82), (238, 0x53), (239, 0x63)]);
/// A call of DCE/RPC with a number of its own and 512 bytes of arguments.
const REMOTE_CALL: [u8; 80] = with([0; 80], &[(0, 4), (2, 8), (4, 0x10), (40, 7), (75, 2)]);

const fn with<const N: usize>(mut bytes: [u8; N], set: &[(usize, u8)]) -> [u8; N] {
    let mut at = 0;
    while at < set.len() {
        bytes[set[at].0] = set[at].1;
        at += 1;
    }
    bytes
}

/// Of protocols over UDP: the port, and a datagram's first bytes; more of them follow, with anything behind.
pub const DATAGRAMS: &[(&str, u16, &[u8])] = &[
    ("dns", 53, b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01"),
    ("mdns", 5353, b"\0\0\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01"),
    ("llmnr", 5355, b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01"),
    ("snmp", 161, b"\x30\x82\x05\x60\x02\x01\x01\x04\x06public\xa0\x82\x05\x50\x02\x01\x01\x02\x01\0\x02\x01\0\x30\x82\x05\x40"),
    ("ike", 500, b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x21\x20\x22\x08\0\0\0\0\0\0\x05\x78"),
    ("dhcp", 67, &DHCP),
    ("ntp", 123, b"\x23\0\0\0"),
    ("tftp", 69, b"\0\x01name\0octet\0"),
    ("sip", 5060, b"INVITE sip:a SIP/2.0\r\nVia: "),
    ("quic", 443, b"\xc3\0\0\0\x01\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\0\x44\xd0"),
    ("krb5", 88, b"\x6a\x82\x05\x60\x30\x82\x05\x50\xa1\x03\x02\x01\x05"),
    ("nfs", 2049, b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\x07"),
    ("dcerpc", 135, &REMOTE_CALL),
    ("enip", 44818, b"\x63\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ("ldap", 389, b"\x30\x84\0\0\x05\x60\x02\x01\x01\x63\x84\0\0\x05\x50"),
];
