use super::*;
use crate::mgmt::Profile;
use std::fs;

const RULE: &str = "alert tcp any any -> any any (msg:\"one\"; content:\"a\"; sid:1;)\n";

struct Place {
    dir: tempfile::TempDir,
    config: Config,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::defaults(Profile::Inline);
        config.rules.files = vec!["*.rules".into()];
        config.rules.cache = "state/rules".into();
        let place = Place { dir, config };
        place.write("a.rules", RULE);
        place
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("state/rules").join(FILE)
    }

    fn load(&self, selection: &Selection) -> Loaded {
        load(&self.config, self.dir.path(), selection, Keep::Yes).unwrap()
    }

    /// Loads by default; what is said, and how many rules there are.
    fn said(&self) -> (String, usize) {
        let loaded = self.load(&Selection::default());
        let notes: Vec<&str> = loaded.notes.iter().map(|note| note.text.as_str()).collect();
        (notes.join("\n"), loaded.rules.rules.len())
    }
}

#[test]
fn a_set_is_written_once_and_used_until_something_that_went_in_changes() {
    let mut place = Place::new();
    assert_eq!(place.said(), (String::new(), 1));
    let written = || fs::metadata(place.cache()).unwrap().modified().unwrap();
    let first = written();
    assert_eq!((place.said(), written()), ((String::new(), 1), first));
    let stale = |said: (String, usize), rules| {
        assert!(said.0.contains("is not used: it is of other rule files"), "{}", said.0);
        assert_eq!(said.1, rules);
    };
    place.write("a.rules", format!("{RULE}alert udp any any -> any any (sid:2;)\n"));
    stale(place.said(), 2);
    place.write("b.rules", "alert udp any any -> any any (sid:3;)\n");
    stale(place.said(), 3);
    place.config.vars.address.insert("HOME_NET".into(), "10.1.0.0/16".into());
    stale(place.said(), 3);
    place.write("off", "3\n");
    place.config.rules.disable = vec!["off".into()];
    stale(place.said(), 2);
    place.write("off", "2\n");
    stale(place.said(), 2);
    assert_eq!(place.said(), (String::new(), 2));
    let others = fs::read_dir(place.cache().parent().unwrap()).unwrap().count();
    assert_eq!(others, 1, "nothing is left beside it");
}

#[test]
fn what_cannot_be_read_is_named_and_the_text_compiled() {
    let place = Place::new();
    place.said();
    let whole = fs::read(place.cache()).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cases: [(&[u8], &str); 4] = [
        (&whole[..whole.len() - 9], "is not used: it is cut"),
        (&flipped, "is not used: it is damaged: its checksum is wrong"),
        (RULE.as_bytes(), "is not used: it is no saved rule set"),
        (b"", "is not used: it is no saved rule set"),
    ];
    for (bytes, why) in cases {
        fs::write(place.cache(), bytes).unwrap();
        let (said, rules) = place.said();
        assert!(said.contains(why) && said.contains(FILE) && rules == 1, "{said}");
        assert_eq!(fs::read(place.cache()).unwrap(), whole, "and written anew");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_and_costs_nothing_else() {
    let place = Place::new();
    place.write("state", "a file");
    let (said, rules) = place.said();
    assert!(
        said.starts_with("cannot write the compiled rules to ") && said.contains("correct rules.cache"),
        "{said}"
    );
    assert_eq!(rules, 1);
}

#[test]
fn a_set_alone_needs_no_rule_files_and_takes_no_lists() {
    let mut place = Place::new();
    let file = place.dir.path().join("x.set");
    compile(&place.config, place.dir.path(), &Selection::default(), &file).unwrap();
    place.config.rules.files.clear();
    let mut selection = Selection { saved: Some(file.clone()), ..Selection::default() };
    assert_eq!(place.load(&selection).rules.rules.len(), 1);
    selection.threshold = vec![file.clone()];
    let fault = load(&place.config, place.dir.path(), &selection, Keep::Yes).unwrap_err().to_string();
    assert!(fault.contains("give them to `weir rules compile`"), "{fault}");
    selection.threshold.clear();
    fs::write(&file, "x").unwrap();
    let fault = load(&place.config, place.dir.path(), &selection, Keep::Yes).unwrap_err().to_string();
    assert!(fault.contains("x.set cannot be used: it is no saved rule set"), "{fault}");
}

#[test]
fn a_compiled_set_never_takes_the_place_of_its_own_rules() {
    let place = Place::new();
    let rules = place.dir.path().join("a.rules");
    let fault = compile(&place.config, place.dir.path(), &Selection::default(), &rules).unwrap_err();
    assert!(
        fault
            .to_string()
            .ends_with("a.rules is a file, but no compiled rule set, which would be lost: name another file")
    );
    assert_eq!(fs::read_to_string(&rules).unwrap(), RULE);
}

#[test]
fn a_compiled_set_given_as_text_is_told_apart() {
    let place = Place::new();
    let set = place.dir.path().join("x.set");
    compile(&place.config, place.dir.path(), &Selection::default(), &set).unwrap();
    let selection = Selection { only: vec![set], ..Selection::default() };
    let fault = load(&place.config, place.dir.path(), &selection, Keep::No).unwrap_err().to_string();
    assert!(
        fault.ends_with("x.set is a compiled rule set, and text is wanted here: name it with --load"),
        "{fault}"
    );
}

#[test]
fn a_cache_that_others_may_write_to_is_named_and_written_anew() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.said();
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o666)).unwrap();
    let (said, rules) = place.said();
    assert!(said.contains("is not used: others may write to it (mode 666)") && rules == 1, "{said}");
    assert_eq!(place.said(), (String::new(), 1));
}

#[test]
fn a_set_brings_the_windows_of_its_matchers_and_the_text_that_was_saved_too() {
    let place = Place::new();
    let rules: String = (0..20)
        .map(|n| format!("alert udp any any -> any any (content:\"word{n:02}\"; sid:{n}1;)\n"))
        .collect();
    place.write("a.rules", rules);
    let first = place.load(&Selection::default()).rules.windows;
    assert!(first.iter().next().is_some());
    assert_eq!(place.load(&Selection::default()).rules.windows, first);
}
