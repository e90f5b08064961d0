//! Bounds of the workers: numbers of sets, chains, held frames; counters beside changes; faults whose event was lost.

use super::*;
use crate::service::services::MAX_CHAINS;
use crate::service::table::MAX_SETS;

fn counter(manager: &Manager, name: &str) -> Option<u64> {
    manager.counters().into_iter().find(|counter| counter.name == name).map(|counter| counter.value)
}

#[test]
fn the_number_of_a_set_that_went_is_taken_again_when_its_sessions_have_ended() {
    let (mut line, mut manager) = Line::new(vec![set("0", &["gate"])], 2);
    for n in 1..MAX_SETS {
        open(&mut line, 1000 + n as u16);
        manager.apply(&layout(vec![set(&n.to_string(), &["gate"])]), &mut line).unwrap();
        manager.turn(&mut line);
    }
    assert_eq!(open(&mut line, 2000).1, 3);
    let next = layout(vec![set("15", &["gate"]), set("next", &["late"])]);
    let faults = manager.apply(&next, &mut line).unwrap_err();
    assert!(
        faults.len() == 1 && faults[0].contains("no number is free for the service set \"next\""),
        "{faults:?}"
    );
    assert_eq!((manager.list_plugins().len(), open(&mut line, 2001).1), (1, 3), "nothing has changed");
    line.wait_out();
    manager.turn(&mut line);
    manager.apply(&next, &mut line).unwrap();
    let shown = manager.list_sets(None, &mut line).unwrap();
    assert_eq!((shown[1].id, shown[1].active), (0, false), "it waits for its policy as any that is new");
    manager.apply(&layout(vec![set("again", &["gate"])]), &mut line).unwrap();
    assert_eq!(open(&mut line, 3000).1, 3);
    assert_eq!(
        counter(&manager, "plugin.gate.again.opened"),
        Some(1),
        "what an earlier set counted is not its own"
    );
    let opened = manager.list_plugins().into_iter().find(|p| p.name == "gate").unwrap().counters;
    assert_eq!((opened[0].set.as_str(), opened[0].value), ("again", 1));
}

#[test]
fn more_orders_than_a_worker_can_know_are_refused_before_anything_changes() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    let orders = [vec![set("web", &["gate", "other"])], vec![set("web", &["other", "gate"])]];
    for n in 0..MAX_CHAINS - 1 {
        assert_eq!(open(&mut line, 1000 + n as u16).1, 3);
        manager.apply(&layout(orders[n % 2].clone()), &mut line).unwrap();
    }
    open(&mut line, 2000);
    let before = shown(&manager, &mut line, "web").forward;
    let faults = manager.apply(&layout(orders[1].clone()), &mut line).unwrap_err();
    assert!(faults.len() == 1 && faults[0].contains("worker 0 knows 64 orders of plugins"), "{faults:?}");
    let fault = manager.restart("gate", None, &mut line).unwrap_err();
    assert!(fault.contains("try again when some have ended"), "{fault}");
    assert_eq!(shown(&manager, &mut line, "web").forward, before);
    assert!(manager.list_plugins().iter().all(|plugin| plugin.state == "running"));
    assert_eq!(open(&mut line, 2001).1, 3);
    line.wait_out();
    manager.apply(&layout(orders[1].clone()), &mut line).unwrap();
    assert_eq!(shown(&manager, &mut line, "web").forward, ["other", "gate"]);
}

#[test]
fn a_plugin_taken_out_while_there_is_no_room_is_left_out_when_there_is() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    let orders = [vec![set("web", &["gate", "other"])], vec![set("web", &["other", "gate"])]];
    for n in 0..MAX_CHAINS - 1 {
        open(&mut line, 1000 + n as u16);
        manager.apply(&layout(orders[n % 2].clone()), &mut line).unwrap();
    }
    open(&mut line, 2000);
    let gate = manager.named("gate").unwrap();
    let notice = OutNotice { plugin: gate, fault: PluginFault::Panicked, worker: WorkerId(0) };
    manager.taken_out(notice, &mut line);
    assert_eq!(open(&mut line, 2001).1, 3, "it is passed over meanwhile");
    let members = |line: &mut Line| {
        let rows = line.in_use(0).unwrap();
        rows.iter().filter(|row| row.member.is_some_and(|(plugin, _)| plugin == gate)).count()
    };
    assert!(members(&mut line) > 0);
    line.wait_out();
    (0..4).for_each(|_| manager.turn(&mut line));
    assert_eq!(members(&mut line), 0, "no chain has it any more");
}

