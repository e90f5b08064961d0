//! What has no session: fragments, what is not IP, what could not be decoded, what reassembly found wrong.

use super::at_work::origin_of;
use super::judgement::Judgement;
use crate::base::event::PacketVerdict;
use crate::base::{Anomaly, Dir};
use crate::inspect::{InForce, Inspector, PacketFacts, Payload};
use crate::service::Reporter;
use crate::service::context::PacketAt;

pub(super) struct Without<'a> {
    pub(super) inspector: &'a mut Inspector,
    pub(super) rules: &'a mut InForce,
    pub(super) report: &'a mut Reporter,
}

fn facts<'a>(packet: &'a PacketAt<'_>, bytes: &'a [u8]) -> PacketFacts<'a> {
    PacketFacts { bytes, decoded: packet.decoded, time: packet.meta.clock, flow: None, app_events: &[] }
}

impl Without<'_> {
    pub(super) fn alone(&mut self, packet: &PacketAt<'_>) -> Judgement {
        let Without { inspector, rules, report } = self;
        let outcome = inspector.inspect(rules, &facts(packet, packet.bytes), None, Payload::Packet);
        let mut judgement = Judgement::new(Dir::ToServer, packet.subject);
        judgement.take(outcome);
        judgement.ask_ip_actions(rules.engine(), outcome);
        let set = rules.engine().rules();
        if !outcome.alerts.is_empty() {
            let origin = origin_of(packet, None, Dir::ToServer);
            report.alerts(&origin, outcome, set, None, None, packet.inline, judgement.told());
        }
        judgement.tally(report, set);
        judgement
    }

    /// What was found wrong with a packet after its turn: nothing hangs on what rules say of it.
    pub(super) fn raised(&mut self, packet: &PacketAt<'_>, raised: &[Anomaly]) {
        let Without { inspector, rules, report } = self;
        let outcome = inspector.inspect_raised(rules, &facts(packet, &[]), raised);
        let origin = origin_of(packet, None, Dir::ToServer);
        let set = rules.engine().rules();
        report.alerts(&origin, outcome, set, None, None, false, PacketVerdict::default());
    }
}
