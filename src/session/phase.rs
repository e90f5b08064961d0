//! How far a session has come, whatever its protocol.

/// Which timeout holds, and how eve.json names the session's state.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// TCP: no complete handshake. Others: packets of one direction only.
    #[default]
    New,
    Established,
    Closed,
}

impl Phase {
    pub const fn name(self) -> &'static str {
        match self {
            Phase::New => "new",
            Phase::Established => "established",
            Phase::Closed => "closed",
        }
    }
}
