//! A file on a disk that fills and gets room again: a small tmpfs in a mount namespace of its own.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use support::small_disk::{disk, on_a_small_disk};
use weir::base::Time;
use weir::mgmt::sink::{FileSink, Line, Rotation, Sink, SinkCounts};

/// The disk's bytes, 64 KiB of which a ballast takes.
const SIZE: usize = 256 << 10;
const BALLAST: usize = 64 << 10;

fn put(sink: &mut FileSink, n: u64) {
    let text = format!("{n:06}{}", "x".repeat(993));
    sink.write_line(&Line { text: text.as_bytes(), time: Time::ZERO, kind: "alert" });
}

/// Whole lines, in order.
fn lines(path: &Path) -> u64 {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.lines().all(|line| line.len() == 999) && text.lines().is_sorted() && text.ends_with('\n'));
    text.lines().count() as u64
}

#[test]
fn a_full_disk_is_survived_and_what_waited_is_written_once_there_is_room() {
    on_a_small_disk(SIZE, "inner_full_and_free_again");
}

#[test]
#[ignore = "run by the test above, on a disk of its own"]
fn inner_full_and_free_again() {
    let disk = disk(BALLAST);
    let path = disk.join("eve.json");
    let mut sink = FileSink::create(&path, Rotation::default()).unwrap();
    (0..230).for_each(|n| put(&mut sink, n));
    sink.flush();
    let SinkCounts { generated, exported, lost } = sink.counts();
    assert_eq!((generated, lost), (230, 0));
    assert!(exported < 200, "the disk takes 192 KiB: {exported}");
    std::fs::remove_file(disk.join("ballast")).unwrap();
    sink.flush();
    assert_eq!(sink.counts(), SinkCounts { generated, exported: generated, lost: 0 });
    assert_eq!(lines(&path), generated, "the line that was cut by the full disk went on where it was cut");
}

#[test]
fn a_disk_that_stays_full_costs_lines_and_each_is_counted() {
    on_a_small_disk(SIZE, "inner_full_for_ever");
}

#[test]
#[ignore = "run by the test above, on a disk of its own"]
fn inner_full_for_ever() {
    let path = disk(BALLAST).join("eve.json");
    let mut sink = FileSink::create(&path, Rotation::default()).unwrap();
    (0..6000).for_each(|n| put(&mut sink, n));
    let SinkCounts { generated, exported, lost } = sink.finish();
    assert!(generated == 6000 && exported + lost == 6000 && exported > 100, "{exported} and {lost}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches('\n').count() as u64, exported);
}

#[test]
fn setting_files_aside_with_a_bound_keeps_a_small_disk_from_filling() {
    on_a_small_disk(SIZE, "inner_bounded_files");
}

#[test]
#[ignore = "run by the test above, on a disk of its own"]
fn inner_bounded_files() {
    let path = disk(BALLAST).join("eve.json");
    let mut sink =
        FileSink::create(&path, Rotation { size: 32 << 10, keep: 2, ..Rotation::default() }).unwrap();
    for n in 0..1000 {
        sink.turn(Time::from_secs(n));
        put(&mut sink, n);
        sink.flush();
    }
    assert_eq!(sink.finish(), SinkCounts { generated: 1000, exported: 1000, lost: 0 });
    assert!(lines(&path) <= 32);
}
