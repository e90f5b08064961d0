use super::*;
use crate::session::Midstream;
use Dir::{ToClient as S, ToServer as C};

const CLIENT: u32 = u32::MAX - 2; // sequence numbers wrap within the first bytes
const SERVER: u32 = 5000;

/// A conversation; offsets count from each side's initial number.
struct Talk {
    tcp: TcpTracker,
    settings: TcpSettings,
    now: Time,
    window: u16,
    scale: Option<u8>,
    stamp: Option<u32>,
    fast_open: bool,
}

impl Talk {
    fn new() -> Talk {
        Talk {
            tcp: TcpTracker::default(),
            settings: TcpSettings::default(),
            now: Time::from_secs(1000),
            window: 1000,
            scale: None,
            stamp: None,
            fast_open: false,
        }
    }

    fn say(&mut self, dir: Dir, flags: u8, seq: u32, ack: u32, len: u32) -> Tracked {
        let (own, other) = if dir == C { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let fields = TcpFields {
            seq: own.wrapping_add(seq),
            ack: if flags & ACK != 0 { other.wrapping_add(ack) } else { 0 },
            flags,
            window: self.window,
            window_scale: self.scale.filter(|_| flags & SYN != 0),
            timestamps: self.stamp.map(|s| (s, 0)),
            fast_open: self.fast_open,
            ..TcpFields::default()
        };
        self.tcp.segment(dir, &fields, len, self.now, &self.settings)
    }

    /// SYN, SYN/ACK, ACK.
    fn open() -> Talk {
        Talk::new().opened()
    }

    fn opened(mut self) -> Talk {
        assert_eq!(self.say(C, SYN, 0, 0, 0).fit, Fit::Valid);
        assert_eq!(self.say(S, SYN | ACK, 0, 1, 0).fit, Fit::Valid);
        let done = self.say(C, ACK, 1, 1, 0);
        assert!(done.established && done.anomalies.is_empty());
        self
    }

    fn state(&self) -> &'static str {
        self.tcp.state.name()
    }
}

#[track_caller]
fn refused(tracked: Tracked, anomaly: Anomaly) {
    assert_eq!((tracked.fit, tracked.anomalies.as_slice()), (Fit::Invalid, &[anomaly][..]));
    assert!(tracked.data.is_none() && tracked.acked.is_none() && !tracked.reset);
}

#[test]
fn a_handshake_data_and_both_fins_lead_through_the_states() {
    let mut t = Talk::open();
    let data = t.say(C, ACK, 1, 1, 10);
    assert_eq!((data.data, data.acked), (Some(SeqNum(CLIENT).plus(1)), Some(SeqNum(SERVER + 1))));
    assert_eq!(t.say(S, ACK, 1, 11, 20).acked, Some(SeqNum(CLIENT).plus(11)));
    assert_eq!(t.state(), "established");
    assert_eq!(t.say(C, FIN | ACK, 11, 21, 0).fin, Some(SeqNum(CLIENT).plus(11)));
    assert_eq!(t.state(), "close_wait");
    t.say(S, FIN | ACK, 21, 12, 0);
    assert_eq!(t.state(), "last_ack");
    t.say(C, ACK, 12, 22, 0);
    assert_eq!((t.state(), t.tcp.was_reset()), ("closed", false));
    assert_eq!(t.tcp.flags(C), SYN | ACK | FIN);
}

#[test]
fn the_urgent_byte_is_the_last_before_the_pointer_and_only_with_its_flag() {
    let at = |flags, urgent| {
        let mut t = Talk::open();
        let (seq, ack) = (CLIENT.wrapping_add(1), SERVER.wrapping_add(1));
        let fields = TcpFields { seq, ack, flags, urgent, window: 1000, ..TcpFields::default() };
        t.tcp.segment(C, &fields, 10, t.now, &t.settings).urgent
    };
    assert_eq!(at(ACK | URG, 3), Some(SeqNum(CLIENT).plus(3)));
    assert_eq!((at(ACK | URG, 0), at(ACK, 3)), (None, None));
}

