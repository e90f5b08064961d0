//! What must hold between plugins, service sets and their bounds.

use super::Checker;
use crate::mgmt::config::fault::nearest;
use crate::mgmt::config::value::write_span;
use crate::mgmt::config::{PluginEntry, ServiceSet};
use crate::service::builtin::BUILT_IN;
use crate::service::idp;
use crate::service::plugin::{MAX_NAME, MAX_PLUGINS};
use crate::service::table::MAX_SETS;
use std::time::Duration;

/// Names of the built-in plugins.
fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).chain([idp::NAME])
}

pub(super) fn check(checker: &mut Checker<'_>) {
    plugins(checker);
    circles(checker);
    sets(checker);
    limits(checker);
}

/// The watchdog looks some 40 times a second: what is shorter would be seen too late, or not at all.
const SHORTEST_LIMIT: Duration = Duration::from_millis(100);

fn limits(checker: &mut Checker<'_>) {
    let services = &checker.config.services;
    for (key, limit) in [("call-limit", services.call_limit), ("control-limit", services.control_limit)] {
        if limit < SHORTEST_LIMIT {
            let message = format!("{} is too short for the watchdog to see", write_span(limit));
            checker.fault(&format!("services.{key}"), message, "give it 100ms or more");
        }
    }
}

/// Packages that need each other can never be loaded.
fn circles(checker: &mut Checker<'_>) {
    let mut left: Vec<_> =
        checker.config.plugins.iter().enumerate().filter(|(_, p)| p.is_external()).collect();
    loop {
        let packages: Vec<&str> = left.iter().map(|(_, plugin)| plugin.package.as_str()).collect();
        let before = left.len();
        left.retain(|(_, plugin)| plugin.needs.iter().any(|need| packages.contains(&need.as_str())));
        if left.len() == before {
            break;
        }
    }
    if let Some((i, plugin)) = left.first() {
        let message = format!("\"{}\" needs a plugin that needs it in turn", plugin.package);
        checker.fault(&format!("plugin.{i}.needs"), message, "take one of them out");
    }
}

fn plugins(checker: &mut Checker<'_>) {
    let config = checker.config;
    let most = usize::from(config.services.external_plugins);
    let mut external = 0;
    for (i, plugin) in config.plugins.iter().enumerate() {
        plugin_form(checker, i, plugin);
        let called = plugin.called();
        if config.plugins.iter().take(i).any(|other| !called.is_empty() && other.called() == called) {
            let key = if plugin.is_external() { "package" } else { "name" };
            let message = format!("two plugins are named \"{called}\"");
            checker.fault(
                &format!("plugin.{i}.{key}"),
                message,
                "give each plugin one [[plugin]] and a name of its own",
            );
        }
        external += usize::from(plugin.is_external());
        if plugin.is_external() && external > most {
            let message =
                format!("\"{called}\" is external plugin number {external}, and {most} may be loaded");
            checker.fault(
                &format!("plugin.{i}.package"),
                message,
                "raise services.external-plugins, or leave it out",
            );
        }
    }
    let count = external + built_in().count();
    if count > MAX_PLUGINS {
        let message = format!("{count} plugins are more than the {MAX_PLUGINS} that are possible");
        checker.fault("plugin", message, "leave some out");
    }
}

fn plugin_form(checker: &mut Checker<'_>, i: usize, plugin: &PluginEntry) {
    let key = |key: &str| format!("plugin.{i}.{key}");
    let named = !plugin.name.is_empty();
    match (named, plugin.is_external()) {
        (false, false) => checker.fault(
            &key("package"),
            "this plugin has no name".into(),
            "add package = \"...\" for a shared object, or name = \"...\" for settings of a built-in one",
        ),
        (true, true) => checker.fault(
            &key("name"),
            format!("\"{}\" is called by both name and package", plugin.package),
            "a shared object has a package, a built-in plugin a name",
        ),
        (true, false) => {
            if !built_in().any(|known| known == plugin.name) {
                let mend = match nearest(&plugin.name, built_in()) {
                    Some(near) => format!("the nearest is \"{near}\"; a shared object is named by package"),
                    None => format!("built-in are {}", built_in().collect::<Vec<_>>().join(", ")),
                };
                checker.fault(&key("name"), format!("there is no built-in plugin \"{}\"", plugin.name), mend);
            }
            if !plugin.path.as_os_str().is_empty() {
                let message = format!("\"{}\" is built in and has no path", plugin.name);
                checker.fault(&key("path"), message, "name a shared object by package instead of name");
            }
        }
        (false, true) => shared_object(checker, i, plugin),
    }
}

