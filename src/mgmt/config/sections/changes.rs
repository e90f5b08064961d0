//! `[config]`: what becomes of changes made while weir runs.

use crate::mgmt::config::value::{Auto, Within};
use crate::mgmt::config::visit::{Section, Visitor};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Changes {
    pub revisions: Auto<PathBuf>,
    pub keep: u32,
    pub write_file: bool,
}

impl Default for Changes {
    fn default() -> Changes {
        Changes { revisions: Auto::Auto, keep: 50, write_file: true }
    }
}

impl Changes {
    /// The folder of the revisions of a configuration file.
    pub fn folder(&self, file: &Path) -> PathBuf {
        match &self.revisions {
            Auto::Set(folder) => file.parent().unwrap_or(Path::new("")).join(folder),
            Auto::Auto => file.with_extension("revisions"),
        }
    }
}

impl Section for Changes {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "revisions",
            "Folder of the configurations that were committed. \"auto\": beside the configuration file, with its name and the\n\
             ending .revisions.",
            &mut self.revisions,
        );
        v.live(
            "keep",
            "Revisions that stay; the oldest are deleted, but never the last one that was confirmed.",
            &mut Within(&mut self.keep, 2..=10_000).of("revisions"),
        );
        v.live(
            "write-file",
            "Write what is committed into the configuration file, so that the next start goes by it. Without it a commit holds\n\
             until the appliance ends (a start anew by the watchdog is no end).",
            &mut self.write_file,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_lie_beside_the_file_or_where_it_says() {
        let mut changes = Changes::default();
        assert_eq!(changes.folder(Path::new("/etc/weir/weir.toml")), Path::new("/etc/weir/weir.revisions"));
        changes.revisions = Auto::Set("old".into());
        assert_eq!(changes.folder(Path::new("/etc/weir/weir.toml")), Path::new("/etc/weir/old"));
        changes.revisions = Auto::Set("/var/lib/weir/revisions".into());
        assert_eq!(changes.folder(Path::new("weir.toml")), Path::new("/var/lib/weir/revisions"));
    }
}
