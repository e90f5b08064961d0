//! The steps that one packet takes, written down while somebody watches it.

use crate::base::{Dir, DropReason, Generation, PluginId, PortId, RuleIndex};
use arrayvec::ArrayVec;

/// Steps of one packet that are kept; more than that happens in deep tunnels and with many alerts, and the first tell most.
pub const MAX_STEPS: usize = 32;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put together here of fragments.
    Rebuilt,
    /// Held until now.
    Released,
    /// It cannot be what it says.
    Invalid(DropReason),
    Session {
        flow_id: u64,
        dir: Dir,
        opened: bool,
        /// An ICMP error about one of the session's packets.
        related: bool,
    },
    /// No session is kept for such packets.
    NoSession,
    /// No session could be had.
    Refused(DropReason),
    /// How the segment fits its TCP session: `valid`, `invalid` or `untracked`.
    Segment(&'static str),
    /// An earlier packet settled the session.
    Settled(DropReason),
    /// No plugin wants packets of this direction any more.
    Unwanted,
    Plugin {
        plugin: PluginId,
        said: Said,
    },
    Alert {
        generation: Generation,
        rule: RuleIndex,
    },
    /// What it carries is looked at.
    Inner,
    /// It waits in reassembly.
    Piece,
    Sent(Option<PortId>),
    Dropped(DropReason),
    /// A drop that the pair's mode does not let act.
    Spared(DropReason),
    Held,
    /// A copy ends here.
    Consumed,
}

/// What a plugin said of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Forward,
    Hold,
    Drop(DropReason),
    /// It is not there: taken out.
    Nothing,
}

/// Of the packet at hand.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    steps: ArrayVec<Step, MAX_STEPS>,
}

impl Trace {
    pub fn begin(&mut self) {
        self.on = true;
        self.steps.clear();
    }

    #[inline]
    pub fn is_on(&self) -> bool {
        self.on
    }

    #[inline]
    pub fn step(&mut self, step: Step) {
        if self.on {
            let _ = self.steps.try_push(step); // the first tell most
        }
    }

    pub fn end(&mut self) -> ArrayVec<Step, MAX_STEPS> {
        self.on = false;
        std::mem::take(&mut self.steps)
    }
}