fn shared_object(checker: &mut Checker<'_>, i: usize, plugin: &PluginEntry) {
    let key = |key: &str| format!("plugin.{i}.{key}");
    if !plugin.path.is_absolute() {
        let message = format!("the plugin \"{}\" needs the full path of its shared object", plugin.package);
        checker.fault(&key("path"), message, "write path = \"/usr/lib/weir/plugins/libNAME.so\"");
    }
    if plugin.entry.is_empty() {
        checker.fault(
            &key("entry"),
            "the entry function has no name".into(),
            "leave the key out for the usual one",
        );
    }
    if plugin.package.len() > MAX_NAME {
        let message = format!("a name of {} bytes is longer than {MAX_NAME}", plugin.package.len());
        checker.fault(&key("package"), message, "shorten it");
    }
    if built_in().any(|known| known == plugin.package) {
        let message = format!("\"{}\" is the name of a built-in plugin", plugin.package);
        checker.fault(&key("package"), message, "give the shared object another name");
    }
}

fn sets(checker: &mut Checker<'_>) {
    let config = checker.config;
    if config.service_sets.len() > MAX_SETS {
        let message = format!(
            "{} service sets are more than the {MAX_SETS} that are possible",
            config.service_sets.len()
        );
        checker.fault(&format!("service-set.{MAX_SETS}"), message, "leave some out");
    }
    for (i, set) in config.service_sets.iter().enumerate() {
        let key = format!("service-set.{i}.name");
        if set.name.is_empty() {
            checker.fault(&key, "this service set has no name".into(), "add name = \"web\"");
        } else if config.service_sets.iter().take(i).any(|other| other.name == set.name) {
            checker.fault(
                &key,
                format!("two service sets are named \"{}\"", set.name),
                "give this one another name",
            );
        }
        set_ports(checker, i, set);
        orders(checker, i, set);
    }
}

fn set_ports(checker: &mut Checker<'_>, i: usize, set: &ServiceSet) {
    let ports = &checker.config.ports;
    for name in &set.ports {
        if ports.iter().any(|port| port.name == *name) {
            continue;
        }
        let mend = match nearest(name, ports.iter().map(|port| port.name.as_str())) {
            Some(near) => format!("the nearest port is \"{near}\""),
            None => format!("add a [[port]] with name = \"{name}\""),
        };
        checker.fault(&format!("service-set.{i}.ports"), format!("there is no port named \"{name}\""), mend);
    }
}

fn orders(checker: &mut Checker<'_>, i: usize, set: &ServiceSet) {
    let config = checker.config;
    let is_external = |name: &str| config.plugins.iter().any(|p| p.is_external() && p.package == name);
    let externals = config.plugins.iter().filter(|p| p.is_external()).map(|p| p.package.as_str());
    let mut known: Vec<&str> = built_in().collect();
    known.extend(externals);
    let mut members: Vec<&str> = Vec::new();
    for (key, order) in [("forward-flow", &set.forward), ("reverse-flow", &set.reverse)] {
        let key = format!("service-set.{i}.{key}");
        for (at, name) in order.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let mend = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("the nearest is \"{near}\""),
                    None => format!("known are {}; a [[plugin]] adds one", known.join(", ")),
                };
                checker.fault(&key, format!("there is no plugin \"{name}\""), mend);
            } else if order.iter().take(at).any(|earlier| earlier == name) {
                checker.fault(&key, format!("\"{name}\" stands twice in this order"), "once is enough");
            }
            if !members.contains(&name.as_str()) {
                members.push(name);
            }
        }
    }
    let longest = usize::from(config.services.chain_length);
    if members.len() > longest {
        let message = format!(
            "the set \"{}\" has {} plugins, and a chain has at most {longest}",
            set.name,
            members.len()
        );
        checker.fault(
            &format!("service-set.{i}.forward-flow"),
            message,
            "raise services.chain-length (up to 16), or leave some out",
        );
    }
    if let Some(external) = members.iter().find(|name| is_external(name)) {
        for (key, order) in [("forward-flow", &set.forward), ("reverse-flow", &set.reverse)] {
            if order.is_empty() {
                let message =
                    format!("the set \"{}\" has the external plugin \"{external}\" and no {key}", set.name);
                checker.fault(&format!("service-set.{i}.{key}"), message, "give both orders");
            }
        }
    }
}