#[test]
fn a_server_that_closes_first_goes_through_fin_wait() {
    let mut t = Talk::open();
    let mut states = vec![];
    for (dir, flags, seq, ack) in [(S, FIN | ACK, 1, 1), (C, ACK, 1, 2), (C, FIN | ACK, 1, 2), (S, ACK, 2, 2)]
    {
        assert_eq!(t.say(dir, flags, seq, ack, 0).fit, Fit::Valid);
        states.push(t.state());
    }
    assert_eq!(states, ["fin_wait1", "fin_wait2", "time_wait", "closed"]);
}

#[test]
fn fins_that_cross_lead_through_closing() {
    let mut t = Talk::open();
    t.say(S, FIN | ACK, 1, 1, 0);
    t.say(C, FIN | ACK, 1, 1, 0);
    assert_eq!(t.state(), "closing");
    t.say(C, ACK, 2, 2, 0);
    t.say(S, ACK, 2, 2, 0);
    assert_eq!(t.state(), "closed");
}

#[test]
fn a_syn_ack_must_acknowledge_the_syn_and_come_from_the_server() {
    let mut t = Talk::new();
    t.say(C, SYN, 0, 0, 0);
    refused(t.say(S, SYN | ACK, 0, 7, 0), Anomaly::Stream3whsSynackWithWrongAck);
    refused(t.say(C, SYN | ACK, 0, 1, 0), Anomaly::Stream3whsSynackInWrongDirection);
    assert_eq!(t.state(), "syn_sent");
    assert_eq!(t.say(S, SYN | ACK, 0, 1, 0).fit, Fit::Valid);
    refused(t.say(S, SYN | ACK, 9, 1, 0), Anomaly::Stream3whsSynackResendWithDiffSeq);
    refused(t.say(S, SYN | ACK, 0, 3, 0), Anomaly::Stream3whsSynackResendWithDifferentAck);
    refused(t.say(C, SYN | ACK, 0, 1, 0), Anomaly::Stream3whsSynackToserverOnSynRecv);
    refused(t.say(C, SYN, 55, 0, 0), Anomaly::Stream3whsSynResendDiffSeqOnSynRecv);
    refused(t.say(S, SYN, 0, 0, 0), Anomaly::Stream3whsSynToclientOnSynRecv);
    refused(t.say(C, ACK, 1, 9, 0), Anomaly::Stream3whsRightSeqWrongAckEvasion);
    refused(t.say(C, ACK, 90_000, 9, 0), Anomaly::Stream3whsWrongSeqWrongAck);
    refused(t.say(S, ACK, 1, 1, 5), Anomaly::Stream3whsAckInWrongDir);
    assert_eq!(t.state(), "syn_recv");
    assert!(t.say(C, ACK, 1, 1, 0).established);
}

#[test]
fn retransmitted_syns_change_nothing() {
    let mut t = Talk::new();
    for dir_flags in [(C, SYN, 0), (C, SYN, 0), (S, SYN | ACK, 1), (S, SYN | ACK, 1), (C, SYN, 0)] {
        assert_eq!(t.say(dir_flags.0, dir_flags.1, 0, dir_flags.2, 0).fit, Fit::Valid);
    }
    assert!(t.say(C, ACK, 1, 1, 3).established, "the first data may stand for the lost ACK");
    assert_eq!(t.say(S, SYN | ACK, 0, 1, 0).anomalies.as_slice(), [Anomaly::StreamEstSynackResend]);
}

#[test]
fn a_syn_after_the_handshake_is_refused() {
    let mut t = Talk::open();
    refused(t.say(C, SYN, 0, 0, 0), Anomaly::StreamEstSynResend);
    refused(t.say(C, SYN, 9, 0, 0), Anomaly::StreamEstSynResendDiffSeq);
    refused(t.say(S, SYN, 0, 0, 0), Anomaly::StreamEstSynToclient);
    refused(t.say(C, SYN | ACK, 0, 1, 0), Anomaly::StreamEstSynackToserver);
    refused(t.say(S, SYN | ACK, 9, 1, 0), Anomaly::StreamEstSynackResendWithDiffSeq);
    t.say(C, FIN | ACK, 1, 1, 0);
    refused(t.say(C, SYN, 0, 0, 0), Anomaly::StreamShutdownSynResend);
}

