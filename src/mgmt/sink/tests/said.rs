//! What the log hears of a sink: once that it broke, once that it is mended.

use super::*;
use crate::mgmt::sink::backlog::SETTLED;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines that are logged meanwhile.
fn said(body: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let to = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || to.clone());
    tracing::subscriber::with_default(subscriber.finish(), body);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn seconds(n: u64) -> Time {
    Time::from_secs(1_795_262_400 + n)
}

/// A flush a second.
fn go_on(sink: &mut FileSink, from: u64, to: u64) {
    for n in from..to {
        sink.turn(seconds(n));
        put(sink, &format!("{{\"n\":{n}}}"));
        sink.flush();
    }
}

fn vanishing_folder(vanish: impl FnOnce(&Path), back: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("eve.json");
    let mut sink = FileSink::create(&path, Rotation::default()).unwrap();
    let said = said(|| {
        go_on(&mut sink, 0, 3);
        vanish(&folder);
        go_on(&mut sink, 3, 60);
        assert_eq!(
            (sink.counts(), waiting(&sink)),
            (counts(60, 3, 0), 57),
            "nothing goes where nobody looks"
        );
        back(&folder);
        go_on(&mut sink, 60, 80);
    });
    assert_eq!(sink.counts(), counts(80, 80, 0));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 77);
    assert!(said.len() == 2 && said[0].contains("ERROR") && said[0].contains("No such file"), "{said:#?}");
    assert!(said[1].contains("can be written again; 0 lines were lost meanwhile"), "{said:#?}");
}

#[test]
fn a_folder_that_is_deleted_is_said_once_and_so_is_its_return() {
    vanishing_folder(
        |folder| std::fs::remove_dir_all(folder).unwrap(),
        |folder| std::fs::create_dir(folder).unwrap(),
    );
}

#[test]
fn a_folder_that_is_moved_away_gets_nothing_more_and_is_said_once() {
    vanishing_folder(
        |folder| std::fs::rename(folder, folder.with_file_name("gone")).unwrap(),
        |folder| std::fs::create_dir(folder).unwrap(),
    );
}

#[test]
fn a_disk_that_is_full_every_other_moment_is_one_fault() {
    let mut backlog = backlog::Backlog::new("eve.json".into());
    let said = said(|| {
        for n in 0..100 {
            backlog.turn(seconds(n));
            backlog.push(b"x");
            match n % 2 {
                0 => backlog.fails(&"no space"),
                _ => {
                    backlog.pour(|bytes| Ok(bytes.len())).unwrap();
                    backlog.works();
                }
            }
        }
        backlog.turn(seconds(99 + SETTLED.as_secs()));
        backlog.turn(seconds(200));
    });
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].contains("cannot write eve.json: no space") && said[1].contains("written again"),
        "{said:#?}"
    );
}

#[test]
fn what_was_lost_is_told_with_the_mending_for_each_fault_apart() {
    let mut backlog = backlog::Backlog::new("eve.json".into());
    let line = vec![b'x'; MOST_WAITING / 4];
    let said = said(|| {
        for (fault, lines) in [(0, 6), (1, 5)] {
            backlog.turn(seconds(100 * fault));
            backlog.fails(&"no space");
            (0..lines).for_each(|_| backlog.push(&line));
            backlog.pour(|bytes| Ok(bytes.len())).unwrap();
            backlog.works();
            backlog.turn(seconds(100 * fault + 50));
        }
    });
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said[1].contains("3 lines were lost meanwhile, 3 so far"), "{said:#?}");
    assert!(said[3].contains("2 lines were lost meanwhile, 5 so far"), "{said:#?}");
}
