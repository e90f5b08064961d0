use super::table::WAYS;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

const RULE: (Generation, RuleIndex) = (Generation(3), RuleIndex(7));
const NOW: Time = Time::from_secs(100);

fn tuple(src: u8, dst: u8, dport: u16) -> FlowTuple {
    let addr = |host| Addr::v4([10, 0, 0, host]);
    FlowTuple { src: addr(src), dst: addr(dst), sport: 4000, dport, proto: 6, ..FlowTuple::default() }
}

fn ends<'a>(packet: &'a FlowTuple, session: Option<&'a FlowTuple>) -> Ends<'a> {
    Ends { packet, session, port: PortId(1) }
}

fn action(deed: IpDeed, target: IpTarget, secs: u64) -> IpAction {
    IpAction { deed, target, timeout: Duration::from_secs(secs) }
}

fn deed(actions: &IpActions, ends: &Ends<'_>, now: Time) -> Option<IpDeed> {
    actions.against(ends, now).map(|(deed, rule)| {
        assert_eq!(rule, RULE);
        deed
    })
}

#[test]
fn each_target_is_what_its_name_says_in_both_directions_of_a_session() {
    let (attack, reply) = (tuple(1, 2, 80), tuple(1, 2, 80).reversed());
    let others = [tuple(1, 3, 443), tuple(3, 2, 80), tuple(3, 1, 80), tuple(1, 2, 22)];
    for (target, struck) in [
        (IpTarget::Source, [true, false, false, true]),
        (IpTarget::Destination, [false, true, false, true]),
        (IpTarget::Zone, [true; 4]),
        (IpTarget::Service, [false; 4]),
    ] {
        let actions = IpActions::default();
        assert!(!actions.any(NOW));
        actions.add(&action(IpDeed::Block, target, 10), &ends(&attack, Some(&attack)), RULE, NOW);
        assert!(actions.any(NOW));
        assert_eq!(deed(&actions, &ends(&reply, Some(&attack)), NOW), Some(IpDeed::Block), "{target:?}");
        let found = others.map(|other| deed(&actions, &ends(&other, Some(&other)), NOW).is_some());
        assert_eq!(found, struck, "{target:?}");
        assert_eq!(
            deed(&actions, &ends(&attack, Some(&attack)), Time::from_secs(110)),
            None,
            "its time is over"
        );
    }
    let actions = IpActions::default();
    actions.add(&action(IpDeed::Block, IpTarget::Source, 10), &ends(&attack, None), RULE, NOW);
    let tenant = FlowTuple { context: 5, ..attack };
    assert_eq!(deed(&actions, &ends(&tenant, None), NOW), None, "another tenant's address");
    let answer = tuple(9, 1, 1);
    assert_eq!(deed(&actions, &ends(&answer, Some(&answer)), NOW), None, "others may still open to it");
}

#[test]
fn a_second_match_prolongs_and_the_strictest_deed_stays() {
    let actions = IpActions::default();
    let attack = tuple(1, 2, 80);
    let add = |deed, secs, now| {
        actions.add(&action(deed, IpTarget::Source, secs), &ends(&attack, None), RULE, Time::from_secs(now));
    };
    add(IpDeed::Notify, 10, 100);
    assert_eq!(deed(&actions, &ends(&attack, None), NOW), Some(IpDeed::Notify));
    add(IpDeed::Close, 10, 105);
    add(IpDeed::Block, 1, 106);
    assert_eq!(deed(&actions, &ends(&attack, None), Time::from_secs(114)), Some(IpDeed::Close));
    let [row] = actions.rows(NOW)[..] else { panic!("one row") };
    assert_eq!((row.since, row.until, row.packets), (NOW, Time::from_secs(115), 2));
    let counts = actions.counts();
    assert_eq!((counts.made, counts.prolonged, counts.notified), (1, 2, 1));
    assert_eq!(actions.clear(|row| row.key.src == tuple(2, 1, 1).src, NOW), 0);
    assert_eq!(actions.clear(|row| row.key.src == attack.src, NOW), 1);
    assert_eq!((deed(&actions, &ends(&attack, None), NOW), actions.rows(NOW).len()), (None, 0));
}

#[test]
fn at_its_bound_the_one_that_ends_soonest_gives_way_or_the_new_one_is_not_made() {
    for (when_full, left) in [(WhenFull::Evict, 1..=WAYS as u8), (WhenFull::Keep, 0..=WAYS as u8 - 1)] {
        let actions = IpActions::new(&Settings { size: WAYS, when_full, seed: 1 });
        for n in 0..=WAYS as u8 {
            let secs = 10 + u64::from(n);
            actions.add(
                &action(IpDeed::Block, IpTarget::Source, secs),
                &ends(&tuple(n, 99, 1), None),
                RULE,
                NOW,
            );
        }
        let counts = actions.counts();
        let cost = if when_full == WhenFull::Evict { counts.evicted } else { counts.refused };
        assert_eq!((cost, counts.evicted + counts.refused), (1, 1));
        let known: Vec<u8> = (0..=WAYS as u8)
            .filter(|&n| deed(&actions, &ends(&tuple(n, 98, 1), None), NOW).is_some())
            .collect();
        assert_eq!(known, left.collect::<Vec<_>>());
    }
}

#[test]
fn workers_that_write_and_read_at_once_never_see_half_an_entry() {
    let actions = IpActions::new(&Settings { size: WAYS, ..Settings::default() });
    std::thread::scope(|scope| {
        for worker in 0..4u8 {
            let actions = &actions;
            scope.spawn(move || {
                for n in 0..2000u32 {
                    let host = (n as u8).wrapping_mul(31).wrapping_add(worker) % 24;
                    // Both halves of the key say the same.
                    let twin = tuple(host, host, 80);
                    actions.add(&action(IpDeed::Block, IpTarget::Service, 10), &ends(&twin, None), RULE, NOW);
                    assert!(
                        actions.rows(NOW).iter().all(|row| row.key.src == row.key.dst && row.rule == RULE)
                    );
                    let stranger = tuple(host, host + 100, 80);
                    assert_eq!(deed(actions, &ends(&stranger, None), NOW), None);
                }
            });
        }
    });
}

proptest! {
    /// Against a plain map, in a table that never fills.
    #[test]
    fn it_is_a_map_with_ends(steps in prop::collection::vec((0u8..20, 0u64..5, 0u64..3, any::<bool>()), 1..200)) {
        let actions = IpActions::new(&Settings { size: 4096, ..Settings::default() });
        let mut model: HashMap<u8, (u64, IpDeed)> = HashMap::new();
        let mut now = 100;
        for (host, secs, later, block) in steps {
            now += later;
            let word = if block { IpDeed::Block } else { IpDeed::Notify };
            let packet = tuple(host, 200, 80);
            if secs > 0 {
                actions.add(&action(word, IpTarget::Source, secs), &ends(&packet, None), RULE, Time::from_secs(now));
                let known = model.get(&host).filter(|(until, _)| *until > now).copied();
                let (until, kept) = known.unwrap_or((0, IpDeed::Notify));
                model.insert(host, (until.max(now + secs), kept.max(word)));
            }
            let expected = model.get(&host).filter(|(until, _)| *until > now).map(|(_, deed)| *deed);
            prop_assert_eq!(deed(&actions, &ends(&packet, None), Time::from_secs(now)), expected);
        }
    }
}
