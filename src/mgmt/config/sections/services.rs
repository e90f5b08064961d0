//! `[[plugin]]`, `[[service-set]]`, `[services]`.

use super::matching::MatchRule;
use crate::mgmt::config::value::{Within, words};
use crate::mgmt::config::visit::{Item, Section, Visitor};
use crate::service::plugin::MAX_CHAIN;
use std::path::PathBuf;
use std::time::Duration;

/// Shared objects one appliance may load, whatever the setting says.
pub const MAX_EXTERNAL: u8 = 16;

/// A shared object to load, or settings of a built-in plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginEntry {
    pub name: String,
    pub package: String,
    pub path: PathBuf,
    pub entry: String,
    pub order: u32,
    pub needs: Vec<String>,
    pub config: String,
}

impl Default for PluginEntry {
    fn default() -> PluginEntry {
        PluginEntry {
            name: String::new(),
            package: String::new(),
            path: PathBuf::new(),
            entry: "weir_plugin_entry".into(),
            order: 100,
            needs: Vec::new(),
            config: String::new(),
        }
    }
}

impl PluginEntry {
    /// What service sets call it.
    pub fn called(&self) -> &str {
        if self.package.is_empty() { &self.name } else { &self.package }
    }

    pub fn is_external(&self) -> bool {
        !self.package.is_empty()
    }
}

impl Item for PluginEntry {
    fn sample() -> PluginEntry {
        let path = "/usr/lib/weir/plugins/libgreeter.so".into();
        PluginEntry { package: "greeter".into(), path, ..PluginEntry::default() }
    }
}

impl Section for PluginEntry {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("name", "A built-in plugin that this gives settings to; leave package out.", &mut self.name);
        v.live("package", "A shared object's name, under which service sets know it.", &mut self.package);
        v.live("path", "The shared object's full path.", &mut self.path);
        v.live("entry", "The function that registers it.", &mut self.entry);
        v.live("order", "Lower numbers are loaded first.", &mut self.order);
        v.live("needs", "Packages, or libraries by their paths, to load before it.", &mut self.needs);
        v.live("config", "A text in the plugin's own words.", &mut self.config);
    }
}

words! {
    /// What becomes of a set's traffic until every plugin has its policy.
    Inactive {
        Drop = "drop",
        Forward = "forward",
    }
}

words! {
    /// What becomes of traffic behind a plugin that was taken out.
    OnFault {
        Skip = "skip",
        Drop = "drop",
    }
}

/// Plugins in two orders, and the traffic that passes them.
#[derive(Clone, Debug)]
pub struct ServiceSet {
    pub name: String,
    pub ports: Vec<String>,
    pub matches: Vec<MatchRule>,
    pub forward: Vec<String>,
    pub reverse: Vec<String>,
    pub inactive: Inactive,
    pub on_fault: OnFault,
}

impl Default for ServiceSet {
    fn default() -> ServiceSet {
        ServiceSet {
            name: String::new(),
            ports: Vec::new(),
            matches: Vec::new(),
            forward: Vec::new(),
            reverse: Vec::new(),
            inactive: Inactive::Drop,
            on_fault: OnFault::Skip,
        }
    }
}

impl ServiceSet {
    /// What there is when no set is configured: detection for everything.
    pub fn stock() -> ServiceSet {
        let idp = vec![crate::service::idp::NAME.to_owned()];
        ServiceSet { name: "default".into(), forward: idp.clone(), reverse: idp, ..ServiceSet::default() }
    }
}

impl Item for ServiceSet {
    fn sample() -> ServiceSet {
        ServiceSet::stock()
    }
}

impl Section for ServiceSet {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("name", "How commands and logs call the set.", &mut self.name);
        v.live("ports", "Ports whose traffic it takes; empty for all that are inspected.", &mut self.ports);
        v.live(
            "match",
            "Which of it, by a session's first packet: \"tcp from 10.0.0.0/8 to any port 80-88\", or a table of source,\n\
             destination, protocol, source-ports and destination-ports. Any one suffices; empty takes all. The first set\n\
             that takes a packet has it.",
            &mut self.matches,
        );
        v.live(
            "forward-flow",
            "Plugins in the order in which packets of the session's opener meet them.",
            &mut self.forward,
        );
        v.live(
            "reverse-flow",
            "The order for replies. One that is empty is the other, reversed; with an external plugin give both.",
            &mut self.reverse,
        );
        v.live(
            "inactive-action",
            "Traffic before every plugin has its policy: \"drop\" or \"forward\".",
            &mut self.inactive,
        );
        v.live(
            "on-fault",
            "A plugin that misbehaves is taken out; then \"skip\" goes on without it, \"drop\" drops the set's traffic.",
            &mut self.on_fault,
        );
    }
}

words! {
    /// What happens to a held packet at a bound.
    HoldEnd {
        Drop = "drop",
        Forward = "forward",
    }
}

/// Bounds of all sets.
#[derive(Clone, Debug)]
pub struct Services {
    pub external_plugins: u8,
    pub chain_length: u8,
    pub generation_age: Duration,
    pub hold_timeout: Duration,
    pub hold_frames: u32,
    pub hold_session_frames: u8,
    pub hold_on_timeout: HoldEnd,
    pub hold_on_cap: HoldEnd,
    pub call_limit: Duration,
    pub control_limit: Duration,
}

impl Default for Services {
    fn default() -> Services {
        Services {
            external_plugins: 2,
            chain_length: 8,
            generation_age: Duration::from_secs(3600),
            hold_timeout: Duration::from_secs(2),
            hold_frames: 1024,
            hold_session_frames: 16,
            hold_on_timeout: HoldEnd::Drop,
            hold_on_cap: HoldEnd::Drop,
            call_limit: Duration::from_millis(600),
            control_limit: Duration::from_secs(5),
        }
    }
}

impl Section for Services {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "external-plugins",
            "Shared objects that may be loaded.",
            &mut Within(&mut self.external_plugins, 0..=MAX_EXTERNAL).of("shared objects"),
        );
        v.value(
            "chain-length",
            "Plugins that one set may have, counting both orders once; each session takes memory by it.",
            &mut Within(&mut self.chain_length, 1..=MAX_CHAIN as u8).of("plugins"),
        );
        v.live(
            "generation-age",
            "Sessions keep the rules or policy they were opened under; after this long they go by the newest.",
            &mut self.generation_age,
        );
        v.live("hold-timeout", "How long a plugin may hold a packet.", &mut self.hold_timeout);
        v.live(
            "hold-frames",
            "Packets that one worker may hold.",
            &mut Within(&mut self.hold_frames, 0..=crate::service::hold::MAX_HELD as u32).of("packets"),
        );
        v.live(
            "hold-session-frames",
            "Packets that may be held of one session.",
            &mut Within(&mut self.hold_session_frames, 0..=255).of("packets"),
        );
        v.live(
            "hold-on-timeout",
            "A packet held too long: \"drop\" or \"forward\".",
            &mut self.hold_on_timeout,
        );
        v.live("hold-on-cap", "A packet for which there is no room.", &mut self.hold_on_cap);
        v.value(
            "call-limit",
            "How long an external plugin may keep a worker in one call: then weir starts anew without it.",
            &mut self.call_limit,
        );
        v.value(
            "control-limit",
            "The same for its entry function and its control events, during which traffic goes on.",
            &mut self.control_limit,
        );
    }
}
