//! `[profiler]`.

use crate::mgmt::config::value::Within;
use crate::mgmt::config::visit::{Section, Visitor};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Profiler {
    pub enabled: bool,
    pub database: PathBuf,
    pub hosts: u32,
    pub services: u32,
    pub contexts: u32,
    pub text: u32,
    pub queue: u32,
    pub write_interval: Duration,
}

impl Default for Profiler {
    fn default() -> Profiler {
        Profiler {
            enabled: false,
            database: "/var/lib/weir/profile.db".into(),
            hosts: 65_536,
            services: 65_536,
            contexts: 262_144,
            text: 256,
            queue: 8192,
            write_interval: Duration::from_secs(5),
        }
    }
}

impl Section for Profiler {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "enabled",
            "Keep a profile. Sessions are then decoded whatever the rules ask for, and each one's end and each transaction is an event,\n\
             as if an output wanted their records.",
            &mut self.enabled,
        );
        v.value(
            "database",
            "SQLite's file; it is made when missing. One that is damaged is set aside under the ending .damaged, and a new one is begun.",
            &mut self.database,
        );
        v.value(
            "hosts",
            "Hosts that are kept, about 250 bytes each; those seen longest ago give way.",
            &mut Within(&mut self.hosts, 16..=16_777_216).of("hosts"),
        );
        v.value(
            "services",
            "The same of services: a server's address, protocol and port.",
            &mut Within(&mut self.services, 16..=16_777_216).of("services"),
        );
        v.value(
            "contexts",
            "The same of contexts: a user agent, server banner, TLS or DNS name of a host.",
            &mut Within(&mut self.contexts, 16..=16_777_216).of("contexts"),
        );
        v.value(
            "text",
            "Bytes of a context's text; the rest of a longer one is cut off.",
            &mut Within(&mut self.text, 16..=2048).of("bytes"),
        );
        v.value(
            "queue",
            "What was seen and waits for the profiler's thread; beyond that it is lost and counted (profiler.lost).",
            &mut Within(&mut self.queue, 16..=1_048_576).of("observations"),
        );
        v.value("write-interval", "Between two writes, each one transaction.", &mut self.write_interval);
    }
}
