//! The manager with made-up plugins over the memory backend: barrier, generations, changes, faults.

use super::*;
use crate::base::event::{CloseReason, EventBody, EventFeed, PluginFault};
use crate::base::{Dir, DropReason, PortId, SetId, Time, WorkerId};
use crate::io::memory::{MemoryPort, Wire};
use crate::io::{LinkType, PacketIo, PortInfo};
use crate::mgmt::config::{PluginEntry, ServiceSet};
use crate::mgmt::control::{ControlError, SetInfo};
use crate::mgmt::{Config, Profile};
use crate::pipeline::mailbox::{Answer, Command};
use crate::pipeline::{
    Appliance, Handle, MainLcore, MemoryPlatform, Mode, Polling, PortPlan, Settings, Source, Wanted, Worker,
};
use crate::service::plugin::*;
use crate::service::services::{self as wire, InUse, Retired};
use crate::service::watchdog::Restarted;
use crate::service::{Context, LateDesk};
use crate::wire::build::{Link, TcpConversation};
use crate::{defrag, session};
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod bounds;

const INSIDE: PortId = PortId(0);
const OUTSIDE: PortId = PortId(1);

/// What the made-up plugins tell the test.
#[derive(Clone, Default)]
struct Notes {
    desks: Arc<Mutex<Vec<Arc<dyn LateDesk>>>>,
    closed: Arc<Mutex<Vec<(String, CloseReason)>>>,
}

/// Drops or passes sessions as its policy (a bool: drop) says. By its name: `late` attaches no policy by itself, `faulty` is
/// external and misbehaves at its first packet, `picky` refuses every set.
struct Gate {
    about: About,
    notes: Notes,
}

impl Plugin for Gate {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _: WorkerId) -> Box<dyn DataPlugin> {
        let (name, notes) = (self.about.name.clone(), self.notes.clone());
        Box::new(GateWorker { name, notes, fault: None })
    }

    fn control(&mut self, event: ControlEvent<'_>, desk: &mut dyn Desk) -> Result<(), ControlFault> {
        match event {
            ControlEvent::Init { .. } if self.about.name == "picky" => {
                Err(ControlFault("not that one".into()))
            }
            ControlEvent::Init { .. } if self.about.name == "late" => {
                self.notes.desks.lock().unwrap().extend(desk.later());
                Ok(())
            }
            ControlEvent::Init { set, .. } => {
                desk.attach(set, Arc::new(false));
                Ok(())
            }
            ControlEvent::ConfigBlob { set, op: BlobOp::Delete, .. } => {
                desk.detach(set);
                Ok(())
            }
            ControlEvent::ConfigBlob { set, bytes, .. } => {
                let drop = match bytes {
                    b"drop" => true,
                    b"pass" => false,
                    _ => return Err(ControlFault("drop or pass".into())),
                };
                desk.attach(set, Arc::new(drop));
                Ok(())
            }
            ControlEvent::HaInfo => Ok(()),
        }
    }
}

struct GateWorker {
    name: String,
    notes: Notes,
    fault: Option<PluginFault>,
}

impl DataPlugin for GateWorker {
    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        if self.name == "faulty" {
            self.fault = Some(PluginFault::Panicked);
            context.host.misbehaved = true;
        }
        context.host.count(context.set, 0, 1);
        let drop = context.policy().and_then(|policy| policy.data.downcast_ref::<bool>()).copied();
        match drop {
            Some(true) => Reply::Discard(DropReason::RuleDrop),
            _ => Reply::Forward,
        }
    }

    fn session_close(&mut self, _: &mut Context<'_>, reason: CloseReason) {
        self.notes.closed.lock().unwrap().push((self.name.clone(), reason));
    }

    fn fault(&mut self) -> Option<PluginFault> {
        self.fault
    }
}

struct Fakes(Notes);

impl Makers for Fakes {
    fn make(&self, entry: &PluginEntry) -> Result<Box<dyn Plugin>, String> {
        let name = entry.called().to_owned();
        if name == "absent" {
            return Err("no such file".into());
        }
        let about = About {
            external: name == "faulty",
            name,
            flags: Flags { policy: true, ..Flags::default() },
            counters: vec!["opened".into()],
            ..About::default()
        };
        Ok(Box::new(Gate { about, notes: self.0.clone() }))
    }
}

fn set(name: &str, members: &[&str]) -> ServiceSet {
    let members: Vec<String> = members.iter().map(|name| (*name).to_owned()).collect();
    ServiceSet { name: name.into(), forward: members, ..ServiceSet::default() }
}

