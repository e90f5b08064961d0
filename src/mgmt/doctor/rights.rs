//! What this process may do.

use super::host::{CAP_IPC_LOCK, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_RAWIO};
use super::{Finding, Patient};

const GRANT: &str = "setcap cap_net_admin,cap_net_raw,cap_ipc_lock,cap_sys_rawio+ep $(command -v weir)";

/// A capability, and the device that wants it.
struct Need {
    name: &'static str,
    number: u32,
    why: &'static str,
}

fn needs(patient: &Patient<'_>) -> Vec<Need> {
    let uses = |driver: &str| patient.config.ports.iter().any(|port| port.device.starts_with(driver));
    let mut needs = Vec::new();
    let mut need = |wanted: bool, name, number, why| {
        if wanted {
            needs.push(Need { name, number, why });
        }
    };
    let (packet, tap) = (uses("net_af_packet"), uses("net_tap"));
    need(packet, "cap_net_raw", CAP_NET_RAW, "net_af_packet");
    need(packet || tap, "cap_net_admin", CAP_NET_ADMIN, if tap { "net_tap" } else { "net_af_packet" });
    // Whole groups are the IOMMU's; without one VFIO gives a device to who may touch ports.
    let no_iommu = patient.host.names("/sys/kernel/iommu_groups").is_empty();
    need(patient.has_pci() && no_iommu, "cap_sys_rawio", CAP_SYS_RAWIO, "VFIO without an IOMMU");
    need(patient.has_pci(), "cap_ipc_lock", CAP_IPC_LOCK, "memory of the NICs");
    needs
}

pub(super) fn rights(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "rights";
    let needs = needs(patient);
    let missing: Vec<&Need> = needs.iter().filter(|need| !patient.host.can(need.number)).collect();
    let mut findings = Vec::new();
    for need in &missing {
        // A limit that is high enough does as well: locked-memory says.
        if need.number == CAP_IPC_LOCK {
            continue;
        }
        findings.push(Finding::fault(CHECK, format!("{} is missing, for {}", need.name, need.why), GRANT));
    }
    for group in closed_groups(patient) {
        let text = format!("this user may not open /dev/vfio/{group}");
        findings.push(Finding::fault(CHECK, text, format!("chown $(id -u) /dev/vfio/{group}")));
    }
    if findings.is_empty() {
        let text = if needs.is_empty() {
            "no port needs rights beyond a user's"
        } else {
            "the rights are there that the ports need"
        };
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// IOMMU groups of the ports whose device files another user has.
fn closed_groups(patient: &Patient<'_>) -> Vec<String> {
    if patient.host.user() == Some(0) {
        return Vec::new();
    }
    let group = |address: &str| patient.host.link(format!("/sys/bus/pci/devices/{address}/iommu_group"));
    let groups = patient.pci_ports().filter_map(|(_, address)| group(&address));
    groups.filter(|group| patient.host.may_open(format!("/dev/vfio/{group}")) == Some(false)).collect()
}
