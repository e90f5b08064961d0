//! A port: found or plugged in, configured, started; stopped, closed and pulled out when its last user is gone.

#![allow(unsafe_code)] // ethdev set-up; every block says why it is sound

use super::device::{Device, Meter};
use super::eal::Eal;
use super::kernel_drops::KernelDrops;
use super::pool::Pool;
use super::queue::{Receive, Stamp, Transmit};
use super::rss::{self, HashFields, RssOffer};
use super::{last_reason, reason};
use crate::base::PortId;
use crate::base::toeplitz::queue;
use crate::io::frame::MAX_SEGMENTS;
use crate::io::{LinkType, PacketIo, PortInfo, PortMeter, PortStats, RxQueue, TxQueue};
use dpdk_sys::{rte_eth_conf, rte_eth_dev_info};
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

/// How a port is to run.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// As the configuration names it.
    pub name: String,
    /// A PCI address that EAL was told to take, or a vdev with its arguments (`net_null0,copy=1`).
    pub device: String,
    pub rx_queues: u16,
    /// Brought within what the port has.
    pub tx_queues: u16,
    /// Descriptors of each queue; brought within what the port allows.
    pub rx_descriptors: u16,
    pub tx_descriptors: u16,
    /// `None`: as the port has it.
    pub mtu: Option<u16>,
    pub promiscuous: bool,
    /// Use what the port has to compute IPv4 checksums.
    pub checksum_offload: bool,
    pub link_type: LinkType,
    pub stamp: Stamp,
    /// For a port with several receive queues.
    pub hash: HashFields,
    /// Entries after which its redirection table is to repeat; `None` leaves the table to the driver.
    pub table: Option<u32>,
}

impl Default for PortConfig {
    fn default() -> PortConfig {
        PortConfig {
            name: String::new(),
            device: String::new(),
            rx_queues: 1,
            tx_queues: 1,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            mtu: None,
            promiscuous: true,
            checksum_offload: false,
            link_type: LinkType::Ethernet,
            stamp: Stamp::Clock,
            hash: HashFields::default(),
            table: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("port {port}: no device {device}: {reason}; {hint}")]
    NoDevice { port: String, device: String, reason: String, hint: &'static str },
    #[error(
        "port {port}: it has {has} receive queues, {wanted} are configured: set rx-queues to at most {has}"
    )]
    TooFewQueues { port: String, has: u16, wanted: u16 },
    #[error("port {port}: an MTU of {mtu} is configured, it takes {min} to {max}")]
    Mtu { port: String, mtu: u16, min: u16, max: u16 },
    #[error("port {port}: the device does not {step}: {reason}")]
    Step { port: String, step: &'static str, reason: String },
}

/// A device found or plugged in, and not configured yet.
pub struct Attached {
    device: Device,
    limits: rte_eth_dev_info,
}

impl Attached {
    /// What the device has for workers that poll their own queues.
    pub fn rss_offer(&self, hash: HashFields) -> RssOffer {
        RssOffer::of(&self.limits, hash)
    }
}

/// A started port. Its device is stopped, closed and pulled out when the port and all its queues are gone.
pub struct DpdkPort {
    info: PortInfo,
    stamp: Stamp,
    max_segments: usize,
    rx_taken: Vec<bool>,
    tx_taken: Vec<bool>,
    device: Arc<Device>,
}

impl DpdkPort {
    /// Finds the device or plugs it in, and starts it with buffers of `pool`.
    pub fn open(eal: &Arc<Eal>, pool: &Pool, config: &PortConfig) -> Result<DpdkPort, PortError> {
        DpdkPort::start(DpdkPort::attach(eal, pool, config)?, config)
    }

    /// Finds the device or plugs it in; only its name counts yet.
    pub fn attach(eal: &Arc<Eal>, pool: &Pool, config: &PortConfig) -> Result<Attached, PortError> {
        let device = attach(eal, pool, config)?;
        let limits = device.info().map_err(|code| step(config, "tell what it can", code))?;
        Ok(Attached { device, limits })
    }

    /// Configures and starts it.
    pub fn start(attached: Attached, config: &PortConfig) -> Result<DpdkPort, PortError> {
        let Attached { mut device, limits } = attached;
        let step = |what, code| step(config, what, code);
        check(config, &limits)?;
        let config = &PortConfig { tx_queues: config.tx_queues.min(limits.max_tx_queues), ..config.clone() };
        let symmetric_rss = configure(&device, config, &limits).map_err(|(what, code)| step(what, code))?;
        // SAFETY: configured, with all its queues set up.
        match unsafe { dpdk_sys::rte_eth_dev_start(device.id) } {
            0 => device.started = true,
            code => return Err(step("start", code)),
        }
        if let Some(table) = config.table.filter(|_| symmetric_rss) {
            redirect(&device, config, &limits, table);
        }
        promiscuous(&device, config);
        Ok(DpdkPort {
            info: describe(&device, config, &limits, symmetric_rss),
            stamp: config.stamp,
            max_segments: max_segments(&limits),
            rx_taken: vec![false; usize::from(config.rx_queues)],
            tx_taken: vec![false; usize::from(config.tx_queues)],
            device: Arc::new(device),
        })
    }

