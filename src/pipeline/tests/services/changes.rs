//! What changes under traffic: activation, policies, plugins that misbehave or leave.

use super::*;
use crate::service::filter::{Database, Filter, Rules};

fn database(text: &str) -> Arc<Database> {
    Arc::new(Database::compile(Rules::parse(text).unwrap()))
}

fn policy(generation: u32, text: &str) -> Policy {
    Policy { generation, data: database(text) }
}

fn publish(rig: &mut Rig, policy: &Policy) {
    let command = || Command::Policy {
        set: SetId(0),
        plugin: PluginId(0),
        policy: policy.clone(),
        prepared: Some(Box::new(())),
    };
    assert!(rig.change(command).iter().all(|retired| matches!(retired, Retired::Nothing)));
}

fn filter(text: &str) -> ServicePlan {
    let mut plan = plan(vec![Filter::plugin()], &[0], &[0]);
    plan.policies.push(crate::service::plan::Attached {
        set: SetId(0),
        plugin: PluginId(0),
        policy: policy(1, text),
    });
    plan
}

#[test]
fn before_its_activation_a_sets_traffic_goes_by_the_inactive_action_and_makes_no_session() {
    for (action, sent) in [(InactiveAction::Drop, 0), (InactiveAction::Forward, 1)] {
        for workers in [0, 2] {
            let log = log();
            let mut plan = plan(vec![Fake::new("a", &log).boxed()], &[0], &[0]);
            (plan.sets[0].active, plan.sets[0].inactive_action) = (false, action);
            let mut rig = Rig::new(&plan, workers);
            rig.packet(Dir::ToServer, &ask(1));
            assert_eq!((rig.sent.len(), rig.dropped(DropReason::ServiceInactive)), (sent, 1 - sent as u64));
            assert!(taken(&log).is_empty());
            rig.change(|| Command::Activate(SetId(0)));
            rig.packet(Dir::ToServer, &ask(1));
            assert_eq!((taken(&log), rig.sent.len()), (vec!["a first".into(), "a open".into()], sent + 1));
            rig.finish();
        }
    }
}

#[test]
fn a_session_keeps_the_generation_it_opened_under_and_the_last_one_frees_it() {
    for workers in [0, 1, 2, 4] {
        let mut rig = Rig::new(&filter("default allow"), workers);
        rig.packet(Dir::ToServer, &ask(1));
        publish(&mut rig, &policy(2, "deny udp to any port 53\ndefault allow"));
        rig.packet(Dir::ToServer, &ask(1));
        rig.packet(Dir::ToClient, &answer(1));
        rig.packet(Dir::ToServer, &ask(2));
        assert_eq!((rig.sent.len(), rig.dropped(DropReason::PluginDiscard)), (3, 1));
        // Workers without a session of the first generation give it back at once, the one with a session at its end.
        assert_eq!(rig.retire().len(), workers.max(1) - 1);
        rig.later(Duration::from_secs(100));
        let gone = rig.retire();
        assert!(matches!(&gone[..], [Retired::Policy { policy, .. }] if policy.generation == 1));
        rig.finish();
    }
}

#[test]
fn a_filter_decides_once_a_session_and_counts_by_rule() {
    let plugin = Filter::plugin();
    let text = "allow udp from 10.0.0.0/30 to any port 53 # few\ndeny udp # rest\n";
    let mut rig = Rig::new(&filter(text), 2);
    let kept = policy(2, text);
    for worker in 0..2u8 {
        let mut prepared = plugin.prepare(&kept, crate::base::WorkerId(worker));
        let command = Command::Policy {
            set: SetId(0),
            plugin: PluginId(0),
            policy: kept.clone(),
            prepared: prepared.take(),
        };
        let worker = usize::from(worker);
        assert!(rig.handle.command(worker, super::super::super::mailbox::Command::Services(command)).is_ok());
    }
    rig.turn();
    for n in 1..40 {
        rig.packet(Dir::ToServer, &ask(n));
        rig.packet(Dir::ToServer, &ask(n));
        rig.packet(Dir::ToClient, &answer(n));
    }
    let hits = kept.data.downcast_ref::<Database>().unwrap().hits();
    // Of a refused session every packet is a new session's first, and the answer is one from a side that is not asked for.
    assert_eq!((hits[0], rig.sent.len()), (3, 9));
    assert_eq!(hits[1], 36 * 3);
    rig.finish();
}

