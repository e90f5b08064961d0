//! What stands in the place of a package that the watchdog has left out: for its name, and for sets that are not to go on
//! without it.

use crate::base::{DropReason, WorkerId};
use crate::mgmt::config::PluginEntry;
use crate::service::Context;
use crate::service::plugin::{
    About, ControlEvent, ControlFault, DataPlugin, Desk, Flags, MAX_NAME, Plugin, Reply,
};
use crate::service::watchdog::LeftOut;

pub(super) struct Absent {
    about: About,
    why: String,
}

/// Why the package is out, as lists of plugins show it.
pub(super) fn reason(left_out: &LeftOut) -> String {
    format!("{left_out}, so weir started anew without it")
}

impl Absent {
    pub fn new(entry: &PluginEntry, left_out: &LeftOut) -> Absent {
        let name = entry.called().chars().take(MAX_NAME).collect();
        // It keeps nothing of a session, and needs no policy: its sets do not wait for one.
        let flags = Flags { own_state: true, alone: true, ..Flags::default() };
        let about = About { name, kind: "left out".into(), external: true, flags, ..About::default() };
        Absent { about, why: reason(left_out) }
    }
}

impl Plugin for Absent {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        Box::new(AbsentWorker)
    }

    fn control(&mut self, event: ControlEvent<'_>, _desk: &mut dyn Desk) -> Result<(), ControlFault> {
        match event {
            ControlEvent::Init { .. } | ControlEvent::HaInfo => Ok(()),
            ControlEvent::ConfigBlob { .. } => {
                let (name, why) = (&self.about.name, &self.why);
                Err(ControlFault(format!(
                    "plugin {name} is out: {why}; `weir ctl plugin restart {name}` loads it again"
                )))
            }
        }
    }
}

/// Called only in sets whose traffic is to be dropped where a plugin is out: others have chains without it.
struct AbsentWorker;

impl DataPlugin for AbsentWorker {
    /// The session stays, as it does where a plugin is taken out in the running appliance: a record for each packet of a
    /// conversation would be a flood of its own.
    fn packet(&mut self, _context: &mut Context<'_>) -> Reply {
        Reply::DropPacket(DropReason::PluginOut)
    }

    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        self.packet(context)
    }
}
