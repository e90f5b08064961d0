//! A capture file as a port, through `net_pcap`: for a replay.
//!
//! The driver does not say when the file has ended, reads on behind a damaged record, and loses a frame for which it
//! finds no buffer. So the file is read once before ([`Summary`]), and the queue asks the driver for no more frames than
//! are good, and only when the pool has buffers for a whole burst.

use super::eal::Eal;
use super::pool::Pool;
use super::port::{DpdkPort, PortConfig, PortError};
use super::queue::{Receive, Stamp};
use crate::base::PortId;
use crate::base::counters::Counter;
use crate::io::capture::{CaptureError, Summary};
use crate::io::{BURST, Burst, PacketIo, PortInfo, PortStats, RxQueue, TxQueue};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Segments for what is made of a burst's frames, beside them: of a datagram that is being rebuilt, and of the pieces it leaves in.
pub const AT_WORK: u32 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(
        "{path}: a burst of frames as long as its longest ({longest} bytes) takes {needed} segments, the pool has \
         {has}: make the pool larger"
    )]
    PoolTooSmall { path: String, longest: usize, needed: usize, has: u32 },
    #[error(
        "{path}: behind frame {frames} the pool got no memory for more frames that are kept: {reason}; more memory, or a smaller \
         fragments.memory, may help"
    )]
    PoolRefused { path: String, frames: u64, reason: String },
}

/// A capture being replayed. One receive queue; what is sent goes nowhere. Any number may be open at once; dropping one
/// and its queues makes place for the next.
pub struct CapturePort<'s> {
    port: DpdkPort,
    summary: &'s Summary,
    received: Arc<Counter>,
    /// Free segments a burst may need.
    reserve: u32,
    /// Keeps the path that the driver was given, which names a descriptor of this process, so that any file name will do.
    _file: File,
}

impl<'s> CapturePort<'s> {
    /// Opens the file at its first frame, as it was when it was scanned.
    pub fn open(eal: &Arc<Eal>, pool: &Pool, summary: &'s Summary) -> Result<CapturePort<'s>, ReplayError> {
        let path = summary.path.as_path();
        let file = File::open(path).map_err(|source| CaptureError::Io { path: path.to_owned(), source })?;
        let needed = BURST * pool.segments_for(summary.longest);
        let reserve = u32::try_from(needed).unwrap_or(u32::MAX);
        if reserve > pool.segments() {
            let (path, has) = (path.display().to_string(), pool.segments());
            return Err(ReplayError::PoolTooSmall { path, longest: summary.longest, needed, has });
        }
        let descriptor = file.as_raw_fd();
        let config = PortConfig {
            name: path.display().to_string(),
            device: format!("net_pcap{descriptor},rx_pcap=/proc/self/fd/{descriptor}"),
            promiscuous: false,
            link_type: summary.link_type,
            stamp: Stamp::Driver,
            ..PortConfig::default()
        };
        let port = DpdkPort::open(eal, pool, &config)?;
        Ok(CapturePort { port, summary, received: Arc::default(), reserve, _file: file })
    }

    pub fn summary(&self) -> &Summary {
        self.summary
    }

    /// Whether every good frame of the file was received.
    pub fn finished(&self) -> bool {
        self.received.get() >= self.summary.frames
    }

    /// The pool did not get what the next frames need.
    pub fn refused(&self, reason: &str) -> ReplayError {
        let (path, frames) = (self.summary.path.display().to_string(), self.received());
        ReplayError::PoolRefused { path, frames, reason: reason.to_owned() }
    }

    /// Frames received so far.
    pub fn received(&self) -> u64 {
        self.received.get()
    }
}

impl PacketIo for CapturePort<'_> {
    fn id(&self) -> PortId {
        self.port.id()
    }

    fn info(&self) -> &PortInfo {
        self.port.info()
    }

    fn stats(&self) -> PortStats {
        self.port.stats()
    }

    fn take_rx(&mut self, queue: u16) -> Option<Box<dyn RxQueue>> {
        let (inner, received) = (self.port.take_receive(queue)?, Arc::clone(&self.received));
        let (pool, frames) = (self.port.pool().clone(), self.summary.frames);
        Some(Box::new(CaptureRx { inner, received, frames, pool, reserve: self.reserve }))
    }

    fn take_tx(&mut self, queue: u16) -> Option<Box<dyn TxQueue>> {
        self.port.take_tx(queue)
    }
}

struct CaptureRx {
    inner: Receive,
    received: Arc<Counter>,
    /// Good frames of the file. The driver would read on behind a damaged record and take any bytes for frames.
    frames: u64,
    pool: Pool,
    reserve: u32,
}

impl RxQueue for CaptureRx {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        if !self.pool.provides(self.reserve, AT_WORK) {
            return 0;
        }
        let left = self.frames.saturating_sub(self.received.get());
        let n = self.inner.receive_up_to(burst, u16::try_from(left).unwrap_or(u16::MAX));
        self.received.add(n as u64);
        n
    }
}
