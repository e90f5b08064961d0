//! What the benches of a lane have in common: one inspected port in a line, and frames that come back from it.

use std::sync::{Arc, Mutex};
use weir::base::PortId;
use weir::base::event::event_ring;
use weir::io::{Burst, Frame, FrameAllocator, LinkType, TxQueue};
use weir::pipeline::exits::{Exits, Outlet};
use weir::pipeline::lane::{Lane, LaneParts};
use weir::pipeline::{Ledger, Mode, Polling, PortPlan, Settings, Spreading, Wanted};
use weir::service::ServicePlan;
use weir::{defrag, session};

/// Where the lane sends: frames wait here to be used again.
#[derive(Clone, Default)]
pub struct Back(pub Arc<Mutex<Vec<Frame>>>);

impl TxQueue for Back {
    fn send(&mut self, burst: &mut Burst) -> usize {
        let n = burst.len();
        self.0.lock().expect("one thread").extend(burst.drain(..));
        n
    }
}

/// A lane with room for so many sessions, whose frames go `back`.
pub fn lane(capacity: u32, services: &ServicePlan, allocator: Box<dyn FrameAllocator>, back: &Back) -> Lane {
    lane_in(Mode::Ips, 1500, capacity, services, allocator, back)
}

/// As [`lane`], in a mode of the choice, before a port of such an MTU.
pub fn lane_in(
    mode: Mode,
    peer_mtu: u16,
    capacity: u32,
    services: &ServicePlan,
    allocator: Box<dyn FrameAllocator>,
    back: &Back,
) -> Lane {
    let port = PortPlan {
        link: LinkType::Ethernet,
        peer: Some(PortId(0)),
        inspect: true,
        mode,
        non_ip: true,
        peer_mtu,
        ..PortPlan::default()
    };
    let settings = Settings {
        ports: vec![port],
        workers: 0,
        hash_ports: true,
        spreading: Spreading::Software,
        ring_size: 64,
        polling: Polling::Busy,
        replay: false,
        event_ring: 1024,
        wanted: Wanted::default(),
        tunnels: weir::decode::Tunnels::default(),
        drop_invalid: true,
        checksums: weir::pipeline::Checking::Always,
        sessions: session::Settings { capacity, ..session::Settings::default() },
        fragments: defrag::Settings::default(),
    };
    let ledger = Arc::<Ledger>::default();
    let outlet = Outlet::Queue(Box::new(back.clone()));
    let parts = LaneParts {
        me: 0,
        plans: settings.ports.clone().into(),
        exits: Exits::new(vec![Some(outlet)], false, Arc::clone(&ledger)),
        events: event_ring(1024, false).0,
        allocator,
        ledger,
        tables: Arc::default(),
        services,
    };
    Lane::new(&settings, parts)
}
