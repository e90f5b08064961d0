use super::proto as p;
use super::*;
use crate::base::event::Event;
use crate::base::{Addr, DropReason, FlowTuple, Time};
use crate::mgmt::config::{EventType, LogLevel};
use crate::mgmt::control::*;
use crate::mgmt::dataset_commands;
use crate::mgmt::gate::{Gate, Speech};
use crate::mgmt::listening::{Listener, Listening};
use crate::mgmt::passes::{PassInfo, PassRequest};
use crate::mgmt::pulse::{Heartbeat, Vitals};
use crate::mgmt::ruleset::{FailedRule, Ruleset};
use crate::mgmt::watching::{Feed, Shown, WatchRequest, WatchTotals};
use crate::pipeline::Balance;
use crate::rules::RuleSet;
use crate::rules::dataset::set::Size;
use crate::rules::dataset::{Kind, Set};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// An appliance with three sessions, whose rules cannot be reloaded the second time.
#[derive(Default)]
pub(in crate::mgmt) struct Fake {
    reloaded: AtomicBool,
    pub stopped: AtomicBool,
    pub reopened: AtomicBool,
    unwatched: AtomicBool,
    seen: Seen,
}

/// A set of texts.
struct Seen(Arc<Set>);

impl Default for Seen {
    fn default() -> Seen {
        Seen(Arc::new(Set::new("seen", Kind::Text, true, None, Size::exact(2, 8))))
    }
}

/// So many packets, then none.
struct Three(u64);

impl Feed for Three {
    fn take(&mut self, most: usize) -> Vec<Shown> {
        let now = self.0.min(most as u64).min(2);
        self.0 -= now;
        (0..now)
            .map(|_| Shown { bytes: vec![1; 60], lines: vec!["sent".into()], ..Shown::default() })
            .collect()
    }

    fn totals(&self) -> WatchTotals {
        WatchTotals { seen: 9, lost: 6 }
    }
}

impl Control for Fake {
    fn status(&self) -> Status {
        Status { running_mode: "run".into(), now: Time::from_secs(60), workers: 2, ..Status::default() }
    }

    fn counters(&self) -> Vec<NamedCount> {
        vec![NamedCount::new("decoder.pkts", 10), NamedCount::new("flow.tcp", 3)]
    }

    fn drops(&self, looker: &str) -> Drops {
        let count = |port: &str, total, new| DropCount {
            reason: DropReason::RuleDrop,
            port: port.into(),
            lcore: "worker 0".into(),
            frames: Grown { total, new },
            spared: Grown { total: 1, new: 1 },
        };
        let since = Time::from_secs(if looker.is_empty() { 0 } else { 50 });
        let received = Grown { total: 100, new: 10 };
        Drops { now: Time::from_secs(60), since, received, counts: vec![count("a", 3, 1), count("b", 2, 2)] }
    }

    fn pairs(&self) -> Vec<PairStatus> {
        let goes_back = Some(("tap".to_owned(), Time::from_secs(90)));
        vec![PairStatus { ports: vec!["a".into(), "b".into()], mode: "ips".into(), goes_back }]
    }

    fn set_mode(&self, change: &ModeChange) -> Result<(), ControlError> {
        assert_eq!(change.confirm, Some(std::time::Duration::from_millis(1500)));
        if change.pair == "a" { Ok(()) } else { Err(ControlError::Unchanged("there is no pair".into())) }
    }

    fn confirm_modes(&self, keep: bool) -> Result<usize, ControlError> {
        Ok(usize::from(keep))
    }

    fn ports(&self) -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    fn watch(&self, request: &WatchRequest) -> Result<(u64, Box<dyn Feed>), ControlError> {
        assert_eq!(request.snaplen, u32::MAX);
        if request.filter == "wrong" {
            return Err(ControlError::Unanswerable("no filter".into()));
        }
        Ok((7, Box::new(Three(3))))
    }

