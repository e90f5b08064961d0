//! `[lcores]`, `[pools]`.

use crate::mgmt::config::value::{Auto, Bytes, Within, words};
use crate::mgmt::config::visit::{Section, Visitor};

words! {
    /// What keeps frames of one session on one worker.
    HashKey {
        /// Addresses, ports and protocol.
        Layer4 = "layer-4",
        /// Addresses only.
        Layer3 = "layer-3",
    }
}

words! {
    Poll {
        Busy = "busy",
        Adaptive = "adaptive",
    }
}

words! {
    /// Who spreads the frames over the workers.
    Spread {
        /// NICs where all ports are NICs that can; else the main lcore.
        Auto = "auto",
        Software = "software",
        Rss = "rss",
    }
}

/// Most workers there can be (`pipeline::settings::MAX_WORKERS`).
pub const MAX_WORKERS: u8 = 32;

#[derive(Clone, Debug)]
pub struct Lcores {
    pub main_cpu: Auto<u32>,
    pub workers: u8,
    pub worker_cpus: Vec<u32>,
    pub management_cpu: Auto<u32>,
    pub share_cpus: bool,
    pub hash_key: HashKey,
    pub spread: Spread,
    pub ring_size: u32,
    pub event_ring_size: u32,
    pub poll: Poll,
}

impl Default for Lcores {
    fn default() -> Lcores {
        Lcores {
            main_cpu: Auto::Auto,
            workers: 1,
            worker_cpus: Vec::new(),
            management_cpu: Auto::Auto,
            share_cpus: false,
            hash_key: HashKey::Layer4,
            spread: Spread::Auto,
            ring_size: 1024,
            event_ring_size: 8192,
            poll: Poll::Adaptive,
        }
    }
}

impl Section for Lcores {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "main-cpu",
            "CPU of the main lcore, which polls the ports unless the workers do (see spread). A replay leaves all lcores to the\n\
             kernel when no CPU is named.",
            &mut self.main_cpu,
        );
        v.value(
            "workers",
            "Worker lcores, 0 to 32. 0: the main lcore does all the work itself (run to completion).",
            &mut Within(&mut self.workers, 0..=MAX_WORKERS).of("workers"),
        );
        v.value(
            "worker-cpus",
            "CPUs of the workers, one each. Empty: chosen among the allowed ones.",
            &mut self.worker_cpus,
        );
        v.value(
            "management-cpu",
            "CPU of the management thread; \"auto\" leaves it to the kernel.",
            &mut self.management_cpu,
        );
        v.value(
            "share-cpus",
            "Whether two of these may have the same CPU. Without it they do only when all are \"auto\" and CPUs are too few.",
            &mut self.share_cpus,
        );
        v.value(
            "hash-key",
            "What keeps the frames of one session on one worker: \"layer-4\" (addresses, ports, protocol) or \"layer-3\" (addresses).",
            &mut self.hash_key,
        );
        v.value(
            "spread",
            "Who spreads the frames over the workers. \"software\": the main lcore polls the ports and hands each worker its frames.\n\
             \"rss\": the NICs do, by their symmetric hash; each worker polls and sends on queues of its own of every port, and the\n\
             main lcore only supervises. A port that cannot is refused at the start. \"auto\": \"rss\" where every port is a NIC and every\n\
             inspected one can, else \"software\".",
            &mut self.spread,
        );
        v.value(
            "ring-size",
            "Frames in the ring to each worker, a power of two.",
            &mut Within(&mut self.ring_size, 64..=1 << 20).of("frames"),
        );
        v.value(
            "event-ring-size",
            "Events in the ring from each worker to management. When it is full events are lost and counted.",
            &mut Within(&mut self.event_ring_size, 64..=1 << 20).of("events"),
        );
        v.value(
            "poll",
            "\"busy\" polls for ever; \"adaptive\" sleeps after idle turns, at the price of some latency.",
            &mut self.poll,
        );
    }
}

#[derive(Clone, Debug)]
pub struct Pools {
    pub frames: u32,
    pub cache: u32,
    pub data_room: u16,
}

impl Default for Pools {
    fn default() -> Pools {
        Pools { frames: 65535, cache: 256, data_room: 2048 }
    }
}

impl Pools {
    /// Bytes of a frame beside its payload: headroom, the mbuf itself, its place in the pool.
    const OVERHEAD: u64 = 128 + 128 + 64;

    /// What one buffer costs.
    pub fn buffer_bytes(&self) -> u64 {
        u64::from(self.data_room) + Pools::OVERHEAD
    }

    pub fn bytes(&self) -> Bytes {
        Bytes(u64::from(self.frames) * self.buffer_bytes())
    }
}

impl Section for Pools {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "frames",
            "Frames (mbufs) in the pool: descriptors, rings and held frames must fit. One less than a power of two wastes least.",
            &mut Within(&mut self.frames, 1023..=1 << 24).of("frames"),
        );
        v.value(
            "cache",
            "Frames each lcore keeps for itself, 0 to 512.",
            &mut Within(&mut self.cache, 0..=512).of("frames"),
        );
        v.value(
            "data-room",
            "Payload bytes of one buffer; longer frames are chains.",
            &mut Within(&mut self.data_room, 64..=65280).of("bytes"),
        );
    }
}
