//! The NICs of the configured ports: what holds them, where they are, whether they can spread frames.

use super::cpus::{boot, node_of};
use super::{Finding, Patient};
use crate::mgmt::config::{Missing, Spread, missing_interfaces};
use crate::mgmt::convert;
use crate::mgmt::start::{INTERFACES, interface_names};
use std::path::Path;

const DEVICES: &str = "/sys/bus/pci/devices";
/// Kernel drivers that hand a device to DPDK.
const HANDING: &[&str] = &["vfio-pci", "uio_pci_generic", "igb_uio"];
/// Kernel drivers beside which DPDK works.
const BESIDE: &[&str] = &["mlx5_core", "mlx4_core", "mana"];
const NO_IOMMU: &str = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
/// Virtual devices that have no RSS.
const NO_RSS: &[&str] = &["net_pcap", "net_null", "net_ring", "net_af_packet", "eth_"];

/// `03:00.0` and `0000:03:00.0,option=1` as /sys calls them.
pub(super) fn full_address(device: &str) -> String {
    let address = device.split(',').next().unwrap_or_default().to_ascii_lowercase();
    if address.matches(':').count() < 2 { format!("0000:{address}") } else { address }
}

fn no_pci(check: &'static str) -> Vec<Finding> {
    vec![Finding::ok(check, "no port is a PCI device")]
}

fn driver(patient: &Patient<'_>, address: &str) -> Option<String> {
    patient.host.link(format!("{DEVICES}/{address}/driver"))
}

/// Whether some port is to be reached by VFIO.
fn wants_vfio(patient: &Patient<'_>) -> bool {
    let beside = |address: &str| driver(patient, address).is_some_and(|name| BESIDE.contains(&name.as_str()));
    patient.pci_ports().any(|(_, address)| !beside(&address))
}

pub(super) fn iommu(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "iommu";
    if !wants_vfio(patient) {
        return vec![Finding::ok(CHECK, "no port needs an IOMMU")];
    }
    if !patient.host.names("/sys/kernel/iommu_groups").is_empty() {
        return vec![Finding::ok(CHECK, "the IOMMU is on: a NIC reaches no memory but its own")];
    }
    let vendor = patient.host.text("/proc/cpuinfo").unwrap_or_default();
    let option = if vendor.contains("AuthenticAMD") { "iommu=pt" } else { "intel_iommu=on iommu=pt" };
    let unsafe_mode = patient.host.line(NO_IOMMU).is_some_and(|word| word == "Y");
    vec![if unsafe_mode {
        let text = "there is no IOMMU and VFIO works without: a NIC that errs may write anywhere in memory";
        Finding::warning(CHECK, text, boot(option))
    } else {
        let mend = format!("{}; where the machine has none: echo 1 > {NO_IOMMU}", boot(option));
        Finding::fault(CHECK, "the IOMMU is off, and vfio-pci wants one", mend)
    }]
}

pub(super) fn modules(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut need = |wanted: bool, there: bool, module: &str, what: &str| {
        const CHECK: &str = "modules";
        if wanted && there {
            findings.push(Finding::ok(CHECK, format!("{module} is loaded, for {what}")));
        } else if wanted {
            let mend = format!("modprobe {module} && echo {module} > /etc/modules-load.d/weir-{module}.conf");
            findings.push(Finding::fault(
                CHECK,
                format!("the kernel's {module} is not loaded, for {what}"),
                mend,
            ));
        }
    };
    let uses = |driver: &str| patient.config.ports.iter().any(|port| port.device.starts_with(driver));
    let host = patient.host;
    need(wants_vfio(patient), host.exists("/sys/bus/pci/drivers/vfio-pci"), "vfio-pci", "PCI devices");
    need(uses("net_tap"), host.exists("/dev/net/tun"), "tun", "net_tap ports");
    need(uses("net_af_packet"), host.exists("/proc/net/packet"), "af_packet", "net_af_packet ports");
    need(uses("net_virtio_user"), host.exists("/dev/vhost-net"), "vhost_net", "net_virtio_user ports");
    if findings.is_empty() {
        findings.push(Finding::ok("modules", "no port needs a module of the kernel"));
    }
    findings
}

pub(super) fn drivers(patient: &Patient<'_>) -> Vec<Finding> {
    let findings: Vec<Finding> =
        patient.pci_ports().map(|(name, address)| binding(patient, name, &address)).collect();
    if findings.is_empty() { no_pci("driver") } else { findings }
}

/// Interfaces of the kernel that ports work through.
pub(super) fn interfaces(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "interfaces";
    let there = interface_names(&patient.host.text(INTERFACES).unwrap_or_default());
    let fault = |missing: Missing<'_>| {
        let has = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Finding::fault(CHECK, format!("{missing}; this machine has {has}"), "ip link (names those there are)")
    };
    let findings: Vec<Finding> = missing_interfaces(&patient.config.ports, &there).map(fault).collect();
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, "the interfaces are there that ports work through")];
    }
    findings
}

