//! `[eal]`, `[[port]]`, `[[pair]]`.

use crate::mgmt::config::value::{Auto, Bytes, Within, words};
use crate::mgmt::config::visit::{Item, Section, Visitor};

/// How DPDK is started. NICs are taken by the devices of the ports; the process id keeps several processes apart.
#[derive(Clone, Debug)]
pub struct Eal {
    pub hugepages: Auto<bool>,
    pub memory: Bytes,
}

impl Default for Eal {
    fn default() -> Eal {
        Eal { hugepages: Auto::Auto, memory: Bytes::mib(512) }
    }
}

impl Section for Eal {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "hugepages",
            "Whether memory comes from hugepages: true, false, or \"auto\" (when the kernel has enough free and we may use them).\n\
             Without them it works, with about half the rate for small packets.",
            &mut self.hugepages,
        );
        v.value(
            "memory",
            "Memory for frames and rings when there are no hugepages. It must cover [pools].",
            &mut self.memory,
        );
    }
}

/// One DPDK port.
#[derive(Clone, Debug)]
pub struct Port {
    pub name: String,
    pub device: String,
    pub mtu: u16,
    pub rx_queues: Auto<u32>,
    pub rx_descriptors: u16,
    pub tx_descriptors: u16,
    pub promiscuous: bool,
    pub checksum_offload: ChecksumOffload,
}

words! {
    /// Who computes the checksums of IPv4 headers that are made anew.
    ChecksumOffload {
        /// The port, where it offers that.
        Auto = "auto",
        Software = "software",
    }
}

impl Default for Port {
    fn default() -> Port {
        Port {
            name: String::new(),
            device: String::new(),
            mtu: 1500,
            rx_queues: Auto::Auto,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            promiscuous: true,
            checksum_offload: ChecksumOffload::Auto,
        }
    }
}

impl Item for Port {
    fn sample() -> Port {
        Port { name: "outside".into(), device: "0000:03:00.0".into(), ..Port::default() }
    }
}

impl Section for Port {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("name", "As pairs, logs and counters name it.", &mut self.name);
        v.value(
            "device",
            "The PCI address of a NIC bound to a DPDK driver (dpdk-devbind.py), or a vdev such as\n\
             \"net_af_packet0,iface=eth1\", \"net_tap0\", \"net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap\", \"net_null0\".\n\
             For net_af_packet the kernel puts IPv4 fragments together first and cuts frames at 1982 bytes: with\n\
             \"framesz=8192,blocksz=65536\" and pools.data-room = 8192 datagrams of up to 8 KB pass, cut again on their way out.",
            &mut self.device,
        );
        v.value(
            "mtu",
            "Largest IP packet in bytes, 68 to 9216.",
            &mut Within(&mut self.mtu, 68..=9216).of("bytes"),
        );
        v.value(
            "rx-queues",
            "Receive queues. \"auto\": one for each worker where the NIC spreads the frames (lcores.spread), else one, polled by the\n\
             main lcore, as are all when a number is set that is not the workers'.",
            &mut self.rx_queues,
        );
        v.value(
            "rx-descriptors",
            "Descriptors of a receive queue.",
            &mut Within(&mut self.rx_descriptors, 32..=32768).of("descriptors"),
        );
        v.value(
            "tx-descriptors",
            "Descriptors of a transmit queue.",
            &mut Within(&mut self.tx_descriptors, 32..=32768).of("descriptors"),
        );
        v.value(
            "promiscuous",
            "Receive frames for other addresses too: a wire pair needs it.",
            &mut self.promiscuous,
        );
        v.value(
            "checksum-offload",
            "Who computes the header checksums of the pieces that datagrams leave this port in: the port if it offers that\n\
             (\"auto\"), or always we (\"software\").",
            &mut self.checksum_offload,
        );
    }
}

words! {
    /// What a pair is to the network.
    PairKind {
        /// Transparent: what enters one port leaves the other unchanged.
        Wire = "wire",
        /// The interfaces have addresses; frames are routed.
        Routed = "routed",
    }
}

words! {
    /// What a verdict does.
    Mode {
        /// Verdicts act.
        Ips = "ips",
        /// Everything is forwarded; what would have been dropped is logged.
        Tap = "tap",
        /// Copies only: nothing is forwarded.
        Ids = "ids",
    }
}

words! {
    /// What becomes of a pair's traffic until its first policy is active.
    PairInactive {
        /// As the service set says; the ports start when the rules are ready.
        Auto = "auto",
        Drop = "drop",
        Forward = "forward",
    }
}

words! {
    NonIp {
        Forward = "forward",
        Drop = "drop",
    }
}

/// Two ports joined, or one that only listens.
#[derive(Clone, Debug)]
pub struct Pair {
    pub ports: Vec<String>,
    pub kind: PairKind,
    pub mode: Mode,
    pub inspection: bool,
    pub non_ip: NonIp,
    pub pass_link: bool,
    pub inactive: PairInactive,
}

impl Default for Pair {
    fn default() -> Pair {
        Pair {
            ports: Vec::new(),
            kind: PairKind::Wire,
            mode: Mode::Tap,
            inspection: true,
            non_ip: NonIp::Forward,
            pass_link: false,
            inactive: PairInactive::Auto,
        }
    }
}

impl Item for Pair {
    fn sample() -> Pair {
        Pair { ports: vec!["outside".into(), "inside".into()], ..Pair::default() }
    }
}

impl Section for Pair {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("ports", "Names of two ports; one with mode \"ids\".", &mut self.ports);
        v.value(
            "kind",
            "\"wire\": what enters one port leaves the other unchanged. (\"routed\" comes later.)",
            &mut self.kind,
        );
        v.live(
            "mode",
            "\"ips\": verdicts act. \"tap\": everything is forwarded, and what would have been dropped is logged.\n\
             \"ids\": copies only, nothing is forwarded.",
            &mut self.mode,
        );
        v.value("inspection", "false forwards without sessions or rules.", &mut self.inspection);
        v.value(
            "non-ip",
            "ARP, LLDP, spanning tree and other frames without IP: \"forward\" or \"drop\".",
            &mut self.non_ip,
        );
        v.live(
            "pass-link",
            "While the link of one port is down, take the other's down too, so that both neighbours see it (where the driver can).",
            &mut self.pass_link,
        );
        v.value(
            "inactive-action",
            "What becomes of the pair's traffic until its first policy is active: \"forward\" uninspected, or \"drop\" (service_inactive).\n\
             With either, ports start before the rules are compiled. \"auto\": as the service set says (its inactive-action),\n\
             and the ports start when the rules are ready.",
            &mut self.inactive,
        );
    }
}
