//! The io layer over a real EAL: without root, hugepages or a NIC. One EAL a process, so one test a process: run with
//! `cargo nextest run`, which does so.

#![allow(clippy::unwrap_used)] // tests

mod io_dpdk_support;

use io_dpdk_support::{eal, null_port, pool, whole};
use proptest::test_runner::{Config, TestRunner};
use weir::io::dpdk::{Lcore, Pool, PoolConfig, ring};
use weir::io::{Burst, Frame, FrameAllocator, FrameMeta, PacketIo, free_burst};

fn bytes(frame: &Frame) -> Vec<u8> {
    frame.segments().flatten().copied().collect()
}

#[test]
fn frames_of_mbufs_hold_what_a_vector_would() {
    let eal = eal(1);
    let pool =
        pool(&eal, PoolConfig { segments: 2047, cache: 0, segment_bytes: 64, ..PoolConfig::default() });
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let steps = io_dpdk_support::steps();
    runner.run(&steps, |steps| io_dpdk_support::run_against_a_vector(&mut pool.allocator(), steps)).unwrap();
    whole(&pool);
}

#[test]
fn a_frames_metadata_survives_trimming_appending_and_sharing() {
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig { segment_bytes: 16, ..PoolConfig::default() });
    let mut frame = pool.allocator().allocate(&[7; 40]).unwrap();
    let meta =
        FrameMeta { packet: 9, epoch: 3, time: weir::base::Time::from_secs(5), ..FrameMeta::default() };
    frame.set_meta(meta);
    assert_eq!(frame.segment_count(), 3);
    frame.trim_front(20);
    let share = frame.share().unwrap();
    frame.append(pool.allocator().allocate(&[8; 40]).unwrap()).unwrap();
    assert_eq!((frame.meta(), share.meta()), (meta, meta));
    assert_eq!((bytes(&share), frame.len()), (vec![7; 20], 60));
    drop((frame, share));
    whole(&pool);
}

/// Whether the kernel refuses 260 GB: it does not promise more than there is, and there is less.
fn memory_is_bounded() -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let total = read("/proc/meminfo").split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    read("/proc/sys/vm/overcommit_memory").trim() == "0" && total.is_some_and(|kib| kib < 128 << 20)
}

#[test]
fn a_pool_for_which_there_is_no_memory_says_so_and_the_next_can_be_made() {
    if !memory_is_bounded() {
        return eprintln!("skipped: here the kernel may promise that much");
    }
    let eal = eal(1);
    let most = PoolConfig { segments: 4_000_000, cache: 0, segment_bytes: 65_000, ..PoolConfig::default() };
    let error = Pool::new(&eal, &most).err().unwrap().to_string();
    assert!(error.contains("Cannot allocate memory"), "{error}");
    pool(&eal, PoolConfig { segments: 15, cache: 0, ..PoolConfig::default() });
}

#[test]
fn an_empty_pool_gives_no_frame_and_no_share() {
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig { segments: 15, cache: 0, ..PoolConfig::default() });
    let mut allocator = pool.allocator();
    assert!(allocator.allocate(&vec![1; 2048 * 16]).is_none());
    whole(&pool);
    let held: Vec<Frame> = std::iter::from_fn(|| allocator.allocate(b"x")).collect();
    assert_eq!(held.len(), 15);
    assert!(held[0].share().is_none());
    drop(held);
    whole(&pool);
}

#[test]
fn a_pool_grows_to_its_size_when_more_is_asked_for() {
    let eal = eal(1);
    let config = PoolConfig { segments: 5000, at_first: 100, cache: 0, ..PoolConfig::default() };
    let pool = pool(&eal, config);
    assert!((100..1000).contains(&pool.available()), "{}", pool.available());
    let mut allocator = pool.allocator();
    let mut held: Vec<Frame> = std::iter::from_fn(|| allocator.allocate(b"first")).collect();
    assert_eq!((held.len() as u32, pool.available()), (pool.in_use(), 0));
    assert!(pool.provides(1000, 500) && pool.available() >= 1500);
    held.extend(std::iter::from_fn(|| allocator.allocate(&[7; 3000])));
    assert!(pool.provides(32, 0));
    held.extend(std::iter::from_fn(|| allocator.allocate(b"last")));
    // What is left is less than is asked for: then all of it is there.
    assert!(!pool.provides(5001, 0));
    held.extend(std::iter::from_fn(|| allocator.allocate(b"all")));
    assert_eq!(held.iter().map(Frame::segment_count).sum::<usize>(), 5000);
    assert!(held.iter().all(|frame| matches!(&*bytes(frame), b"first" | b"last" | b"all" | [7, ..])));
    drop(held);
    whole(&pool);
    assert_eq!(pool.available(), 5000);
}

