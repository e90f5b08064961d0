//! Receive-side scaling: what a NIC must offer so that workers can poll queues of their own, and how it is told.
//!
//! The key makes a Toeplitz hash the same for both directions ([`crate::base::toeplitz`]); the redirection table is written
//! explicitly, so that the queue of a hash can be computed.

#![allow(unsafe_code)] // the redirection table; every block says why it is sound

use crate::base::toeplitz::KEY_WORD;
use dpdk_sys::{rte_eth_conf, rte_eth_dev_info, rte_eth_rss_reta_entry64};
use std::ffi::c_int;

/// As long as any NIC's key.
static SYMMETRIC_KEY: [u8; 64] = {
    let mut key = [0; 64];
    let mut at = 0;
    while at < key.len() {
        key[at] = KEY_WORD.to_be_bytes()[at % 2];
        at += 1;
    }
    key
};

/// What decides to which queue, or worker, a frame goes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum HashFields {
    /// Addresses, and ports where there are some.
    #[default]
    Layer4,
    /// Addresses only.
    Layer3,
}

impl HashFields {
    /// As `RTE_ETH_RSS_*` bits.
    const fn functions(self) -> u64 {
        let addresses = dpdk_sys::RTE_ETH_RSS_IP as u64;
        let ports = dpdk_sys::RTE_ETH_RSS_TCP | dpdk_sys::RTE_ETH_RSS_UDP | dpdk_sys::RTE_ETH_RSS_SCTP;
        match self {
            HashFields::Layer4 => addresses | ports as u64,
            HashFields::Layer3 => addresses,
        }
    }

    /// Without these most frames would come to the wrong queue.
    const fn needed(self) -> u64 {
        let tcp_udp = dpdk_sys::RTE_ETH_RSS_NONFRAG_IPV4_TCP | dpdk_sys::RTE_ETH_RSS_NONFRAG_IPV4_UDP;
        match self {
            HashFields::Layer4 => tcp_udp as u64,
            HashFields::Layer3 => dpdk_sys::RTE_ETH_RSS_IPV4 as u64,
        }
    }
}

/// What a device has for workers that poll their own queues.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct RssOffer {
    pub rx_queues: u16,
    pub tx_queues: u16,
    /// Entries of its redirection table, or why it cannot spread sessions symmetrically.
    pub table: Result<u32, &'static str>,
}

impl RssOffer {
    pub(super) fn of(limits: &rte_eth_dev_info, hash: HashFields) -> RssOffer {
        let entries = u32::from(limits.reta_size);
        let table = if limits.flow_type_rss_offloads & hash.needed() != hash.needed() {
            Err(match hash {
                HashFields::Layer4 => "it does not hash the addresses and ports of TCP and UDP",
                HashFields::Layer3 => "it does not hash addresses",
            })
        } else if key_length(limits).is_none() {
            Err("it takes no hash key of ours")
        } else if !entries.is_power_of_two() {
            Err("its redirection table cannot be written")
        } else {
            Ok(entries)
        };
        RssOffer { rx_queues: limits.max_rx_queues, tx_queues: limits.max_tx_queues, table }
    }
}

/// A driver that does not say how long its key is (`net_null`) takes one of the length that all NICs had once.
const USUAL_KEY: u8 = 40;

fn key_length(limits: &rte_eth_dev_info) -> Option<u8> {
    let length = if limits.hash_key_size == 0 { USUAL_KEY } else { limits.hash_key_size };
    (usize::from(length) <= SYMMETRIC_KEY.len()).then_some(length)
}

/// Asks for receive-side scaling by the symmetric key, when the port offers what that takes.
pub(super) fn request(wanted: &mut rte_eth_conf, limits: &rte_eth_dev_info, hash: HashFields) -> bool {
    let functions = limits.flow_type_rss_offloads & hash.functions();
    let Some(length) = key_length(limits).filter(|_| functions != 0) else { return false };
    wanted.rxmode.mq_mode = dpdk_sys::RTE_ETH_MQ_RX_RSS;
    let rss = &mut wanted.rx_adv_conf.rss_conf;
    rss.rss_key = (&raw const SYMMETRIC_KEY).cast::<u8>().cast_mut();
    rss.rss_key_len = length;
    rss.rss_hf = functions;
    true
}

/// Entries of one group of a redirection table.
const GROUP: usize = dpdk_sys::RTE_ETH_RETA_GROUP_SIZE as usize;

/// Writes a started port's redirection table: which queue each entry names.
pub(super) fn write_table(
    id: u16,
    limits: &rte_eth_dev_info,
    queue: impl Fn(u32) -> u16,
) -> Result<(), c_int> {
    let entries = usize::from(limits.reta_size);
    let mut groups = vec![rte_eth_rss_reta_entry64::default(); entries.div_ceil(GROUP)];
    for entry in 0..entries {
        if let Some(group) = groups.get_mut(entry / GROUP) {
            group.mask |= 1 << (entry % GROUP);
            group.reta[entry % GROUP] = queue(entry as u32);
        }
    }
    // SAFETY: a started port, and as many groups as its table has.
    match unsafe { dpdk_sys::rte_eth_dev_rss_reta_update(id, groups.as_mut_ptr(), limits.reta_size) } {
        0 => Ok(()),
        code => Err(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nic() -> rte_eth_dev_info {
        rte_eth_dev_info {
            max_rx_queues: 8,
            max_tx_queues: 4,
            hash_key_size: 52,
            reta_size: 512,
            flow_type_rss_offloads: HashFields::Layer4.functions(),
            ..rte_eth_dev_info::default()
        }
    }

    #[test]
    fn an_offer_says_what_is_lacking() {
        let table = |limits, hash| RssOffer::of(&limits, hash).table;
        let whole = RssOffer { rx_queues: 8, tx_queues: 4, table: Ok(512) };
        assert_eq!(RssOffer::of(&nic(), HashFields::Layer4), whole);
        let addresses = HashFields::Layer3.functions();
        let only = rte_eth_dev_info { flow_type_rss_offloads: addresses, ..nic() };
        assert_eq!(table(only, HashFields::Layer3), Ok(512));
        assert!(table(only, HashFields::Layer4).unwrap_err().contains("ports"));
        let key = |hash_key_size| table(rte_eth_dev_info { hash_key_size, ..nic() }, HashFields::Layer4);
        assert_eq!(key(0), Ok(512));
        assert!(key(65).unwrap_err().contains("key"));
        for reta_size in [0, 100] {
            let limits = rte_eth_dev_info { reta_size, ..nic() };
            assert!(table(limits, HashFields::Layer4).unwrap_err().contains("table"));
        }
    }
}
