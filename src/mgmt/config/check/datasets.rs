//! What must hold of the sets that the configuration describes.

use super::Checker;
use std::path::Path;

/// Less has no room for any value.
const SMALLEST: u64 = 1 << 10;

pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    if config.datasets.memcap.0 < SMALLEST {
        checker.fault("datasets.memcap", "this has no room for a value".into(), "give it 1KiB or more");
    }
    for (at, set) in config.named_datasets.iter().enumerate() {
        let key = |key: &str| format!("dataset.{at}.{key}");
        if set.name.is_empty() {
            checker.fault(&key("name"), "this dataset has no name".into(), "add name = \"ua-seen\"");
        }
        let mut before = config.named_datasets.iter().take(at);
        if before.any(|other| !set.name.is_empty() && other.name == set.name) {
            let message = format!("two datasets are named \"{}\"", set.name);
            checker.fault(&key("name"), message, "give this one another name");
        }
        let said = |path: &Path| !path.as_os_str().is_empty();
        if said(&set.state) && (said(&set.load) || said(&set.save)) {
            let message = "state is both load and save, and does not go with either".into();
            checker.fault(&key("state"), message, "name the file once, as state");
        }
        if (1..SMALLEST).contains(&set.memcap.0) {
            let message = "this has no room for a value".into();
            checker.fault(&key("memcap"), message, "give it 1KiB or more, or leave it out");
        }
    }
}