#[test]
fn simultaneous_and_split_handshakes_open_the_session() {
    let simultaneous =
        [(C, SYN, 0, 0), (S, SYN, 0, 0), (C, SYN | ACK, 0, 1), (S, SYN | ACK, 0, 1), (C, ACK, 1, 1)];
    let split = [(C, SYN, 0, 0), (S, SYN, 0, 0), (C, SYN | ACK, 0, 1), (S, ACK, 1, 1)];
    let four_steps = [(C, SYN, 0, 0), (S, SYN, 0, 0), (C, ACK, 1, 1)];
    for steps in [&simultaneous[..], &split[..], &four_steps[..]] {
        let mut t = Talk::new();
        for &(dir, flags, seq, ack) in steps {
            assert_eq!(t.say(dir, flags, seq, ack, 0).fit, Fit::Valid, "{steps:?}");
        }
        assert_eq!(t.state(), "established");
    }
    let mut t = Talk::new();
    t.say(C, SYN, 0, 0, 0);
    t.say(S, SYN, 0, 0, 0);
    refused(t.say(C, SYN | ACK, 0, 9, 0), Anomaly::Stream4whsSynackWithWrongAck);
    refused(t.say(C, SYN | ACK, 3, 1, 0), Anomaly::Stream4whsSynackWithWrongSyn);
}

#[test]
fn a_syn_may_carry_data_that_the_server_takes_or_leaves() {
    for (fast_open, taken) in [(false, 1), (false, 11), (true, 11), (true, 1)] {
        let mut t = Talk::new();
        t.fast_open = fast_open;
        let syn = t.say(C, SYN, 0, 0, 10);
        assert_eq!(syn.data, Some(SeqNum(CLIENT).plus(1)), "behind the SYN");
        assert_eq!(syn.early, !fast_open);
        let answer = t.say(S, SYN | ACK, 0, taken, 0);
        assert_eq!(answer.fit, Fit::Valid);
        assert_eq!(
            answer.anomalies.contains(&Anomaly::Stream3whsSynackTfoDataIgnored),
            fast_open && taken == 1
        );
        assert_eq!(t.say(S, ACK, 1, taken, 5).fit == Fit::Valid, fast_open, "only then may it speak first");
        assert!(t.say(C, ACK, taken, 1, 0).established);
    }
}

#[test]
fn segments_outside_the_window_are_refused_and_the_scale_widens_it() {
    let mut t = Talk::open();
    assert_eq!(t.say(C, ACK, 501, 1, 500).fit, Fit::Valid, "out of order");
    refused(t.say(C, ACK, 1001, 1, 200), Anomaly::StreamEstPacketOutOfWindow);
    let beyond = t.say(C, ACK, 900, 1, 200);
    let anomalies = [Anomaly::StreamEstPacketOutOfWindow];
    assert_eq!(
        (beyond.fit, beyond.anomalies.as_slice()),
        (Fit::Valid, &anomalies[..]),
        "some of it is taken"
    );
    refused(t.say(C, ACK, 1, 90_000, 0), Anomaly::StreamEstInvalidAck);
    let mut t = Talk::new();
    t.scale = Some(7);
    let mut t = t.opened();
    assert_eq!(t.say(S, ACK, 1, 1, 0).fit, Fit::Valid, "the first window that is scaled");
    assert_eq!(t.say(C, ACK, 100_000, 1, 1400).fit, Fit::Valid);
    refused(t.say(C, ACK, 129_000, 1, 1400), Anomaly::StreamEstPacketOutOfWindow);
}

#[test]
fn an_honest_retransmission_is_valid_and_said() {
    let mut t = Talk::open();
    t.say(C, ACK, 1, 1, 100);
    t.say(S, ACK, 1, 101, 0);
    let again = t.say(C, ACK, 1, 1, 100);
    assert_eq!(
        (again.fit, again.anomalies.as_slice()),
        (Fit::Valid, &[Anomaly::StreamPktRetransmission][..])
    );
    assert!(again.data.is_some());
}

#[test]
fn old_timestamps_are_refused_until_they_are_too_old_to_tell() {
    let mut t = Talk::new();
    t.stamp = Some(100);
    let mut t = t.opened();
    t.stamp = Some(200);
    assert_eq!(t.say(C, ACK, 1, 1, 10).fit, Fit::Valid);
    t.stamp = Some(150);
    refused(t.say(C, ACK, 11, 1, 10), Anomaly::StreamPktInvalidTimestamp);
    t.now = Time::from_secs(1000 + 25 * 24 * 3600);
    assert_eq!(t.say(C, ACK, 11, 1, 10).fit, Fit::Valid);
}

