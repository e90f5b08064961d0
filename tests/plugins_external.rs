//! External plugins, built out of tree, in an appliance over the memory backend: the exact order of events, what a plugin may
//! do, and that what it must not do stays its own trouble.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod plugins_support;

use plugins_support::{c_sample, frames, plan_of, play, play_with, probe, rust_sample};
use std::any::Any;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use weir::base::event::PluginFault;
use weir::base::{PerDir, PluginId, SetId, Time, WorkerId};
use weir::pipeline::MainLcore;
use weir::pipeline::mailbox::{Answer, Command};
use weir::service::external::{ExternalSpec, LoadError, load};
use weir::service::plan::Attached;
use weir::service::services::{self, Change, Retired};
use weir::service::set::OnFault;
use weir::service::{ControlEvent, Desk, Plugin, Policy};
use weir::wire::build::{IpFields, fragments, udp_packet};

const SERVER: &str = "10.0.0.2:53";

fn udp(from: &str, to: &str, payload: &str) -> Vec<u8> {
    let ends: (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    udp_packet(ends.0, ends.1, &IpFields::default(), payload.as_bytes())
}

fn question(port: u16, payload: &str) -> Vec<u8> {
    udp(&format!("10.0.0.1:{port}"), SERVER, payload)
}

fn answer(port: u16, payload: &str) -> Vec<u8> {
    udp(SERVER, &format!("10.0.0.1:{port}"), payload)
}

/// A file for probes to write to.
struct Diary(tempfile::TempDir);

impl Diary {
    fn new() -> Diary {
        Diary(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("diary")
    }

    /// What they wrote, without the begin and end of workers.
    fn events(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path()).unwrap();
        let own = |line: &&str| !line.contains("worker-") && !line.contains(" init ");
        text.lines().filter(own).map(str::to_owned).collect()
    }
}

/// Two probes, one diary; `words` are the second one's.
fn pair(diary: &Diary, words: &str) -> Vec<ExternalSpec> {
    let path = rust_sample("probe");
    vec![probe(&path, "a", &diary.path(), ""), probe(&path, "b", &diary.path(), words)]
}

#[test]
fn an_accepted_session_is_told_in_order_and_replies_in_the_reverse_one() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "")).unwrap());
    let outcome = play(&plan, &frames([question(4000, "q"), answer(4000, "a"), question(4000, "q")]));
    assert_eq!(outcome.sent.len(), 3);
    assert_eq!(
        diary.events(),
        [
            "a first-packet 0 forward 4000",
            "b first-packet 0 forward 4000",
            "a session-open 0 forward 4000",
            "b session-open 0 forward 4000",
            "b packet 0 reverse 4000",
            "a packet 0 reverse 4000",
            "a packet 0 forward 4000",
            "b packet 0 forward 4000",
            "a session-close 0 forward 4000 shutdown",
            "b session-close 0 forward 4000 shutdown",
            "a session-destroy 0 forward 4000",
            "b session-destroy 0 forward 4000",
        ]
    );
    let text = std::fs::read_to_string(diary.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..4], ["a worker-init 0", "b worker-init 0", "a init 0", "b init 0"]);
    assert_eq!(lines[lines.len() - 2..], ["a worker-exit", "b worker-exit"]);
    assert!(outcome.balance.is_even() && outcome.faults.is_empty(), "{}", outcome.balance);
}

#[test]
fn a_session_that_the_second_refuses_never_opens_and_ends_once_for_each() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "discard=no")).unwrap());
    let outcome = play(&plan, &frames([question(4000, "no"), question(4001, "yes")]));
    assert_eq!(outcome.sent.len(), 1);
    let of_the_refused: Vec<_> = diary.events().into_iter().filter(|line| line.contains("4000")).collect();
    assert_eq!(
        of_the_refused,
        [
            "a first-packet 0 forward 4000",
            "b first-packet 0 forward 4000",
            "a session-close 0 forward 4000 open-failed",
            "b session-close 0 forward 4000 open-failed",
            "a session-destroy 0 forward 4000",
            "b session-destroy 0 forward 4000",
        ]
    );
    assert!(outcome.balance.is_even() && outcome.balance.dropped == 1, "{}", outcome.balance);
}

