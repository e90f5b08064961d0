//! Where control halves come from: built in by name, shared objects by their entry.

use crate::inspect::{self, Engine, HostState};
use crate::mgmt::config::PluginEntry;
use crate::service::builtin;
use crate::service::idp::{self, Idp};
use crate::service::plugin::Plugin;
use crate::stream;
use std::sync::Arc;

/// Makes a new instance of a plugin. Tests have their own.
pub trait Makers: Send {
    /// The fault says what is wrong and what to do.
    fn make(&self, entry: &PluginEntry) -> Result<Box<dyn Plugin>, String>;
    /// New rules: what instances of detection start with from now on.
    fn set_rules(&mut self, _engine: &Arc<Engine>) {}
}

/// What this binary has.
pub struct Stock {
    pub engine: Arc<Engine>,
    /// Keyed by host, one for all of detection.
    pub hosts: Arc<HostState>,
    pub streams: stream::Settings,
    pub inspection: inspect::Settings,
}

impl Makers for Stock {
    fn make(&self, entry: &PluginEntry) -> Result<Box<dyn Plugin>, String> {
        if entry.is_external() {
            return external(entry);
        }
        if entry.name == idp::NAME {
            return Ok(Box::new(Idp::new(
                Arc::clone(&self.engine),
                Arc::clone(&self.hosts),
                self.streams,
                self.inspection,
            )));
        }
        builtin::make(&entry.name).ok_or_else(|| format!("there is no built-in plugin \"{}\"", entry.name))
    }

    fn set_rules(&mut self, engine: &Arc<Engine>) {
        self.engine = Arc::clone(engine);
    }
}

/// Loads one shared object. The loader (`service::external`) comes in here: one `ExternalSpec` of `entry`, one `load`.
fn external(entry: &PluginEntry) -> Result<Box<dyn Plugin>, String> {
    Err(format!(
        "{}: this build loads no shared objects; leave the [[plugin]] \"{}\" out",
        entry.path.display(),
        entry.package
    ))
}