#[test]
fn a_change_that_a_worker_has_no_room_for_comes_when_it_has() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    // The worker has more chains than the manager knows of.
    let chain = crate::service::set::Chain::default();
    let other = crate::service::ServiceSet {
        id: SetId(9),
        name: "unknown".into(),
        chain,
        inactive_action: Default::default(),
        active: true,
    };
    let change = wire::Change {
        arrivals: Vec::new(),
        sets: vec![other; MAX_CHAINS - 1],
        gone: Vec::new(),
        selection: Arc::new(Ports::Captures(2).selection(std::iter::empty())),
        policies: Vec::new(),
    };
    line.send(0, wire::Command::Change(Box::new(change))).map(drop).unwrap();
    manager.apply(&layout(vec![set("web", &["gate", "other"])]), &mut line).unwrap();
    assert_eq!(manager.crowded.len(), 1);
    let faults = manager.apply(&layout(vec![set("web", &["gate"])]), &mut line).unwrap_err();
    assert!(faults[0].contains("worker 0"), "one after the other: {faults:?}");
    (0..4).for_each(|_| manager.turn(&mut line));
    assert!(manager.crowded.is_empty());
    let rows = line.in_use(0).unwrap();
    let other = manager.named("other").unwrap();
    assert!(rows.iter().any(|row| row.member.is_some_and(|(plugin, _)| plugin == other)));
}

#[test]
fn settings_of_holding_are_changed_while_it_runs() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 2);
    let mut wanted = layout(vec![set("web", &["gate"])]);
    for frames in [5000, 10, 4000, 6000] {
        wanted.hold.frames = frames;
        let applied = manager.apply(&wanted, &mut line).unwrap();
        assert_eq!(applied.lines, ["settings of holding changed"]);
        assert!(manager.apply(&wanted, &mut line).unwrap().lines.is_empty());
    }
    assert_eq!((manager.hold.frames, manager.hold_places), (6000, 6000));
    assert_eq!(open(&mut line, 1000).1, 3);
}

#[test]
fn counters_are_read_while_a_change_is_being_made() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["gate"])], 1);
    let board = manager.board();
    let names = || board.counters().into_iter().map(|counter| counter.name).collect::<Vec<_>>();
    assert!(names().contains(&"plugin.gate.web.opened".to_owned()));
    // What the operator's lock would be held for.
    let busy = &mut manager;
    busy.apply(&layout(vec![set("web", &["gate"]), set("rest", &["other"])]), &mut line).unwrap();
    assert!(names().contains(&"plugin.other.rest.opened".to_owned()));
    busy.apply(&layout(vec![set("rest", &["other"])]), &mut line).unwrap();
    assert!(names().iter().all(|name| !name.starts_with("plugin.gate.")), "it leaves");
}

#[test]
fn a_fault_whose_event_was_lost_is_found_by_its_count() {
    let (mut line, mut manager) = Line::new(vec![set("web", &["faulty", "gate"])], 2);
    open(&mut line, 1000);
    assert_eq!(line.notices().len(), 1, "and here nobody reads them");
    manager.turn(&mut line);
    assert_eq!(manager.list_plugins()[0].state, "running", "the event may be on its way");
    (0..16).for_each(|_| manager.turn(&mut line));
    let state = manager.list_plugins().remove(0).state;
    assert!(state.starts_with("out: unreported on worker "), "{state}");
    line.turn();
    line.notices(); // the other worker says that it has taken it out as well
    for port in 1001..1009 {
        assert_eq!(open(&mut line, port).1, 3);
    }
    assert!(line.notices().is_empty(), "nobody calls it any more");
    let said = manager.outs(&[]);
    assert!(said.len() == 1 && said[0].contains("plugin faulty was taken out (unreported"), "{said:?}");
}
