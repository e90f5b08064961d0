//! `[sessions]`, `[timeouts]`, `[fragments]`.

use crate::mgmt::config::Profile;
use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::value::{Auto, Bytes, Within, parse_span, quoted, words, write_span};
use crate::mgmt::config::visit::{Section, Value, Visitor};
use std::time::Duration;
use toml::de::DeValue;

words! {
    /// What becomes of a new session when the table is full.
    FullTable {
        EvictOldestUnestablished = "evict-oldest-unestablished",
        DropNew = "drop-new",
        ForwardUntracked = "forward-untracked",
    }
}

/// Whether a TCP session is picked up in its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Midstream {
    Never,
    Always,
    /// For this long after the start, so that a restart kills nothing.
    Grace(Duration),
}

impl Value for Midstream {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let read = match toml {
            DeValue::Boolean(true) => Some(Midstream::Always),
            DeValue::Boolean(false) => Some(Midstream::Never),
            DeValue::String(s) => s.strip_prefix("grace ").and_then(parse_span).map(Midstream::Grace),
            _ => None,
        };
        *self = read.ok_or("expected true, false or \"grace 120s\"")?;
        Ok(())
    }

    fn write(&self) -> String {
        match self {
            Midstream::Never => "false".into(),
            Midstream::Always => "true".into(),
            Midstream::Grace(span) => quoted(&format!("grace {}", write_span(*span))),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Form("true, false or \"grace 120s\"")
    }
}

#[derive(Clone, Debug)]
pub struct Sessions {
    pub size: u32,
    pub full: FullTable,
    pub midstream: Midstream,
    pub async_one_side: bool,
}

impl Sessions {
    pub fn of(profile: Profile) -> Sessions {
        let (size, midstream) = match profile {
            Profile::Suricata => (1 << 18, Midstream::Never),
            Profile::Inline => (1 << 20, Midstream::Grace(Duration::from_secs(120))),
        };
        Sessions { size, full: FullTable::EvictOldestUnestablished, midstream, async_one_side: false }
    }
}

impl Section for Sessions {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "size",
            "Sessions each worker has room for, allocated at start.",
            &mut Within(&mut self.size, 64..=1 << 26).of("sessions"),
        );
        v.live(
            "full",
            "A new session when the table is full: \"evict-oldest-unestablished\", \"drop-new\" or \"forward-untracked\".",
            &mut self.full,
        );
        v.live(
            "midstream",
            "Pick up TCP sessions whose beginning was not seen: true, false, or \"grace 120s\" for so long after the start.",
            &mut self.midstream,
        );
        v.live("async", "Track TCP sessions of which only one side is seen.", &mut self.async_one_side);
    }
}

/// Idle times after which a session ends.
#[derive(Clone, Debug)]
pub struct Timeouts {
    pub tcp_new: Duration,
    pub tcp_established: Duration,
    pub tcp_closing: Duration,
    pub udp_new: Duration,
    pub udp_established: Duration,
    pub icmp_new: Duration,
    pub icmp_established: Duration,
    pub other_new: Duration,
    pub other_established: Duration,
}

impl Timeouts {
    pub fn of(profile: Profile) -> Timeouts {
        let [tcp_new, tcp_established, tcp_closing, new, established, other] = match profile {
            Profile::Suricata => [60, 600, 60, 30, 300, 300],
            Profile::Inline => [30, 3600, 10, 30, 30, 300],
        }
        .map(Duration::from_secs);
        Timeouts {
            tcp_new,
            tcp_established,
            tcp_closing,
            udp_new: new,
            udp_established: established,
            icmp_new: new,
            icmp_established: established,
            other_new: new,
            other_established: other,
        }
    }
}

impl Section for Timeouts {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("tcp-new", "TCP before its handshake is complete.", &mut self.tcp_new);
        v.live("tcp-established", "TCP after it.", &mut self.tcp_established);
        v.live("tcp-closing", "TCP after FIN or RST.", &mut self.tcp_closing);
        v.live("udp-new", "UDP seen in one direction.", &mut self.udp_new);
        v.live("udp-established", "UDP seen in both.", &mut self.udp_established);
        v.live("icmp-new", "ICMP seen in one direction.", &mut self.icmp_new);
        v.live("icmp-established", "ICMP seen in both.", &mut self.icmp_established);
        v.live("other-new", "SCTP and other IP seen in one direction.", &mut self.other_new);
        v.live("other-established", "SCTP and other IP seen in both.", &mut self.other_established);
    }
}

words! {
    /// Which of two overlapping fragments or segments is kept: "first", "last", and the names Suricata gives the ways of
    /// operating systems.
    Overlap {
        First = "first",
        Last = "last",
        Bsd = "bsd",
        BsdRight = "bsd-right",
        OldLinux = "old-linux",
        Linux = "linux",
        OldSolaris = "old-solaris",
        Solaris = "solaris",
        Hpux10 = "hpux10",
        Hpux11 = "hpux11",
        Irix = "irix",
        Macos = "macos",
        Windows = "windows",
        Vista = "vista",
        Windows2k3 = "windows2k3",
    }
}

