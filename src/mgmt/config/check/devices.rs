//! Ports' devices: drivers that there are, and interfaces of this machine that they are to work through.

use super::{Checker, Machine};
use crate::mgmt::config::Port;
use crate::mgmt::config::fault::nearest;
use crate::mgmt::convert::is_pci;

/// What DPDK calls its drivers for devices that are none of the PCI bus ("NIC drivers" of its guide), with the arguments that
/// name an interface of the kernel, which must be there.
const DRIVERS: &[(&str, &[&str])] = &[
    ("net_af_packet", &["iface"]),
    ("net_af_xdp", &["iface"]),
    ("net_bonding", &[]),
    ("net_failsafe", &[]),
    ("net_ionic", &[]),
    ("net_memif", &[]),
    ("net_null", &[]),
    ("net_pcap", &["iface", "rx_iface", "rx_iface_in", "tx_iface"]),
    ("net_ring", &[]),
    ("net_softnic", &[]),
    ("net_tap", &["remote"]),
    ("net_tun", &[]),
    ("net_vdev_netvsc", &["iface"]),
    ("net_vhost", &[]),
    ("net_virtio_user", &[]),
    ("eth_af_packet", &["iface"]),
    ("eth_af_xdp", &["iface"]),
    ("eth_bond", &[]),
    ("eth_null", &[]),
    ("eth_pcap", &["iface", "rx_iface", "rx_iface_in", "tx_iface"]),
    ("eth_ring", &[]),
    ("eth_vhost", &[]),
];

/// Drivers that work through an interface and nothing else.
const NEED_INTERFACE: &[&str] = &["net_af_packet", "net_af_xdp", "eth_af_packet", "eth_af_xdp"];

/// The driver of a vdev, which is named by it with a number behind.
fn driver(device: &str) -> Option<(&'static str, &'static [&'static str])> {
    let name = device.split(',').next().unwrap_or_default();
    // Of two the longer: `net_tap` is none of `net_tapioca0`.
    let all =
        DRIVERS.iter().filter_map(|(driver, named)| Some((*driver, *named, name.strip_prefix(*driver)?)));
    let numbered =
        all.filter(|(_, _, rest)| rest.bytes().all(|b| b.is_ascii_digit() || b == b'_' || b == b'-'));
    numbered.map(|(driver, named, _)| (driver, named)).next()
}

fn arguments(device: &str) -> impl Iterator<Item = (&str, &str)> {
    device.split(',').skip(1).filter_map(|argument| argument.split_once('='))
}

/// A device of another bus, which only the machine knows: `vmbus:...`, `dpni.1`.
fn of_a_bus(device: &str) -> bool {
    device.split(',').next().unwrap_or_default().contains([':', '.'])
}

pub(super) fn check(checker: &mut Checker<'_>) {
    let ports = &checker.config.ports;
    for (i, port) in ports.iter().enumerate().filter(|(_, port)| !port.device.is_empty()) {
        let key = format!("port.{i}.device");
        let name = port.device.split(',').next().unwrap_or_default();
        let same = |other: &&Port| other.device.split(',').next() == Some(name);
        if let Some(other) = ports.iter().take(i).find(same) {
            let message = format!("port \"{}\" has the device {name} as well", other.name);
            checker.fault(
                &key,
                message,
                "each port has a device of its own: vdevs are numbered, net_tap0, net_tap1",
            );
        }
        if is_pci(&port.device) || of_a_bus(&port.device) {
            continue;
        }
        match driver(&port.device) {
            None => {
                let bare = name.trim_end_matches(|c: char| c.is_ascii_digit());
                let mend = match nearest(bare, DRIVERS.iter().map(|(driver, _)| *driver)) {
                    Some(near) => format!("the nearest is \"{near}0\""),
                    None => format!(
                        "write a PCI address such as \"0000:03:00.0\", or for an interface of the kernel \
                         \"net_af_packet{i},iface={name}\""
                    ),
                };
                checker.fault(
                    &key,
                    format!("\"{name}\" is no PCI address, and no driver of DPDK has such vdevs"),
                    mend,
                );
            }
            Some((driver, _)) if NEED_INTERFACE.contains(&driver) => {
                if !arguments(&port.device).any(|(name, value)| name == "iface" && !value.is_empty()) {
                    let mend = format!("write \"{name},iface=eth1\"");
                    checker.fault(
                        &key,
                        format!("{driver} works through an interface, and none is named"),
                        mend,
                    );
                }
            }
            Some(_) => {}
        }
    }
}

/// An interface of the kernel that a port works through and that is not there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Missing<'a> {
    /// The port's number and name.
    pub at: usize,
    pub port: &'a str,
    /// The driver's argument that names it.
    pub argument: &'a str,
    pub interface: &'a str,
}

impl std::fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Missing { port, argument, interface, .. } = self;
        write!(f, "there is no interface {interface} ({argument}) for port \"{port}\"")
    }
}

/// Interfaces that ports name and that are none of those.
pub fn missing_interfaces<'a>(ports: &'a [Port], there: &'a [String]) -> impl Iterator<Item = Missing<'a>> {
    ports.iter().enumerate().flat_map(move |(at, port)| {
        let named = driver(&port.device).map_or(&[][..], |(_, named)| named);
        arguments(&port.device)
            .filter(move |(name, _)| named.contains(name))
            .filter(|(_, interface)| !there.iter().any(|name| name == interface))
            .map(move |(argument, interface)| Missing { at, port: &port.name, argument, interface })
    })
}

/// Interfaces that are named and not there.
pub(super) fn check_interfaces(checker: &mut Checker<'_>, machine: &Machine) {
    let there = machine.interfaces.join(", ");
    for missing in missing_interfaces(&checker.config.ports, &machine.interfaces) {
        let near = nearest(missing.interface, machine.interfaces.iter().map(String::as_str));
        let near = near.map(|near| format!("; the nearest is {near}")).unwrap_or_default();
        checker.fault(
            &format!("port.{}.device", missing.at),
            missing.to_string(),
            format!("this machine has {there}{near}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vdevs_are_known_by_their_drivers() {
        let name = |device| driver(device).map(|(name, _)| name);
        assert_eq!(name("net_null0,no-rx=1"), Some("net_null"));
        assert_eq!(name("net_af_packet12,iface=eth1"), Some("net_af_packet"));
        assert_eq!(name("eth_bond_0"), Some("eth_bond"));
        assert_eq!((name("net_nulx0"), name("eth0"), name("net_nullable0")), (None, None, None));
    }
}
