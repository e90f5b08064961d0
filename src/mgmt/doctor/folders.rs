//! Folders of the configuration, the disk under the logs, the saved rule set.

use super::host::Barred;
use super::{Finding, Patient};
use crate::mgmt::rpc::socket;
use crate::mgmt::rule_files::Selection;
use crate::mgmt::rule_sets::{self, Cache};
use std::path::{Path, PathBuf};

/// Bytes free below which logs may soon be lost, and below which they are about to be.
const LOW: u64 = 1 << 30;
const EMPTY: u64 = 64 << 20;

/// Without which it does not start; without the others it does, and tells.
const NEEDED: &[&str] = &["outputs.directory", socket::KEY];

const DATABASE: &str = "profiler.database";

/// Folders that weir writes to, with the keys that name them.
fn written(patient: &Patient<'_>) -> Vec<(&'static str, PathBuf)> {
    let config = patient.config;
    let mut folders = vec![("outputs.directory", config.outputs.directory.clone())];
    if !config.rules.cache.as_os_str().is_empty() {
        folders.push(("rules.cache", patient.base.join(&config.rules.cache)));
    }
    if let Some(file) = patient.file.filter(|_| config.changes.keep > 0) {
        folders.push(("config.revisions", config.changes.folder(file)));
    }
    if config.profiler.enabled {
        folders.push((DATABASE, folder_of(&patient.base.join(&config.profiler.database))));
    }
    if config.rpc.enabled {
        folders.push((socket::KEY, folder_of(&socket::path(&config.rpc))));
    }
    folders
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        // A bare name is of the working directory.
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        folder => folder.unwrap_or(file).to_owned(),
    }
}

/// A place that does.
fn usual(key: &str) -> &'static str {
    match key {
        "outputs.directory" => "/var/log/weir",
        "rules.cache" => "/var/lib/weir/rules",
        "config.revisions" => "/var/lib/weir/revisions",
        DATABASE => "/var/lib/weir/profile.db",
        _ => "/run/weir/weir.sock",
    }
}

/// The folder itself, or the nearest one above it that is there.
fn standing(patient: &Patient<'_>, folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|path| patient.host.exists(path) && !path.as_os_str().is_empty());
    there.unwrap_or(Path::new(".")).to_owned()
}

pub(super) fn folders(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "folders";
    let check = |(key, folder): (&'static str, PathBuf)| {
        let standing = standing(patient, &folder);
        let (shown, missing) = (folder.display(), standing != folder);
        let finding = if NEEDED.contains(&key) { Finding::fault } else { Finding::warning };
        let there = standing.display();
        match patient.host.bars_files(&standing) {
            Some(Barred::KernelsOwn) => {
                let text = format!(
                    "{shown} ({key}) cannot be there: {there} is on a file system of the kernel's own"
                );
                return finding(CHECK, text, format!("{key} = {:?}", usual(key)));
            }
            Some(Barred::ReadOnly) => {
                let text = format!("{shown} ({key}): {there} is on a file system that is mounted read-only");
                return finding(
                    CHECK,
                    text,
                    format!("mount -o remount,rw \"$(findmnt -no TARGET -T {there})\""),
                );
            }
            None => {}
        }
        if patient.host.may_write(&standing) == Some(true) {
            let made = if missing { "will be made" } else { "is writable" };
            return Finding::ok(CHECK, format!("{shown} ({key}) {made}"));
        }
        let what = if missing {
            format!("is not there, and {} is not writable", standing.display())
        } else {
            "is not writable".into()
        };
        let user = patient.host.user().unwrap_or(0);
        let (text, mend) =
            (format!("{shown} ({key}) {what}"), format!("install -d -o {user} -m 750 {shown}"));
        finding(CHECK, text, mend)
    };
    written(patient).into_iter().map(check).collect()
}

pub(super) fn space(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "disk";
    let folder = &patient.config.outputs.directory;
    let shown = folder.display();
    let Some(free) = patient.host.free_bytes(&standing(patient, folder)) else {
        let mend = format!("df -h {shown}");
        return vec![Finding::warning(
            CHECK,
            format!("the kernel does not say how much is free for {shown}"),
            mend,
        )];
    };
    let text = format!("{} MiB are free for {shown}", free >> 20);
    let mend = "outputs.eve.rotate-size = \"1GiB\", outputs.eve.keep-files = 4 (and remove what is old)";
    vec![if free < EMPTY {
        Finding::fault(CHECK, format!("{text}: events are about to be lost"), mend)
    } else if free < LOW {
        Finding::warning(CHECK, text, mend)
    } else {
        Finding::ok(CHECK, text)
    }]
}

/// Whether the next start takes its rules from the saved set. Of this machine, whatever the host's root.
pub(super) fn cache(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "rule-cache";
    let config = patient.config;
    let file = patient.file.map_or_else(|| "FILE".to_owned(), |file| file.display().to_string());
    let save = |path: &Path| format!("weir rules compile -c {file} -o {}", path.display());
    vec![match rule_sets::cached(config, patient.base, &Selection::default()) {
        Err(error) => Finding::fault(CHECK, error, format!("weir check -c {file}")),
        Ok(Cache::Off) if config.rules.files.is_empty() => Finding::ok(CHECK, "there are no rules to keep"),
        Ok(Cache::Off) => Finding::warning(
            CHECK,
            "compiled rules are not kept, so each start compiles them",
            "rules.cache = \"/var/lib/weir/rules\"",
        ),
        Ok(Cache::Missing(path)) => {
            let text = format!("{} is not there yet: the next start compiles the rules", path.display());
            Finding::warning(CHECK, text, save(&path))
        }
        Ok(Cache::Fits(path)) => {
            Finding::ok(CHECK, format!("{} is of these rules and of this binary", path.display()))
        }
        Ok(Cache::Unfit(path, why)) => {
            let text = format!("{} is not used: {why}", path.display());
            Finding::warning(CHECK, text, save(&path))
        }
    }]
}
