//! The environment abstraction layer: one a process, started once, ended when the last who uses it is gone.

#![allow(unsafe_code)] // calls DPDK's set-up; every block says why it is sound

use super::affinity;
use super::{last_reason, reason};
use crate::io::clock::{Ticks, TimeBase};
use crate::io::frame::{META_BYTES, set_meta_offset, set_rebuilt_flag};
use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where frames lie.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Hugepages, mapped by this process alone: what a fast path wants.
    HugePages,
    /// Ordinary pages: needs neither root nor preparation; about half the small-packet rate.
    NoHuge { megabytes: u32 },
}

/// Up to where DPDK's own log goes to standard error.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    #[default]
    Error,
    Warning,
    Info,
    Debug,
}

impl LogLevel {
    const fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warning => "warning",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }
    }
}

/// How to start EAL.
#[derive(Clone, Debug)]
pub struct EalConfig {
    pub memory: Memory,
    /// The CPU of each lcore, by lcore number; the first is the main lcore. A CPU may serve several.
    pub cpus: Vec<u32>,
    /// CPUs among which the kernel moves all lcores as it likes; empty: each lcore keeps to its own.
    pub among: Vec<u32>,
    /// PCI addresses to take; no others are touched.
    pub pci: Vec<String>,
    pub log: LogLevel,
    /// Further options of EAL, behind ours.
    pub more: Vec<String>,
}

impl Default for EalConfig {
    fn default() -> EalConfig {
        EalConfig {
            memory: Memory::NoHuge { megabytes: 512 },
            cpus: vec![0],
            among: Vec::new(),
            pci: Vec::new(),
            log: LogLevel::Error,
            more: Vec::new(),
        }
    }
}

impl EalConfig {
    /// The command line, without the program's name.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--no-telemetry".to_owned(),
            format!("--file-prefix={}", file_prefix()),
            format!("--log-level={}", self.log.name()),
            format!("--lcores={}", lcore_map(&self.cpus, &self.among)),
            "--main-lcore=0".to_owned(),
        ];
        match self.memory {
            Memory::HugePages => arguments.push("--in-memory".to_owned()),
            Memory::NoHuge { megabytes } => {
                arguments.extend(["--no-huge", "--no-shconf"].map(str::to_owned));
                arguments.push(format!("-m{megabytes}"));
            }
        }
        match self.pci.is_empty() {
            true => arguments.push("--no-pci".to_owned()),
            false => arguments.extend(self.pci.iter().map(|address| format!("--allow={address}"))),
        }
        arguments.extend(self.more.iter().cloned());
        arguments
    }
}

/// `0@CPU,1@CPU,...`, or `0@(CPU,CPU,...),1@(CPU,CPU,...),...`
fn lcore_map(cpus: &[u32], among: &[u32]) -> String {
    let all: Vec<String> = among.iter().map(u32::to_string).collect();
    let place = |cpu: &u32| if all.is_empty() { cpu.to_string() } else { format!("({})", all.join(",")) };
    let pairs = cpus.iter().enumerate().map(|(lcore, cpu)| format!("{lcore}@{}", place(cpu)));
    pairs.collect::<Vec<_>>().join(",")
}

#[derive(Debug, thiserror::Error)]
pub enum EalError {
    #[error("DPDK was already started in this process, and starts only once")]
    AlreadyStarted,
    #[error("no lcore is configured: name at least one CPU")]
    NoLcore,
    #[error("{0} lcores are configured, and this DPDK is built for {max}", max = dpdk_sys::RTE_MAX_LCORE)]
    TooManyLcores(usize),
    #[error(
        "no free hugepage: `echo 256 > /proc/sys/vm/nr_hugepages` makes some, or set the memory to run without them"
    )]
    NoHugePages,
    #[error("DPDK does not start: {reason} (arguments: {arguments}); {hint}")]
    Init { reason: String, arguments: String, hint: &'static str },
    #[error("mbufs have no room for a frame's metadata beside other dynamic fields: {0}")]
    NoDynamicField(String),
    #[error("no ring for {capacity} frames: {reason}; fewer, or more memory, may help")]
    Ring { capacity: usize, reason: String },
    #[error("lcore {lcore} cannot be launched: {reason}")]
    Launch { lcore: u32, reason: String },
}