fn layout(sets: Vec<ServiceSet>) -> Layout {
    Layout::of(&Config { service_sets: sets, ..Config::defaults(Profile::Inline) })
}

/// An appliance whose lcores the test turns itself.
struct Line {
    main: MainLcore,
    #[allow(clippy::vec_box)] // as the appliance has them
    workers: Vec<Box<Worker>>,
    handle: Handle,
    feeds: Vec<EventFeed>,
    platform: MemoryPlatform,
    inside: Wire,
    outside: Wire,
    now: Time,
    notes: Notes,
}

fn settings(workers: usize) -> Settings {
    let port = |peer| PortPlan {
        link: LinkType::Ethernet,
        peer: Some(peer),
        inspect: true,
        mode: Mode::Ips,
        non_ip: true,
        peer_mtu: 1500,
        ..PortPlan::default()
    };
    Settings {
        ports: vec![port(OUTSIDE), port(INSIDE)],
        workers,
        hash_ports: true,
        spreading: crate::pipeline::Spreading::Software,
        ring_size: 256,
        polling: Polling::Busy,
        replay: false,
        event_ring: 1 << 10,
        wanted: Wanted::default(),
        drop_invalid: false,
        checksums: crate::pipeline::Checking::Never,
        tunnels: crate::decode::Tunnels::default(),
        sessions: session::Settings { capacity: 1024, ..session::Settings::default() },
        fragments: defrag::Settings { datagrams: 16, pieces: 64, ..defrag::Settings::default() },
    }
}

impl Line {
    fn new(sets: Vec<ServiceSet>, workers: usize) -> (Line, Manager) {
        let (platform, notes) = (MemoryPlatform::default(), Notes::default());
        let draft = {
            let makers = Box::new(Fakes(notes.clone()));
            Draft::new(layout(sets), makers, Ports::Captures(2), Restarted::default()).unwrap()
        };
        let info = || PortInfo { rx_queues: 1, tx_queues: 1, ..PortInfo::default() };
        let (mut a, inside) = MemoryPort::new(INSIDE, info());
        let (b, outside) = MemoryPort::new(OUTSIDE, info());
        let rx = a.take_rx(0).unwrap();
        let mut ports: [Option<Box<dyn PacketIo>>; 2] = [Some(Box::new(a)), Some(Box::new(b))];
        let Appliance { mut main, workers, handle, feeds } =
            Appliance::build(&settings(workers), &mut ports, &platform, &draft.plan).unwrap();
        main.set_sources(vec![Source { port: INSIDE, rx }]);
        let manager = draft.manage(&handle);
        let now = Time::from_secs(1000);
        (Line { main, workers, handle, feeds, platform, inside, outside, now, notes }, manager)
    }

    fn turn(&mut self) {
        self.main.turn(self.now);
        self.workers.iter_mut().for_each(|worker| {
            worker.turn();
        });
        self.main.serve_returns();
    }

    /// Packets through the line; how many came out.
    fn offer(&mut self, conversation: &mut TcpConversation) -> usize {
        for packet in conversation.packets.drain(..) {
            self.inside.put(self.platform.0.frame(&Link::ethernet().wrap(&packet)));
        }
        (0..8).for_each(|_| self.turn());
        std::iter::from_fn(|| self.outside.take()).count()
    }

    /// So long that every session has ended.
    fn wait_out(&mut self) {
        for _ in 0..64 {
            self.now = self.now.plus(Duration::from_secs(3600));
            self.turn();
        }
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.handle.ledgers.iter().map(|ledger| ledger.dropped(reason)).sum()
    }

    fn notices(&mut self) -> Vec<OutNotice> {
        let events = self.feeds.iter_mut().flat_map(|feed| std::iter::from_fn(|| feed.events.pop().ok()));
        let notice = |event: crate::base::event::Event| match event.body {
            EventBody::PluginOut { plugin, fault, worker } => Some(OutNotice { plugin, fault, worker }),
            _ => None,
        };
        events.filter_map(notice).collect()
    }

    fn ask<T>(&mut self, worker: usize, command: Command, wanted: fn(Answer) -> Option<T>) -> T {
        assert!(self.handle.command(worker, command).is_ok());
        self.turn();
        wanted(self.handle.answer(worker).unwrap()).unwrap()
    }
}

impl Mail for Line {
    fn workers(&self) -> usize {
        self.handle.workers()
    }

