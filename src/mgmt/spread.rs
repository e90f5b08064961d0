//! Whether the ports' NICs spread the frames over the workers, or the main lcore: `lcores.spread` and what the ports offer.

use crate::io::dpdk::RssOffer;
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Port, Spread};
use crate::mgmt::convert;
use crate::pipeline::Spreading;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "port {port}: lcores.spread = \"rss\" is configured, but {lacks}; write \"auto\" or \"software\" there, and the main lcore \
     spreads the frames"
)]
pub struct SpreadError {
    port: String,
    lacks: String,
}

/// `offers` stand in the order of the configuration's ports.
pub fn decide(config: &Config, offers: &[RssOffer]) -> Result<Spreading, SpreadError> {
    let workers = u16::from(config.lcores.workers);
    let inspected = || {
        let all = config.ports.iter().zip(offers);
        all.filter(|(port, _)| convert::inspected(config, &port.name))
    };
    let lacks = |(port, offer): (&Port, &RssOffer)| {
        let lacks = lacks(port, offer, workers)?;
        Some(SpreadError { port: port.name.clone(), lacks })
    };
    let table = inspected().filter_map(|(_, offer)| offer.table.ok()).min();
    // One worker owns everything, whatever the table says.
    let rss = Spreading::Rss { table: table.unwrap_or(1) };
    match config.lcores.spread {
        _ if workers == 0 => Ok(Spreading::Software),
        Spread::Software => Ok(Spreading::Software),
        Spread::Rss => inspected().find_map(lacks).map_or(Ok(rss), Err),
        Spread::Auto => {
            let nics = config.ports.iter().all(|port| convert::is_pci(&port.device));
            let able = nics && pool_covers(config) && inspected().find_map(lacks).is_none();
            Ok(if able { rss } else { Spreading::Software })
        }
    }
}

/// Queues for each worker take more of the pool than one a port: `rss` was checked with the configuration.
fn pool_covers(config: &Config) -> bool {
    u64::from(config.pools.frames) >= crate::mgmt::config::check::frames_needed(config, true).total()
}

/// What a port has not that each of the workers needs.
fn lacks(port: &Port, offer: &RssOffer, workers: u16) -> Option<String> {
    let queues = |has: u16, kind| format!("it has {has} {kind} queues for {workers} workers");
    match (port.rx_queues, offer.table) {
        (Auto::Set(n), _) if n != u32::from(workers) => {
            Some(format!("rx-queues = {n} is not one for each of {workers} workers"))
        }
        _ if offer.rx_queues < workers => Some(queues(offer.rx_queues, "receive")),
        _ if offer.tx_queues < workers => Some(queues(offer.tx_queues, "transmit")),
        // What goes to one worker need not be spread.
        (_, Err(reason)) if workers > 1 => Some(reason.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::config::{Pair, Profile};

    const NIC: RssOffer = RssOffer { rx_queues: 16, tx_queues: 16, table: Ok(128) };

    fn config(spread: Spread, workers: u8, device: &str) -> Config {
        let mut config = Config::defaults(Profile::Inline);
        let port = |name: &str| Port { name: name.into(), device: device.into(), ..Port::default() };
        config.ports = vec![port("left"), port("right"), port("plain")];
        config.pairs = vec![
            Pair { ports: vec!["left".into(), "right".into()], ..Pair::default() },
            Pair { ports: vec!["plain".into()], inspection: false, ..Pair::default() },
        ];
        (config.lcores.spread, config.lcores.workers) = (spread, workers);
        config
    }

    const PCI: &str = "0000:03:00.0";

    #[test]
    fn rss_names_the_port_and_what_it_lacks_and_auto_does_without() {
        let poor = |offer| [NIC, offer, NIC];
        for (offer, words) in [
            (RssOffer { rx_queues: 2, ..NIC }, "2 receive queues for 4 workers"),
            (RssOffer { tx_queues: 3, ..NIC }, "3 transmit queues for 4 workers"),
            (RssOffer { table: Err("it does not hash addresses"), ..NIC }, "it does not hash addresses"),
        ] {
            let error = decide(&config(Spread::Rss, 4, PCI), &poor(offer)).unwrap_err().to_string();
            assert!(error.starts_with("port right: ") && error.contains(words), "{error}");
            assert_eq!(decide(&config(Spread::Auto, 4, PCI), &poor(offer)), Ok(Spreading::Software));
            // A port that is not inspected may lack anything.
            let found = decide(&config(Spread::Rss, 4, PCI), &[NIC, NIC, offer]);
            assert_eq!(found, Ok(Spreading::Rss { table: 128 }));
        }
        let mut held = config(Spread::Rss, 4, PCI);
        held.ports[0].rx_queues = Auto::Set(1);
        let error = decide(&held, &[NIC; 3]).unwrap_err().to_string();
        assert!(error.starts_with("port left: ") && error.contains("rx-queues = 1"), "{error}");
    }

    #[test]
    fn auto_takes_real_nics_and_the_smallest_table() {
        let large = RssOffer { table: Ok(512), ..NIC };
        let of = |spread, workers, device| decide(&config(spread, workers, device), &[large, NIC, large]);
        let rss = Ok(Spreading::Rss { table: 128 });
        assert_eq!(of(Spread::Auto, 4, PCI), rss);
        assert_eq!(of(Spread::Auto, 4, "net_null0"), Ok(Spreading::Software));
        assert_eq!(of(Spread::Rss, 4, "net_null0"), rss);
        assert_eq!(of(Spread::Auto, 0, PCI), Ok(Spreading::Software));
        assert_eq!(of(Spread::Software, 4, PCI), Ok(Spreading::Software));
        let mut small = config(Spread::Auto, 4, PCI);
        small.pools.frames = 8191;
        assert_eq!(decide(&small, &[NIC; 3]), Ok(Spreading::Software));
    }

    #[test]
    fn one_worker_needs_queues_and_no_hash() {
        let plain = RssOffer { table: Err("it does not hash addresses"), ..NIC };
        let found = decide(&config(Spread::Rss, 1, "net_tap0"), &[plain; 3]);
        assert_eq!(found, Ok(Spreading::Rss { table: 1 }));
    }
}