#[test]
fn a_reset_counts_only_within_the_window() {
    let mut t = Talk::open();
    refused(t.say(S, RST, 70_000, 0, 0), Anomaly::StreamRstInvalidAck);
    assert_eq!(t.state(), "established");
    assert!(t.say(S, RST, 1, 0, 0).reset);
    assert_eq!((t.state(), t.tcp.was_reset(), t.tcp.was_refused()), ("closed", true, false));
}

#[test]
fn data_after_a_reset_is_followed_and_suspected() {
    let mut t = Talk::open();
    t.say(S, RST, 1, 0, 0);
    let data = t.say(C, ACK, 1, 1, 10);
    assert_eq!((data.fit, data.anomalies.as_slice()), (Fit::Valid, &[Anomaly::StreamSuspectedRstInject][..]));
    let more = t.say(C, ACK, 11, 1, 10);
    assert_eq!((more.fit, more.anomalies.as_slice()), (Fit::Valid, &[][..]), "named once a session");
    assert!(data.data.is_some());
}

#[test]
fn a_reset_of_a_syn_must_acknowledge_it() {
    let mut t = Talk::new();
    t.say(C, SYN, 0, 0, 0);
    refused(t.say(S, RST | ACK, 0, 40, 0), Anomaly::StreamRstInvalidAck);
    assert!(t.say(S, RST | ACK, 0, 1, 0).reset);
    assert!(t.tcp.was_refused());
}

#[test]
fn nothing_comes_behind_a_fin_and_a_fin_does_not_move() {
    let mut t = Talk::open();
    t.say(C, FIN | ACK, 1, 1, 10);
    refused(t.say(C, ACK, 11, 1, 5), Anomaly::StreamClosewaitAckOutOfWindow);
    refused(t.say(C, FIN | ACK, 1, 1, 5), Anomaly::StreamClosewaitFinOutOfWindow);
    assert_eq!(t.say(C, FIN | ACK, 1, 1, 10).fit, Fit::Valid, "the same again");
    assert_eq!(t.say(C, ACK, 12, 1, 0).fit, Fit::Valid);
    assert_eq!(t.state(), "close_wait");
}

#[test]
fn a_running_session_is_picked_up_only_where_the_setting_says_so() {
    for (midstream, fit) in [
        (Midstream::Never, Fit::Untracked),
        (Midstream::Always, Fit::Valid),
        (Midstream::Until(Time::from_secs(1001)), Fit::Valid),
        (Midstream::Until(Time::from_secs(1000)), Fit::Untracked),
    ] {
        let mut t = Talk::new();
        t.settings.midstream = midstream;
        let first = t.say(C, ACK, 50, 70, 10);
        assert_eq!(first.fit, fit);
        assert_eq!(first.established, fit == Fit::Valid);
        if fit == Fit::Valid {
            assert_eq!(t.tcp.stream_start(C), Some(SeqNum(CLIENT).plus(50)));
            assert_eq!(t.say(S, ACK, 70, 60, 10).data, t.tcp.stream_start(S));
        }
    }
    let mut t = Talk::new();
    assert_eq!(t.say(C, FIN | ACK, 5, 5, 0).anomalies.as_slice(), [Anomaly::StreamFinButNoSession]);
    assert_eq!(t.say(C, RST, 5, 0, 0).anomalies.as_slice(), [Anomaly::StreamRstButNoSession]);
}

#[test]
fn a_session_of_which_one_side_is_seen_is_followed_where_the_setting_says_so() {
    for async_one_side in [false, true] {
        let mut t = Talk::new();
        t.settings.async_one_side = async_one_side;
        t.say(C, SYN, 0, 0, 0);
        let ack = t.say(C, ACK, 1, 1, 0);
        assert_eq!(ack.established, async_one_side);
        assert_eq!(t.say(C, ACK, 1, 1, 100).data.is_some(), async_one_side);
    }
}

#[test]
fn a_new_syn_reopens_only_what_is_over() {
    let mut t = Talk::open();
    let syn = |seq| TcpFields { seq, flags: SYN, ..TcpFields::default() };
    assert!(!t.tcp.reopened_by(C, &syn(77)));
    t.say(C, RST, 1, 0, 0);
    assert!(t.tcp.reopened_by(C, &syn(77)));
    assert!(!t.tcp.reopened_by(C, &syn(CLIENT)), "the old SYN once more");
}

