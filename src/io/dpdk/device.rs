//! An ethdev as its port and all its queues share it: stopped, closed and pulled out with the last of them.

#![allow(unsafe_code)] // calls of ethdev; every block says why it is sound

use super::eal::Eal;
use super::kernel_drops::KernelDrops;
use super::pool::Pool;
use crate::io::{PortMeter, PortStats};
use dpdk_sys::rte_eth_dev_info;
use std::ffi::c_int;
use std::sync::{Arc, Weak};

/// An ethdev that is ours to stop and close.
pub(super) struct Device {
    pub(super) id: u16,
    /// We plugged it in, so we pull it out.
    pub(super) plugged: bool,
    pub(super) started: bool,
    pub(super) kernel: KernelDrops,
    /// Lives as long as a queue may have frames of it.
    pub(super) pool: Pool,
    pub(super) eal: Arc<Eal>,
}

impl Device {
    pub(super) fn id(&self) -> u16 {
        self.id
    }

    pub(super) fn eal(&self) -> &Arc<Eal> {
        &self.eal
    }

    pub(super) fn stats(&self) -> PortStats {
        let mut stats = dpdk_sys::rte_eth_stats::default();
        // SAFETY: a port's number and a place for the answer, which stays zero when the port does not count.
        unsafe { dpdk_sys::rte_eth_stats_get(self.id, &raw mut stats) };
        PortStats {
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            rx_missed: stats.imissed + self.kernel.total(),
            rx_errors: stats.ierrors,
            rx_no_buffer: stats.rx_nombuf,
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            tx_errors: stats.oerrors,
        }
    }

    pub(super) fn link_up(&self) -> Option<bool> {
        let mut link = dpdk_sys::rte_eth_link::default();
        // SAFETY: a port's number and a place for the answer.
        let code = unsafe { dpdk_sys::rte_eth_link_get_nowait(self.id, &raw mut link) };
        (code == 0).then(|| u32::from(link.link_status()) == dpdk_sys::RTE_ETH_LINK_UP)
    }

    pub(super) fn set_link(&self, up: bool) -> bool {
        // SAFETY: only the port's number is passed; the driver serves this beside its queues.
        let code = unsafe {
            match up {
                true => dpdk_sys::rte_eth_dev_set_link_up(self.id),
                false => dpdk_sys::rte_eth_dev_set_link_down(self.id),
            }
        };
        code == 0
    }

    pub(super) fn info(&self) -> Result<rte_eth_dev_info, c_int> {
        let mut info = rte_eth_dev_info::default();
        // SAFETY: a port's number and a place for the answer.
        match unsafe { dpdk_sys::rte_eth_dev_info_get(self.id, &raw mut info) } {
            0 => Ok(info),
            code => Err(code),
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let device = self.info().ok().map(|info| info.device);
        // SAFETY: the queues hold an `Arc` of this, so nobody receives or sends any more. Failures leave the device as
        // it is until the process ends: there is nobody to tell, and nothing to be done.
        unsafe {
            if self.started {
                dpdk_sys::rte_eth_dev_stop(self.id);
            }
            dpdk_sys::rte_eth_dev_close(self.id);
            if let Some(device) = device.filter(|device| self.plugged && !device.is_null()) {
                dpdk_sys::rte_dev_remove(device);
            }
        }
    }
}

/// All zero once the port is gone.
pub(super) struct Meter(pub(super) Weak<Device>);

impl PortMeter for Meter {
    fn stats(&self) -> PortStats {
        self.0.upgrade().map_or_else(PortStats::default, |device| device.stats())
    }

    fn link_up(&self) -> Option<bool> {
        self.0.upgrade()?.link_up()
    }

    fn set_link(&self, up: bool) -> bool {
        self.0.upgrade().is_some_and(|device| device.set_link(up))
    }
}
