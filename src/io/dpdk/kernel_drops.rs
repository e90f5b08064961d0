//! Frames that the kernel dropped before a driver took them: `net_af_packet` does not tell of them.
//!
//! The driver's packet sockets are this process's, so the kernel is asked about them (packet(7), `PACKET_STATISTICS`). It counts
//! anew with each answer; the sum is kept here.

#![allow(unsafe_code)] // system calls on descriptors that the driver owns; every block says why it is sound

use std::ffi::{CString, c_int};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of linux/if_packet.h.
const PACKET_STATISTICS: c_int = 6;

/// The packet sockets of a port.
#[derive(Debug, Default)]
pub(super) struct KernelDrops {
    sockets: Vec<RawFd>,
    total: AtomicU64,
}

impl KernelDrops {
    /// Of a device that was just opened, by its name and arguments; none where the kernel does not stand before it.
    pub(super) fn of(device: &str) -> KernelDrops {
        let mut parts = device.split(',');
        let is_packet = parts.next().is_some_and(|driver| driver.starts_with("net_af_packet"));
        let interface = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| *key == "iface");
        let sockets = match interface {
            Some((_, name)) if is_packet => index_of(name).map(sockets_on).unwrap_or_default(),
            _ => Vec::new(),
        };
        KernelDrops { sockets, total: AtomicU64::new(0) }
    }

    /// Since the port was opened. A socket that does not answer dropped nothing that could be known.
    pub(super) fn total(&self) -> u64 {
        let fresh: u64 = self.sockets.iter().filter_map(|&socket| dropped(socket)).map(u64::from).sum();
        self.total.fetch_add(fresh, Ordering::Relaxed) + fresh
    }
}

fn index_of(name: &str) -> Option<c_int> {
    let name = CString::new(name).ok()?;
    // SAFETY: a string that ends with a zero and lives for the call.
    c_int::try_from(unsafe { libc::if_nametoindex(name.as_ptr()) }).ok().filter(|&index| index != 0)
}

/// This process's packet sockets that are bound to an interface.
fn sockets_on(interface: c_int) -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|&number| bound_to(number) == Some(interface)).collect()
}

/// The interface of a packet socket; none for what is none.
fn bound_to(socket: RawFd) -> Option<c_int> {
    let mut address = libc::sockaddr_ll {
        sll_family: 0,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: a place of that length for the answer; for what is no socket the call fails.
    let code = unsafe { libc::getsockname(socket, (&raw mut address).cast(), &raw mut length) };
    (code == 0 && c_int::from(address.sll_family) == libc::AF_PACKET).then_some(address.sll_ifindex)
}

/// What a packet socket dropped since it was asked last.
fn dropped(socket: RawFd) -> Option<u32> {
    /// `struct tpacket_stats` of linux/if_packet.h.
    #[repr(C)]
    #[derive(Default)]
    struct Statistics {
        packets: u32,
        drops: u32,
    }
    let mut statistics = Statistics::default();
    let mut length = size_of::<Statistics>() as libc::socklen_t;
    // SAFETY: a place of that length for the answer; what is no packet socket (any more) refuses the option.
    let code = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_PACKET,
            PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    (code == 0).then_some(statistics.drops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packet_sockets_have_an_interface_and_say_what_they_dropped() {
        let (pair, _) = std::os::unix::net::UnixStream::pair().unwrap();
        let other = std::os::fd::AsRawFd::as_raw_fd(&pair);
        assert_eq!((bound_to(other), dropped(other)), (None, None));
        assert_eq!(KernelDrops::of("net_null0,copy=1").total(), 0);
        assert!(KernelDrops::of("net_tap0,iface=lo").sockets.is_empty());
        assert!(KernelDrops::of("net_af_packet0,iface=nowhere").sockets.is_empty());
        assert!(index_of("lo").is_some());
    }
}
