use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Barrier;

fn set(kind: Kind, values: usize) -> Set {
    Set::new("s", kind, true, None, Size::exact(values, values * words_of(40)))
}

fn values(set: &Set) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    set.each(|value, _| assert!(all.insert(value.to_vec()), "{value:?} twice"));
    all
}

proptest! {
    #[test]
    fn a_set_is_what_a_plain_set_is(
        steps in prop::collection::vec((0..3u8, prop::collection::vec(any::<u8>(), 0..20)), 0..200),
    ) {
        let (set, mut plain) = (set(Kind::Text, 256), BTreeSet::new());
        for (what, value) in steps {
            // Few different values, so that they meet again.
            let value: Vec<u8> = value.iter().map(|byte| byte & 1).collect();
            match what {
                0 => prop_assert_eq!(set.add(&value) == Added::New, plain.insert(value.clone())),
                1 => prop_assert_eq!(set.remove(&value), plain.remove(&value)),
                _ => prop_assert_eq!(set.contains(&value), plain.contains(&value)),
            }
            prop_assert_eq!(set.len(), plain.len());
        }
        prop_assert_eq!(values(&set), plain);
        prop_assert_eq!(set.refused(), 0);
    }
}

#[test]
fn values_that_differ_in_length_or_in_zeros_behind_are_different() {
    let set = set(Kind::Text, 8);
    assert_eq!(set.add(b"a"), Added::New);
    assert!(!set.contains(b"a\0") && !set.contains(b"") && set.contains(b"a"));
    assert_eq!((set.add(b""), set.add(b""), set.add(b"a\0")), (Added::New, Added::Known, Added::New));
    assert_eq!(set.len(), 3);
}

#[test]
fn a_full_set_refuses_and_counts_and_keeps_what_it_has() {
    let set = set(Kind::Text, 4);
    (0..4u8).for_each(|n| assert_eq!(set.add(&[n]), Added::New));
    assert_eq!((set.add(b"more"), set.refused(), set.len()), (Added::Refused, 1, 4));
    assert_eq!(set.add(&[2]), Added::Known, "what is there is there");
    assert!(set.remove(&[2]) && !set.remove(&[2]) && !set.contains(&[2]));
    assert_eq!(set.add(b"more"), Added::Refused, "room stays its value's");
    assert_eq!((set.add(&[2]), set.len()), (Added::New, 4));
    let narrow = Set::new("s", Kind::Text, true, None, Size::exact(4, 4));
    assert_eq!(
        (narrow.add(&[1; 17]), narrow.add(&[1; 16])),
        (Added::New, Added::Refused),
        "no room for bytes"
    );
    assert!(narrow.contains(&[1; 17]) && !narrow.contains(&[1; 16]));
}

#[test]
fn a_value_of_another_length_is_in_no_set_of_sums_or_addresses() {
    for (kind, length) in [(Kind::Md5, 16), (Kind::Sha256, 32), (Kind::Ipv4, 4)] {
        let set = set(kind, 4);
        assert_eq!((set.add(&vec![1; length - 1]), set.add(&vec![1; length])), (Added::Refused, Added::New));
        assert!(set.contains(&vec![1; length]) && !set.contains(&vec![1; length + 1]));
        assert_eq!(set.refused(), 0, "no want of room");
    }
    let ip = set(Kind::Ip, 4);
    assert_eq!(ip.add(&[10, 0, 0, 1]), Added::New);
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
    assert!(ip.contains(&mapped) && ip.contains(&[10, 0, 0, 1]) && !ip.contains(&[0; 16]));
    let text = set(Kind::Text, 4);
    assert_eq!(text.add(&vec![0; MAX_VALUE + 1]), Added::Refused);
}

#[test]
fn of_workers_that_put_in_the_same_value_one_finds_it_new() {
    const WORKERS: usize = 4;
    const VALUES: u32 = 2000;
    let set = set(Kind::Text, VALUES as usize * WORKERS);
    let start = Barrier::new(WORKERS);
    let new: usize = std::thread::scope(|scope| {
        let work = || {
            start.wait();
            (0..VALUES).filter(|n| set.add(&n.to_be_bytes()) == Added::New).count()
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!((new, set.len(), values(&set).len()), (VALUES as usize, VALUES as usize, VALUES as usize));
    let gone: usize = std::thread::scope(|scope| {
        let work = || (0..VALUES).filter(|n| set.remove(&n.to_be_bytes())).count();
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!((gone, set.len()), (VALUES as usize, 0));
}

#[test]
fn a_size_keeps_to_its_bytes() {
    for (bytes, values) in
        [(100, None), (1 << 20, None), (1 << 20, Some(1)), (1 << 20, Some(1 << 40)), (64, Some(9))]
    {
        let size = Size::within(bytes, values);
        assert!(
            size.bytes() <= bytes.max(128) && size.slots.is_power_of_two(),
            "{bytes} {values:?}: {size:?}"
        );
    }
    let size = Size::within(1 << 20, Some(10_000));
    assert!(size.slots / 2 >= 10_000 && size.words > 10_000, "{size:?}");
}