#[test]
fn who_comes_behind_the_one_that_refuses_hears_nothing() {
    let (diary, path) = (Diary::new(), rust_sample("probe"));
    let specs = [probe(&path, "a", &diary.path(), "discard=no"), probe(&path, "b", &diary.path(), "")];
    play(&plan_of(load(&specs).unwrap()), &frames([question(4000, "no")]));
    assert_eq!(
        diary.events(),
        [
            "a first-packet 0 forward 4000",
            "a session-close 0 forward 4000 open-failed",
            "a session-destroy 0 forward 4000",
        ]
    );
}

#[test]
fn a_session_that_times_out_says_so() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "")).unwrap());
    let mut all = frames([question(4000, "q")]);
    let later: Time = all[0].0.plus(Duration::from_secs(4000));
    all.extend(
        frames([question(5000, "q"), question(5000, "q")]).into_iter().map(|(_, frame)| (later, frame)),
    );
    play(&plan, &all);
    let ends: Vec<_> = diary.events().into_iter().filter(|line| line.contains("session-close")).collect();
    assert_eq!(
        ends,
        [
            "a session-close 0 forward 4000 timeout",
            "b session-close 0 forward 4000 timeout",
            "a session-close 0 forward 5000 shutdown",
            "b session-close 0 forward 5000 shutdown",
        ]
    );
}

fn turns(main: &mut MainLcore) {
    for _ in 0..8 {
        main.turn(Time::ZERO);
    }
}

#[test]
fn a_plugin_is_taken_away_under_traffic_and_its_sessions_close_with_that_reason() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "")).unwrap());
    let mut without = plan.sets[0].clone();
    let order = vec![PluginId(0)];
    without.chain = plan.resolve(SetId(0), &PerDir([order.clone(), order]), OnFault::Skip);
    let selection = Arc::clone(&plan.selection);
    let change = Change {
        arrivals: Vec::new(),
        sets: vec![without],
        gone: Vec::new(),
        selection,
        policies: Vec::new(),
    };
    let mut commands =
        vec![services::Command::Change(Box::new(change)), services::Command::Remove(PluginId(1))].into_iter();
    let outcome =
        play_with(&plan, &frames([question(4000, "q"), question(4000, "q")]), &mut |_, main, handle| {
            commands
                .by_ref()
                .for_each(|command| assert!(handle.command(0, Command::Services(command)).is_ok()));
            turns(main);
            assert!(handle.command(0, Command::Retire { age: Duration::MAX }).is_ok());
            turns(main);
            while let Some(answer) = handle.answer(0) {
                if let Answer::Retired(Retired::Plugin(plugin, _)) = answer {
                    assert_eq!(plugin, PluginId(1));
                }
            }
        });
    assert_eq!((outcome.sent.len(), outcome.faults.len()), (2, 0));
    assert_eq!(
        diary.events(),
        [
            "a first-packet 0 forward 4000",
            "b first-packet 0 forward 4000",
            "a session-open 0 forward 4000",
            "b session-open 0 forward 4000",
            "a session-close 0 forward 4000 plugin-restart",
            "b session-close 0 forward 4000 plugin-restart",
            "a session-destroy 0 forward 4000",
            "b session-destroy 0 forward 4000",
            "a first-packet 0 forward 4000",
            "a session-open 0 forward 4000",
            "a session-close 0 forward 4000 shutdown",
            "a session-destroy 0 forward 4000",
        ]
    );
    let text = std::fs::read_to_string(diary.path()).unwrap();
    assert_eq!(text.matches("b worker-exit").count(), 1);
}

