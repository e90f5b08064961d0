//! What `/metrics` says: the numbers of `weir ctl counters`, `status`, `drops` and `lcores`, read without asking a worker.

use super::exposition::{Exposition, Family, Kind};
use super::families::{Place, place};
use crate::io::clock::wall;
use crate::mgmt::build;
use crate::mgmt::control::{Control, DropCount, LcoreInfo, Status};
use crate::mgmt::pulse::{Health, Vitals};

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help }
}

const BUILD: Family = gauge("weir_build_info", "1; the labels say which weir this is.");
const STARTED: Family = gauge("weir_start_time_seconds", "When it started, in seconds since 1970.");
const UPTIME: Family = gauge("weir_uptime_seconds", "How long it has run.");
const ALIVE: Family = gauge("weir_healthy", "1 while all lcores live, as /healthz says.");
const READY: Family = gauge("weir_ready", "1 while its policy is active and it forwards, as /readyz says.");
const RULES: Family = gauge(
    "weir_rules",
    "Rules of the last load: in force, refused for a fault, or skipped for what this version has not.",
);
const GENERATION: Family = gauge("weir_rules_generation", "Number of the rules that new sessions take.");
const RELOADED: Family =
    gauge("weir_rules_load_time_seconds", "When the rules in force were read, in seconds since 1970.");
const USED: Family = gauge("weir_memory_used_bytes", "Memory used, by part.");
const CAP: Family = gauge("weir_memory_limit_bytes", "Memory that a part may use.");
const MODE: Family = gauge("weir_pair_mode", "1 for the mode that a pair is in.");
const UP: Family = gauge("weir_port_up", "1 unless the port's link is known to be down.");
const PART: Family = counter(
    "weir_port_dropped_frames_total",
    "Frames dropped, by reason, lcore, and the port they came in by (tx_full: could not leave by); those that are not 0.",
);
const SPARED: Family = counter(
    "weir_port_spared_frames_total",
    "Frames forwarded that mode ips would have dropped; those that are not 0.",
);
const LCORE_UP: Family = gauge("weir_lcore_up", "0 when an lcore has ended by a panic.");
const LCORE_RULES: Family =
    gauge("weir_lcore_rules_generation", "Number of the rules that new sessions of an lcore take.");
const LCORE_FRAMES: Family =
    counter("weir_lcore_frames_total", "Frames that an lcore received (main) or inspected.");
const LCORE_BYTES: Family =
    counter("weir_lcore_received_bytes_total", "Bytes of frames that an lcore received.");
const LCORE_SESSIONS: Family = gauge("weir_lcore_sessions", "Sessions of an lcore.");
const LCORE_TURNS: Family = counter("weir_lcore_turns_total", "Turns of an lcore's loop.");
const LCORE_IDLE: Family = counter("weir_lcore_idle_turns_total", "Turns that found nothing to do.");
const RING_USED: Family = gauge("weir_lcore_ring_used_frames", "Frames that wait in the ring to an lcore.");
const RING_SIZE: Family = gauge("weir_lcore_ring_size_frames", "Frames that the ring to an lcore holds.");

/// The whole page.
pub fn text(control: &dyn Control, health: &Health) -> String {
    let mut page = Exposition::default();
    let version = [("version", build::VERSION), ("commit", build::COMMIT), ("dpdk", build::DPDK)];
    page.add(&BUILD, &version, 1);
    page.add(&ALIVE, &[], u8::from(health.is_alive()));
    page.add(&READY, &[], u8::from(health.is_ready()));
    let ruleset = control.ruleset();
    for (state, rules) in
        [("loaded", ruleset.loaded), ("refused", ruleset.refused), ("skipped", ruleset.skipped)]
    {
        page.add(&RULES, &[("state", state)], rules);
    }
    page.add(&RELOADED, &[], seconds(ruleset.at));
    status(&mut page, &control.status(), &control.ports());
    for named in control.counters() {
        if let Place::Sample(family, labels) = place(&named.name) {
            page.add(family, &labels, named.value);
        }
    }
    drops(&mut page, &control.drops("").counts);
    lcores(&mut page, &control.lcores(), &control.vitals());
    super::process::add(&mut page);
    page.text()
}

fn seconds(time: crate::base::Time) -> f64 {
    wall(time).micros() as f64 / 1e6
}

fn status(page: &mut Exposition, status: &Status, ports: &[String]) {
    page.add(&STARTED, &[], seconds(status.started));
    page.add(&UPTIME, &[], status.now.since(status.started).as_secs_f64());
    page.add(&GENERATION, &[], status.generation);
    for part in &status.memory {
        page.add(&USED, &[("part", &part.part)], part.used);
        if part.cap > 0 {
            page.add(&CAP, &[("part", &part.part)], part.cap);
        }
    }
    for pair in &status.pairs {
        page.add(&MODE, &[("pair", &pair.ports.join(",")), ("mode", &pair.mode)], 1);
    }
    for port in ports {
        page.add(&UP, &[("port", port)], u8::from(!status.links_down.contains(port)));
    }
}

fn drops(page: &mut Exposition, counts: &[DropCount]) {
    for DropCount { reason, port, lcore, frames, spared } in counts {
        let labels = [("reason", reason.name()), ("port", port), ("lcore", lcore)];
        for (family, count) in [(&PART, frames.total), (&SPARED, spared.total)] {
            if count > 0 {
                page.add(family, &labels, count);
            }
        }
    }
}

fn lcores(page: &mut Exposition, lcores: &[LcoreInfo], vitals: &Vitals) {
    for beat in &vitals.lcores {
        page.add(&LCORE_UP, &[("lcore", &beat.role)], u8::from(!beat.failed));
        if beat.generation > 0 {
            page.add(&LCORE_RULES, &[("lcore", &beat.role)], beat.generation);
        }
    }
    for lcore in lcores {
        let labels = [("lcore", lcore.role.as_str())];
        for (family, value) in [
            (&LCORE_FRAMES, lcore.frames),
            (&LCORE_BYTES, lcore.bytes),
            (&LCORE_SESSIONS, lcore.sessions),
            (&LCORE_TURNS, lcore.turns),
        ] {
            page.add(family, &labels, value);
        }
        // Workers count no idle turns.
        if lcore.role == "main" {
            page.add(&LCORE_IDLE, &labels, lcore.idle_turns);
        }
        if lcore.ring_size > 0 {
            page.add(&RING_USED, &labels, lcore.ring_used);
            page.add(&RING_SIZE, &labels, lcore.ring_size);
        }
    }
}
