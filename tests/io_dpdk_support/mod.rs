//! What the tests over a real EAL share.

#![allow(clippy::unwrap_used)] // helpers of tests
#![allow(dead_code)] // each test binary uses a part

use proptest::prelude::*;
use std::sync::Arc;
use weir::io::dpdk::{DpdkPort, Eal, EalConfig, Memory, Pool, PoolConfig, PortConfig};
use weir::io::{Frame, FrameAllocator};

/// EAL with so many lcores, on the CPUs there are, in ordinary pages.
pub(crate) fn eal(lcores: u32) -> Arc<Eal> {
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let config = EalConfig {
        memory: Memory::NoHuge { megabytes: 128 },
        cpus: (0..lcores).map(|lcore| lcore % cpus).collect(),
        ..EalConfig::default()
    };
    Eal::start(&config).unwrap()
}

pub(crate) fn pool(eal: &Arc<Eal>, config: PoolConfig) -> Pool {
    Pool::new(eal, &config).unwrap()
}

pub(crate) fn null_port(eal: &Arc<Eal>, pool: &Pool) -> DpdkPort {
    let config =
        PortConfig { name: "null".to_owned(), device: "net_null0".to_owned(), ..PortConfig::default() };
    DpdkPort::open(eal, pool, &config).unwrap()
}

/// Every segment is back.
pub(crate) fn whole(pool: &Pool) {
    assert_eq!((pool.in_use(), pool.available()), (0, pool.segments()));
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    TrimFront(usize),
    Truncate(usize),
    Append(Vec<u8>),
    Share,
    DropShares,
    Write(u8),
    Split(usize),
    Prepend(Vec<u8>),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let step = prop_oneof![
        (0usize..300).prop_map(Step::TrimFront),
        (0usize..400).prop_map(Step::Truncate),
        bytes().prop_map(Step::Append),
        Just(Step::Share),
        Just(Step::DropShares),
        any::<u8>().prop_map(Step::Write),
        (0usize..300).prop_map(Step::Split),
        bytes().prop_map(Step::Prepend),
    ];
    prop::collection::vec(step, 0..24)
}

pub(crate) fn run_against_a_vector(
    from: &mut dyn FrameAllocator,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let (mut frame, mut model) = (from.allocate(&[]).unwrap(), Vec::new());
    let mut shares: Vec<(Frame, Vec<u8>)> = Vec::new();
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
            Step::Append(bytes) => {
                frame.append(from.allocate(&bytes).unwrap()).unwrap();
                model.extend(bytes);
            }
            Step::Share => shares.push((frame.share().unwrap(), model.clone())),
            Step::DropShares => shares.clear(),
            Step::Write(value) => {
                let n = frame.first_mut().map_or(0, |first| {
                    first.fill(value);
                    first.len()
                });
                model[..n].fill(value);
            }
            Step::Split(n) => match frame.split_off(n) {
                Some(rest) => {
                    agree(&frame, &model[..n])?;
                    agree(&rest, &model[n..])?;
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
        agree(&frame, &model)?;
    }
    shares.iter().try_for_each(|(share, was)| agree(share, was))
}

fn agree(frame: &Frame, model: &[u8]) -> Result<(), TestCaseError> {
    let mut scratch = vec![0; model.len()];
    prop_assert_eq!(frame.len(), model.len());
    prop_assert_eq!(frame.segments().count(), frame.segment_count());
    prop_assert_eq!(frame.view(&mut scratch), model);
    Ok(())
}
