//! `weir doctor`: whether this machine and this configuration go together, and what mends what does not.
//!
//! Owes: for each check one [`Finding`] or more, in a fixed order. It looks and changes nothing. What the kernel says is read from
//! /proc and /sys below a [`Host`]'s root, so that tests can make a machine of files.

mod cpus;
mod folders;
mod host;
mod memory;
mod nics;
mod rights;

pub use host::Host;

use crate::mgmt::config::{Config, Loaded, Machine};
use crate::mgmt::convert;
use crate::mgmt::start::parse_cpu_list;
use std::fmt;
use std::path::Path;

/// How a check went.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Ok,
    /// It works, with less than it could.
    Warning,
    /// It will not work.
    Fault,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Fault => "fault",
        }
    }
}

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable, for scripts.
    pub check: &'static str,
    pub state: State,
    /// One sentence.
    pub text: String,
    /// One line, to be typed; empty where all is well.
    pub mend: String,
}

impl Finding {
    pub fn ok(check: &'static str, text: impl fmt::Display) -> Finding {
        Finding { check, state: State::Ok, text: text.to_string(), mend: String::new() }
    }

    pub fn warning(check: &'static str, text: impl fmt::Display, mend: impl fmt::Display) -> Finding {
        Finding { check, state: State::Warning, text: text.to_string(), mend: mend.to_string() }
    }

    pub fn fault(check: &'static str, text: impl fmt::Display, mend: impl fmt::Display) -> Finding {
        Finding { check, state: State::Fault, text: text.to_string(), mend: mend.to_string() }
    }
}

/// What is examined.
pub struct Patient<'a> {
    pub host: &'a Host,
    pub config: &'a Config,
    /// Folder that relative paths of the configuration start from.
    pub base: &'a Path,
    /// The configuration's file, where there is one.
    pub file: Option<&'a Path>,
    /// CPUs of the lcores.
    cpus: Vec<u32>,
}

impl<'a> Patient<'a> {
    pub fn of(host: &'a Host, loaded: &'a Loaded) -> Patient<'a> {
        let allowed = host.status("Cpus_allowed_list").map(|list| parse_cpu_list(&list)).unwrap_or_default();
        let cpus = crate::mgmt::config::cpus(&loaded.config, &allowed);
        Patient { host, config: &loaded.config, base: &loaded.base, file: loaded.file.as_deref(), cpus }
    }

    /// PCI addresses of the configured ports, as /sys has them, with the ports' names.
    fn pci_ports(&self) -> impl Iterator<Item = (&'a str, String)> {
        let pci = self.config.ports.iter().filter(|port| convert::is_pci(&port.device));
        pci.map(|port| (port.name.as_str(), nics::full_address(&port.device)))
    }

    fn has_pci(&self) -> bool {
        self.pci_ports().next().is_some()
    }
}

/// All checks.
pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let checks: [fn(&Patient<'_>) -> Vec<Finding>; 15] = [
        cpus::flags,
        memory::hugepages,
        memory::locked,
        nics::iommu,
        nics::modules,
        nics::drivers,
        nics::interfaces,
        nics::numa,
        nics::rss,
        cpus::present,
        cpus::isolation,
        cpus::governor,
        rights::rights,
        folders::folders,
        folders::space,
    ];
    let mut findings: Vec<Finding> = checks.iter().flat_map(|check| check(patient)).collect();
    findings.extend(folders::cache(patient));
    findings
}

/// The CPUs of this host.
fn machine(host: &Host) -> Machine {
    let list = |text: Option<String>| text.map(|list| parse_cpu_list(&list)).unwrap_or_default();
    let allowed = list(host.status("Cpus_allowed_list"));
    let present = list(host.line("/sys/devices/system/cpu/present"));
    Machine {
        present: if present.is_empty() { allowed.clone() } else { present },
        allowed,
        ..Machine::default()
    }
}

#[cfg(test)]
mod tests;