/// The running environment.
#[derive(Debug)]
pub struct Eal {
    cpus: Vec<u32>,
    /// Each lcore keeps to its CPU.
    pinned: bool,
    /// Its memory is in small pages, and no device needs to know where.
    small_pages: bool,
    timestamp: Timestamp,
    time: Arc<TimeBase>,
    /// The affinity of the starting thread before EAL pinned it.
    affinity: Option<libc::cpu_set_t>,
    /// EAL keeps pointers into its command line.
    _arguments: Vec<CString>,
    /// The runtime directory, locked for as long as we live: who may share it and sees other process numbers knows by that.
    _directory: Option<File>,
}

/// The dynamic field and flag with which drivers give a frame's capture time.
#[derive(Copy, Clone, Debug)]
pub(super) struct Timestamp {
    pub(super) offset: usize,
    pub(super) flag: u64,
}

static STARTED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Starts EAL; the calling thread becomes the main lcore and keeps to its CPU, or to those of `among`. Threads it starts later
    /// inherit that: see [`Eal::unpin_current_thread`].
    pub fn start(config: &EalConfig) -> Result<Arc<Eal>, EalError> {
        check(config)?;
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(EalError::AlreadyStarted);
        }
        let affinity = affinity::now();
        let arguments = init(config)?;
        let timestamp = register_fields()?;
        // SAFETY: EAL runs, so the counter's rate is known.
        let per_second = unsafe { dpdk_sys::rte_get_tsc_hz() };
        // SAFETY: reads a counter.
        let read = || unsafe { dpdk_sys::weir_rdtsc() };
        let time = TimeBase::new(Ticks { read, per_second });
        let directory = runtime_directory();
        let _directory = directory.as_deref().and_then(|own| File::open(own).ok());
        let _ = _directory.as_ref().map(File::try_lock);
        if let Some(root) = directory.as_deref().and_then(Path::parent) {
            remove_stale(root);
        }
        let (cpus, pinned) = (config.cpus.clone(), config.among.is_empty());
        let small_pages = config.memory != Memory::HugePages && config.pci.is_empty();
        Ok(Arc::new(Eal {
            cpus,
            pinned,
            small_pages,
            timestamp,
            time,
            affinity,
            _arguments: arguments,
            _directory,
        }))
    }

    /// The CPU of each lcore, unless the kernel moves them.
    pub fn cpus(&self) -> &[u32] {
        &self.cpus
    }

    /// The time that all lcores' clocks share.
    pub fn time(&self) -> &Arc<TimeBase> {
        &self.time
    }

    /// Whether pools do better with memory of their own.
    pub(super) fn wants_pages(&self) -> bool {
        self.small_pages
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Whether two lcores may share a CPU: what is between them must survive that one is interrupted half-way.
    pub fn shares_cpus(&self) -> bool {
        let mut cpus = self.cpus.clone();
        cpus.sort_unstable();
        (!self.pinned && cpus.len() > 1) || cpus.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// Binds the calling thread, which is no lcore, to one CPU.
    pub fn pin_current_thread(&self, cpu: u32) -> std::io::Result<()> {
        // SAFETY: a set of bits, for which zero will do; a whole set, of the size we say. CPU_SET ignores what is too large.
        let code = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET((cpu as usize).min(libc::CPU_SETSIZE as usize - 1), &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
        };
        if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }

    /// Lets the calling thread run wherever the process could before EAL pinned its first thread, but on lcores' CPUs only where
    /// there is no other: for threads that are no lcores and were started by one.
    pub fn unpin_current_thread(&self) {
        let kept: &[u32] = if self.pinned { &self.cpus } else { &[] };
        if let Some(set) = self.affinity.map(|all| affinity::spared(all, kept)) {
            // SAFETY: a whole set, of the size we say. When the kernel refuses, the thread stays where it is.
            unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
        }
    }
}

impl Drop for Eal {
    fn drop(&mut self) {
        let directory = runtime_directory();
        // SAFETY: ports, pools, rings and lcore handles hold an `Arc` of this, so nothing of EAL is in use any more.
        unsafe { dpdk_sys::rte_eal_cleanup() };
        if let Some(directory) = directory {
            // EAL leaves it behind. What cannot be removed is a few empty files in a temporary place.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Where EAL keeps files of this process: named after the file prefix, which holds the process's number.
fn runtime_directory() -> Option<PathBuf> {
    // SAFETY: a C string of EAL's, copied here.
    let text = unsafe {
        let text = dpdk_sys::rte_eal_get_runtime_dir();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    text.map(PathBuf::from).filter(|path| path.ends_with(file_prefix()))
}

/// Removes what processes of ours left that were killed: folders named after them that nobody has locked.
fn remove_stale(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(process) = name.strip_prefix(PREFIX).and_then(|id| id.parse::<u32>().ok()) else { continue };
        let alive = Path::new("/proc").join(process.to_string()).exists();
        if !alive && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(path); // another who starts now may have been faster
        }
    }
}

const PREFIX: &str = "weir-";

/// Unique among the processes of the machine, so that several do not collide.
fn file_prefix() -> String {
    format!("{PREFIX}{}", std::process::id())
}

/// The processor's counter: for measurements, not for time.
pub fn cycles() -> u64 {
    // SAFETY: reads a counter.
    unsafe { dpdk_sys::weir_rdtsc() }
}

fn check(config: &EalConfig) -> Result<(), EalError> {
    if config.cpus.is_empty() {
        return Err(EalError::NoLcore);
    }
    if config.cpus.len() > dpdk_sys::RTE_MAX_LCORE as usize {
        return Err(EalError::TooManyLcores(config.cpus.len()));
    }
    if config.memory == Memory::HugePages && free_hugepages() == Some(0) {
        return Err(EalError::NoHugePages);
    }
    Ok(())
}

/// Free pages of the default size; `None` where the kernel does not say.
fn free_hugepages() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("HugePages_Free:"))?;
    line.trim().parse().ok()
}

fn init(config: &EalConfig) -> Result<Vec<CString>, EalError> {
    let texts = config.arguments();
    let all = std::iter::once("weir".to_owned()).chain(texts.iter().cloned());
    let arguments: Vec<CString> = all.filter_map(|text| CString::new(text).ok()).collect();
    let mut pointers: Vec<*mut c_char> = arguments.iter().map(|a| a.as_ptr().cast_mut()).collect();
    pointers.push(std::ptr::null_mut());
    // SAFETY: an argument vector as main() gets it; EAL permutes the pointers and reads the strings, which `Eal` keeps.
    let code = unsafe {
        dpdk_sys::weir_log_to_stderr();
        dpdk_sys::rte_eal_init(arguments.len() as c_int, pointers.as_mut_ptr())
    };
    if code < 0 {
        if let Some(directory) = runtime_directory() {
            let _ = std::fs::remove_dir_all(directory); // as when it ends
        }
        return Err(EalError::Init {
            reason: last_reason(),
            arguments: texts.join(" "),
            hint: hint(config.memory),
        });
    }
    Ok(arguments)
}

/// EAL looks for VFIO there whatever the ports are, and some containers do not show it.
const MODULES: &str = "/sys/module";

fn hint(memory: Memory) -> &'static str {
    match memory {
        _ if !std::path::Path::new(MODULES).exists() => {
            "there is no /sys/module, without which DPDK does not start: mount all of sysfs (mount -t sysfs sysfs /sys)"
        }
        Memory::HugePages => "hugepages want root (or a hugetlbfs one may write) and enough of them free",
        Memory::NoHuge { .. } => "are the CPUs among those the process may use, and is the memory there?",
    }
}

