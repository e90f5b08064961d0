//! A port that writes what is sent into a capture file (`weir replay -w`), or nowhere (`--simulate-ips` alone).

use crate::base::PortId;
use crate::io::capture::{CaptureError, Writer};
use crate::io::{Burst, PacketIo, PortInfo, PortStats, RxQueue, TxQueue};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What came of the file.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Option<Result<u64, CaptureError>>>>);

impl Written {
    /// Frames in the file, once the port's queue is gone.
    pub fn take(&self) -> Option<Result<u64, CaptureError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Says why, if writing one file would replace the other.
pub fn refuse_same_file(from: &Path, to: &Path) -> Result<(), String> {
    let file = |path: &Path| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    match file(from) {
        Some(same) if file(to) == Some(same) => Err(format!(
            "-w {} would overwrite the capture {}: name another file",
            to.display(),
            from.display()
        )),
        _ => Ok(()),
    }
}

/// One transmit queue, no receive queue.
pub struct CaptureOut {
    id: PortId,
    info: PortInfo,
    queue: Option<OutQueue>,
}

impl CaptureOut {
    /// Replaces the file. `dlt` as in [`Writer::create`].
    pub fn create(path: &Path, dlt: u16, id: PortId) -> Result<(CaptureOut, Written), CaptureError> {
        let written = Written::default();
        let queue = OutQueue { writer: Some(Writer::create(path, dlt)?), written: written.clone() };
        let name = path.display().to_string();
        let info =
            PortInfo { name, driver: "capture".into(), tx_queues: 1, mtu: u16::MAX, ..PortInfo::default() };
        Ok((CaptureOut { id, info, queue: Some(queue) }, written))
    }
}

impl CaptureOut {
    /// What is sent is freed.
    pub fn nowhere(id: PortId) -> CaptureOut {
        let queue = OutQueue { writer: None, written: Written::default() };
        let info = PortInfo { name: "nowhere".into(), tx_queues: 1, mtu: u16::MAX, ..PortInfo::default() };
        CaptureOut { id, info, queue: Some(queue) }
    }
}

impl PacketIo for CaptureOut {
    fn id(&self) -> PortId {
        self.id
    }

    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn stats(&self) -> PortStats {
        PortStats::default()
    }

    fn take_rx(&mut self, _: u16) -> Option<Box<dyn RxQueue>> {
        None
    }

    fn take_tx(&mut self, queue: u16) -> Option<Box<dyn TxQueue>> {
        let queue = self.queue.take().filter(|_| queue == 0)?;
        Some(Box::new(queue))
    }
}

struct OutQueue {
    /// None where nothing is written, or after a fault: frames go on being taken, the fault is told at the end.
    writer: Option<Writer>,
    written: Written,
}

impl OutQueue {
    fn tell(&self, outcome: Result<u64, CaptureError>) {
        *self.written.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

impl TxQueue for OutQueue {
    fn send(&mut self, burst: &mut Burst) -> usize {
        let sent = burst.len();
        for frame in burst.drain(..) {
            let outcome = self.writer.as_mut().map_or(Ok(()), |writer| writer.write(&frame));
            if let Err(error) = outcome {
                self.writer = None;
                self.tell(Err(error));
            }
        }
        sent
    }
}

impl Drop for OutQueue {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.tell(writer.finish());
        }
    }
}
