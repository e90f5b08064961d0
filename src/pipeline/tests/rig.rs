//! An appliance that a test drives frame by frame, with plugins that write down what they hear.

use super::super::mailbox::{Answer, Command};
use super::*;
use crate::base::{ClassId, DropReason, PerDir, PluginId, SetId, WorkerId};
use crate::io::Frame;
use crate::io::memory::Wire;
use crate::service::plugin::PublicData;
use crate::service::services::{Command as Change, Retired};
use crate::service::set::OnFault;
use crate::service::{
    About, Context, ControlEvent, ControlFault, DataPlugin, Desk, Plugin, Reply, ServicePlan,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub type Log = Arc<Mutex<Vec<String>>>;
/// What a fake does: it gets the event's name, and says what is to be replied where the event has a reply.
pub type Behaviour = Arc<dyn Fn(&str, &mut Context<'_>) -> Reply + Send + Sync>;

/// A plugin that writes its events down: `name event`.
pub struct Fake {
    pub about: About,
    pub log: Log,
    pub behaviour: Behaviour,
    /// Set by a behaviour: the border says that it misbehaved.
    pub broken: Arc<AtomicBool>,
    pub public: Vec<u8>,
}

impl Fake {
    pub fn new(name: &str, log: &Log) -> Fake {
        Fake {
            about: About { name: name.into(), ..About::default() },
            log: Arc::clone(log),
            behaviour: Arc::new(|_, _| Reply::Forward),
            broken: Arc::default(),
            public: Vec::new(),
        }
    }

    pub fn does(
        mut self,
        behaviour: impl Fn(&str, &mut Context<'_>) -> Reply + Send + Sync + 'static,
    ) -> Fake {
        self.behaviour = Arc::new(behaviour);
        self
    }

    pub fn boxed(self) -> Box<dyn Plugin> {
        Box::new(self)
    }
}

struct FakeData {
    name: String,
    log: Log,
    behaviour: Behaviour,
    broken: Arc<AtomicBool>,
    public: Vec<u8>,
}

impl FakeData {
    fn event(&self, event: &str, context: &mut Context<'_>) -> Reply {
        self.log.lock().unwrap().push(format!("{} {event}", self.name));
        let reply = (self.behaviour)(event, context);
        context.host.misbehaved |= self.broken.load(Ordering::Relaxed);
        reply
    }
}

impl Plugin for Fake {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        Box::new(FakeData {
            name: self.about.name.clone(),
            log: Arc::clone(&self.log),
            behaviour: Arc::clone(&self.behaviour),
            broken: Arc::clone(&self.broken),
            public: self.public.clone(),
        })
    }

    fn control(&mut self, _event: ControlEvent<'_>, _desk: &mut dyn Desk) -> Result<(), ControlFault> {
        Ok(())
    }
}

impl DataPlugin for FakeData {
    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        self.event("first", context)
    }

    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        self.event("packet", context)
    }

    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        self.event("alone", context)
    }

    fn session_open(&mut self, context: &mut Context<'_>) {
        self.event("open", context);
    }

    fn session_close(&mut self, context: &mut Context<'_>, reason: CloseReason) {
        self.event(&format!("close {}", reason.name()), context);
    }

    fn session_destroy(&mut self, context: &mut Context<'_>) {
        self.event("destroy", context);
    }

    fn user(&mut self, context: &mut Context<'_>, _class: ClassId, data: &[u8]) -> Reply {
        self.event(&format!("user {}", String::from_utf8_lossy(data)), context)
    }

    fn public_data(&mut self, kind: u32, argument: u64, to: &mut dyn FnMut(PublicData<'_>)) -> bool {
        to(PublicData { bytes: &self.public, code: argument as i64 });
        kind == 7
    }

    fn fault(&mut self) -> Option<crate::base::event::PluginFault> {
        self.broken.load(Ordering::Relaxed).then_some(crate::base::event::PluginFault::Panicked)
    }
}

/// One set of plugins; the orders name them by their places.
pub fn plan(plugins: Vec<Box<dyn Plugin>>, forward: &[u8], reverse: &[u8]) -> ServicePlan {
    let mut plan = ServicePlan::of(plugins, 2);
    let orders = PerDir([forward, reverse].map(|order| order.iter().copied().map(PluginId).collect()));
    plan.sets[0].chain = plan.resolve(SetId(0), &orders, OnFault::Skip);
    plan
}

/// The fast path of an appliance, on this thread.
pub struct Rig {
    platform: MemoryPlatform,
    main: MainLcore,
    #[allow(clippy::vec_box)] // as the appliance has them
    workers: Vec<Box<Worker>>,
    pub handle: Handle,
    feeds: Vec<crate::base::event::EventFeed>,
    wires: [Wire; 2],
    pub now: Time,
    pub sent: Vec<(PortId, Vec<u8>)>,
    pub events: Vec<Event>,
}

impl Rig {
    pub fn new(plan: &ServicePlan, workers: usize) -> Rig {
        Rig::with(plan, &settings(workers, Mode::Ips))
    }