/// The largest IP packet that leaves a port, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu(pub u16);

impl Mtu {
    pub const SMALLEST: u16 = 576;
    pub const LARGEST: u16 = 9192;
}

impl Default for Mtu {
    fn default() -> Mtu {
        Mtu(Mtu::LARGEST)
    }
}

impl Value for Mtu {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        Within(&mut self.0, Mtu::SMALLEST..=Mtu::LARGEST).read(toml)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn kind(&self) -> Kind {
        Kind::Number { low: Mtu::SMALLEST.into(), high: Mtu::LARGEST.into(), unit: "bytes" }
    }
}

#[derive(Clone, Debug)]
pub struct Fragments {
    pub memory: Bytes,
    pub datagrams: u32,
    pub pieces: u32,
    pub datagram_memory: Bytes,
    pub datagram_fragments: u32,
    pub source_memory: Bytes,
    pub timeout: Duration,
    pub policy: Overlap,
    pub drop_v6_overlaps: bool,
    pub drop_tiny_first: bool,
    pub drop_bad_checksum: bool,
    pub mtu: Auto<Mtu>,
    pub icmp_time_exceeded: bool,
}

impl Fragments {
    pub fn of(profile: Profile) -> Fragments {
        let inline = Fragments {
            memory: Bytes::mib(64),
            datagrams: 16_384,
            pieces: 65_536,
            datagram_memory: Bytes::mib(1),
            datagram_fragments: 8192,
            source_memory: Bytes::mib(8),
            timeout: Duration::from_secs(30),
            policy: Overlap::First,
            drop_v6_overlaps: true,
            drop_tiny_first: true,
            drop_bad_checksum: true,
            mtu: Auto::Auto,
            icmp_time_exceeded: false,
        };
        match profile {
            Profile::Inline => inline,
            Profile::Suricata => Fragments {
                datagrams: 65_535,
                pieces: 65_535,
                datagram_memory: Bytes::mib(64),
                datagram_fragments: 65_535,
                source_memory: Bytes(0),
                timeout: Duration::from_secs(60),
                policy: Overlap::Bsd,
                drop_v6_overlaps: false,
                drop_tiny_first: false,
                drop_bad_checksum: false,
                ..inline
            },
        }
    }
}

impl Section for Fragments {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("memory", "Buffer bytes that fragments of one worker may hold.", &mut self.memory);
        v.value(
            "datagrams",
            "Incomplete datagrams a worker keeps.",
            &mut Within(&mut self.datagrams, 1..=1 << 22).of("datagrams"),
        );
        v.value(
            "pieces",
            "Fragments a worker keeps, over all datagrams.",
            &mut Within(&mut self.pieces, 2..=1 << 24).of("fragments"),
        );
        v.live("datagram-memory", "Buffer bytes one datagram may hold.", &mut self.datagram_memory);
        v.live(
            "datagram-fragments",
            "Fragments one datagram may have.",
            &mut Within(&mut self.datagram_fragments, 2..=65_535).of("fragments"),
        );
        v.value(
            "source-memory",
            "Buffer bytes that fragments of one source address may hold; 0 for no such bound.",
            &mut self.source_memory,
        );
        v.live("timeout", "From the first piece to the last.", &mut self.timeout);
        v.live(
            "policy",
            "Which of two overlapping IPv4 fragments holds: \"first\", \"last\", or as a system does (docs/overlaps.md).\n\
             [host-os-policy] says otherwise by destination.",
            &mut self.policy,
        );
        v.live(
            "drop-v6-overlaps",
            "Drop an IPv6 datagram whose fragments overlap (RFC 5722); false decides by the policy.",
            &mut self.drop_v6_overlaps,
        );
        v.live(
            "drop-tiny-first",
            "Drop TCP fragments that cut its fixed header: a first one too short for it (RFC 1858), one that begins in it (RFC 3128).\n\
             Of IPv6 also a first one that does not have all extension headers (RFC 7112).",
            &mut self.drop_tiny_first,
        );
        v.live(
            "drop-bad-checksum",
            "Drop IPv4 fragments, and packets that have to be cut, whose header checksum is wrong, as a router does.\n\
             false for captures of a host whose NIC computes it. `weir replay` does without, unless this is set or -k all is given.",
            &mut self.drop_bad_checksum,
        );
        v.value(
            "mtu",
            "Datagrams larger than this, 576 to 9192 bytes, leave in pieces; \"auto\": the outgoing port's own mtu.",
            &mut self.mtu,
        );
        v.live(
            "icmp-time-exceeded",
            "Tell the sender of a datagram that was not completed in time (ICMP \"fragment reassembly time exceeded\").",
            &mut self.icmp_time_exceeded,
        );
    }
}
