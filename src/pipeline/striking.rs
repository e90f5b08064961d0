//! IP actions on a lane: what is in force against a packet, and what its rules ask for.

use super::lane::Lane;
use crate::base::ip_action::IpDeed;
use crate::base::{DropReason, PortId, Verdict};
use crate::decode::Decoded;
use crate::service::Subject;
use crate::service::ip_actions::Ends;
use crate::service::outbox::{Blame, Reject};

impl Lane {
    /// Whether there may be anything in force against a packet. In a replay what came before it is done then.
    #[inline]
    pub(super) fn may_strike(&mut self, subject: &Subject<'_>) -> bool {
        if !subject.inline {
            return false;
        }
        if let Some(order) = &mut self.order
            && self.ip_actions.is_armed()
        {
            order.wait_before(self.position);
        }
        self.ip_actions.any(self.clock)
    }

    /// What is in force against the packet, if that stops it.
    #[cold]
    pub(super) fn strike(&mut self, subject: &Subject<'_>, decoded: &Decoded) -> Option<Verdict> {
        decoded.ip?;
        let session = self.sessions.peek(decoded.quoted.as_ref().unwrap_or(&decoded.tuple));
        let session = session.map(|(_, session)| &session.tuple);
        let ends = Ends { packet: &decoded.tuple, session, port: subject.meta.port };
        let (deed, rule) = self.ip_actions.against(&ends, self.clock)?;
        if deed == IpDeed::Notify {
            return None;
        }
        let outbox = &mut self.services.outbox;
        outbox.blame = Blame { plugin: None, rule: Some(rule) };
        // Somebody can be told of a whole packet that is not within another.
        if deed == IpDeed::Close && subject.frame.is_some() {
            outbox.reject = Reject { source: true, destination: true };
        }
        Some(Verdict::Drop(DropReason::IpAction))
    }

    /// What the packet's rules ask for is in force from the next packet on.
    #[cold]
    pub(super) fn begin_ip_actions(&mut self, port: PortId, decoded: &Decoded) {
        let asked = std::mem::take(&mut self.services.outbox.ip_actions);
        let session = self.sessions.peek(&decoded.tuple).map(|(_, session)| &session.tuple);
        let ends = Ends { packet: &decoded.tuple, session, port };
        for (action, rule) in asked {
            self.ip_actions.add(&action, &ends, rule, self.clock);
        }
    }
}
