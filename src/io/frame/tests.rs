//! Every form of frame against the plain model: a vector of bytes. The mbuf form's runs are in `tests/io_dpdk.rs`, where
//! there is an EAL.

use super::*;
use crate::io::memory::HeapPool;
use crate::io::{Burst, free_burst};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    TrimFront(usize),
    Truncate(usize),
    Append(Vec<Vec<u8>>),
    Share,
    Write(u8),
    Split(usize),
    Prepend(Vec<u8>),
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..100).prop_map(Step::TrimFront),
        (0usize..200).prop_map(Step::Truncate),
        pieces().prop_map(Step::Append),
        Just(Step::Share),
        any::<u8>().prop_map(Step::Write),
        (0usize..150).prop_map(Step::Split),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Step::Prepend),
    ]
}

fn chain(pool: &HeapPool, pieces: &[Vec<u8>]) -> Frame {
    pool.chain(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn bytes(frame: &Frame) -> Vec<u8> {
    frame.segments().flatten().copied().collect()
}

proptest! {
    #[test]
    fn a_frame_holds_what_a_vector_would_and_shares_keep_what_they_had(
        first in pieces(), steps in prop::collection::vec(step(), 0..20),
    ) {
        let pool = HeapPool::default();
        let mut frame = chain(&pool, &first);
        let mut model = first.concat();
        let mut shares = Vec::new();
        for step in steps {
            match step {
                Step::TrimFront(n) => {
                    frame.trim_front(n);
                    model.drain(..n.min(model.len()));
                }
                Step::Truncate(n) => {
                    frame.truncate(n);
                    model.truncate(n);
                }
                Step::Append(pieces) => {
                    frame.append(chain(&pool, &pieces)).unwrap();
                    model.extend(pieces.concat());
                }
                Step::Share => shares.push((frame.share().unwrap(), model.clone())),
                Step::Write(value) => {
                    let n = frame.first_mut().map_or(0, |first| { first.fill(value); first.len() });
                    model[..n].fill(value);
                }
                Step::Split(n) => match frame.split_off(n) {
                    Some(rest) => {
                        prop_assert_eq!((frame.len(), rest.len()), (n, model.len() - n));
                        prop_assert_eq!((&bytes(&frame)[..], &bytes(&rest)[..]), model.split_at(n));
                        frame.append(rest).unwrap();
                    }
                    None => prop_assert!(n == 0 || n >= model.len()),
                },
                Step::Prepend(bytes) => {
                    if frame.prepend(&bytes) {
                        model.splice(0..0, bytes);
                    }
                }
            }
            prop_assert_eq!(frame.len(), model.len());
            prop_assert_eq!(&bytes(&frame), &model);
            let mut scratch = vec![0; model.len()];
            prop_assert_eq!(frame.view(&mut scratch), &model[..]);
        }
        for (share, was) in &shares {
            prop_assert_eq!(&bytes(share), was);
        }
        drop((frame, shares));
        prop_assert_eq!(pool.outstanding(), 0);
    }

    #[test]
    fn a_copy_from_any_offset_gives_the_bytes_from_there_on(
        first in pieces(), offset in 0usize..250, room in 0usize..250,
    ) {
        let pool = HeapPool::default();
        let frame = chain(&pool, &first);
        let model = first.concat();
        let expected: Vec<u8> = model.iter().skip(offset).take(room).copied().collect();
        let mut out = vec![0; room];
        let n = frame.copy_to(offset, &mut out);
        prop_assert_eq!(&out[..n], &expected[..]);
    }
}

#[test]
fn shared_bytes_can_be_changed_again_when_the_share_is_gone() {
    let pool = HeapPool::default();
    let mut frame = pool.frame(b"abc");
    let share = frame.share().unwrap();
    assert!(frame.first_mut().is_none());
    drop(share);
    assert_eq!(frame.first_mut(), Some(&mut b"abc".to_owned()[..]));
}

#[test]
fn a_chain_at_its_bound_gives_the_tail_back() {
    let pool = HeapPool::default();
    let mut frame = pool.chain(&vec![&b"x"[..]; MAX_SEGMENTS]);
    let tail = frame.append(pool.frame(b"y")).unwrap_err();
    assert_eq!((frame.len(), tail.len()), (MAX_SEGMENTS, 1));
}

#[test]
fn a_freed_burst_is_empty_and_its_frames_are_back() {
    let pool = HeapPool::default();
    let mut burst: Burst = (0..20).map(|_| pool.frame(b"x")).collect();
    free_burst(&mut burst);
    assert_eq!((burst.len(), pool.outstanding()), (0, 0));
}
