//! Captures through `net_pcap`: what the scan says is what the driver gives. One EAL a process: `cargo nextest run`.

#![allow(clippy::unwrap_used)] // tests

mod io_dpdk_support;

use io_dpdk_support::{eal, pool, whole};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use weir::base::Time;
use weir::io::capture::{Reader, Summary, Writer};
use weir::io::dpdk::{CapturePort, Eal, Pool, PoolConfig};
use weir::io::{Burst, LinkType, PacketIo, free_burst};

/// Turns without a frame after which the driver has nothing more.
const PATIENCE: usize = 50;

/// Everything the driver gives: times and bytes, with the port's opinion of being finished at the end.
fn received(eal: &Arc<Eal>, pool: &Pool, path: &Path) -> (Vec<(Time, Vec<u8>)>, bool) {
    let summary = Summary::scan(path).unwrap();
    let mut port = CapturePort::open(eal, pool, &summary).unwrap();
    let mut rx = port.take_rx(0).unwrap();
    let (mut burst, mut all, mut idle) = (Burst::new(), Vec::new(), 0);
    while idle < PATIENCE {
        idle = if rx.receive(&mut burst) == 0 { idle + 1 } else { 0 };
        for frame in &burst {
            all.push((frame.meta().time, frame.segments().flatten().copied().collect()));
        }
        free_burst(&mut burst);
    }
    (all, port.finished() && port.received() == port.summary().frames)
}

fn read(path: &Path) -> Vec<(Time, Vec<u8>)> {
    let mut reader = Reader::open(path).unwrap();
    let mut all = Vec::new();
    while let Ok(Some(record)) = reader.next_record() {
        all.push((record.time, record.bytes.to_vec()));
    }
    all
}

fn written(directory: &Path, name: &str, frames: &[(u64, usize)]) -> PathBuf {
    let path = directory.join(name);
    let mut writer = Writer::create(&path, 1).unwrap();
    for (number, (time, len)) in frames.iter().enumerate() {
        writer.write_bytes(Time::from_micros(*time), &vec![number as u8; *len]).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn captures_are_replayed_one_after_the_other_with_their_times_lengths_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let lengths: Vec<(u64, usize)> =
        (0..100).map(|n| (5_000_000 + n * 7, (n as usize * 137) % 9_001)).collect();
    let odd = written(directory.path(), "a name, with [odd] \"signs\"=.pcap", &lengths);
    let other = written(directory.path(), "b.pcap", &[(9, 60), (8, 65_535), (7, 0)]);
    let empty = written(directory.path(), "c.pcap", &[]);
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig { segments: 4095, ..PoolConfig::default() });
    for path in [&odd, &other, &empty, &odd] {
        assert_eq!(received(&eal, &pool, path), (read(path), true), "{}", path.display());
        whole(&pool);
    }
}

#[test]
fn a_long_frame_arrives_as_a_chain_and_the_clock_never_runs_backwards() {
    let directory = tempfile::tempdir().unwrap();
    let path = written(directory.path(), "x.pcap", &[(9_000, 5_000), (8_000, 60)]);
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig::default());
    let summary = Summary::scan(&path).unwrap();
    let mut port = CapturePort::open(&eal, &pool, &summary).unwrap();
    let (mut rx, mut burst) = (port.take_rx(0).unwrap(), Burst::new());
    assert_eq!((rx.receive(&mut burst), port.info().link_type), (2, LinkType::Ethernet));
    let metas = [burst[0].meta(), burst[1].meta()];
    assert_eq!(metas.map(|meta| meta.time.micros()), [9_000, 8_000]);
    assert_eq!(metas.map(|meta| meta.clock.micros()), [9_000, 9_000]);
    assert_eq!((burst[0].segment_count(), burst[0].len()), (3, 5_000));
    drop((rx, port, burst));
    whole(&pool);
}

#[test]
fn a_queue_that_finds_no_room_for_a_burst_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let frames: Vec<(u64, usize)> = (0..200).map(|n| (n, 60)).collect();
    let path = written(directory.path(), "x.pcap", &frames);
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig { segments: 63, cache: 0, ..PoolConfig::default() });
    let summary = Summary::scan(&path).unwrap();
    let mut port = CapturePort::open(&eal, &pool, &summary).unwrap();
    let mut rx = port.take_rx(0).unwrap();
    let (mut held, mut total) = (Burst::new(), 0);
    total += rx.receive(&mut held);
    let mut burst = Burst::new();
    assert_eq!((total, rx.receive(&mut burst)), (32, 0));
    free_burst(&mut held);
    while !port.finished() {
        total += rx.receive(&mut burst);
        free_burst(&mut burst);
    }
    assert_eq!((total, port.stats().rx_no_buffer), (200, 0));
    drop((rx, port));
    whole(&pool);
}

#[test]
fn every_shared_capture_is_scanned_as_libpcap_reads_it() {
    let Some(shared) = std::env::var_os("WEIR_SHARED") else {
        eprintln!("skipped: no cases (WEIR_SHARED is not set)");
        return;
    };
    let eal = eal(1);
    let pool = pool(&eal, PoolConfig { segments: 8191, ..PoolConfig::default() });
    let mut wrong = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(Path::new(&shared).join("cases/captures")).unwrap() {
        let path = entry.unwrap().path();
        let (got, finished) = received(&eal, &pool, &path);
        if got != read(&path) || !finished {
            wrong.push((path, got.len()));
        }
        files += 1;
    }
    whole(&pool);
    assert!(wrong.is_empty() && files > 0, "{} of {files}: {wrong:#?}", wrong.len());
}