#[test]
fn a_stamp_counts_where_the_peer_takes_it_and_one_tick_too_old_is_none() {
    let mut t = Talk { stamp: Some(100), ..Talk::new() }.opened();
    t.stamp = Some(9000);
    assert_eq!(t.say(C, ACK, 0, 1, 0).fit, Fit::Valid, "from before what the peer has");
    t.stamp = Some(101);
    assert_eq!(t.say(C, ACK, 1, 1, 5).fit, Fit::Valid);
    t.stamp = Some(100);
    assert_eq!(t.say(C, ACK, 6, 1, 5).fit, Fit::Valid, "as Linux takes it");
    t.stamp = Some(99);
    refused(t.say(C, ACK, 11, 1, 5), Anomaly::StreamPktInvalidTimestamp);
    t.stamp = Some(102);
    assert_eq!(t.say(C, ACK, 11, 1, 5).fit, Fit::Valid);
}

#[test]
fn data_without_an_acknowledgement_is_not_taken() {
    let mut talk = Talk::open();
    for flags in [0, FIN, URG] {
        assert_eq!(talk.say(C, flags, 1, 1, 5).fit, Fit::Invalid, "{flags:02x}");
    }
    assert_eq!((talk.say(C, ACK, 1, 1, 5).fit, talk.state()), (Fit::Valid, "established"));
}

#[test]
fn an_acknowledgement_of_long_ago_spoils_what_comes_with_it() {
    let mut talk = Talk::new();
    talk.window = 100;
    let mut talk = talk.opened();
    let mut far = 1;
    for _ in 0..5 {
        assert_eq!(talk.say(S, ACK, far, 1, 90).fit, Fit::Valid);
        far += 90;
        assert_eq!(talk.say(C, ACK, 1, far, 0).fit, Fit::Valid);
    }
    assert_eq!(talk.say(C, ACK, 1, far - 101, 5).fit, Fit::Invalid);
    assert_eq!(talk.say(C, ACK, 1, far - 101, 0).fit, Fit::Valid, "nothing comes with it");
    assert_eq!(talk.say(C, ACK, 1, far - 100, 5).fit, Fit::Valid, "it was only late");
}

#[test]
fn a_window_that_shrank_was_as_wide_all_the_same() {
    let mut talk = Talk::open();
    assert_eq!(talk.say(S, ACK, 1, 1, 900).fit, Fit::Valid);
    talk.window = 0;
    assert_eq!(talk.say(C, ACK, 1, 901, 0).fit, Fit::Valid);
    assert_eq!(talk.say(C, ACK, 1, 1, 5).fit, Fit::Valid);
}

#[test]
fn a_signature_that_was_not_agreed_upon_spoils_a_segment() {
    let signed = |talk: &mut Talk, dir: Dir, flags: u8, (seq, ack): (u32, u32), len: u32, signed: bool| {
        let (own, other) = if dir == C { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let (seq, ack) = (own.wrapping_add(seq), if flags & ACK != 0 { other.wrapping_add(ack) } else { 0 });
        let fields = TcpFields { seq, ack, flags, window: 1000, signed, ..TcpFields::default() };
        talk.tcp.segment(dir, &fields, len, talk.now, &talk.settings).fit
    };
    let mut plain = Talk::open();
    assert_eq!(signed(&mut plain, C, ACK, (1, 1), 5, true), Fit::Invalid);
    assert_eq!(signed(&mut plain, C, ACK, (1, 1), 5, false), Fit::Valid);
    let mut agreed = Talk::new();
    assert_eq!(signed(&mut agreed, C, SYN, (0, 0), 0, true), Fit::Valid);
    assert_eq!(signed(&mut agreed, S, SYN | ACK, (0, 1), 0, true), Fit::Valid);
    assert_eq!(signed(&mut agreed, C, ACK, (1, 1), 0, true), Fit::Valid);
    assert_eq!(signed(&mut agreed, C, ACK, (1, 1), 5, false), Fit::Invalid);
    assert_eq!(signed(&mut agreed, C, ACK, (1, 1), 5, true), Fit::Valid);
}
