use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

fn revision(number: u32) -> Revision {
    Revision {
        number,
        time: 1_000_000 * u64::from(number),
        who: "root".into(),
        comment: "more \"workers\"\n".into(),
        state: State::Unconfirmed,
    }
}

fn store(keep: u32) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("revisions"), keep);
    (folder, store)
}

#[test]
fn a_revision_is_read_back_as_it_was_written() {
    let (_folder, store) = store(9);
    assert_eq!((store.list().unwrap(), store.newest().unwrap()), (Vec::new(), None));
    let text = "# mine\n[lcores]\nworkers = 2\n";
    store.prepare(&revision(1), text).unwrap().keep().unwrap();
    assert_eq!(store.read(1).unwrap(), (revision(1), text.to_owned()));
    assert_eq!(store.list().unwrap(), [revision(1)]);
    let whole = fs::read_to_string(store.path(1)).unwrap();
    let head = whole.lines().next().unwrap();
    assert!(head.starts_with("#weir-revision ") && head.contains("{\"number\":1,"), "{head}");
    assert!(whole.ends_with(text), "it is a configuration itself: {whole}");
    assert_eq!(fs::metadata(store.path(1)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_not_kept_leaves_nothing_behind() {
    let (_folder, store) = store(9);
    drop(store.prepare(&revision(1), "x = 1\n").unwrap());
    assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 0);
}

/// As `kill -9` leaves them: the numbers of these revisions do not come again.
#[test]
fn what_killed_processes_left_goes_with_the_next_write() {
    let (_folder, store) = store(9);
    file::make_folder(&store.folder).unwrap();
    let gone = u32::MAX;
    let half = |path: &std::path::Path| {
        fs::write(path, "half").unwrap();
        leftovers::age(path);
    };
    half(&store.folder.join(format!(".000007.toml.{gone}.new")));
    store.prepare(&revision(1), "").unwrap().keep().unwrap();
    assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 1);
    let place = store.folder.parent().unwrap().join("weir.toml");
    let beside = |name: &str| place.with_file_name(format!(".{name}.{gone}.new"));
    half(&beside("weir.toml"));
    half(&beside("other.toml"));
    Prepared::write(&place, b"new").unwrap().keep().unwrap();
    assert!(!beside("weir.toml").exists() && beside("other.toml").exists());
}

#[test]
fn the_oldest_go_and_other_files_stay() {
    let (_folder, store) = store(2);
    file::make_folder(&store.folder).unwrap();
    fs::write(store.folder.join("notes.txt"), "mine").unwrap();
    for number in 1..=4 {
        store.prepare(&revision(number), "").unwrap().keep().unwrap();
    }
    assert_eq!(store.numbers().unwrap(), [3, 4]);
    let any = |before| store.find(Some(before), |_, _| true).unwrap();
    assert_eq!((any(4), any(3)), (Some(3), None));
    assert!(store.folder.join("notes.txt").exists());
    let absent = store.read(1).unwrap_err().to_string();
    assert_eq!(absent, "there is no revision 1; there are 3 to 4");
}

#[test]
fn the_last_confirmed_one_stays_however_many_come_that_nobody_confirms() {
    let (_folder, store) = store(2);
    let put = |number, state| {
        store.prepare(&Revision { state, ..revision(number) }, "").unwrap().keep().unwrap();
    };
    put(1, State::Confirmed);
    put(2, State::Confirmed);
    (3..=6).for_each(|number| put(number, State::Unconfirmed));
    assert_eq!(store.numbers().unwrap(), [2, 5, 6]);
    put(7, State::WentBack);
    assert_eq!(store.numbers().unwrap(), [2, 6, 7]);
    put(8, State::Confirmed);
    assert_eq!(store.numbers().unwrap(), [7, 8], "there is a later one");
}

/// A byte changed, cut off, added, in another's place, or none of ours: never taken for what was committed.
#[test]
fn a_damaged_revision_is_named_and_passed_over_and_never_loaded() {
    let (_folder, store) = store(9);
    let text = "[lcores]\nworkers = 2\n";
    for number in [1, 2] {
        store.prepare(&revision(number), text).unwrap().keep().unwrap();
    }
    let whole = fs::read(store.path(2)).unwrap();
    let first = fs::read(store.path(1)).unwrap();
    let mut harmed: Vec<Vec<u8>> = (0..whole.len())
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    harmed.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    harmed.extend([[&whole[..], b"x = 1\n"].concat(), b"[lcores]\n".to_vec(), b"\xff\xfe".to_vec(), first]);
    for bytes in harmed {
        fs::write(store.path(2), &bytes).unwrap();
        let error = store.read(2).unwrap_err().to_string();
        assert!(error.contains("000002.toml is damaged and is not used"), "{error}");
        assert_eq!(store.find(None, |_, _| true).unwrap(), Some(1));
    }
    let list = store.list().unwrap();
    assert!(list[0].number == 2 && list[0].state == State::Damaged, "{list:?}");
    assert!(list[0].comment.contains("it tells of revision 1"), "{list:?}");
}

#[test]
fn a_revision_is_put_into_another_state_and_one_that_is_gone_is_no_fault() {
    let (_folder, store) = store(9);
    store.prepare(&revision(1), "a = 1\n").unwrap().keep().unwrap();
    store.restate(1, State::WentBack).unwrap().unwrap().keep().unwrap();
    let (after, text) = store.read(1).unwrap();
    assert_eq!((after, text.as_str()), (Revision { state: State::WentBack, ..revision(1) }, "a = 1\n"));
    assert!(store.restate(2, State::WentBack).unwrap().is_none());
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions_and_a_link_its_target() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("real.toml"), folder.path().join("weir.toml"));
    fs::write(&target, "old").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    Prepared::write(&link, b"new").unwrap().keep().unwrap();
    assert_eq!(fs::read_to_string(&link).unwrap(), "new");
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
}