#[test]
fn who_ignores_a_session_hears_only_of_its_ends() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "ignore")).unwrap());
    play(&plan, &frames([question(4000, "q"), answer(4000, "a"), question(4000, "q")]));
    let events = diary.events();
    assert_eq!(events.iter().filter(|line| line.starts_with("b packet")).count(), 0);
    assert_eq!(events.iter().filter(|line| line.starts_with("a packet")).count(), 2);
    assert_eq!(events.iter().filter(|line| line.starts_with("b session-")).count(), 3);
}

#[test]
fn a_held_frame_goes_on_when_its_plugin_says_so() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "hold=wait")).unwrap());
    let talk =
        [question(4000, "one"), question(4000, "wait"), question(4000, "release"), question(4000, "end")];
    let outcome = play(&plan, &frames(talk));
    let order: Vec<String> =
        outcome.sent.iter().map(|frame| String::from_utf8_lossy(&frame[42..]).into_owned()).collect();
    assert_eq!(order, ["one", "release", "wait", "end"]);
    assert!(outcome.balance.is_even() && outcome.faults.is_empty(), "{}", outcome.balance);
}

/// The second one misbehaves at the second packet; the first goes on, and so does the traffic.
fn misbehaves(words: &str) -> Vec<(PluginId, PluginFault)> {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, words)).unwrap());
    let talk = [question(4000, "one"), question(4000, "bad"), answer(4000, "three"), question(4001, "bad")];
    let outcome = play(&plan, &frames(talk));
    assert_eq!(outcome.sent.len(), 4, "{words}: traffic goes on");
    assert!(outcome.balance.is_even(), "{words}: {}", outcome.balance);
    let events = diary.events();
    assert_eq!(
        events.iter().filter(|line| line.starts_with("a ")).count(),
        4 + 2 + 4,
        "{words}: {events:#?}"
    );
    let last = events.iter().rfind(|line| line.starts_with("b ")).unwrap();
    assert_eq!(last, "b packet 0 forward 4000", "{words}: it is not called again");
    outcome.faults
}

#[test]
fn panics_garbage_and_leaks_stay_at_the_border() {
    let b = PluginId(1);
    assert_eq!(misbehaves("panic=bad"), [(b, PluginFault::Panicked)]);
    assert_eq!(misbehaves("garbage=bad"), [(b, PluginFault::BadReply)]);
    assert_eq!(misbehaves("leak=bad"), [(b, PluginFault::LeakedFrames)]);
}

#[test]
fn a_first_packet_cannot_be_held() {
    let diary = Diary::new();
    let plan = plan_of(load(&pair(&diary, "hold=wait")).unwrap());
    let outcome = play(&plan, &frames([question(4000, "wait"), question(4000, "two")]));
    assert_eq!((outcome.faults, outcome.sent.len()), (vec![(PluginId(1), PluginFault::HeldFirstPacket)], 2));
}

#[test]
fn passthru_sees_no_fragments_and_logs_source_and_destination() {
    let path = rust_sample("passthru");
    let big = udp("10.0.0.1:4000", SERVER, &"x".repeat(3000));
    let mut packets = fragments(&big, 7, &[1480]);
    packets.push(question(4000, "q"));
    for (config, expected) in [("", 0), ("all", 2)] {
        let mut plan = plan_of(load(&[ExternalSpec::at("passthru", &path, config)]).unwrap());
        play(&plan, &frames(&packets));
        let mut lines = Vec::new();
        plan.plugins[0].log_lines(&mut |line| lines.push(line.text.to_owned()));
        assert_eq!(lines, vec!["10.0.0.1 -> 10.0.0.2"; expected]);
    }
}