#[test]
fn without_a_database_the_filter_refuses() {
    let mut rig = Rig::new(&plan(vec![Filter::plugin()], &[0], &[0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!((rig.sent.len(), rig.dropped(DropReason::PluginDiscard)), (0, 1));
    rig.finish();
}

/// An external plugin that breaks when it hears `on`.
fn breaks(name: &str, log: &Log, on: &'static str) -> Fake {
    let mut fake = Fake::new(name, log);
    fake.about.external = true;
    let broken = Arc::clone(&fake.broken);
    fake.does(move |event, _| {
        broken.fetch_or(event == on, Ordering::Relaxed);
        Reply::Forward
    })
}

#[test]
fn a_plugin_that_breaks_is_taken_out_and_traffic_goes_on_by_policy() {
    for (on_fault, sent) in [(OnFault::Skip, 3), (OnFault::Drop, 1)] {
        for workers in [0, 2] {
            let log = log();
            let plugins = vec![breaks("a", &log, "packet").boxed(), Fake::new("b", &log).boxed()];
            let mut plan = plan(plugins, &[0, 1], &[0, 1]);
            plan.sets[0].chain.on_fault = on_fault;
            let mut rig = Rig::new(&plan, workers);
            (0..3).for_each(|_| rig.packet(Dir::ToServer, &ask(1)));
            assert_eq!(rig.sent.len(), sent);
            assert_eq!(rig.dropped(DropReason::PluginOut), 3 - sent as u64);
            let calls = taken(&log).iter().filter(|event| event.starts_with("a ")).count();
            assert_eq!(calls, 3, "first, open, the packet that broke it");
            assert_eq!(outs(&rig.finish()), [(PluginId(0), PluginFault::Panicked)]);
            assert!(!taken(&log).iter().any(|event| event.starts_with("a ")));
        }
    }
}

#[test]
fn a_plugin_that_breaks_in_a_nested_call_is_reported_too() {
    let log = log();
    let mut a = Fake::new("a", &log).does(|event, context| {
        if event == "first" {
            let class = context.host.class_named("news").unwrap();
            context.dispatch(class, b"x");
        }
        Reply::Forward
    });
    a.about.publishes = vec!["news".into()];
    let mut b = breaks("b", &log, "user x");
    b.about.subscribes = vec!["news".into()];
    let mut rig = Rig::new(&plan(vec![a.boxed(), b.boxed()], &[0], &[0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!(outs(&rig.finish()), [(PluginId(1), PluginFault::Panicked)]);
}

#[test]
fn frames_that_a_broken_plugin_held_are_let_go_by_policy() {
    for (on_fault, sent) in [(OnFault::Skip, 3), (OnFault::Drop, 1)] {
        let log = log();
        let mut fake = Fake::new("a", &log);
        fake.about.external = true;
        let (broken, count) = (Arc::clone(&fake.broken), AtomicU64::new(0));
        let fake = fake.does(move |event, _| {
            let later = event == "packet" && count.fetch_add(1, Ordering::Relaxed) > 0;
            broken.fetch_or(later, Ordering::Relaxed);
            if event == "packet" { Reply::Hold } else { Reply::Forward }
        });
        let mut plan = plan(vec![fake.boxed()], &[0], &[0]);
        plan.sets[0].chain.on_fault = on_fault;
        let mut rig = Rig::new(&plan, 0);
        (0..3).for_each(|_| rig.packet(Dir::ToServer, &ask(1)));
        assert_eq!((held(&rig), rig.sent.len()), (0, sent));
        rig.finish();
    }
}

#[test]
fn a_removed_plugins_sessions_close_with_plugin_restart_and_others_go_on() {
    for workers in [0, 1, 2] {
        let log = log();
        let mut plan = plan(three(&log), &[0, 1], &[1, 0]);
        // DNS goes by `a` and `b`, the rest by `c` alone.
        let orders = crate::base::PerDir([vec![PluginId(2)], vec![PluginId(2)]]);
        let other = plan.resolve(SetId(1), &orders, OnFault::Skip);
        let set = crate::service::ServiceSet { id: SetId(1), chain: other, ..plan.sets[0].clone() };
        plan.sets.push(set);
        let dns = crate::service::set::Match { destination_ports: Some((53, 53)), ..Default::default() };
        let claims = vec![
            crate::service::set::Claim { set: SetId(0), matches: vec![dns] },
            crate::service::set::Claim { set: SetId(1), matches: Vec::new() },
        ];
        plan.selection = Arc::new(Selection { ports: vec![claims; 2] });
        let mut rig = Rig::new(&plan, workers);
        let other = build::udp_packet(addr(1, 1), addr(2, 2), &IpFields::default(), b"other");
        rig.packet(Dir::ToServer, &ask(1));
        rig.packet(Dir::ToServer, &other);
        taken(&log);
        // `b` leaves: first out of the set, then its sessions end.
        let orders = crate::base::PerDir([vec![PluginId(0)], vec![PluginId(0)]]);
        let without = plan.resolve(SetId(0), &orders, OnFault::Skip);
        let set = crate::service::ServiceSet { chain: without, ..plan.sets[0].clone() };
        rig.change(|| {
            let selection = Arc::clone(&plan.selection);
            Command::Change(Box::new(Change {
                arrivals: Vec::new(),
                sets: vec![set.clone()],
                gone: Vec::new(),
                selection,
                policies: Vec::new(),
            }))
        });
        rig.packet(Dir::ToServer, &ask(1));
        assert_eq!(taken(&log), ["a packet", "b packet"], "a running session keeps its chain");
        rig.change(|| Command::Remove(PluginId(1)));
        rig.later(Duration::ZERO);
        let told = ["a close plugin-restart", "b close plugin-restart", "a destroy", "b destroy"];
        assert_eq!(
            (taken(&log), rig.closed()),
            (told.map(String::from).into(), vec![CloseReason::PluginRestart])
        );
        let back = rig.retire();
        let plugins = back.iter().filter(|r| matches!(r, Retired::Plugin(PluginId(1), Some(_)))).count();
        let chains = back.iter().filter(|r| matches!(r, Retired::Chain(_))).count();
        assert_eq!((plugins, chains), (workers.max(1), workers.max(1)));
        rig.packet(Dir::ToServer, &ask(1));
        rig.packet(Dir::ToServer, &other);
        assert_eq!(taken(&log), ["a first", "a open", "c packet"]);
        rig.finish();
    }
}

#[test]
fn two_plugins_that_leave_at_once_both_come_back() {
    let log = log();
    let mut rig = Rig::new(&plan(three(&log), &[0, 1, 2], &[0, 1, 2]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    let plan = plan(three(&log), &[0], &[0]);
    rig.change(|| {
        let (sets, selection) = (vec![plan.sets[0].clone()], Arc::clone(&plan.selection));
        Command::Change(Box::new(Change {
            arrivals: Vec::new(),
            sets,
            gone: Vec::new(),
            selection,
            policies: Vec::new(),
        }))
    });
    rig.change(|| Command::Remove(PluginId(1)));
    rig.change(|| Command::Remove(PluginId(2)));
    rig.later(Duration::ZERO);
    let gone = rig.retire();
    let left = |id| gone.iter().any(|r| matches!(r, Retired::Plugin(plugin, Some(_)) if plugin.0 == id));
    assert!(left(1) && left(2) && !left(0));
    rig.finish();
}