    pub fn pool(&self) -> &Pool {
        &self.device.pool
    }

    #[cfg(test)]
    pub(super) fn device(&self) -> &Arc<Device> {
        &self.device
    }

    pub(super) fn take_receive(&mut self, queue: u16) -> Option<Receive> {
        take(&mut self.rx_taken, queue)?;
        Some(Receive::new(Arc::clone(&self.device), queue, self.stamp))
    }

    /// Whether the link is up; `None` when the port does not say.
    pub fn link_up(&self) -> Option<bool> {
        self.device.link_up()
    }
}

impl PacketIo for DpdkPort {
    fn id(&self) -> PortId {
        PortId(self.device.id)
    }

    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn stats(&self) -> PortStats {
        self.device.stats()
    }

    fn meter(&self) -> Option<Box<dyn PortMeter>> {
        Some(Box::new(Meter(Arc::downgrade(&self.device))))
    }

    fn take_rx(&mut self, queue: u16) -> Option<Box<dyn RxQueue>> {
        Some(Box::new(self.take_receive(queue)?))
    }

    fn take_tx(&mut self, queue: u16) -> Option<Box<dyn TxQueue>> {
        take(&mut self.tx_taken, queue)?;
        let compactor = self.device.pool.allocator();
        Some(Box::new(Transmit::new(Arc::clone(&self.device), queue, self.max_segments, compactor)))
    }
}

fn step(config: &PortConfig, step: &'static str, code: c_int) -> PortError {
    PortError::Step { port: config.name.clone(), step, reason: reason(code) }
}

fn take(taken: &mut [bool], queue: u16) -> Option<()> {
    let taken = taken.get_mut(usize::from(queue)).filter(|taken| !**taken)?;
    *taken = true;
    Some(())
}

fn attach(eal: &Arc<Eal>, pool: &Pool, config: &PortConfig) -> Result<Device, PortError> {
    let no_device = |reason: String, hint| PortError::NoDevice {
        port: config.name.clone(),
        device: config.device.clone(),
        reason,
        hint,
    };
    let bare = config.device.split(',').next().unwrap_or_default();
    let text = |text: &str| CString::new(text).map_err(|_| no_device("zero byte".to_owned(), "take it out"));
    let (name, arguments) = (text(bare)?, text(&config.device)?);
    let device = |id, plugged| {
        let kernel = KernelDrops::of(&config.device);
        Device { id, plugged, started: false, kernel, pool: pool.clone(), eal: Arc::clone(eal) }
    };
    if let Some(id) = find(&name) {
        return Ok(device(id, false));
    }
    // SAFETY: EAL runs and the string is terminated.
    let code = unsafe { dpdk_sys::rte_dev_probe(arguments.as_ptr()) };
    let hint = "a PCI device must be bound to a driver for user space (dpdk-devbind.py --status); a vdev must be spelt \
                as DPDK's guide to NIC drivers does";
    match (code, find(&name)) {
        (0, Some(id)) => Ok(device(id, true)),
        (0, None) => Err(no_device("it makes no port".to_owned(), hint)),
        (code, _) => Err(no_device(reason(code), hint)),
    }
}

fn find(name: &CStr) -> Option<u16> {
    let mut id = 0;
    // SAFETY: a terminated string and a place for the answer.
    let code = unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut id) };
    (code == 0).then_some(id)
}

fn check(config: &PortConfig, limits: &rte_eth_dev_info) -> Result<(), PortError> {
    let port = || config.name.clone();
    if config.rx_queues > limits.max_rx_queues {
        let (has, wanted) = (limits.max_rx_queues, config.rx_queues);
        return Err(PortError::TooFewQueues { port: port(), has, wanted });
    }
    match config.mtu {
        Some(mtu) if mtu < limits.min_mtu || mtu > limits.max_mtu => {
            Err(PortError::Mtu { port: port(), mtu, min: limits.min_mtu, max: limits.max_mtu })
        }
        _ => Ok(()),
    }
}