    fn listen(&self, types: &[EventType]) -> Result<Listener, ControlError> {
        assert_eq!(types, [EventType::Alert]);
        struct Silent;
        impl crate::mgmt::output::Format for Silent {
            fn event(&mut self, _: &Event, _: &[u8], _: &mut Vec<u8>) -> Option<&'static str> {
                None
            }
        }
        Ok(Listening::default().begin(Box::new(Silent)).unwrap())
    }

    fn event_types(&self) -> Vec<EventType> {
        vec![EventType::Alert]
    }

    fn log_level(&self) -> LogLevel {
        LogLevel::Info
    }

    fn set_log_level(&self, level: LogLevel, _: &str) -> Result<(), ControlError> {
        assert_eq!(level, LogLevel::Debug);
        Ok(())
    }

    fn kill(&self, flow_id: u64, _: &str) -> Result<SessionInfo, ControlError> {
        assert_eq!(flow_id, 9);
        Err(ControlError::Unanswerable("no live session".into()))
    }

    fn unwatch(&self, id: u64) {
        assert_eq!(id, 7);
        self.unwatched.store(true, Ordering::Relaxed);
    }

    fn lcores(&self) -> Vec<LcoreInfo> {
        vec![LcoreInfo { role: "main".into(), cpu: Some(0), ..LcoreInfo::default() }]
    }

    fn balance(&self) -> Result<Balanced, ControlError> {
        let balance = Balance { received: 5, transmitted: 4, in_rings: 1, ..Balance::default() };
        Ok(Balanced { balance, paused: std::time::Duration::from_micros(70) })
    }

    fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionInfo>, ControlError> {
        let session = |sport| SessionInfo {
            tuple: FlowTuple {
                src: Addr::v4([10, 0, 0, 1]),
                dst: Addr::v4([10, 0, 0, 2]),
                sport,
                dport: 80,
                proto: 6,
                ..FlowTuple::default()
            },
            ..SessionInfo::default()
        };
        let all = [1000, 1001, 1002].map(session);
        Ok(all
            .into_iter()
            .filter(|s| filter.pick().takes(s.flow_id, &s.tuple))
            .take(filter.limit())
            .collect())
    }

    fn ip_actions(&self, address: Option<std::net::IpAddr>) -> Vec<IpActionInfo> {
        let source = address.or(Some(std::net::IpAddr::from([10, 0, 0, 1])));
        vec![IpActionInfo {
            deed: "block".into(),
            target: "source".into(),
            source,
            ..IpActionInfo::default()
        }]
    }

    fn clear_ip_actions(&self, address: Option<std::net::IpAddr>) -> usize {
        if address.is_some() { 1 } else { 7 }
    }

    fn passes(&self) -> Vec<PassInfo> {
        Vec::new()
    }

    fn add_pass(&self, asked: &PassRequest) -> Result<PassInfo, ControlError> {
        let (until, note) = (Time::ZERO.plus(asked.span), asked.note.clone());
        Ok(PassInfo { id: 3, passed: asked.passed, note, since: Time::ZERO, until, spared: 0 })
    }

    fn remove_pass(&self, id: u64) -> Option<PassInfo> {
        assert_eq!(id, 4);
        None
    }

    fn why(&self, between: &Between) -> Result<Why, ControlError> {
        assert_eq!((between.proto, between.ports), (6, Some([1000, 80])));
        Err(ControlError::Unanswerable("no such thing".into()))
    }

    fn dataset(&self, command: &dataset_commands::Command) -> Result<dataset_commands::Answer, ControlError> {
        match command {
            dataset_commands::Command::Lookup(named, value) if named.name == "told" => {
                let said = format!("{} {} {value}", named.name, named.kind);
                Ok(dataset_commands::Answer { said, holds: true, sets: Vec::new() })
            }
            dataset_commands::Command::Dump => Err(ControlError::Unanswerable("the disk is full".into())),
            command => {
                let rules = RuleSet { datasets: vec![Arc::clone(&self.seen.0)], ..RuleSet::default() };
                dataset_commands::run(&rules, command).map_err(ControlError::Unanswerable)
            }
        }
    }

    fn reload_rules(&self) -> Result<Reload, ControlError> {
        if self.reloaded.swap(true, Ordering::Relaxed) {
            return Err(ControlError::Refused("a.rules:1:1: no such action".into()));
        }
        Ok(Reload { generation: 2, loaded: 7, refused: 1 })
    }

    fn service_sets(&self, _: Option<&str>) -> Result<Vec<SetInfo>, ControlError> {
        Ok(Vec::new())
    }

    fn plugins(&self) -> Result<Vec<PluginInfo>, ControlError> {
        Ok(vec![PluginInfo { name: "idp".into(), ..PluginInfo::default() }])
    }

    fn plugin_blob(&self, blob: &Blob) -> Result<Vec<String>, ControlError> {
        Err(ControlError::Unchanged(format!("{} takes no blobs", blob.plugin)))
    }

    fn restart_plugin(&self, name: &str, path: Option<&Path>) -> Result<Vec<String>, ControlError> {
        Ok(vec![format!("{name} from {path:?}")])
    }

    fn apply_services(&self, _: Option<&Path>) -> Result<Vec<String>, ControlError> {
        Ok(Vec::new())
    }

    fn vitals(&self) -> Vitals {
        let main = Heartbeat { role: "main".into(), turns: 9, ..Heartbeat::default() };
        Vitals { lcores: vec![main], inactive_sets: Some(Vec::new()), ..Vitals::default() }
    }

    fn ruleset(&self) -> Arc<Ruleset> {
        let (file, excerpt) = ("a.rules".into(), "alert tpc any".into());
        let failed = vec![FailedRule { file, line: 3, excerpt, message: "no such protocol".into() }];
        Arc::new(Ruleset { at: Time::from_secs(9), loaded: 7, refused: 1, skipped: 2, failed })
    }

    fn reopen_outputs(&self) {
        self.reopened.store(true, Ordering::Relaxed);
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Serves a fake on a socket in a folder of its own and runs `test` against it.
pub(super) fn with_server<F: Future<Output = ()>>(test: impl FnOnce(client::Client, Arc<Fake>) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run/weir.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bound = socket::bind(&path, false, socket::KEY).unwrap();
    let fake = Arc::new(Fake::default());
    runtime.block_on(async {
        let gate = Gate::unix(&bound.listener, PLACES, "rpc", Speech::Http2).unwrap();
        let (_tell, health) = watch::channel(Health::default());
        let entrances = vec![Entrance { gate, tls: None }];
        let server = serve(entrances, Arc::clone(&fake) as Arc<dyn Control>, health);
        tokio::select! {
            ended = server => panic!("the server ended: {ended:?}"),
            () = async { test(client::connect(&client::Address::Socket(path)).await.unwrap(), Arc::clone(&fake)).await } => {}
        }
    });
}

#[test]
fn every_question_is_answered_over_the_socket() {
    with_server(async |mut client, fake| {
        let version = client.appliance.version(p::VersionRequest {}).await.unwrap().into_inner();
        assert_eq!((version.version.as_str(), version.api), (env!("CARGO_PKG_VERSION"), API));
        let status = client.appliance.status(p::StatusRequest {}).await.unwrap().into_inner();
        assert_eq!((status.running_mode.as_str(), status.workers, status.now), ("run", 2, 60_000_000));
        let flows = p::CountersRequest { prefix: "flow".into() };
        let counters = client.appliance.counters(flows).await.unwrap().into_inner().counters;
        assert_eq!(counters, [p::Counter { name: "flow.tcp".into(), value: 3 }]);
        let change = |pair: &str, mode: &str| p::SetModeRequest {
            pair: pair.into(),
            mode: mode.into(),
            confirm_ms: 1500,
        };
        let changed = client.appliance.set_mode(change("a", "ips")).await.unwrap().into_inner();
        assert_eq!((changed.pairs[0].confirm_by, changed.pairs[0].before.as_str()), (90_000_000, "tap"));
        let refused = client.appliance.set_mode(change("x", "tap")).await.unwrap_err();
        assert!(refused.message().contains("no pair"), "{refused}");
        let refused = client.appliance.set_mode(change("a", "tab")).await.unwrap_err();
        assert!(refused.message().contains("\"tab\" is no mode"), "{refused}");
        let endless = p::SetModeRequest { confirm_ms: u64::MAX, ..change("a", "ips") };
        let refused = client.appliance.set_mode(endless).await.unwrap_err();
        assert!(refused.message().contains("31 days at most"), "{refused}");
        let confirm = |revert| p::ConfirmModesRequest { revert };
        assert!(client.appliance.confirm_modes(confirm(false)).await.is_ok());
        assert!(client.appliance.confirm_modes(confirm(true)).await.is_err(), "nothing waits");
        let question = p::DropsRequest { looker: "test".into() };
        let reply = client.appliance.drops(question).await.unwrap().into_inner();
        assert_eq!((reply.now - reply.since, reply.received, reply.received_new), (10_000_000, 100, 10));
        assert_eq!(reply.drops.len(), DropReason::COUNT);
        let sum = reply.drops.iter().find(|d| d.reason == "rules").unwrap();
        assert_eq!((sum.frames, sum.frames_new, sum.spared, sum.spared_new), (5, 3, 2, 2));
        let ports: Vec<_> = reply.parts.iter().map(|d| (d.port.as_str(), d.frames_new)).collect();
        assert_eq!(ports, [("a", 1), ("b", 2)]);
        let lcores = client.appliance.lcores(p::LcoresRequest {}).await.unwrap().into_inner().lcores;
        assert_eq!((lcores[0].role.as_str(), lcores[0].cpu), ("main", Some(0)));
        client.appliance.stop(p::StopRequest {}).await.unwrap();
        assert!(fake.stopped.load(Ordering::Relaxed));
    });
}

#[test]
fn packets_are_shown_until_their_bound_and_the_watch_ends_with_the_stream() {
    use p::watch_reply::What;
    with_server(async |mut client, fake| {
        let wrong = p::WatchRequest { filter: "wrong".into(), ..p::WatchRequest::default() };
        let refused = client.packets.watch(wrong).await.unwrap_err();
        assert_eq!(refused.message(), "no filter");
        for (count, milliseconds, expected) in [(2, 0, 2), (0, 30, 3)] {
            let request = p::WatchRequest { count, milliseconds, ..p::WatchRequest::default() };
            let mut stream = client.packets.watch(request).await.unwrap().into_inner();
            let mut got = Vec::new();
            while let Some(reply) = stream.message().await.unwrap() {
                got.push(reply.what.unwrap());
            }
            assert!(matches!(got.first(), Some(What::Begin(begin)) if begin.ports == ["a", "b"]));
            assert!(matches!(got.last(), Some(What::End(end)) if (end.seen, end.lost) == (9, 6)));
            assert_eq!(got.len() - 2, expected, "{count} packets, {milliseconds} ms");
            while !fake.unwatched.swap(false, Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
        }
        // Who goes away ends it as well.
        let request = p::WatchRequest { milliseconds: 80_000, ..p::WatchRequest::default() };
        drop(client.packets.watch(request).await.unwrap());
        while !fake.unwatched.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_process_whose_configuration_is_fixed_says_so() {
    with_server(async |mut client, _| {
        let refused = client.config.commit(p::ConfigCommitRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unimplemented, "{refused}");
        let comment = p::ConfigCommitRequest { comment: "x".repeat(1001), ..Default::default() };
        let refused = client.config.commit(comment).await.unwrap_err();
        assert!(refused.message().contains("at most 1000 bytes"), "{refused}");
    });
}

#[test]
fn sessions_are_filtered_and_a_wrong_filter_is_refused() {
    with_server(async |mut client, _| {
        let request = p::SessionsRequest { port: Some(1001), ..Default::default() };
        let found = client.sessions.list(request).await.unwrap().into_inner().sessions;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].client.as_str(), found[0].client_port, found[0].proto.as_str()),
            ("10.0.0.1", 1001, "TCP")
        );
        let request = p::SessionsRequest { limit: 2, ..Default::default() };
        assert_eq!(client.sessions.list(request).await.unwrap().into_inner().sessions.len(), 2);
        let request = p::SessionsRequest { address: "10.0.0".into(), ..Default::default() };
        let fault = client.sessions.list(request).await.unwrap_err();
        assert_eq!(
            (fault.code(), fault.message()),
            (tonic::Code::InvalidArgument, "\"10.0.0\" is no address")
        );
    });
}

#[test]
fn a_reload_that_fails_says_why() {
    with_server(async |mut client, _| {
        let done = client.rules.reload(p::ReloadRequest {}).await.unwrap().into_inner();
        assert_eq!((done.generation, done.loaded, done.refused), (2, 7, 1));
        let fault = client.rules.reload(p::ReloadRequest {}).await.unwrap_err();
        assert_eq!(fault.code(), tonic::Code::FailedPrecondition);
        assert!(fault.message().contains("no such action"));
    });
}

#[test]
fn datasets_are_asked_with_all_that_was_said() {
    with_server(async |mut client, _| {
        let request = |command: p::DatasetCommand| p::DatasetRequest {
            command: command.into(),
            name: "told".into(),
            r#type: "string".into(),
            value: "YQ==".into(),
        };
        let found = client.rules.dataset(request(p::DatasetCommand::Lookup)).await.unwrap().into_inner();
        assert_eq!((found.said.as_str(), found.holds), ("told string YQ==", true));
        let fault = client.rules.dataset(request(p::DatasetCommand::Clear)).await.unwrap_err();
        assert_eq!(fault.code(), tonic::Code::InvalidArgument);
        assert!(fault.message().starts_with("no set of the rules in force is called told"), "{fault}");
    });
}

#[test]
fn the_socket_is_for_its_owner_and_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/weir.sock");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let bound = socket::bind(&path, false, socket::KEY).unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let second = socket::bind(&path, false, socket::KEY).unwrap_err();
    assert!(matches!(second, socket::SocketError::InUse { .. }), "{second}");
    drop(bound);
    assert!(!path.exists());
    assert_eq!(mode(&socket::bind(&path, true, socket::KEY).unwrap().path), 0o660);
}

#[test]
fn a_dead_socket_is_replaced_and_another_file_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the standard library leaves the file");
    drop(socket::bind(&path, false, socket::KEY).unwrap());
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(socket::bind(&path, false, socket::KEY), Err(socket::SocketError::NotASocket { .. })));
}

