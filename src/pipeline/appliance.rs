//! Putting an appliance together: rings, workers, main lcore, and what management keeps of them.
//!
//! Owes nothing to DPDK: a [`Platform`] makes rings and buffers, the ports come as [`PacketIo`], and whoever calls
//! runs the lcores. So the same appliance runs on EAL lcores and, in tests, on threads over the memory backend.

use super::board::Board;
use super::exits::{Exits, Outlet};
use super::handle::Handle;
use super::handover::Handover;
use super::intake::Intake;
use super::intake::Source;
use super::lane::{Lane, LaneParts};
use super::ledger::Ledger;
use super::mailbox::{MailboxSender, mailbox};
use super::main_lcore::{MainLcore, MainParts, Return};
use super::settings::{MAX_PORTS, MAX_WORKERS, OnOverload, PortPlan, Settings};
use super::spreading::{Owners, Spreading};
use super::tables::TableCounts;
use super::worker::{Pass, Worker, WorkerParts};
use crate::base::event::{EventFeed, event_ring, event_ring_with_records};
use crate::base::{PluginId, PortId, WorkerId};
use crate::io::clock::{Clock, Ticks, TimeBase};
use crate::io::{FrameAllocator, FrameReceiver, FrameSender, PacketIo, RingEnds, memory};
use crate::service::table::PluginCounts;
use crate::service::{Running, ServicePlan};
use std::sync::Arc;

/// What differs between DPDK and memory.
pub trait Platform {
    /// A single-producer, single-consumer ring for so many frames.
    fn ring(&self, capacity: usize) -> Result<RingEnds, SetupError>;
    /// Buffers for generated frames, one allocator an lcore.
    fn allocator(&self) -> Box<dyn FrameAllocator>;
    /// For an lcore that receives frames itself.
    fn clock(&self) -> Clock;
}

/// Rings and buffers of the heap.
#[derive(Clone, Default)]
pub struct MemoryPlatform(pub memory::HeapPool);

impl Platform for MemoryPlatform {
    fn ring(&self, capacity: usize) -> Result<RingEnds, SetupError> {
        Ok(memory::ring(capacity))
    }

    fn allocator(&self) -> Box<dyn FrameAllocator> {
        Box::new(self.0.clone())
    }

    fn clock(&self) -> Clock {
        TimeBase::new(Ticks::monotonic()).clock()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("{0} ports are configured, at most {MAX_PORTS} are possible")]
    TooManyPorts(usize),
    #[error("{0} workers are configured, at most {MAX_WORKERS} are possible")]
    TooManyWorkers(usize),
    #[error("a ring between two lcores cannot be made: {0}")]
    Ring(String),
}

/// The lcores of an appliance, ready to run, and management's side of them.
pub struct Appliance {
    pub main: MainLcore,
    /// Empty when the main lcore runs to completion.
    pub workers: Vec<Box<Worker>>,
    pub handle: Handle,
    pub feeds: Vec<EventFeed>,
}

impl Appliance {
    /// `ports` stand in the order of `settings.ports`; `None` where nothing is ever sent (a replay's capture). Their receive
    /// queues are left to whoever feeds the main lcore, unless the workers poll them ([`Spreading::Rss`]).
    pub fn build(
        settings: &Settings,
        ports: &mut [Option<Box<dyn PacketIo>>],
        platform: &dyn Platform,
        services: &ServicePlan,
    ) -> Result<Appliance, SetupError> {
        if settings.ports.len() > MAX_PORTS {
            return Err(SetupError::TooManyPorts(settings.ports.len()));
        }
        if settings.workers > MAX_WORKERS {
            return Err(SetupError::TooManyWorkers(settings.workers));
        }
        let builder = Builder {
            settings,
            platform,
            services,
            plans: settings.ports.clone().into(),
            owners: settings.owners(),
        };
        builder.build(ports)
    }
}

/// What every part is made from.
struct Builder<'a> {
    settings: &'a Settings,
    platform: &'a dyn Platform,
    services: &'a ServicePlan,
    plans: Arc<[PortPlan]>,
    owners: Owners,
}

/// A worker's ways in and out.
struct Ways {
    ring: Option<Box<dyn FrameReceiver>>,
    passes: Vec<Pass>,
    intake: Option<Box<Intake>>,
    handover: Handover,
    exits: Exits,
}

/// The two ends of the rings for frames that nobody inspects.
type PassEnds = (Vec<Option<Box<dyn FrameSender>>>, Vec<(usize, Option<Pass>)>);

/// Management's side, as it grows with each worker.
#[derive(Default)]
struct Outside {
    ledgers: Vec<Arc<Ledger>>,
    tables: Vec<Arc<TableCounts>>,
    mailboxes: Vec<MailboxSender>,
    feeds: Vec<EventFeed>,
    running: Vec<Arc<Running>>,
    plugins: Vec<Vec<(PluginId, Arc<PluginCounts>)>>,
    /// Frames that workers want the main lcore to send.
    returns: Vec<Return>,
}

