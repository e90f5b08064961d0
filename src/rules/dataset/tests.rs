//! Sets over whole rule files: what names mean, what is refused, what a reload keeps.

use super::attach::attach;
use super::*;
use crate::rules::lists::Lists;
use crate::rules::ruleset::Step;
use crate::rules::{Classifications, Loading, References, SourceFile, Vars, load_listed};
use std::io;
use std::path::Path;

fn loaded(rules: &str, files: &[(&str, &str)], settings: &Settings, kept: &[Arc<Set>]) -> Loading {
    let sources = [SourceFile::new("/etc/weir/a.rules", rules)];
    let (vars, classes, references) = (Vars::default(), Classifications::default(), References::default());
    let mut loading = load_listed(&sources, &vars, &classes, &references, Lists::default());
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    attach(&mut loading, settings, kept, |path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    loading
}

fn rule(sid: u32, keyword: &str) -> String {
    format!("alert dns any any -> any any (dns.query; {keyword}; sid:{sid};)\n")
}

fn set_of(loading: &Loading, sid: u32) -> Arc<Set> {
    let rule = loading.rules.rules.iter().find(|rule| rule.sid == sid).unwrap();
    let used = rule.buffers.iter().flat_map(|b| &b.steps).find_map(|step| match step {
        Step::Dataset(used) => used.set.clone(),
        _ => None,
    });
    used.unwrap()
}

#[test]
fn rules_of_one_name_share_a_set_wherever_its_type_is_said() {
    let rules = rule(1, "dataset:isnotset,seen")
        + &rule(2, "dataset:set,seen,type string,memcap 64kb")
        + &rule(3, "dataset:isset,bad,type string,load lists/bad.lst")
        + &rule(4, "datarep:bad,>,5");
    let files = [("/etc/weir/lists/bad.lst", "YQ==,7\nYg==\n")];
    let loading = loaded(&rules, &files, &Settings::default(), &[]);
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    let (seen, bad) = (set_of(&loading, 1), set_of(&loading, 3));
    assert!(Arc::ptr_eq(&seen, &set_of(&loading, 2)) && Arc::ptr_eq(&bad, &set_of(&loading, 4)));
    assert!(seen.changes() && !bad.changes() && seen.is_empty());
    assert_eq!((bad.reputation(b"a"), bad.reputation(b"b"), bad.reputation(b"c")), (Some(7), Some(0), None));
    assert_eq!(loading.rules.datasets.len(), 2);
}

#[test]
fn a_list_of_json_is_read_with_what_goes_with_its_values() {
    let json = "load t.json,format json,array_key a.b,value_key host";
    let rules = rule(1, &format!("dataset:isset,bad,type string,{json},context_key threat"))
        + &rule(2, "dataset:isnotset,bad")
        + &rule(3, "dataset:isset,bad,type string,load t.json,format json,value_key host")
        + &rule(4, "dataset:set,bad");
    let files = [("/etc/weir/t.json", r#"{"a": {"b": [{"host": "x.org", "by": 1}]}}"#)];
    let first_three = rules.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    let loading = loaded(&first_three, &files, &Settings::default(), &[]);
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    let set = set_of(&loading, 2);
    assert_eq!((set.has_records(), set.reputation(b"x.org")), (true, Some(1)));
    assert_eq!(set.record_text(1), Some(r#"{"by":1,"host":"x.org"}"#));
    assert_eq!((set.record_text(0), set.record_text(2)), (None, None));
    let loading = loaded(&rules, &files, &Settings::default(), &[]);
    let told: Vec<_> = loading.diagnostics.iter().map(|d| (d.sid, d.message.as_str())).collect();
    assert!(told.contains(&(Some(3), "the format of `bad` is another, as sid 1 says")), "{told:?}");
    assert!(told.iter().any(|(sid, why)| *sid == Some(4) && why.contains("a list of JSON")), "{told:?}");
}

#[test]
fn a_rule_whose_set_is_not_as_it_needs_it_is_refused_and_told_why() {
    let table = [
        ("dataset:isset,a", "no rule and no [[dataset]] says of which type `a` is"),
        ("dataset:isset,a,type string,load gone.lst", "cannot read /etc/weir/gone.lst: entity not found"),
        (
            "dataset:isset,a,type md5,load bad.lst",
            "/etc/weir/bad.lst, line 2: `x` is not 32 hexadecimal digits",
        ),
        ("dataset:isset,known,type md5", "the type of `known` is string, as sid 99 says"),
        ("dataset:isset,known,load bad.lst", "the file of `known` is /etc/weir/known.lst, as sid 99 says"),
        (
            "dataset:set,a,type string,state ../a",
            "a rule's file is written below datasets.folder: no absolute name, and no `..`",
        ),
        (
            "dataset:set,a,type string,save /a",
            "a rule's file is written below datasets.folder: no absolute name, and no `..`",
        ),
        (
            "dataset:isset,a,type string,load many.lst,memcap 100",
            "the 9 values of set `a` need 480 bytes, and its memcap is 100: give it more",
        ),
    ];
    let files = [
        ("/etc/weir/bad.lst", "\nx\n"),
        ("/etc/weir/known.lst", "YQ==\n"),
        ("/etc/weir/many.lst", "YQ==\nYg==\nYw==\nZA==\nZQ==\nZg==\nZw==\naA==\naQ==\n"),
    ];
    for (keyword, why) in table {
        let rules = rule(99, "dataset:isset,known,type string,load known.lst") + &rule(100, keyword);
        let loading = loaded(&rules, &files, &Settings::default(), &[]);
        let told: Vec<_> = loading.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!((told, loading.rules.rules.len(), loading.disabled.len()), (vec![why], 1, 1), "{keyword}");
        assert_eq!((loading.diagnostics[0].line, loading.rules.rules[0].sid), (2, 99), "{keyword}");
        let head = "alert dns any any -> any any (dns.query; ".len() as u32;
        assert!(loading.diagnostics[0].column > head, "{keyword}: points at what the keyword says");
    }
    let strict = Settings { allow_write: false, ..Settings::default() };
    let loading = loaded(&rule(1, "dataset:set,a,type string,save a"), &[], &strict, &[]);
    assert_eq!(loading.diagnostics[0].message, "rules may not have files written here");
    let free = Settings { allow_absolute: true, ..Settings::default() };
    let loading = loaded(&rule(1, "dataset:set,a,type string,save /a"), &[], &free, &[]);
    assert_eq!(set_of(&loading, 1).file(), Some(Path::new("/a")));
}

#[test]
fn a_state_need_not_be_there_yet_and_a_reload_goes_on_with_it() {
    let settings = Settings { memcap: 1 << 16, ..Settings::default() };
    let rules = rule(1, "dataset:set,seen,type string,state seen.lst")
        + &rule(2, "dataset:isset,bad,type string,load bad.lst");
    let files = |text| [("/etc/weir/bad.lst", text)];
    let first = loaded(&rules, &files("YQ=="), &settings, &[]);
    assert!(first.diagnostics.is_empty(), "{:?}", first.diagnostics);
    let seen = set_of(&first, 1);
    assert_eq!(seen.file(), Some(Path::new("/var/lib/weir/datasets/seen.lst")));
    assert!(seen.add(b"www") == Added::New && seen.take_changed() && !seen.take_changed());
    let second = loaded(&rules, &files("Yg=="), &settings, &first.rules.datasets);
    assert!(Arc::ptr_eq(&seen, &set_of(&second, 1)), "it goes on");
    let bad = set_of(&second, 2);
    assert!(bad.contains(b"b") && !bad.contains(b"a"), "it is read again");
    let third = loaded(
        &rule(2, "dataset:isset,bad,type string,load bad.lst"),
        &files(""),
        &settings,
        &second.rules.datasets,
    );
    assert!(
        third.rules.datasets.iter().any(|set| Arc::ptr_eq(set, &seen)),
        "nobody names it, and it is kept"
    );
}

#[test]
fn the_configuration_names_sets_too() {
    let named = Named {
        name: "ua".into(),
        kind: Kind::Text,
        load: Some("/lists/ua".into()),
        save: None,
        state: None,
        memcap: Some(1 << 16),
        hashsize: Some(100),
    };
    let settings = Settings { named: vec![named], ..Settings::default() };
    let loading = loaded(&rule(1, "dataset:isset,ua"), &[("/lists/ua", "YQ==")], &settings, &[]);
    assert!(set_of(&loading, 1).contains(b"a") && set_of(&loading, 1).changes());
    let loading = loaded(&rule(1, "dataset:isset,ua,type md5"), &[("/lists/ua", "YQ==")], &settings, &[]);
    assert_eq!(loading.diagnostics[0].message, "the type of `ua` is string, as the configuration says");
}
