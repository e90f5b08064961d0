//! An appliance over the memory backend with the sample plugins.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

#[path = "../support/samples.rs"]
mod samples;

#[allow(unused_imports)] // as above
pub use samples::{c_sample, rust_sample, top};
use std::path::Path;
use weir::base::event::{Event, EventBody, PluginFault};
use weir::base::{PerDir, PluginId, PortId, SetId, Time};
use weir::io::memory::MemoryPort;
use weir::io::{FrameMeta, LinkType, PacketIo, PortInfo};
use weir::pipeline::{
    Appliance, Balance, Handle, MainLcore, MemoryPlatform, Mode, Polling, PortPlan, Settings, Source, Wanted,
};
use weir::service::external::{External, ExternalSpec};
use weir::service::set::OnFault;
use weir::service::{Plugin, ServicePlan};
use weir::wire::build::{Capture, Link};
use weir::{defrag, session};

/// The probe under a name, writing to a file, with further words of its configuration.
pub fn probe(path: &Path, name: &str, file: &Path, words: &str) -> ExternalSpec {
    ExternalSpec::at(name, path, &format!("name={name} file={} {words}", file.display()))
}

/// One set for both ports: these plugins in their order forward, and the other way round in reverse.
pub fn plan_of(plugins: Vec<External>) -> ServicePlan {
    let plugins: Vec<Box<dyn Plugin>> = plugins.into_iter().map(|plugin| Box::new(plugin) as _).collect();
    let mut plan = ServicePlan::of(plugins, 2);
    let forward: Vec<PluginId> = (0..plan.plugins.len()).map(|n| PluginId(n as u8)).collect();
    let reverse = forward.iter().rev().copied().collect();
    plan.sets[0].chain = plan.resolve(SetId(0), &PerDir([forward, reverse]), OnFault::Skip);
    plan
}

/// What an appliance made of packets.
pub struct Outcome {
    pub sent: Vec<Vec<u8>>,
    pub faults: Vec<(PluginId, PluginFault)>,
    pub balance: Balance,
}

fn settings() -> Settings {
    let port = |peer| PortPlan {
        link: LinkType::Ethernet,
        peer: Some(PortId(peer)),
        inspect: true,
        mode: Mode::Ips,
        non_ip: true,
        peer_mtu: 1500,
        ..PortPlan::default()
    };
    Settings {
        ports: vec![port(1), port(0)],
        workers: 0,
        hash_ports: true,
        spreading: weir::pipeline::Spreading::Software,
        ring_size: 64,
        polling: Polling::Busy,
        replay: true,
        event_ring: 4096,
        wanted: Wanted::default(),
        tunnels: weir::decode::Tunnels::default(),
        drop_invalid: false,
        checksums: weir::pipeline::Checking::Never,
        sessions: session::Settings { capacity: 256, ..session::Settings::default() },
        fragments: defrag::Settings { datagrams: 64, pieces: 256, ..defrag::Settings::default() },
    }
}

/// Ethernet frames of IP packets, a millisecond apart.
pub fn frames<P: AsRef<[u8]>>(packets: impl IntoIterator<Item = P>) -> Vec<(Time, Vec<u8>)> {
    let mut capture = Capture::new(Link::ethernet());
    capture.packets(packets);
    capture.frames
}

/// Plays frames through, one a turn; every frame is back at the end.
pub fn play(plan: &ServicePlan, frames: &[(Time, Vec<u8>)]) -> Outcome {
    play_with(plan, frames, &mut |_, _, _| {})
}

/// Told after each frame, by its place: management's chance.
pub type Between<'a> = &'a mut dyn FnMut(usize, &mut MainLcore, &mut Handle);

pub fn play_with(plan: &ServicePlan, frames: &[(Time, Vec<u8>)], between: Between<'_>) -> Outcome {
    let platform = MemoryPlatform::default();
    let info = || PortInfo { rx_queues: 1, tx_queues: 1, ..PortInfo::default() };
    let (mut inside, feed) = MemoryPort::new(PortId(0), info());
    let (outside, line) = MemoryPort::new(PortId(1), info());
    let rx = inside.take_rx(0).unwrap();
    let mut ports: [Option<Box<dyn PacketIo>>; 2] = [None, Some(Box::new(outside))];
    let Appliance { mut main, mut handle, mut feeds, .. } =
        Appliance::build(&settings(), &mut ports, &platform, plan).unwrap();
    main.set_sources(vec![Source { port: PortId(0), rx }]);
    for (place, (time, bytes)) in frames.iter().enumerate() {
        let mut frame = platform.0.frame(bytes);
        frame.set_meta(FrameMeta { time: *time, ..FrameMeta::default() });
        feed.put(frame);
        while feed.pending() > 0 {
            main.turn(Time::ZERO);
        }
        between(place, &mut main, &mut handle);
    }
    main.finish();
    main.serve_returns();
    let mut events: Vec<Event> = Vec::new();
    for feed in &mut feeds {
        events.extend(std::iter::from_fn(|| feed.events.pop().ok()));
    }
    let faults = events.iter().filter_map(|event| match event.body {
        EventBody::PluginOut { plugin, fault, .. } => Some((plugin, fault)),
        _ => None,
    });
    let faults = faults.collect();
    let balance = handle.balance(0);
    drop((main, handle, feeds, ports));
    let bytes = |frame: weir::io::Frame| frame.segments().flatten().copied().collect();
    let sent = std::iter::from_fn(|| line.take()).map(bytes).collect();
    drop((feed, line));
    assert_eq!(platform.0.outstanding(), 0, "every frame is back");
    Outcome { sent, faults, balance }
}
