//! `passthru`: accepts everything, and wants no more of a session than its first packet. For measuring what a chain costs, and
//! for seeing whether fragments reach services (behind reassembly, in sessions, none does).

use super::Context;
use super::plugin::{About, ControlEvent, ControlFault, DataPlugin, Desk, Flags, Plugin, Reply};
use crate::base::WorkerId;

/// The name that configurations know it by.
pub const NAME: &str = "passthru";

/// Its counters, in this order: sessions by their first packet, whole packets without session, fragments.
const SESSIONS: usize = 0;
const ALONE: usize = 1;
const FRAGMENTS: usize = 2;

pub struct Passthru {
    about: About,
}

impl Passthru {
    pub fn plugin() -> Box<dyn Plugin> {
        let counters = ["sessions", "alone", "fragments"].map(String::from).into();
        // It keeps nothing of a session: no room need be made for it.
        let flags = Flags { alone: true, own_state: true, ..Flags::default() };
        let about = About { name: NAME.into(), kind: "test".into(), flags, counters, ..About::default() };
        Box::new(Passthru { about })
    }
}

impl Plugin for Passthru {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        Box::new(PassthruWorker)
    }

    fn control(&mut self, event: ControlEvent<'_>, _desk: &mut dyn Desk) -> Result<(), ControlFault> {
        match event {
            ControlEvent::Init { config, .. } if !config.trim().is_empty() => {
                Err(ControlFault("passthru has nothing to configure: leave its configuration empty".into()))
            }
            ControlEvent::ConfigBlob { .. } => Err(ControlFault("passthru has nothing to configure".into())),
            ControlEvent::Init { .. } | ControlEvent::HaInfo => Ok(()),
        }
    }
}

struct PassthruWorker;

impl DataPlugin for PassthruWorker {
    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        context.host.count(context.set, SESSIONS, 1);
        context.ignore_both();
        Reply::Forward
    }

    /// Only after a first packet that never came here: someone in front dropped it.
    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        context.ignore_both();
        Reply::Forward
    }

    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        let fragment = context.packet.as_ref().is_some_and(|packet| packet.decoded.is_fragment());
        context.host.count(context.set, if fragment { FRAGMENTS } else { ALONE }, 1);
        Reply::Forward
    }
}
