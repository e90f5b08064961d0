//! A profile on a disk that fills and gets room again: a small tmpfs in a mount namespace of its own.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::Duration;
use support::small_disk::{disk, on_a_small_disk};
use support::wait::until;
use weir::base::event::{AppNames, CloseReason, Event, EventBody, FlowEvent, FlowStats, Origin};
use weir::base::{Addr, FlowTuple, PerDir, Time};
use weir::mgmt::profiler::{Ask, Bounds, Keeper, Reader, Settings};

/// The disk's bytes, of which the ballast leaves too few for what the test writes.
const SIZE: usize = 4 << 20;
const BALLAST: usize = (4 << 20) - (160 << 10);

#[test]
fn a_full_disk_is_survived_and_what_waited_is_written_once_there_is_room() {
    on_a_small_disk(SIZE, "inner_full_and_free_again");
}

/// The end of a session between hosts of their own.
fn session(n: u16) -> Event {
    let [high, low] = n.to_be_bytes();
    let tuple = FlowTuple {
        src: Addr::v4([10, 1, high, low]),
        dst: Addr::v4([10, 2, high, low]),
        dport: 53,
        proto: 17,
        ..FlowTuple::default()
    };
    let time = Time::from_secs(1000 + u64::from(n));
    let stats =
        FlowStats { start: time, last: time, packets: PerDir([1, 1]), bytes: PerDir([60, 80]), tuple };
    let body = EventBody::Flow(FlowEvent {
        stats,
        outer: None,
        reason: CloseReason::Timeout,
        state: "established",
        alerted: false,
        exception: None,
        action: None,
        tcp: None,
        ttl: PerDir::default(),
        icmp: PerDir::default(),
        app: AppNames::default(),
    });
    Event { origin: Origin { tuple, ..Origin::default() }, body }
}

#[test]
#[ignore = "run by the test above, on a disk of its own"]
fn inner_full_and_free_again() {
    let disk = disk(BALLAST);
    let (path, ballast) = (disk.join("profile.db"), disk.join("ballast"));
    let bounds = Bounds { hosts: 65_536, services: 65_536, contexts: 65_536 };
    let interval = Duration::from_millis(20);
    let settings = Settings { path: path.clone(), bounds, text: 256, queue: 65_536, interval };
    let (keeper, tap) = Keeper::start(settings, || {}).unwrap();
    let reader = Reader::new(path, &keeper);
    let count =
        |name: &str| reader.counters().iter().find(|c| c.name == format!("profiler.{name}")).unwrap().value;
    tap.see(&session(0), &[]);
    until("the first write", || (count("written") == 1).then_some(()));
    (1..=4000).for_each(|n| tap.see(&session(n), &[]));
    until("a write that fails", || (count("failures") > 2).then_some(()));
    assert!(count("written") < 4001);
    assert_eq!(
        reader.hosts(&Ask { limit: 10_000, ..Ask::default() }).unwrap().len() as u64,
        2 * count("written")
    );
    std::fs::remove_file(ballast).unwrap();
    until("all that waited", || (count("written") == 4001).then_some(()));
    assert_eq!((count("observed"), count("lost")), (4001, 0));
    assert_eq!(reader.hosts(&Ask { limit: 10_000, ..Ask::default() }).unwrap().len(), 8002);
    drop(tap);
    drop(keeper);
}