impl Builder<'_> {
    fn build(self, ports: &mut [Option<Box<dyn PacketIo>>]) -> Result<Appliance, SetupError> {
        let count = self.settings.workers;
        let meter = |port: &dyn PacketIo| Some((port.info().name.clone(), port.meter()?));
        let meters = ports.iter().flatten().filter_map(|port| meter(port.as_ref())).collect();
        let board = Arc::new(Board::new(count));
        board.modes.begin(&self.plans);
        let mut outside = Outside { ledgers: vec![Arc::default()], ..Outside::default() };
        let (mut rings, mut workers) = (Vec::new(), Vec::new());
        let (passes, mut passing) = self.passes()?;
        for (index, handover) in self.handovers()?.into_iter().enumerate() {
            let ledger = Arc::<Ledger>::default();
            outside.ledgers.push(Arc::clone(&ledger));
            let (ring, intake) = match self.settings.spreading {
                Spreading::Rss { .. } => (None, Some(self.intake(index, ports, &ledger))),
                Spreading::Software => {
                    let (to_worker, from_main) = self.platform.ring(self.settings.ring_size)?;
                    rings.push(to_worker);
                    (Some(from_main), None)
                }
            };
            let outlets = self.worker_outlets(index, ports, &mut outside.returns)?;
            let exits = Exits::new(outlets, self.settings.replay, Arc::clone(&ledger));
            let passes = passing.iter_mut().filter(|(worker, _)| *worker == index);
            let passes = passes.filter_map(|(_, pass)| pass.take()).collect();
            let ways = Ways { ring, passes, intake, handover, exits };
            workers.push(self.worker(index, ways, ledger, &board, &mut outside));
        }
        let ledger = Arc::clone(&outside.ledgers[0]);
        let exits = Exits::new(self.main_outlets(ports), self.settings.replay, Arc::clone(&ledger));
        let (local, exits) = if count == 0 {
            let own = Arc::clone(&ledger);
            let handover = Handover::default();
            let ways = Ways { ring: None, passes: Vec::new(), intake: None, handover, exits };
            let worker = self.worker(0, ways, own, &board, &mut outside);
            (Some(worker), Exits::new(Vec::new(), self.settings.replay, Arc::clone(&ledger)))
        } else {
            (None, exits)
        };
        let asked = outside.mailboxes.len();
        let main_mailbox = (count > 0).then(|| {
            let (sender, mailbox) = mailbox();
            outside.mailboxes.push(sender);
            mailbox
        });
        let main = MainLcore::new(MainParts {
            plans: Arc::clone(&self.plans),
            rings,
            passes,
            local,
            returns: std::mem::take(&mut outside.returns),
            exits,
            board: Arc::clone(&board),
            ledger,
            owners: self.owners,
            replay: self.settings.replay,
            mailbox: main_mailbox,
        });
        let Outside { ledgers, tables, mailboxes, feeds, running, plugins, .. } = outside;
        let (plans, hosts) = (self.plans, self.services.hosts.clone());
        let ip_actions = Arc::clone(&self.services.ip_actions);
        let pass_list = Arc::clone(&self.services.pass_list);
        let handle = Handle {
            board,
            ledgers,
            tables,
            plans,
            running,
            plugins,
            hosts,
            ip_actions,
            pass_list,
            meters,
            mailboxes,
            workers: asked,
        };
        Ok(Appliance { main, workers, handle, feeds })
    }

    /// A ring for each port that nobody inspects, from the main lcore to one worker; by port, and with the worker's number.
    fn passes(&self) -> Result<PassEnds, SetupError> {
        let (mut senders, mut passing) = (Vec::new(), Vec::new());
        for (number, plan) in self.plans.iter().enumerate() {
            let main_receives = self.settings.workers > 0 && self.settings.spreading == Spreading::Software;
            senders.push(if plan.inspect || !main_receives {
                None
            } else {
                let (sender, ring) = self.platform.ring(self.settings.ring_size)?;
                let from = PortId(number as u16);
                passing.push((number % self.settings.workers, Some(Pass { ring, from, to: plan.peer })));
                Some(sender)
            });
        }
        Ok((senders, passing))
    }

    /// A ring from each worker to each other.
    fn handovers(&self) -> Result<Vec<Handover>, SetupError> {
        let count = self.settings.workers;
        let mut to: Vec<Vec<Option<Box<dyn FrameSender>>>> = Vec::new();
        let mut from: Vec<Vec<Box<dyn FrameReceiver>>> = (0..count).map(|_| Vec::new()).collect();
        for giver in 0..count {
            let mut row = Vec::new();
            for (taker, incoming) in from.iter_mut().enumerate() {
                row.push(if giver == taker {
                    None
                } else {
                    let (sender, receiver) = self.platform.ring(self.settings.ring_size)?;
                    incoming.push(receiver);
                    Some(sender)
                });
            }
            to.push(row);
        }
        Ok(to.into_iter().zip(from).map(|(to, from)| Handover::new(to, from)).collect())
    }

    /// Every receive queue of every port belongs to one worker: `index`, and where there are more queues than workers, those
    /// so many behind it. An inspected port has as many as there are workers.
    fn intake(
        &self,
        index: usize,
        ports: &mut [Option<Box<dyn PacketIo>>],
        ledger: &Arc<Ledger>,
    ) -> Box<Intake> {
        let mut sources = Vec::new();
        for (number, port) in ports.iter_mut().enumerate() {
            let Some(port) = port else { continue };
            for queue in (index..usize::from(port.info().rx_queues)).step_by(self.settings.workers) {
                let rx = port.take_rx(queue as u16);
                sources.extend(rx.map(|rx| Source { port: PortId(number as u16), rx }));
            }
        }
        let (plans, clock) = (Arc::clone(&self.plans), self.platform.clock());
        Box::new(Intake::new(sources, plans, self.owners, index, clock, Arc::clone(ledger)))
    }

    /// A worker's own queues, or rings to the main lcore where a port has not one for each worker.
    fn worker_outlets(
        &self,
        index: usize,
        ports: &mut [Option<Box<dyn PacketIo>>],
        returns: &mut Vec<Return>,
    ) -> Result<Vec<Option<Outlet>>, SetupError> {
        let mut outlets = Vec::new();
        for (number, port) in ports.iter_mut().enumerate() {
            let Some(port) = port else {
                outlets.push(None);
                continue;
            };
            let enough = usize::from(port.info().tx_queues) >= self.tx_queues();
            outlets.push(match enough.then(|| port.take_tx(index as u16)).flatten() {
                Some(queue) => Some(Outlet::Queue(queue)),
                None => {
                    let (sender, receiver) = self.platform.ring(self.settings.ring_size)?;
                    returns.push(Return { ring: receiver, to: PortId(number as u16) });
                    Some(Outlet::Ring(sender))
                }
            });
        }
        Ok(outlets)
    }

    /// The main lcore sends frames that workers have no room for.
    fn main_sends(&self) -> bool {
        let bypass = self.plans.iter().any(|plan| plan.on_overload == OnOverload::Bypass);
        bypass && self.settings.workers > 0 && self.settings.spreading == Spreading::Software
    }

    /// So many a port needs for each lcore that sends to own one.
    fn tx_queues(&self) -> usize {
        self.settings.workers + usize::from(self.main_sends())
    }

    /// What the workers left: queues of ports that have too few for each to own one, and one more where it sends itself.
    fn main_outlets(&self, ports: &mut [Option<Box<dyn PacketIo>>]) -> Vec<Option<Outlet>> {
        let queue = |port: &mut Box<dyn PacketIo>| {
            let few = usize::from(port.info().tx_queues) < self.tx_queues();
            let number = match (self.settings.workers == 0 || few, self.main_sends()) {
                (true, _) => Some(0),
                (false, true) => Some(self.settings.workers as u16),
                (false, false) => None,
            };
            number.and_then(|number| port.take_tx(number)).map(Outlet::Queue)
        };
        ports.iter_mut().map(|port| port.as_mut().and_then(queue)).collect()
    }

    fn worker(
        &self,
        index: usize,
        ways: Ways,
        ledger: Arc<Ledger>,
        board: &Arc<Board>,
        outside: &mut Outside,
    ) -> Box<Worker> {
        let (capacity, replay) = (self.settings.event_ring, self.settings.replay);
        let (events, feed) = match self.settings.wanted.decodes() {
            true => event_ring_with_records(capacity, replay),
            false => event_ring(capacity, replay),
        };
        let (sender, mailbox) = mailbox();
        let tables = Arc::<TableCounts>::default();
        outside.feeds.push(feed);
        outside.mailboxes.push(sender);
        outside.tables.push(Arc::clone(&tables));
        let lane = Lane::new(
            self.settings,
            LaneParts {
                me: index,
                plans: Arc::clone(&self.plans),
                exits: ways.exits,
                events,
                allocator: self.platform.allocator(),
                ledger,
                tables,
                services: self.services,
            },
        );
        outside.running.push(Arc::clone(lane.services().running()));
        outside.plugins.push(lane.services().all_counts());
        Box::new(Worker::new(WorkerParts {
            id: WorkerId(index as u8),
            ring: ways.ring,
            passes: ways.passes,
            intake: ways.intake,
            handover: ways.handover,
            board: Arc::clone(board),
            mailbox,
            lane,
            replay: self.settings.replay,
            polling: self.settings.polling,
            workers: self.settings.workers.max(1) as u32,
        }))
    }
}