    fn send(&mut self, worker: usize, command: wire::Command) -> Result<Retired, ControlError> {
        Ok(self.ask(worker, Command::Services(command), |answer| match answer {
            Answer::Retired(retired) => Some(retired),
            _ => None,
        }))
    }

    fn retire(&mut self, worker: usize, age: Duration) -> Result<Retired, ControlError> {
        Ok(self.ask(worker, Command::Retire { age }, |answer| match answer {
            Answer::Retired(retired) => Some(retired),
            _ => None,
        }))
    }

    fn in_use(&mut self, worker: usize) -> Result<Vec<InUse>, ControlError> {
        let rows = Vec::with_capacity(mail::IN_USE_ROWS);
        Ok(self.ask(worker, Command::InUse(rows), |answer| match answer {
            Answer::InUse(rows) => Some(rows),
            _ => None,
        }))
    }

    fn late(&mut self) -> Vec<(usize, Retired)> {
        Vec::new()
    }
}

fn conversation(port: u16) -> TcpConversation {
    let end = |host, port| std::net::SocketAddr::from(([10, 0, 0, host], port));
    TcpConversation::new(end(1, port), end(2, 80), port.into())
}

/// A connection that was opened, with how many of its three packets passed.
fn open(line: &mut Line, port: u16) -> (TcpConversation, usize) {
    let mut it = conversation(port);
    it.handshake();
    let passed = line.offer(&mut it);
    (it, passed)
}

fn shown(manager: &Manager, line: &mut Line, name: &str) -> SetInfo {
    manager.list_sets(Some(name), line).unwrap().remove(0)
}

#[test]
fn nothing_passes_before_a_late_policy_and_everything_after() {
    let (mut line, mut manager) = Line::new(vec![set("slow", &["gate", "late"])], 2);
    assert_eq!(open(&mut line, 1000).1, 0);
    assert_eq!(line.dropped(DropReason::ServiceInactive), 3);
    manager.turn(&mut line);
    let before = shown(&manager, &mut line, "slow");
    assert_eq!((before.active, before.members[0].attached, before.members[1].attached), (false, true, false));

    let desk = line.notes.desks.lock().unwrap().remove(0);
    std::thread::spawn(move || desk.attach(SetId(0), Arc::new(false))).join().unwrap();
    assert_eq!(open(&mut line, 1001).1, 0, "the manager has not had its turn");
    manager.turn(&mut line);
    assert!(shown(&manager, &mut line, "slow").active);
    for port in 1002..1010 {
        assert_eq!(open(&mut line, port).1, 3, "on whichever worker");
    }
    assert_eq!(manager.counters().iter().find(|c| c.name == "plugin.late.slow.opened").unwrap().value, 8);
}

#[test]
fn a_running_stream_keeps_its_policy_and_the_last_one_frees_it() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    let (mut old, passed) = open(&mut line, 1000);
    assert_eq!(passed, 3);
    let applied = manager.blob("gate", "web", BlobOp::Add, 7, b"drop", &mut line).unwrap();
    assert_eq!(applied.lines, ["generation 2"]);
    assert_eq!(line.offer(old.send(Dir::ToServer, b"still here", 10)), 2);
    assert_eq!(open(&mut line, 1001).1, 0, "a new connection is refused");
    manager.turn(&mut line);
    let generations = |manager: &Manager, line: &mut Line| {
        shown(manager, line, "web").members[0].generations.iter().map(|g| g.0).collect::<Vec<_>>()
    };
    assert!(shown(&manager, &mut line, "web").members[0].generations.contains(&(1, 1)));
    line.wait_out();
    manager.turn(&mut line);
    assert_eq!(generations(&manager, &mut line), [2], "the first went with its last session");
    let fault = manager.blob("gate", "web", BlobOp::Add, 8, b"nonsense", &mut line).unwrap_err();
    assert_eq!(fault, "drop or pass");
    manager.blob("gate", "web", BlobOp::Delete, 9, b"", &mut line).unwrap();
    assert_eq!(open(&mut line, 1002).1, 3, "no policy, no refusal; and the set stays active");
}

#[test]
fn a_policy_for_which_there_is_no_place_waits_until_one_goes() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    for port in 1000..1010 {
        open(&mut line, port);
        manager.blob("gate", "web", BlobOp::Add, 0, b"pass", &mut line).unwrap();
    }
    manager.blob("gate", "web", BlobOp::Add, 0, b"drop", &mut line).unwrap();
    manager.turn(&mut line);
    assert_eq!(manager.waiting(), 1, "the newest of those that wait");
    assert_eq!(open(&mut line, 2000).1, 3, "so the newest is not in force");
    line.wait_out();
    manager.turn(&mut line);
    assert_eq!((manager.waiting(), open(&mut line, 2001).1), (0, 0));
    assert_eq!(shown(&manager, &mut line, "web").members[0].generations.last().unwrap().0, 12);
}

