//! Where control halves come from: built in by name, shared objects by their entry.

use crate::inspect::{self, CostBook, Engine, HostState};
use crate::mgmt::config::PluginEntry;
use crate::service::external::{ExternalSpec, load};
use crate::service::idp::{self, Idp};
use crate::service::plugin::Plugin;
use crate::service::{Tuning, builtin};
use crate::stream;
use std::sync::Arc;

/// Makes a new instance of a plugin. Tests have their own.
pub trait Makers: Send {
    /// The fault says what is wrong and what to do.
    fn make(&self, entry: &PluginEntry) -> Result<Box<dyn Plugin>, String>;
    /// New rules: what instances of detection start with from now on.
    fn set_rules(&mut self, _engine: &Arc<Engine>) {}
    /// As running instances were told, for those to come.
    fn tune(&mut self, _tuning: &Tuning) {}
}

/// What this binary has.
pub struct Stock {
    pub engine: Arc<Engine>,
    /// Keyed by host, one for all of detection.
    pub hosts: Arc<HostState>,
    pub streams: stream::Settings,
    pub inspection: inspect::Settings,
    /// Where somebody asked what rules cost.
    pub costs: Option<Arc<CostBook>>,
    /// The first rules are still to come, and `engine` has none.
    pub awaits_rules: bool,
}

impl Makers for Stock {
    fn make(&self, entry: &PluginEntry) -> Result<Box<dyn Plugin>, String> {
        if entry.is_external() {
            return external(entry);
        }
        if entry.name == idp::NAME {
            let (engine, hosts) = (Arc::clone(&self.engine), Arc::clone(&self.hosts));
            let idp = Idp::new(engine, hosts, self.streams.clone(), self.inspection);
            return Ok(Box::new(idp.measured(self.costs.clone()).awaiting_rules(self.awaits_rules)));
        }
        builtin::make(&entry.name).ok_or_else(|| format!("there is no built-in plugin \"{}\"", entry.name))
    }

    fn set_rules(&mut self, engine: &Arc<Engine>) {
        self.engine = Arc::clone(engine);
        self.awaits_rules = false;
    }

    fn tune(&mut self, tuning: &Tuning) {
        let stream::Settings { depth, ahead, urgent, overlap, hold, drop_invalid, .. } =
            tuning.streams.clone();
        let kept = self.streams.clone();
        self.streams = stream::Settings { depth, ahead, urgent, overlap, hold, drop_invalid, ..kept };
        self.inspection.exceptions = tuning.exceptions;
        self.inspection.packet_alert_max = tuning.packet_alert_max;
    }
}

/// Loads one shared object; packages that it needs have been loaded before ([`Layout`](super::Layout) sees to that).
fn external(entry: &PluginEntry) -> Result<Box<dyn Plugin>, String> {
    let spec = ExternalSpec {
        package: entry.package.clone(),
        path: entry.path.clone(),
        entry: entry.entry.clone(),
        order: i32::try_from(entry.order).unwrap_or(i32::MAX),
        needs: entry.needs.clone(),
        config: entry.config.clone(),
    };
    let loaded = load(&[spec]).map_err(|fault| fault.to_string())?;
    let plugin = loaded.into_iter().next().ok_or("nothing was loaded")?;
    Ok(Box::new(plugin))
}
