//! Packets with times and link headers, and the pcap file of them.

use super::Link;
use crate::base::Time;
use std::time::Duration;

/// A capture in the making: each frame comes a step after the one before.
#[derive(Clone, Debug)]
pub struct Capture {
    pub link: Link,
    now: Time,
    step: Duration,
    pub frames: Vec<(Time, Vec<u8>)>,
}

impl Capture {
    /// Starts at a fixed moment of 2026, one millisecond a frame.
    pub fn new(link: Link) -> Capture {
        Capture {
            link,
            now: Time::from_secs(1_780_000_000),
            step: Duration::from_millis(1),
            frames: Vec::new(),
        }
    }

    /// The time from one frame to the next from now on.
    pub fn step(&mut self, step: Duration) -> &mut Self {
        self.step = step;
        self
    }

    pub fn wait(&mut self, span: Duration) -> &mut Self {
        self.now = self.now.plus(span);
        self
    }

    /// Adds IP packets, each behind the capture's link header.
    pub fn packets<P: AsRef<[u8]>>(&mut self, packets: impl IntoIterator<Item = P>) -> &mut Self {
        for packet in packets {
            let frame = self.link.wrap(packet.as_ref());
            self.frame(frame);
        }
        self
    }

    /// Adds a frame as it is.
    pub fn frame(&mut self, frame: Vec<u8>) -> &mut Self {
        self.frames.push((self.now, frame));
        self.now = self.now.plus(self.step);
        self
    }

    pub fn pcap(&self) -> Vec<u8> {
        pcap(&self.frames, self.link.dlt())
    }
}

/// A pcap file of microsecond times (tcpdump.org, pcap-savefile(5)), little-endian.
pub fn pcap(frames: &[(Time, Vec<u8>)], dlt: u16) -> Vec<u8> {
    const SNAP_LEN: u32 = 262_144;
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4u32.to_le_bytes());
    out.extend([2, 0, 4, 0]);
    out.extend([0; 8]);
    out.extend(SNAP_LEN.to_le_bytes());
    out.extend(u32::from(dlt).to_le_bytes());
    for (time, frame) in frames {
        out.extend((time.secs() as u32).to_le_bytes());
        out.extend(((time.micros() % 1_000_000) as u32).to_le_bytes());
        out.extend((frame.len() as u32).to_le_bytes());
        out.extend((frame.len() as u32).to_le_bytes());
        out.extend(frame);
    }
    out
}