#[test]
fn a_change_is_for_new_sessions_and_a_faulty_one_changes_nothing() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    let (mut old, _) = open(&mut line, 1000);
    let faulty = layout(vec![set("web", &["picky"]), set("more", &["absent"])]);
    let faults = manager.apply(&faulty, &mut line).unwrap_err();
    assert!(faults[0].contains("\"absent\" cannot be loaded: no such file"), "{faults:?}");
    let faults = manager.apply(&layout(vec![set("web", &["picky"])]), &mut line).unwrap_err();
    assert_eq!(
        faults,
        ["the plugin \"picky\" refuses its configuration for the service set \"web\": not that one"]
    );
    assert_eq!((manager.list_plugins().len(), open(&mut line, 1001).1), (1, 3));

    let applied =
        manager.apply(&layout(vec![set("web", &["late"]), set("rest", &["late"])]), &mut line).unwrap();
    assert_eq!(
        applied.lines,
        [
            "service set web changed",
            "service set rest came",
            "plugin late came",
            "plugin gate leaves when its last session ends"
        ]
    );
    assert_eq!(open(&mut line, 1002).1, 3, "an active set stays active, whoever comes");
    assert_eq!(shown(&manager, &mut line, "web").forward, ["late"]);
    assert!(!shown(&manager, &mut line, "rest").active);
    assert_eq!(line.offer(old.send(Dir::ToServer, b"x", 1)), 2);
    manager.turn(&mut line);
    assert_eq!(manager.list_plugins().iter().filter(|plugin| plugin.state == "leaving").count(), 1);
    line.wait_out();
    for _ in 0..8 {
        manager.turn(&mut line);
        line.turn();
    }
    let left: Vec<_> = manager.list_plugins().into_iter().map(|plugin| plugin.name).collect();
    assert_eq!(left, ["late"]);
}

#[test]
fn a_restart_closes_the_plugins_sessions_and_no_others() {
    let mut first = set("one", &["gate"]);
    first.matches = vec![crate::mgmt::config::MatchRule(crate::service::set::Match {
        source_ports: Some((1000, 1000)),
        ..Default::default()
    })];
    let (mut line, mut manager) = Line::new(vec![first, set("two", &["other"])], 1);
    let ((mut a, _), (mut b, _)) = (open(&mut line, 1000), open(&mut line, 1001));
    manager.restart("gate", None, &mut line).unwrap();
    for _ in 0..8 {
        manager.turn(&mut line);
        line.turn();
    }
    assert_eq!(*line.notes.closed.lock().unwrap(), [("gate".to_owned(), CloseReason::PluginRestart)]);
    let plugins: Vec<_> = manager.list_plugins().into_iter().map(|p| (p.name, p.id)).collect();
    assert_eq!(plugins, [("other".to_owned(), 1), ("gate".to_owned(), 2)], "the old number is free");
    assert_eq!(line.offer(b.send(Dir::ToServer, b"x", 1)), 2);
    line.offer(a.send(Dir::ToServer, b"x", 1));
    assert!(open(&mut line, 1002).1 == 3 && shown(&manager, &mut line, "one").active);
    assert_eq!(manager.restart("gaet", None, &mut line).unwrap_err(), "there is no plugin \"gaet\"");
}

#[test]
fn a_plugin_that_misbehaves_leaves_all_workers_and_traffic_goes_on() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["faulty", "gate"])], 2);
    let (_, passed) = open(&mut line, 1000);
    assert_eq!(passed, 3, "on-fault is skip");
    let notices = line.notices();
    assert_eq!(notices.len(), 1);
    manager.taken_out(notices[0], &mut line);
    for notice in line.notices() {
        manager.taken_out(notice, &mut line); // the other worker says so too
    }
    let faulty = manager.list_plugins().remove(0);
    assert_eq!(faulty.state, format!("out: panicked on worker {}", notices[0].worker.0));
    let calls = faulty.workers.iter().map(|w| w.faults).sum::<u64>();
    assert_eq!(calls, 2, "both have taken it out");
    for port in 1001..1005 {
        assert_eq!(open(&mut line, port).1, 3);
    }
    assert!(line.notices().is_empty(), "nobody calls it any more");
}
