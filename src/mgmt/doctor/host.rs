//! What the kernel and the file system say of a machine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Capabilities by their numbers (capability.h).
pub const CAP_DAC_OVERRIDE: u32 = 1;
pub const CAP_NET_ADMIN: u32 = 12;
pub const CAP_NET_RAW: u32 = 13;
pub const CAP_IPC_LOCK: u32 = 14;
pub const CAP_SYS_RAWIO: u32 = 17;

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
const ENTER: u32 = 0o1;

const HUGEPAGES: &str = "/sys/kernel/mm/hugepages";

/// File systems that show the kernel and hold nobody's files (magic.h): proc, sysfs, cgroup and cgroup2, debugfs, tracefs,
/// securityfs, configfs, devpts.
const KERNELS_OWN: [u64; 9] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6265_6570,
    0x1cd1,
];

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Barred {
    ReadOnly,
    KernelsOwn,
}

/// Hugepages of one size.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct HugePages {
    /// Of one.
    pub bytes: u64,
    pub all: u64,
    pub free: u64,
}

/// A machine, by its files below a root.
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// The one this runs on.
    pub fn this() -> Host {
        Host::below(Path::new("/"))
    }

    /// One whose files stand below `root`.
    pub fn below(root: &Path) -> Host {
        Host { root: root.to_owned() }
    }

    /// Where the file of an absolute path stands; a relative one is left as it is.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        path.strip_prefix("/").map_or_else(|_| path.to_owned(), |inner| self.root.join(inner))
    }

    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// The text of a file of one line; nothing for one that is empty.
    pub fn line(&self, path: impl AsRef<Path>) -> Option<String> {
        self.text(path).map(|text| text.trim().to_owned()).filter(|line| !line.is_empty())
    }

    pub fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// Names in a folder, sorted.
    pub fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The last part of what a link leads to.
    pub fn link(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// A line of this process's /proc/self/status.
    pub fn status(&self, key: &str) -> Option<String> {
        let text = self.text("/proc/self/status")?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(value.trim().to_owned())
    }

    /// The user this runs as.
    pub fn user(&self) -> Option<u32> {
        // Real, effective, saved and of the file system.
        self.status("Uid")?.split_whitespace().nth(1)?.parse().ok()
    }

    pub fn can(&self, capability: u32) -> bool {
        let set = self.status("CapEff").and_then(|hex| u64::from_str_radix(&hex, 16).ok()).unwrap_or(0);
        set >> capability & 1 == 1
    }

    /// Root, or who may lock memory, as the unit may: others might find them refused when it is too late to do without.
    pub fn may_use_hugepages(&self) -> bool {
        self.user() == Some(0) || self.can(CAP_IPC_LOCK)
    }

    /// The kernel's hugepages, by size.
    pub fn hugepages(&self) -> Vec<HugePages> {
        let of = |name: &String| {
            let kb: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let count = |file: &str| self.number(format!("{HUGEPAGES}/{name}/{file}"));
            let bytes = kb.saturating_mul(1024);
            Some(HugePages { bytes, all: count("nr_hugepages")?, free: count("free_hugepages")? })
        };
        self.names(HUGEPAGES).iter().filter_map(of).collect()
    }

    /// Bytes of those that are free.
    pub fn free_hugepages(&self) -> u64 {
        let free = |sum: u64, of: &HugePages| sum.saturating_add(of.bytes.saturating_mul(of.free));
        self.hugepages().iter().fold(0, free)
    }

    /// Whether this process may make files in a folder. `None`: there is no such folder.
    pub fn may_write(&self, folder: &Path) -> Option<bool> {
        let meta = fs::metadata(self.path(folder)).ok()?;
        Some(meta.is_dir() && self.grants(&meta, WRITE | ENTER))
    }

    /// Why no file can be made in a folder, whoever asks: its file system is read-only, or the kernel's own.
    pub fn bars_files(&self, folder: &Path) -> Option<Barred> {
        let path = self.path(folder);
        let kind = rustix::fs::statfs(&path).ok()?.f_type;
        if KERNELS_OWN.contains(&(kind as u64)) {
            return Some(Barred::KernelsOwn);
        }
        let flags = rustix::fs::statvfs(&path).ok()?.f_flag;
        flags.contains(rustix::fs::StatVfsMountFlags::RDONLY).then_some(Barred::ReadOnly)
    }

    /// Whether this process may read and write a device's file. `None`: there is none.
    pub fn may_open(&self, file: impl AsRef<Path>) -> Option<bool> {
        Some(self.grants(&fs::metadata(self.path(file)).ok()?, READ | WRITE))
    }

    fn grants(&self, meta: &fs::Metadata, wanted: u32) -> bool {
        let of = if self.user() == Some(meta.uid()) {
            meta.mode() >> 6
        } else if self.groups().contains(&meta.gid()) {
            meta.mode() >> 3
        } else {
            meta.mode()
        };
        of & wanted == wanted || self.can(CAP_DAC_OVERRIDE)
    }

    /// Bytes that others than root may still write to the disk of a folder.
    pub fn free_bytes(&self, folder: &Path) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.path(folder)).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn groups(&self) -> Vec<u32> {
        let own = self.status("Gid").and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok());
        let others = self.status("Groups").unwrap_or_default();
        others.split_whitespace().filter_map(|id| id.parse().ok()).chain(own).collect()
    }
}