#[test]
fn whether_a_file_can_be_replaced_is_tried_with_a_copy_of_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("weir.toml");
    fs::write(&place, "old").unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
    let now = || {
        let meta = fs::metadata(&place).unwrap();
        (fs::read_to_string(&place).unwrap(), meta.permissions().mode() & 0o777, meta.ino())
    };
    let before = now();
    let new = Prepared::write(&place, b"new").unwrap();
    new.try_place().unwrap();
    let tried = now();
    assert_eq!((tried.0.as_str(), tried.1), ("old", 0o640));
    assert_ne!(tried.2, before.2, "it was replaced");
    new.keep().unwrap();
    assert_eq!((now().0.as_str(), now().1), ("new", 0o640));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "").unwrap();
    let store = Store::new(folder.path().join("taken/revisions"), 9);
    let fault = store.prepare(&revision(1), "").unwrap_err().to_string();
    assert!(fault.contains("taken/revisions: ") && fault.contains("config.revisions"), "{fault}");
}

#[test]
fn a_link_where_the_new_file_is_prepared_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let (place, other) = (folder.path().join("weir.toml"), folder.path().join("other"));
    fs::write(&other, "mine").unwrap();
    let temporary = folder.path().join(format!(".weir.toml.{}.new", std::process::id()));
    std::os::unix::fs::symlink(&other, &temporary).unwrap();
    Prepared::write(&place, b"new").unwrap().keep().unwrap();
    let read = |path: &std::path::Path| fs::read_to_string(path).unwrap();
    assert_eq!((read(&other), read(&place)), ("mine".into(), "new".into()));
}

/// As in the package, where /etc/weir/weir.toml is root's and the service's group may write it.
#[test]
fn who_may_not_give_a_file_away_writes_it_all_the_same() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let place = folder.path().join("weir.toml");
    for (group, rights) in [(GROUP, 0o660), (0, 0o600)] {
        fs::write(&place, "old").unwrap();
        chown(&place, Some(0), Some(group)).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o660)).unwrap();
        let [user, group_of_user] = [USER, GROUP].map(|id| id.to_string());
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", &user, "--regid", &user, "--groups", &group_of_user, "--"]);
        command.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact", "--nocapture"]);
        command.arg("mgmt::revisions::tests::inner_writes_as_somebody").env(PLACE, &place);
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        let meta = fs::metadata(&place).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert_eq!((meta.uid(), meta.permissions().mode() & 0o777), (USER, rights));
        assert_eq!(meta.gid(), if rights == 0o660 { GROUP } else { USER });
        fs::remove_file(&place).unwrap();
    }
}

const PLACE: &str = "WEIR_TEST_PLACE";
/// Of nobody.
const USER: u32 = 61_234;
const GROUP: u32 = 61_235;

#[test]
#[ignore = "run by the test above, as another user"]
fn inner_writes_as_somebody() {
    let place = std::path::PathBuf::from(std::env::var_os(PLACE).unwrap());
    Prepared::write(&place, b"new").unwrap().keep().unwrap();
}
