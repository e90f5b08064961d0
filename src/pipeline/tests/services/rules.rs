//! Generations of rules: each session is judged by those that it was opened under.

use super::*;
use crate::base::Generation;
use crate::rules::{Classifications, References, SourceFile, Vars, load};
use crate::service::idp::Idp;

/// Rules that drop a text, as the generation of that number.
fn dropping(text: &str, generation: u32) -> Arc<Engine> {
    let rule = format!("drop udp any any -> any any (content:\"{text}\"; sid:{generation};)");
    let (mut rules, faults) = load(
        &[SourceFile::new("t", rule.as_str())],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
    );
    assert!(faults.is_empty(), "{faults:?}");
    rules.generation = Generation(generation);
    Arc::new(Engine::compile(Arc::new(rules)).unwrap())
}

fn detection(engine: &Arc<Engine>) -> ServicePlan {
    Idp::alone(engine, stream::Settings::default(), inspect::Settings::default(), 2)
}

/// How many workers refused it.
fn reload(rig: &mut Rig, plan: &ServicePlan, engine: &Arc<Engine>) -> usize {
    let policy = Idp::policy(engine);
    let command = || Command::Policy {
        set: SetId(0),
        plugin: PluginId(0),
        policy: policy.clone(),
        prepared: plan.plugins[0].prepare(&policy, crate::base::WorkerId(0)),
    };
    rig.change(command).iter().filter(|retired| matches!(retired, Retired::Refused(..))).count()
}

/// Frames that the rules drop of a client's next one.
fn dropped(rig: &mut Rig, client: u32) -> u64 {
    let drops = |rig: &Rig| rig.dropped(DropReason::RuleDrop);
    let before = drops(rig);
    rig.packet(Dir::ToServer, &ask(client));
    drops(rig) - before
}

#[test]
fn a_reload_leaves_running_sessions_the_rules_they_were_opened_under() {
    for workers in [0, 2] {
        let plan = detection(&dropping("nothing", 1));
        let mut rig = Rig::new(&plan, workers);
        assert_eq!(dropped(&mut rig, 1), 0);
        assert_eq!(reload(&mut rig, &plan, &dropping("question", 2)), 0);
        assert_eq!((dropped(&mut rig, 1), dropped(&mut rig, 2)), (0, 1));
        let engines = rig.retire().len();
        assert_eq!(engines, workers.max(1) - 1, "one worker has a session of the first generation");
        // Its age is over: the session goes by the newest.
        let gone = rig.retire_aged(Duration::ZERO);
        assert!(matches!(&gone[..], [Retired::Policy { policy, kept: Some(_) }] if policy.generation == 1));
        assert_eq!(dropped(&mut rig, 1), 1);
        rig.finish();
    }
}

#[test]
fn the_ninth_generation_waits_until_one_goes() {
    let plan = detection(&dropping("nothing", 1));
    let mut rig = Rig::new(&plan, 0);
    for generation in 2..=8 {
        assert_eq!(dropped(&mut rig, generation), 0);
        assert_eq!(reload(&mut rig, &plan, &dropping("nothing", generation)), 0);
    }
    assert_eq!(reload(&mut rig, &plan, &dropping("question", 9)), 1);
    assert_eq!(dropped(&mut rig, 9), 0);
    assert_eq!(rig.retire_aged(Duration::ZERO).len(), 7);
    assert_eq!(reload(&mut rig, &plan, &dropping("question", 9)), 0);
    assert_eq!((dropped(&mut rig, 9), dropped(&mut rig, 10)), (0, 1));
    rig.finish();
}
