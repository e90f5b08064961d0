//! Hugepages, and memory that must not be moved.

use super::host::{CAP_IPC_LOCK, HugePages};
use super::{Finding, Patient, State};
use crate::mgmt::config::value::Auto;
use crate::mgmt::convert;

/// Bytes in the kernel's "kB".
const KB: u64 = 1024;

/// Bytes that the pool and what stands beside it want of hugepages.
fn wanted(patient: &Patient<'_>) -> u64 {
    convert::hugepages_wanted(patient.config)
}

/// The command that makes room for `bytes` more in pages of the default size.
fn more(patient: &Patient<'_>, pages: &[HugePages], bytes: u64) -> String {
    let info = patient.host.text("/proc/meminfo").unwrap_or_default();
    let size = info
        .lines()
        .find_map(|line| line.strip_prefix("Hugepagesize:")?.split_whitespace().next()?.parse().ok());
    let size = size.unwrap_or(2048_u64).max(1).saturating_mul(KB);
    let have = pages.iter().find(|pages| pages.bytes == size).map_or(0, |pages| pages.all);
    let count = have.saturating_add(bytes.div_ceil(size));
    format!("sysctl -w vm.nr_hugepages={count} (over a boot too: weir-hugepages {count})")
}

pub(super) fn hugepages(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "hugepages";
    if patient.config.eal.hugepages == Auto::Set(false) {
        return vec![Finding::ok(CHECK, "eal.hugepages = false: none are used")];
    }
    let short = if patient.config.eal.hugepages == Auto::Set(true) { State::Fault } else { State::Warning };
    let (pages, free) = (patient.host.hugepages(), patient.host.free_hugepages());
    let wanted = wanted(patient);
    let mut findings = Vec::new();
    if free < wanted {
        let text = format!("{} MiB of hugepages are free, and [pools] want {} MiB", free >> 20, wanted >> 20);
        let mend = more(patient, &pages, wanted - free);
        findings.push(Finding { state: short, ..Finding::warning(CHECK, text, mend) });
    } else if patient.config.eal.hugepages == Auto::Auto && !patient.host.may_use_hugepages() {
        let text =
            "eal.hugepages = \"auto\" takes hugepages only for root and who may lock memory (CAP_IPC_LOCK)";
        findings.push(Finding::warning(CHECK, text, "eal.hugepages = true"));
    } else {
        findings.push(Finding::ok(
            CHECK,
            format!("{} MiB of hugepages are free, {} MiB wanted", free >> 20, wanted >> 20),
        ));
    }
    let mounts = patient.host.text("/proc/mounts").unwrap_or_default();
    let mounted = mounts.lines().any(|line| line.split_whitespace().nth(2) == Some("hugetlbfs"));
    if !mounted {
        let mend = "mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages";
        findings.push(Finding::warning(
            CHECK,
            "no hugetlbfs is mounted: some versions of DPDK look for one",
            mend,
        ));
    }
    findings
}

/// VFIO pins what a NIC may write to.
pub(super) fn locked(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "locked-memory";
    if !patient.has_pci() {
        return vec![Finding::ok(CHECK, "no port is a PCI device, so no memory need be locked")];
    }
    if patient.host.can(CAP_IPC_LOCK) {
        return vec![Finding::ok(CHECK, "this process may lock any memory (CAP_IPC_LOCK)")];
    }
    let limits = patient.host.text("/proc/self/limits").unwrap_or_default();
    let soft =
        limits.lines().find_map(|line| line.strip_prefix("Max locked memory")?.split_whitespace().next());
    let limit = match soft {
        Some("unlimited") => u64::MAX,
        other => other.and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
    };
    let wanted = wanted(patient);
    vec![if limit >= wanted {
        Finding::ok(CHECK, "enough memory may be locked for the NICs")
    } else {
        let text = format!("{} MiB may be locked, and the NICs' memory is {} MiB", limit >> 20, wanted >> 20);
        Finding::fault(CHECK, text, "ulimit -l unlimited (in a unit: LimitMEMLOCK=infinity)")
    }]
}
