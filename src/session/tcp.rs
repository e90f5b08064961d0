//! The TCP states a session goes through, as one table of data.
//!
//! States are named from the server's side, as eve.json names them: a FIN of the client leads to `close_wait`.
//! Events are what [`tracker`](super::tracker) has already found valid by sequence and acknowledgement.

use super::phase::Phase;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// No handshake seen and none picked up: packets are counted, not followed.
    #[default]
    None,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    Closing,
    CloseWait,
    LastAck,
    TimeWait,
    Closed,
}

impl State {
    pub const ALL: [State; 11] = [
        State::None,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::Closing,
        State::CloseWait,
        State::LastAck,
        State::TimeWait,
        State::Closed,
    ];

    /// As eve.json spells it (`tcp.state`).
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "none",
            State::SynSent => "syn_sent",
            State::SynReceived => "syn_recv",
            State::Established => "established",
            State::FinWait1 => "fin_wait1",
            State::FinWait2 => "fin_wait2",
            State::Closing => "closing",
            State::CloseWait => "close_wait",
            State::LastAck => "last_ack",
            State::TimeWait => "time_wait",
            State::Closed => "closed",
        }
    }

    pub const fn phase(self) -> Phase {
        match self {
            State::None | State::SynSent | State::SynReceived => Phase::New,
            State::Established | State::FinWait1 | State::FinWait2 | State::Closing | State::CloseWait => {
                Phase::Established
            }
            State::LastAck | State::TimeWait | State::Closed => Phase::Closed,
        }
    }

    /// The handshake is done, whatever came after.
    pub const fn handshake_done(self) -> bool {
        !matches!(self, State::None | State::SynSent | State::SynReceived)
    }
}

/// A valid happening. "Client" is who sent the first SYN, "server" the other.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// A SYN that opens.
    ClientSyn,
    /// A SYN without ACK from the other side: simultaneous open, or the second step of a split handshake.
    ServerSyn,
    ServerSynAck,
    /// In a simultaneous open or a split handshake.
    ClientSynAck,
    /// The acknowledgement that completes the handshake, from whichever side has to give it.
    HandshakeAck,
    /// Picked up in the middle, or followed from one side only.
    PickUp,
    ClientFin,
    ServerFin,
    /// The client acknowledges the server's FIN.
    ClientAcksFin,
    ServerAcksFin,
    Reset,
}

impl Event {
    pub const ALL: [Event; 11] = [
        Event::ClientSyn,
        Event::ServerSyn,
        Event::ServerSynAck,
        Event::ClientSynAck,
        Event::HandshakeAck,
        Event::PickUp,
        Event::ClientFin,
        Event::ServerFin,
        Event::ClientAcksFin,
        Event::ServerAcksFin,
        Event::Reset,
    ];
}

/// The next state, by (state, event); `None` where the event changes nothing.
pub const fn next(state: State, event: Event) -> Option<State> {
    TABLE[state as usize][event as usize]
}

const TABLE: [[Option<State>; 11]; 11] = {
    use State as S;
    const STAY: Option<State> = None;
    const fn to(state: State) -> Option<State> {
        Some(state)
    }
    // One row a state; columns in the order of `Event::ALL`:
    //  ClientSyn       ServerSyn            ServerSynAck         ClientSynAck         HandshakeAck
    //  PickUp          ClientFin            ServerFin            ClientAcksFin        ServerAcksFin     Reset
    let none = [
        to(S::SynSent),
        STAY,
        STAY,
        STAY,
        STAY, //
        to(S::Established),
        STAY,
        STAY,
        STAY,
        STAY,
        STAY,
    ];
    let syn_sent = [
        STAY,
        to(S::SynReceived),
        to(S::SynReceived),
        STAY,
        STAY, //
        to(S::Established),
        STAY,
        STAY,
        STAY,
        STAY,
        to(S::Closed),
    ];
    let syn_received = [
        STAY,
        STAY,
        STAY,
        STAY,
        to(S::Established), //
        to(S::Established),
        to(S::CloseWait),
        to(S::FinWait1),
        STAY,
        STAY,
        to(S::Closed),
    ];
    let established = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        to(S::CloseWait),
        to(S::FinWait1),
        STAY,
        STAY,
        to(S::Closed),
    ];
    let fin_wait1 = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        to(S::Closing),
        STAY,
        to(S::FinWait2),
        STAY,
        to(S::Closed),
    ];
    let fin_wait2 = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        to(S::TimeWait),
        STAY,
        STAY,
        STAY,
        to(S::Closed),
    ];
    let closing = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        STAY,
        STAY,
        to(S::TimeWait),
        to(S::LastAck),
        to(S::Closed),
    ];
    let close_wait = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        STAY,
        to(S::LastAck),
        STAY,
        STAY,
        to(S::Closed),
    ];
    let last_ack = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        STAY,
        STAY,
        to(S::Closed),
        STAY,
        to(S::Closed),
    ];
    let time_wait = [
        STAY,
        STAY,
        STAY,
        STAY,
        STAY, //
        STAY,
        STAY,
        STAY,
        STAY,
        to(S::Closed),
        to(S::Closed),
    ];
    let closed = [STAY; 11];
    [
        none,
        syn_sent,
        syn_received,
        established,
        fin_wait1,
        fin_wait2,
        closing,
        close_wait,
        last_ack,
        time_wait,
        closed,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn every_pair_of_state_and_event_is_as_reviewed() {
        let mut table = String::new();
        for state in State::ALL {
            for event in Event::ALL {
                let after = next(state, event).map_or("-", State::name);
                writeln!(table, "{:<12} {:<14} {after}", state.name(), format!("{event:?}")).unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn no_event_leads_out_of_closed_or_back_before_the_handshake() {
        for event in Event::ALL {
            assert_eq!(next(State::Closed, event), None);
            for state in State::ALL.into_iter().filter(|s| s.handshake_done()) {
                assert!(next(state, event).is_none_or(State::handshake_done), "{state:?} {event:?}");
            }
        }
    }
}
