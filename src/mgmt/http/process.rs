//! What the kernel says of this process, under the names that Prometheus's own clients give it.

use super::exposition::{Exposition, Family, Kind};

const RESIDENT: Family = Family {
    name: "process_resident_memory_bytes",
    kind: Kind::Gauge,
    help: "Memory of this process that is in RAM.",
};
const DESCRIPTORS: Family =
    Family { name: "process_open_fds", kind: Kind::Gauge, help: "Descriptors that are open." };

/// Adds what can be read.
pub(super) fn add(page: &mut Exposition) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = resident(&status) {
        page.add(&RESIDENT, &[], bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.add(&DESCRIPTORS, &[], open.count());
    }
}

/// From a line `VmRSS:  1234 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\tweir\nVmRSS:\t    1234 kB\nVmData: 1 kB\n"), Some(1234 * 1024));
        assert_eq!(resident("VmRSS: much\n"), None);
    }
}