/// Bytes of address space that this process may have from now on, besides what it has.
fn limit_address_space(more: &str) {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let bytes = pages.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 4096;
    let limit = more.parse().map_or(more.to_owned(), |more: u64| (bytes + more).to_string());
    let process = std::process::id().to_string();
    let mut command = std::process::Command::new("prlimit");
    assert!(command.args(["--pid", &process, &format!("--as={limit}:")]).status().unwrap().success());
}

#[test]
fn a_pool_that_gets_no_more_memory_says_why() {
    let eal = eal(1);
    let config = PoolConfig { segments: 5000, at_first: 100, cache: 0, ..PoolConfig::default() };
    let pool = pool(&eal, config);
    assert_eq!(pool.refused(), None);
    limit_address_space("1000000");
    assert!(!pool.provides(3000, 0));
    limit_address_space("unlimited");
    let why = pool.refused().unwrap();
    assert!(why.contains("Cannot allocate memory"), "{why}");
    assert!(pool.provides(5000, 0), "there is memory again");
    whole(&pool);
}

#[test]
fn a_burst_from_net_null_goes_out_again() {
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig::default());
    let mut port = null_port(&eal, &pool);
    let (mut rx, mut tx) = (port.take_rx(0).unwrap(), port.take_tx(0).unwrap());
    assert!(port.take_rx(0).is_none() && port.take_rx(1).is_none());
    let mut burst = Burst::new();
    assert_eq!(rx.receive(&mut burst), 32);
    assert_eq!(rx.receive(&mut burst), 0);
    assert!(burst.iter().all(|frame| frame.len() == 64 && frame.meta().port == port.id()));
    assert!(burst[0].meta().time.secs() > 1_600_000_000);
    assert_eq!(tx.send(&mut burst), 32);
    assert_eq!(port.stats().tx_packets, 32);
    drop((rx, tx, port));
    whole(&pool);
}

#[test]
fn frames_cross_a_ring_to_another_lcore_in_order_and_are_freed_there() {
    const FRAMES: u32 = 5_000;
    let eal = eal(2);
    let pool = pool(&eal, PoolConfig::default());
    let (mut sender, mut receiver) = ring(&eal, 64).unwrap();
    let worker = eal.launch(Lcore(1), move || {
        let (mut burst, mut seen) = (Burst::new(), Vec::new());
        while seen.len() < FRAMES as usize {
            if receiver.receive(&mut burst) == 0 {
                std::thread::yield_now();
            }
            seen.extend(burst.iter().map(|frame| frame.meta().packet));
            free_burst(&mut burst);
        }
        seen
    });
    let (mut allocator, mut burst) = (pool.allocator(), Burst::new());
    for packet in 0..FRAMES {
        let mut frame = allocator.allocate(&packet.to_be_bytes()).unwrap();
        frame.set_meta(FrameMeta { packet, ..FrameMeta::default() });
        burst.push(frame);
        while burst.is_full() || packet + 1 == FRAMES && !burst.is_empty() {
            if sender.send(&mut burst) == 0 {
                std::thread::yield_now();
            }
        }
    }
    assert_eq!(worker.unwrap().join().unwrap(), (0..FRAMES).collect::<Vec<_>>());
    whole(&pool);
}

#[test]
fn frames_left_in_a_ring_are_freed_with_it() {
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig::default());
    let (mut sender, receiver) = ring(&eal, 100).unwrap();
    let mut burst: Burst = (0..32).map(|_| pool.allocator().allocate(b"left").unwrap()).collect();
    assert_eq!(sender.send(&mut burst), 32);
    assert_eq!((receiver.waiting(), pool.in_use()), (32, 32));
    drop((sender, receiver));
    whole(&pool);
}

#[test]
fn an_lcore_that_panics_says_so_and_can_be_used_again() {
    let eal = eal(2);
    let failed = eal.launch(Lcore(1), || -> u32 { panic!("of the test") }).unwrap().join();
    assert_eq!(failed.unwrap_err().message, "of the test");
    assert_eq!(eal.launch(Lcore(1), || 7).unwrap().join().unwrap(), 7);
    assert!(eal.launch(Lcore(0), || ()).is_err() && eal.launch(Lcore(2), || ()).is_err());
}

#[test]
fn a_device_that_is_not_there_is_named_in_the_error() {
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig::default());
    let config = weir::io::dpdk::PortConfig {
        name: "left".to_owned(),
        device: "net_nonesuch0".to_owned(),
        ..Default::default()
    };
    let error = weir::io::dpdk::DpdkPort::open(&eal, &pool, &config).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("left") && error.contains("net_nonesuch0"), "{error}");
}
