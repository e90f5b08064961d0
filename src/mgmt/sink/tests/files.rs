//! Files that are moved, deleted, full, and set aside.

use super::*;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn plain(path: &Path) -> FileSink {
    FileSink::create(path, Rotation::default()).unwrap()
}

/// Names and texts of the files set aside, the oldest first, and then of the file itself.
fn all(path: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let own = path.file_name().unwrap().to_str().unwrap();
    names.sort_by_key(|name| (name == own, name.clone()));
    names.into_iter().map(|name| (name.clone(), read(&path.with_file_name(name)))).collect()
}

#[test]
fn lines_wait_until_the_flush_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    let mut sink = plain(&path);
    put(&mut sink, "{1}");
    assert_eq!((read(&path).as_str(), sink.counts().exported), ("", 0));
    sink.flush();
    assert_eq!((read(&path).as_str(), sink.counts().exported), ("{1}\n", 1));
}

#[test]
fn a_file_that_is_moved_away_is_finished_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("eve.json"), dir.path().join("eve.json.1"));
    let mut sink = plain(&path);
    put(&mut sink, "{1}");
    std::fs::rename(&path, &old).unwrap();
    sink.reopen();
    put(&mut sink, "{2}");
    assert_eq!(sink.finish(), counts(2, 2, 0));
    assert_eq!((read(&old).as_str(), read(&path).as_str()), ("{1}\n", "{2}\n"));
}

#[test]
fn nothing_more_goes_into_a_file_that_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    let mut sink = plain(&path);
    put(&mut sink, "{1}");
    std::fs::remove_file(&path).unwrap();
    put(&mut sink, "{2}");
    sink.flush();
    put(&mut sink, "{3}");
    assert_eq!(sink.finish(), counts(3, 3, 0));
    assert_eq!(read(&path), "{1}\n{2}\n{3}\n");
}

#[test]
fn a_folder_that_vanishes_costs_nothing_once_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("eve.json");
    let mut sink = plain(&path);
    std::fs::remove_dir_all(&folder).unwrap();
    put(&mut sink, "{1}");
    sink.flush();
    assert_eq!(sink.counts(), counts(1, 0, 0));
    std::fs::create_dir(&folder).unwrap();
    sink.flush();
    assert_eq!((sink.counts(), read(&path).as_str()), (counts(1, 1, 0), "{1}\n"));
}

#[test]
fn a_disk_without_any_room_costs_lines_which_are_counted_and_no_more() {
    // /dev/full takes nothing: every write says that the disk is full.
    let mut sink = plain(Path::new("/dev/full"));
    let line = "{".repeat(1000);
    let sent = 2 * MOST_WAITING as u64 / 1000;
    (0..sent).for_each(|_| put(&mut sink, &line));
    assert!(waiting(&sink) <= MOST_WAITING as u64 / 1000 && sink.counts().lost > 0);
    assert_eq!(sink.finish(), counts(sent, 0, sent));
}

#[test]
fn a_path_that_cannot_be_opened_is_an_error_at_the_start() {
    assert!(FileSink::create(Path::new("/nonexistent/eve.json"), Rotation::default()).is_err());
}

const NOON: u64 = 1_795_262_400;

#[test]
fn a_full_file_is_set_aside_between_two_lines_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    let mut sink = FileSink::create(&path, Rotation { size: 100, keep: 3, ..Rotation::default() }).unwrap();
    for n in 0..50u64 {
        sink.turn(Time::from_secs(NOON + n / 4));
        put(&mut sink, &format!("{{\"n\":{n:02},\"x\":\"{}\"}}", "y".repeat(20)));
        sink.flush();
    }
    assert_eq!(sink.finish(), counts(50, 50, 0));
    let files = all(&path);
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().all(|(_, text)| text.len() <= 100 && text.ends_with("\"}\n")), "{files:?}");
    assert!(files[0].0.starts_with("eve.json.20261121T1200"), "{files:?}");
    let text: String = files.into_iter().map(|(_, text)| text).collect();
    let numbers: Vec<u64> = text.lines().map(|l| l[5..7].parse().unwrap()).collect();
    assert_eq!(numbers, (50 - numbers.len() as u64..50).collect::<Vec<_>>());
}

#[test]
fn a_new_hour_begins_a_new_file_when_something_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    let rotation = Rotation { interval: Duration::from_secs(3600), ..Rotation::default() };
    let mut sink = FileSink::create(&path, rotation).unwrap();
    for (second, text) in [(0, "a"), (3599, "b"), (3600, ""), (7205, "c"), (7206, "d")] {
        sink.turn(Time::from_secs(NOON + second));
        if !text.is_empty() {
            put(&mut sink, text);
        }
        sink.flush();
    }
    let expected = [("eve.json.20261121T140005Z", "a\nb\n"), ("eve.json", "c\nd\n")];
    assert_eq!(all(&path), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn a_file_of_an_earlier_run_counts_where_it_was_last_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    std::fs::write(&path, "old\n").unwrap();
    let before = std::time::UNIX_EPOCH + Duration::from_secs(NOON - 1);
    std::fs::File::options().append(true).open(&path).unwrap().set_modified(before).unwrap();
    let rotation = Rotation { interval: Duration::from_secs(3600), ..Rotation::default() };
    let mut sink = FileSink::create(&path, rotation).unwrap();
    sink.turn(Time::from_secs(NOON));
    put(&mut sink, "new");
    sink.flush();
    let texts: Vec<_> = all(&path).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["old\n", "new\n"]);
}

fn pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_in_the_files_place_that_nobody_reads_is_a_fault_and_blocks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    let mut sink = plain(&path);
    std::fs::remove_file(&path).unwrap();
    pipe(&path);
    put(&mut sink, "{1}");
    sink.flush();
    assert_eq!(sink.counts(), counts(1, 0, 0));
    assert!(FileSink::create(&path, Rotation::default()).unwrap_err().to_string().contains("nobody reads"));
    std::fs::remove_file(&path).unwrap();
    sink.flush();
    assert_eq!((sink.counts(), read(&path).as_str()), (counts(1, 1, 0), "{1}\n"));
}

#[test]
fn a_reader_of_a_pipe_that_stops_costs_lines_which_are_counted_and_one_that_comes_back_gets_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    pipe(&path);
    let reader = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut first = reader();
    let rotation = Rotation { size: 1000, ..Rotation::default() };
    let mut sink = FileSink::create(&path, rotation).unwrap();
    sink.turn(Time::from_secs(NOON));
    let line = "x".repeat(999);
    (0..200).for_each(|_| put(&mut sink, &line));
    sink.flush();
    let taken = sink.counts().exported;
    assert!(taken > 0 && taken < 200 && waiting(&sink) == 200 - taken, "{taken}");
    let mut bytes = vec![0; 40_000];
    std::io::Read::read_exact(&mut first, &mut bytes).unwrap();
    sink.flush();
    assert!(sink.counts().exported >= taken + 36, "{:?}", sink.counts());
    assert_eq!(all_names(dir.path()), ["eve.json"], "a pipe is not set aside");
}

fn all_names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_device_is_not_set_aside_however_much_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("eve.json");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    let rotation = Rotation { size: 10, interval: Duration::from_secs(1), keep: 1 };
    let mut sink = FileSink::create(&path, rotation).unwrap();
    for second in 0..5 {
        sink.turn(Time::from_secs(NOON + second));
        put(&mut sink, "{\"many\": \"bytes\"}");
        sink.flush();
    }
    assert_eq!(sink.finish(), counts(5, 5, 0));
    assert_eq!(all_names(dir.path()), ["eve.json"]);
}