fn binding(patient: &Patient<'_>, name: &str, address: &str) -> Finding {
    const CHECK: &str = "driver";
    if !patient.host.exists(format!("{DEVICES}/{address}")) {
        let text = format!("port {name}: there is no PCI device {address}");
        return Finding::fault(CHECK, text, "dpdk-devbind.py --status-dev net (names those there are)");
    }
    let mend = format!("dpdk-devbind.py --bind=vfio-pci {address}");
    match driver(patient, address) {
        Some(driver) if HANDING.contains(&driver.as_str()) => {
            Finding::ok(CHECK, format!("port {name}: {address} is bound to {driver}"))
        }
        Some(driver) if BESIDE.contains(&driver.as_str()) => Finding::ok(
            CHECK,
            format!("port {name}: {address} stays with {driver}, and DPDK works beside it"),
        ),
        Some(driver) => {
            let carries = match default_route(patient, address) {
                Some(interface) => {
                    format!(" and carries the default route ({interface}): choose another port")
                }
                None => String::new(),
            };
            let text = format!("port {name}: {address} is held by the kernel's driver {driver}{carries}");
            Finding::fault(CHECK, text, mend)
        }
        None => Finding::fault(CHECK, format!("port {name}: {address} has no driver"), mend),
    }
}

/// The interface of a device over which the default route leads.
fn default_route(patient: &Patient<'_>, address: &str) -> Option<String> {
    let routes = patient.host.text("/proc/net/route").unwrap_or_default();
    let is_default = |interface: &str| {
        routes.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(interface) && words.next() == Some("00000000")
        })
    };
    // A virtio device has its interfaces a folder deeper.
    let device = format!("{DEVICES}/{address}");
    let deeper = patient.host.names(&device).into_iter().filter(|name| name.starts_with("virtio"));
    let folders = std::iter::once(device.clone()).chain(deeper.map(|inner| format!("{device}/{inner}")));
    let interfaces = folders.flat_map(|folder| patient.host.names(Path::new(&folder).join("net")));
    interfaces.into_iter().find(|interface| is_default(interface))
}

pub(super) fn numa(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "numa";
    let mut findings = Vec::new();
    for (name, address) in patient.pci_ports() {
        let node = patient.host.line(format!("{DEVICES}/{address}/numa_node"));
        // -1: the machine has one, or does not say.
        let Some(node) = node.and_then(|node| node.parse::<u32>().ok()) else { continue };
        let is_far = |cpu: &&u32| node_of(patient.host, **cpu).is_some_and(|of| of != node);
        let far: Vec<String> = patient.cpus.iter().filter(is_far).map(u32::to_string).collect();
        if far.is_empty() {
            findings.push(Finding::ok(CHECK, format!("port {name} and the lcores are on node {node}")));
            continue;
        }
        let near = patient.host.line(format!("{DEVICES}/{address}/local_cpulist")).unwrap_or_default();
        let text =
            format!("port {name} is on node {node}, and lcores run elsewhere (CPU {})", far.join(", "));
        findings.push(Finding::warning(
            CHECK,
            text,
            format!("lcores.main-cpu, lcores.worker-cpus: out of {near}"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "no port is nearer to some CPUs than to others"));
    }
    findings
}

/// What can be known of RSS before DPDK holds the NIC: a NIC's own word comes at the start, and a refusal with it.
pub(super) fn rss(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "rss";
    let lcores = &patient.config.lcores;
    let alone = lcores.workers < 2;
    if lcores.spread == Spread::Software || (alone && lcores.spread == Spread::Auto) {
        return vec![Finding::ok(CHECK, "the main lcore spreads the frames, no NIC need")];
    }
    let inspected = patient.config.ports.iter().filter(|port| convert::inspected(patient.config, &port.name));
    let unable: Vec<&str> = inspected
        .filter(|port| NO_RSS.iter().any(|driver| port.device.starts_with(driver)))
        .map(|port| port.name.as_str())
        .collect();
    if !unable.is_empty() {
        let text = format!("port {} has a device without RSS", unable.join(", "));
        let main = "lcores.spread = \"software\"";
        return vec![match lcores.spread {
            Spread::Rss => {
                Finding::fault(CHECK, format!("{text}, and lcores.spread = \"rss\" asks for it"), main)
            }
            _ => Finding::ok(CHECK, format!("{text}: the main lcore spreads the frames")),
        }];
    }
    let mut findings: Vec<Finding> =
        patient.pci_ports().filter_map(|(name, address)| queues(patient, name, &address)).collect();
    if findings.is_empty() {
        findings
            .push(Finding::ok(CHECK, "the NICs are asked at the start (weir ctl lcores says who spreads)"));
    }
    findings
}

/// Receive queues, while the kernel still has the device and shows them.
fn queues(patient: &Patient<'_>, name: &str, address: &str) -> Option<Finding> {
    let interfaces = patient.host.names(format!("{DEVICES}/{address}/net"));
    let folder = format!("{DEVICES}/{address}/net/{}/queues", interfaces.first()?);
    let queues = patient.host.names(folder).iter().filter(|queue| queue.starts_with("rx-")).count();
    let workers = usize::from(patient.config.lcores.workers);
    (queues > 0 && queues < workers).then(|| {
        let text = format!("port {name} shows {queues} receive queues for {workers} workers");
        Finding::warning("rss", text, format!("lcores.workers = {queues} (or lcores.spread = \"software\")"))
    })
}
