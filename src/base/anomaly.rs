//! What is wrong with a packet or a stream, under the names Suricata gives its decoder and stream events.

/// How to add one: one line below; rules find it by `decode-event:` or `stream-event:` and eve.json by the same name.
macro_rules! anomalies {
    ($($variant:ident = $kind:ident $name:literal;)*) => {
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Anomaly { $($variant),* }

        impl Anomaly {
            pub const ALL: &'static [Anomaly] = &[$(Anomaly::$variant),*];

            /// The name after `decode-event:` or `stream-event:`.
            pub const fn name(self) -> &'static str {
                match self { $(Anomaly::$variant => $name),* }
            }

            pub const fn kind(self) -> AnomalyKind {
                match self { $(Anomaly::$variant => AnomalyKind::$kind),* }
            }
        }
    };
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AnomalyKind {
    Decode,
    Stream,
}

impl AnomalyKind {
    /// As eve.json spells it.
    pub const fn name(self) -> &'static str {
        match self {
            AnomalyKind::Decode => "decode",
            AnomalyKind::Stream => "stream",
        }
    }
}

anomalies! {
    Ipv4PktTooSmall = Decode "ipv4.pkt_too_small";
}
