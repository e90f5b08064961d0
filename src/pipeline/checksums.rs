//! TCP segments whose checksum is wrong. Their receiver throws them away without a word, so their bytes belong to no stream:
//! who sends one on purpose puts bytes before the rules that nobody gets, in the place of those that come behind it (Ptacek and
//! Newsham, "Insertion, Evasion, and Denial of Service", 1998).
//!
//! Where segments are taken from a host that leaves checksums to a NIC which is not on the way, all are wrong and none is
//! damaged. So each port is on trial first: its first segments pass whatever their sums, and show whether these mean anything.

use crate::base::PortId;
use crate::decode::{Decoded, checksum_valid, ip_checksum_valid};

/// Whether checksums of TCP segments, and of the IPv4 headers before them, are looked at.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Checking {
    #[default]
    Never,
    /// Unless a port's first segments show that they mean nothing there.
    Auto,
    Always,
}

/// Segments of a port's trial.
const TRIAL: u16 = 100;
/// More wrong ones among them, and the port's checksums mean nothing.
const MOST_WRONG: u16 = TRIAL / 10;

#[derive(Copy, Clone, Debug, Default)]
struct Trial {
    seen: u16,
    wrong: u16,
}

impl Trial {
    fn is_over(self) -> bool {
        self.seen >= TRIAL
    }

    fn failed(self) -> bool {
        self.wrong > MOST_WRONG
    }
}

/// One lane's.
#[derive(Debug)]
pub(super) struct Checksums {
    checking: Checking,
    /// One a port.
    trials: Box<[Trial]>,
    /// Segments that were wrong where that counts.
    pub(super) damaged: u64,
}

impl Checksums {
    pub(super) fn new(checking: Checking, ports: usize) -> Checksums {
        Checksums { checking, trials: vec![Trial::default(); ports].into(), damaged: 0 }
    }

    /// Other wishes begin the trials anew.
    pub(super) fn tune(&mut self, checking: Checking) {
        if std::mem::replace(&mut self.checking, checking) != checking {
            self.trials.fill(Trial::default());
        }
    }

    /// Ports whose checksums mean nothing.
    pub(super) fn untrusted(&self) -> usize {
        self.trials.iter().filter(|trial| trial.failed()).count()
    }

    /// Whether the packet is a TCP segment that its receiver will not take. What cannot be told, of a frame that was cut, is
    /// taken as right.
    #[inline]
    pub(super) fn is_damaged(&mut self, port: PortId, decoded: &Decoded, bytes: &[u8]) -> bool {
        if self.checking == Checking::Never || decoded.tcp().is_none() || decoded.invalid.is_some() {
            return false;
        }
        let trial = self.trials.get_mut(port.index()).filter(|_| self.checking == Checking::Auto);
        if trial.as_ref().is_some_and(|trial| trial.failed()) {
            return false;
        }
        let Some(upper) = checksum_valid(decoded, bytes) else { return false };
        let wrong = !upper || ip_checksum_valid(decoded, bytes) == Some(false);
        match trial.filter(|trial| !trial.is_over()) {
            Some(trial) => {
                trial.seen += 1;
                trial.wrong += u16::from(wrong);
                false
            }
            None => {
                self.damaged += u64::from(wrong);
                wrong
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Tunnels, decode};
    use crate::io::LinkType;
    use crate::wire::build::{IpFields, Link, Segment, tcp_packet};

    const PORT: PortId = PortId(1);

    fn frame(right: bool, of_header: bool) -> (Decoded, Vec<u8>) {
        let segment = Segment { payload: b"payload", ..Segment::default() };
        let ends = ("10.0.0.1:1000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let mut bytes = Link::ethernet().wrap(&tcp_packet(ends.0, ends.1, &IpFields::default(), &segment));
        if !right {
            // Of IPv4's header its identification, else the last byte of the payload.
            let at = if of_header { 14 + 4 } else { bytes.len() - 1 };
            bytes[at] ^= 1;
        }
        let mut decoded = Decoded::default();
        decode(&bytes, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
        (decoded, bytes)
    }

    fn is_damaged(sums: &mut Checksums, (decoded, bytes): &(Decoded, Vec<u8>)) -> bool {
        sums.is_damaged(PORT, decoded, bytes)
    }

    #[test]
    fn wrong_sums_of_segment_and_header_count_at_once_where_they_always_do() {
        let mut sums = Checksums::new(Checking::Always, 2);
        let found = [(true, false), (false, false), (false, true)]
            .map(|(right, of_header)| is_damaged(&mut sums, &frame(right, of_header)));
        assert_eq!((found, sums.damaged), ([false, true, true], 2));
    }

    #[test]
    fn a_port_with_few_wrong_sums_is_trusted_after_its_trial() {
        let mut sums = Checksums::new(Checking::Auto, 2);
        for n in 0..TRIAL {
            assert!(!is_damaged(&mut sums, &frame(n % 10 != 0, false)), "{n}");
        }
        assert!(is_damaged(&mut sums, &frame(false, false)) && !is_damaged(&mut sums, &frame(true, false)));
        assert_eq!(sums.untrusted(), 0);
    }

    #[test]
    fn a_port_with_many_wrong_sums_is_not_asked_again() {
        let mut sums = Checksums::new(Checking::Auto, 2);
        assert!((0..2 * TRIAL).all(|_| !is_damaged(&mut sums, &frame(false, false))));
        assert_eq!((sums.untrusted(), sums.damaged), (1, 0));
        sums.tune(Checking::Always);
        assert!(is_damaged(&mut sums, &frame(false, false)));
        sums.tune(Checking::Never);
        assert!(!is_damaged(&mut sums, &frame(false, false)));
    }

    #[test]
    fn of_a_frame_that_was_cut_nothing_is_told() {
        let mut sums = Checksums::new(Checking::Always, 2);
        let (decoded, bytes) = frame(false, false);
        assert!(!sums.is_damaged(PORT, &decoded, &bytes[..bytes.len() - 2]));
    }
}