/// A flag of ours for rebuilt datagrams.
fn register_flag() -> Result<(), EalError> {
    let mut flag = dpdk_sys::rte_mbuf_dynflag::default();
    for (to, from) in flag.name.iter_mut().zip(b"weir_rebuilt") {
        *to = *from as c_char;
    }
    // SAFETY: EAL runs; the name is terminated, for the rest of the array is zero.
    let bit = unsafe { dpdk_sys::rte_mbuf_dynflag_register(&raw const flag) };
    let bit = u32::try_from(bit).ok().and_then(|bit| 1u64.checked_shl(bit));
    set_rebuilt_flag(bit.ok_or_else(|| EalError::NoDynamicField(last_reason()))?);
    Ok(())
}

/// Registers the receive timestamp, and our own field for a frame's metadata.
fn register_fields() -> Result<Timestamp, EalError> {
    register_flag()?;
    let mut field =
        dpdk_sys::rte_mbuf_dynfield { size: META_BYTES, align: align_of::<u64>(), ..Default::default() };
    for (to, from) in field.name.iter_mut().zip(b"weir_frame_meta") {
        *to = *from as c_char;
    }
    let (mut offset, mut flag): (c_int, u64) = (0, 0);
    // SAFETY: EAL runs; the name is terminated, for the rest of the array is zero.
    let ours = unsafe { dpdk_sys::rte_mbuf_dynfield_register(&raw const field) };
    // SAFETY: EAL runs; places for the answers.
    let code = unsafe { dpdk_sys::rte_mbuf_dyn_rx_timestamp_register(&raw mut offset, &raw mut flag) };
    match (u32::try_from(ours), usize::try_from(offset), code) {
        (Ok(ours), Ok(offset), 0) => {
            // SAFETY: just registered with that size and alignment.
            unsafe { set_meta_offset(ours) };
            Ok(Timestamp { offset, flag })
        }
        (Ok(_), ..) => Err(EalError::NoDynamicField(reason(code))),
        _ => Err(EalError::NoDynamicField(last_reason())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_memory_goes_only_with_hugepages_and_no_pci_only_without_devices() {
        let small = EalConfig { cpus: vec![0, 0, 1], ..EalConfig::default() }.arguments();
        assert!(small.contains(&"--no-huge".to_owned()) && small.contains(&"-m512".to_owned()));
        assert!(small.contains(&"--no-pci".to_owned()) && small.contains(&"--lcores=0@0,1@0,2@1".to_owned()));
        assert!(!small.contains(&"--in-memory".to_owned()));
        let moved = EalConfig { cpus: vec![0, 1], among: vec![0, 1, 5], ..EalConfig::default() }.arguments();
        assert!(moved.contains(&"--lcores=0@(0,1,5),1@(0,1,5)".to_owned()));
        let pci = vec!["0000:03:00.0".to_owned()];
        let large = EalConfig { memory: Memory::HugePages, pci, ..EalConfig::default() }.arguments();
        assert!(
            large.contains(&"--in-memory".to_owned()) && large.contains(&"--allow=0000:03:00.0".to_owned())
        );
        assert!(!large.iter().any(|a| a == "--no-pci" || a == "--no-huge" || a == "--no-shconf"));
    }

    #[test]
    fn folders_of_dead_processes_are_removed_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        // No process has such a number: the kernel's limit is 2^22.
        let (dead, elsewhere) = (format!("{PREFIX}4194305"), format!("{PREFIX}4194306"));
        let names = [&dead, &elsewhere, &file_prefix(), "rte", "weir-lab"].map(str::to_owned);
        for name in &names {
            std::fs::create_dir(root.path().join(name)).unwrap();
            std::fs::write(root.path().join(name).join("config"), "").unwrap();
        }
        let locked = File::open(root.path().join(&elsewhere)).unwrap();
        locked.try_lock().unwrap();
        remove_stale(root.path());
        let left = names.iter().filter(|name| root.path().join(name).exists()).count();
        assert!(left == 4 && !root.path().join(&dead).exists(), "{left} left");
    }

    #[test]
    fn a_configuration_without_lcores_is_refused_before_dpdk_sees_it() {
        let config = EalConfig { cpus: Vec::new(), ..EalConfig::default() };
        assert!(matches!(Eal::start(&config), Err(EalError::NoLcore)));
    }
}