/// Configures the port and sets its queues up. Whether it spreads sessions over its queues by a symmetric key; or the
/// step that failed, and its error number.
fn configure(
    device: &Device,
    config: &PortConfig,
    limits: &rte_eth_dev_info,
) -> Result<bool, (&'static str, c_int)> {
    let (id, mut wanted) = (device.id, rte_eth_conf::default());
    wanted.rxmode.offloads = limits.rx_offload_capa & u64::from(dpdk_sys::RTE_ETH_RX_OFFLOAD_SCATTER);
    wanted.txmode.offloads = limits.tx_offload_capa & u64::from(dpdk_sys::RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
    if ipv4_checksums(config, limits) {
        wanted.txmode.offloads |= u64::from(dpdk_sys::RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
    }
    if let Some(mtu) = config.mtu {
        wanted.rxmode.mtu = u32::from(mtu);
    }
    let symmetric = config.rx_queues > 1 && rss::request(&mut wanted, limits, config.hash);
    let (mut rx_descriptors, mut tx_descriptors) = (config.rx_descriptors, config.tx_descriptors);
    let done = |what, code: c_int| if code == 0 { Ok(()) } else { Err((what, code)) };
    // SAFETY: a port that is ours and stopped; all pointers are to locals, which DPDK copies; the pool outlives the
    // device, which holds it. The key lives as long as the program.
    unsafe {
        let code = dpdk_sys::rte_eth_dev_configure(id, config.rx_queues, config.tx_queues, &raw const wanted);
        done("take its configuration", code)?;
        let code =
            dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &raw mut rx_descriptors, &raw mut tx_descriptors);
        done("take the number of descriptors", code)?;
        let socket = dpdk_sys::rte_eth_dev_socket_id(id) as u32;
        let (rx, pool) = (&raw const limits.default_rxconf, device.pool.as_ptr());
        for queue in 0..config.rx_queues {
            let code = dpdk_sys::rte_eth_rx_queue_setup(id, queue, rx_descriptors, socket, rx, pool);
            done("set up a receive queue", code)?;
        }
        for queue in 0..config.tx_queues {
            let tx = &raw const limits.default_txconf;
            let code = dpdk_sys::rte_eth_tx_queue_setup(id, queue, tx_descriptors, socket, tx);
            done("set up a transmit queue", code)?;
        }
    }
    Ok(symmetric)
}

/// Whether the port is asked to compute the checksums of IPv4 headers, and can.
fn ipv4_checksums(config: &PortConfig, limits: &rte_eth_dev_info) -> bool {
    config.checksum_offload
        && limits.tx_offload_capa & u64::from(dpdk_sys::RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0
}

/// A port that keeps its own table sends more frames to the wrong worker, which hands them over.
fn redirect(device: &Device, config: &PortConfig, limits: &rte_eth_dev_info, table: u32) {
    let queues = u32::from(config.rx_queues);
    if let Err(code) = rss::write_table(device.id, limits, |entry| queue(table, entry, queues) as u16) {
        tracing::warn!(port = %config.name, reason = %reason(code), "the port keeps its own redirection table");
    }
}

/// A port that cannot is one that takes all frames anyway (a vdev), or will show it by its counters.
fn promiscuous(device: &Device, config: &PortConfig) {
    // SAFETY: a started port.
    if config.promiscuous && unsafe { dpdk_sys::rte_eth_promiscuous_enable(device.id) } != 0 {
        tracing::debug!(port = %config.name, reason = %last_reason(), "the port has no promiscuous mode");
    }
}

/// Segments of one frame that the port sends: one, unless it offers more; no limit is [`MAX_SEGMENTS`].
fn max_segments(limits: &rte_eth_dev_info) -> usize {
    if limits.tx_offload_capa & u64::from(dpdk_sys::RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0 {
        return 1;
    }
    match usize::from(limits.tx_desc_lim.nb_mtu_seg_max) {
        0 => MAX_SEGMENTS,
        some => some.min(MAX_SEGMENTS),
    }
}

fn describe(
    device: &Device,
    config: &PortConfig,
    limits: &rte_eth_dev_info,
    symmetric_rss: bool,
) -> PortInfo {
    let mut mac = dpdk_sys::rte_ether_addr::default();
    let mut mtu = 0;
    // SAFETY: a port's number and places for the answers, which stay zero when there is none; the driver's name is a
    // constant of the driver.
    let (driver, node) = unsafe {
        dpdk_sys::rte_eth_macaddr_get(device.id, &raw mut mac);
        dpdk_sys::rte_eth_dev_get_mtu(device.id, &raw mut mtu);
        let driver = match limits.driver_name.is_null() {
            true => String::new(),
            false => CStr::from_ptr(limits.driver_name).to_string_lossy().into_owned(),
        };
        (driver, dpdk_sys::rte_eth_dev_socket_id(device.id))
    };
    PortInfo {
        name: config.name.clone(),
        driver,
        link_type: config.link_type,
        rx_queues: config.rx_queues,
        tx_queues: config.tx_queues,
        mtu,
        numa_node: u32::try_from(node).ok(),
        mac: mac.addr_bytes,
        symmetric_rss,
        ipv4_checksums: ipv4_checksums(config, limits),
    }
}
