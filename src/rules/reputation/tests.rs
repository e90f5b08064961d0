use super::attach::{Files, attach};
use super::scores::of_v4;
use super::*;
use crate::rules::lists::Lists;
use crate::rules::ruleset::Check;
use crate::rules::{Classifications, Loading, References, SourceFile, Vars, load_listed};
use std::io;
use std::path::Path;

fn loaded(tests: &[&str], files: &[(&str, &str)], named: &Files) -> Loading {
    let rule =
        |(n, test): (usize, &&str)| format!("alert ip any any -> any any (iprep:{test}; sid:{};)\n", n + 1);
    let rules: String = tests.iter().enumerate().map(rule).collect();
    let sources = [SourceFile::new("/etc/weir/a.rules", rules)];
    let (vars, classes, references) = (Vars::default(), Classifications::default(), References::default());
    let mut loading = load_listed(&sources, &vars, &classes, &references, Lists::default());
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    attach(&mut loading, named, |path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    loading
}

fn named() -> Files {
    Files { categories: Some("/c".into()), lists: vec!["/l".into()] }
}

const FILES: &[(&str, &str)] = &[("/c", "1,CnC,bad\n2,Spam,\n"), ("/l", "10.0.0.1,1,50\n10.0.0.2,1,20\n")];

#[test]
fn a_test_looks_at_the_side_it_names() {
    let (worst, bad, unknown) = (of_v4(0x0a00_0001), of_v4(0x0a00_0002), of_v4(0x0a00_0003));
    for (test, source, destination, holds) in [
        ("src,CnC,>,30", worst, unknown, true),
        ("src,CnC,>,30", bad, worst, false),
        ("dst,CnC,>=,20", unknown, bad, true),
        ("any,CnC,<,30", worst, bad, true),
        ("any,CnC,<,30", worst, unknown, false),
        ("both,CnC,>,10", worst, bad, true),
        ("both,CnC,>,10", worst, unknown, false),
        ("src,CnC,isset", bad, unknown, true),
        ("src,CnC,isnotset", bad, unknown, false),
        ("dst,CnC,isnotset", bad, unknown, true),
        ("src,Spam,>=,0", worst, bad, false),
    ] {
        let loading = loaded(&[test], FILES, &named());
        let Check::Reputation(test_) = &loading.rules.rules[0].checks[0] else { panic!("{test}") };
        assert_eq!(test_.holds(source, destination), holds, "{test}");
        assert_eq!(loading.rules.waiting(), [], "{test}");
    }
}

#[test]
fn without_categories_rules_wait_and_with_bad_ones_they_are_refused() {
    let loading = loaded(&["src,CnC,>,30"], FILES, &Files::default());
    assert_eq!(loading.rules.waiting(), [("IP reputation", 1)]);
    let loading = loaded(&["src,CnS,>,30", "src,CnC,>,30"], FILES, &named());
    assert_eq!((loading.rules.rules.len(), loading.diagnostics.len()), (1, 1));
    let told = &loading.diagnostics[0];
    assert_eq!(told.message, "no category of reputation.categories is called `CnS`");
    let bad = [("/c", "1,CnC,bad\n"), ("/l", "\n10.0.0.1,7,50\n")];
    let loading = loaded(&["src,CnC,>,30"], &bad, &named());
    assert_eq!(loading.diagnostics[0].message, "/l, line 2: `7` is no number of the categories file");
    let loading = loaded(&["src,CnC,>,30"], &FILES[..1], &named());
    assert_eq!(loading.diagnostics[0].message, "cannot read /l: entity not found");
}

#[test]
fn what_is_wrong_is_said() {
    for (value, message) in [
        ("src,CnC", "expected `side, category, operator, score`"),
        ("source,CnC,>,1", "`source` is not known here"),
        ("src,CnC,~,1", "`~` is not known here"),
        ("src,CnC,>,128", "at most 127 fits here"),
        ("src,CnC,set", "`set` is not known here"),
        ("src,,>,1", "the category's name is missing"),
    ] {
        let fault = ReputationTest::parse(Text::new(value.as_bytes(), 0)).unwrap_err();
        assert_eq!(fault.message, message, "{value}");
    }
}