#[test]
fn cos_marks_every_packet_without_sessions() {
    let path = c_sample("cos", &[]);
    let plan = plan_of(load(&[ExternalSpec::at("cos", &path, "46")]).unwrap());
    let outcome = play(&plan, &frames([question(4000, "q"), answer(4000, "a")]));
    assert_eq!(outcome.sent.iter().map(|frame| frame[15] >> 2).collect::<Vec<_>>(), [46, 46]);
    let refused = load(&[ExternalSpec::at("cos", &path, "99")]).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("a DSCP from 0 to 63"), "{refused}");
}

#[test]
fn each_packet_comes_with_its_own_views() {
    let path = c_sample("empty", &["-DLOOKS"]);
    let plan = plan_of(load(&[ExternalSpec::at("empty", &path, "")]).unwrap());
    let packets = [question(4000, "q"), question(4000, "x"), answer(4000, "a"), question(4001, "x")];
    let outcome = play(&plan, &frames(packets));
    assert_eq!((outcome.sent.len(), outcome.faults), (2, Vec::new()));
}

#[test]
fn another_abi_and_a_second_of_the_same_name_are_refused() {
    let other = c_sample("empty", &["-DVERSION=7"]);
    let refused = load(&[ExternalSpec::at("old", &other, "")]).map(|_| ()).unwrap_err();
    let LoadError::Abi { theirs: 7, ours, .. } = refused else { panic!("{refused}") };
    let text = refused.to_string();
    assert!(
        text.contains("has version 7 (") && text.contains(&format!("this Weir has version {ours} (")),
        "{text}"
    );
    let path = c_sample("empty", &[]);
    let twice = [ExternalSpec::at("one", &path, ""), ExternalSpec::at("two", &path, "")];
    let refused = load(&twice).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("two") && refused.contains("one") && refused.contains("empty"), "{refused}");
    let no_entry = ExternalSpec { entry: "no_such_entry".into(), ..ExternalSpec::at("one", &path, "") };
    assert!(load(&[no_entry]).map(|_| ()).unwrap_err().to_string().contains("no_such_entry"));
}

/// Keeps what plugins attach.
#[derive(Default)]
struct Attaching(Vec<(SetId, Arc<dyn Any + Send + Sync>)>);

impl Desk for Attaching {
    fn attach(&mut self, set: SetId, data: Arc<dyn Any + Send + Sync>) -> u32 {
        self.0.push((set, data));
        self.0.len() as u32
    }

    fn detach(&mut self, set: SetId) {
        self.0.retain(|(of, _)| *of != set);
    }
}

#[test]
fn a_policy_attached_late_by_the_plugins_own_thread_reaches_management_and_workers() {
    let (diary, path) = (Diary::new(), rust_sample("probe"));
    let mut plugins = load(&[probe(&path, "late", &diary.path(), "late=1")]).unwrap();
    let (late, mut desk) = (&mut plugins[0], Attaching::default());
    assert!(late.about().flags.policy);
    late.control(ControlEvent::Init { set: SetId(0), set_name: "s", config: "" }, &mut desk).unwrap();
    while desk.0.is_empty() {
        late.poll(&mut desk);
        std::thread::yield_now();
    }
    let (set, data) = desk.0.remove(0);
    assert_eq!(set, SetId(0));
    let mut plan = plan_of(plugins);
    let policy = Policy { generation: 1, data };
    plan.policies.push(Attached { set, plugin: PluginId(0), policy });
    let outcome = play(&plan, &frames([question(4000, "q")]));
    assert_eq!((outcome.sent.len(), outcome.faults.len()), (1, 0));
}

#[test]
fn each_worker_has_an_instance_of_its_own() {
    let (diary, path) = (Diary::new(), rust_sample("probe"));
    let plugins = load(&[probe(&path, "p", &diary.path(), "")]).unwrap();
    for worker in [0, 1] {
        plugins[0].data(WorkerId(worker)).worker_init(WorkerId(worker));
    }
    let text = std::fs::read_to_string(diary.path()).unwrap();
    assert_eq!(text, "p worker-init 0\np worker-exit\np worker-init 1\np worker-exit\n");
}
