//! The profile of a running appliance, as `weir ctl profile` tells it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use support::Bench;
use support::doors::Appliance;
use support::wait::until;

#[test]
fn hosts_services_and_contexts_of_the_demo_are_known_and_still_known_after_a_restart() {
    let bench = Bench::new();
    let database = format!("profiler.database={}", bench.path("profile.db").display());
    let sets = [
        "profiler.enabled=true",
        &database,
        "profiler.write-interval=100ms",
        "timeouts.tcp-closing=1s",
        "timeouts.tcp-established=2s",
        "timeouts.tcp-new=2s",
    ];
    let appliance = Appliance::start(bench, &sets);
    let services = until("the sessions' end", || {
        let services = appliance.json(&["profile", "services"]);
        (services[0]["sessions"].as_u64() >= Some(2)).then_some(services)
    });
    let told = |row: &Value| (row["address"].clone(), row["port"].clone(), row["app"].clone());
    assert_eq!(told(&services[0]), ("203.0.113.5".into(), 80.into(), "http".into()), "{services}");
    let hosts = appliance.json(&["profile", "hosts", "--host", "192.168.1.10"]);
    assert_eq!(
        (hosts[0]["as_client"].clone(), hosts[0]["received"].clone()),
        (2.into(), 409.into()),
        "{hosts}"
    );
    let contexts = appliance.json(&["profile", "contexts", "--filter", "DEMO", "--kind", "http-host"]);
    assert_eq!(
        (&contexts[0]["text"], &contexts[0]["seen"]),
        (&"demo.example".into(), &2.into()),
        "{contexts}"
    );
    let counters = appliance.json(&["counters", "profiler"]);
    assert_eq!((&counters["profiler.lost"], &counters["profiler.failures"]), (&0.into(), &0.into()));
    let refused = appliance.ctl(&["profile", "contexts", "--kind", "agent"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("write one of user-agent"));
    let Appliance { running, bench } = appliance;
    let mut first = running;
    first.terminate();
    assert!(first.wait().success());

    let appliance = Appliance::start(bench, &sets);
    let services = until("the sessions' end", || {
        let services = appliance.json(&["profile", "services"]);
        (services[0]["sessions"].as_u64() >= Some(4)).then_some(services)
    });
    assert_eq!(services.as_array().unwrap().len(), 1);
    appliance.end();
}

#[test]
fn without_a_profile_the_question_says_how_to_get_one() {
    let appliance = Appliance::start(Bench::new(), &[]);
    let refused = appliance.ctl(&["profile", "hosts"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("set profiler.enabled = true"));
    appliance.end();
}