    pub fn with(plan: &ServicePlan, settings: &Settings) -> Rig {
        let settings = Settings { replay: false, ..settings.clone() };
        let platform = MemoryPlatform::default();
        let info = || PortInfo { rx_queues: 1, tx_queues: 1, ..PortInfo::default() };
        let (mut inside, a) = MemoryPort::new(INSIDE, info());
        let (mut outside, b) = MemoryPort::new(OUTSIDE, info());
        let sources = vec![
            Source { port: INSIDE, rx: inside.take_rx(0).unwrap() },
            Source { port: OUTSIDE, rx: outside.take_rx(0).unwrap() },
        ];
        let mut ports: [Option<Box<dyn PacketIo>>; 2] = [Some(Box::new(inside)), Some(Box::new(outside))];
        let Appliance { mut main, workers, handle, feeds } =
            Appliance::build(&settings, &mut ports, &platform, plan).unwrap();
        main.set_sources(sources);
        Rig {
            platform,
            main,
            workers,
            handle,
            feeds,
            wires: [a, b],
            now: Time::from_secs(1_780_000_000),
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Turns until nothing moves, a millisecond later.
    pub fn turn(&mut self) {
        self.now = self.now.plus(Duration::from_millis(1));
        for _ in 0..3 {
            while self.main.turn(self.now) + self.workers.iter_mut().map(|w| w.turn()).sum::<usize>() > 0 {}
        }
        self.main.serve_returns();
        self.collect();
        let balance = self.handle.balance(0);
        assert!(balance.is_even(), "{balance}");
    }

    fn collect(&mut self) {
        for (port, wire) in self.wires.iter().enumerate() {
            while let Some(frame) = wire.take() {
                self.sent.push((PortId(port as u16), bytes_of(&frame)));
            }
        }
        for feed in &mut self.feeds {
            self.events.extend(std::iter::from_fn(|| feed.events.pop().ok()));
        }
    }

    pub fn later(&mut self, span: Duration) {
        self.now = self.now.plus(span);
        (0..300).for_each(|_| self.turn());
    }

    /// An IP packet comes in by the side that such a packet comes from.
    pub fn packet(&mut self, dir: Dir, packet: &[u8]) {
        let frame = self.platform.0.frame(&Link::ethernet().wrap(packet));
        self.frame(if dir == Dir::ToServer { INSIDE } else { OUTSIDE }, frame);
    }

    pub fn frame(&mut self, port: PortId, frame: Frame) {
        self.wires[port.index()].put(frame);
        self.turn();
    }

    /// Several at once.
    pub fn frames(&mut self, port: PortId, frames: &[Vec<u8>]) {
        for bytes in frames {
            self.wires[port.index()].put(self.platform.0.frame(bytes));
        }
        self.turn();
    }

    pub fn pool(&self) -> &crate::io::memory::HeapPool {
        &self.platform.0
    }

    /// A change for every worker; what comes back.
    pub fn change(&mut self, change: impl Fn() -> Change) -> Vec<Retired> {
        self.ask(|| Command::Services(change()))
    }

    /// What no worker uses any more, until there is nothing.
    pub fn retire(&mut self) -> Vec<Retired> {
        self.retire_aged(Duration::MAX)
    }

    pub fn retire_aged(&mut self, age: Duration) -> Vec<Retired> {
        let mut all = Vec::new();
        loop {
            let some: Vec<_> = self
                .ask(|| Command::Retire { age })
                .into_iter()
                .filter(|r| !matches!(r, Retired::Nothing))
                .collect();
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    fn ask(&mut self, command: impl Fn() -> Command) -> Vec<Retired> {
        for worker in 0..self.handle.workers() {
            assert!(self.handle.command(worker, command()).is_ok());
        }
        self.turn();
        let mut retired = Vec::new();
        for worker in 0..self.handle.workers() {
            if let Some(Answer::Retired(answer)) = self.handle.answer(worker) {
                retired.push(answer);
            }
        }
        assert_eq!(retired.len(), self.handle.workers());
        retired
    }

    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.handle.ledgers.iter().map(|ledger| ledger.dropped(reason)).sum()
    }

    pub fn spared(&self, reason: DropReason) -> u64 {
        self.handle.ledgers.iter().map(|ledger| ledger.spared(reason)).sum()
    }

    pub fn closed(&self) -> Vec<CloseReason> {
        flows(&self.events).into_iter().map(|flow| flow.2).collect()
    }

    /// Stops it: every frame has gone somewhere, and every buffer is back.
    pub fn finish(mut self) -> Vec<Event> {
        self.main.finish();
        for worker in &mut self.workers {
            while worker.turn() > 0 {}
            worker.finish();
        }
        self.main.serve_returns();
        self.collect();
        let balance = self.handle.balance(0);
        assert!(balance.is_even() && balance.held == 0, "{balance}");
        let Rig { platform, events, .. } = self;
        drop((self.main, self.workers, self.handle, self.feeds, self.wires));
        assert_eq!(platform.0.outstanding(), 0, "every frame is back");
        events
    }
}
