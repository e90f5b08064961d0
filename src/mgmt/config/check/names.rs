//! Names stand in tables, logs and metrics, a line each.

use super::Checker;

pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    let key = |list: &str, at: usize, key: &str| format!("{list}.{at}.{key}");
    let ports = config.ports.iter().enumerate().map(|(at, port)| (key("port", at, "name"), &port.name));
    let sets = config.service_sets.iter().enumerate();
    let sets = sets.map(|(at, set)| (key("service-set", at, "name"), &set.name));
    let packages = config.plugins.iter().enumerate();
    let packages = packages.map(|(at, plugin)| (key("plugin", at, "package"), &plugin.package));
    let datasets = config.named_datasets.iter().enumerate();
    let datasets = datasets.map(|(at, set)| (key("dataset", at, "name"), &set.name));
    let all: Vec<_> = ports.chain(sets).chain(packages).chain(datasets).collect();
    for (key, name) in all.into_iter().filter(|(_, name)| name.chars().any(char::is_control)) {
        let what = key.rsplit_once('.').map_or(key.as_str(), |(_, last)| last);
        let message = format!("the {what} {:?} has characters that no terminal shows", *name);
        checker.fault(&key, message, "take ends of lines, tabs and other control characters out");
    }
}