#[test]
fn without_a_server_the_client_says_what_to_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fault = runtime
        .block_on(client::connect(&client::Address::Socket("/nonexistent/weir.sock".into())))
        .err()
        .unwrap();
    assert!(fault.to_string().contains("weir run -c"), "{fault}");
}

#[test]
fn services_are_asked_and_changed_over_the_socket() {
    with_server(async |mut client, _| {
        let services = &mut client.services;
        let all = services.list_plugins(p::PluginsRequest::default()).await.unwrap().into_inner().plugins;
        assert_eq!(all[0].name, "idp");
        let fault = services.list_plugins(p::PluginsRequest { name: "ipd".into() }).await.unwrap_err();
        assert_eq!((fault.code(), fault.message()), (tonic::Code::NotFound, "there is no plugin \"ipd\""));
        let fault = services.list_sets(p::SetsRequest { name: "web".into() }).await.unwrap_err();
        assert_eq!(fault.code(), tonic::Code::NotFound);
        let blob = p::BlobRequest { plugin: "idp".into(), set: "default".into(), ..Default::default() };
        let fault = services.send_blob(blob).await.unwrap_err();
        assert_eq!(fault.message(), "nothing was changed: idp takes no blobs");
        let restart = p::RestartPluginRequest { name: "idp".into(), path: String::new() };
        let done = services.restart_plugin(restart).await.unwrap().into_inner();
        assert_eq!(done.lines, ["idp from None"]);
    });
}
