use super::*;
use crate::base::Family;
use crate::mgmt::config::{Pair, Port};

fn config() -> Config {
    let mut config = Config::defaults(Profile::Inline);
    let port =
        |name: &str, mtu| Port { name: name.into(), device: "net_null0".into(), mtu, ..Port::default() };
    config.ports = vec![port("a", 1500), port("b", 9000), port("c", 1500)];
    config.pairs = vec![Pair { ports: vec!["b".into(), "a".into()], mode: Mode::Ips, ..Pair::default() }];
    config
}

#[test]
fn what_enters_one_port_of_a_pair_leaves_by_the_other_and_a_single_port_only_listens() {
    let plans = plans(&config(), &[]);
    assert_eq!(plans.iter().map(|p| p.peer).collect::<Vec<_>>(), [Some(PortId(1)), Some(PortId(0)), None]);
    assert_eq!(plans[0].peer_mtu, 9000);
    assert_eq!((plans[1].mode, plans[2].mode), (pipeline::Mode::Ips, pipeline::Mode::Ids));
}

#[test]
fn the_profiles_are_the_layers_own_defaults() {
    let start = |profile| sessions(&Config::defaults(profile), Time::ZERO, 1).timeouts;
    assert_eq!(start(Profile::Suricata), session::Timeouts::SURICATA);
    assert_eq!(start(Profile::Inline), session::Timeouts::WEIR);
    let suricata = Config::defaults(Profile::Suricata);
    assert_eq!(streams(&suricata).delivery, stream::Settings::suricata().delivery);
    assert_eq!(fragments(&suricata, 1).datagrams, defrag::Settings::suricata().datagrams);
    assert_eq!(fragments(&suricata, 1).timeout, defrag::Settings::suricata().timeout);
    let inline = fragments(&Config::defaults(Profile::Inline), 1);
    assert_eq!(inline.datagram_memory, defrag::Settings::default().datagram_memory);
}

#[test]
fn the_receivers_network_chooses_the_overlap_policy_of_fragments_and_streams() {
    let mut config = Config::defaults(Profile::Suricata);
    config.host_os_policy.insert("10.0.0.0/8".into(), "hpux11".into());
    let (v4, v6) = (Family::V4, Family::V6);
    let (streams, fragments) = (streams(&config).overlap, fragments(&config, 1).policies);
    assert_eq!(streams.of(v4, Addr::v4([10, 1, 1, 1])), stream::OverlapPolicy::Linux);
    assert_eq!(fragments.of(v4, Addr::v4([10, 1, 1, 1])), defrag::OverlapPolicy::First);
    assert_eq!(fragments.of(v4, Addr::v4([11, 1, 1, 1])), defrag::OverlapPolicy::Windows);
    assert_eq!(streams.of(v6, Addr(1)), stream::OverlapPolicy::Bsd);
}

#[test]
fn pci_addresses_are_told_from_vdevs() {
    assert!(is_pci("0000:03:00.0") && is_pci("03:00.1,arg=1"));
    assert!(!is_pci("net_pcap0,rx_pcap=/a:b.c") && !is_pci("net_null0") && !is_pci(""));
}
