use super::*;
use crate::rules::{Classifications, References, SourceFile, Vars, lists::Lists, load_listed};
use proptest::prelude::*;
use std::io;

const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

fn loaded(rules: &str, list: io::Result<&str>) -> (Loading, Vec<PathBuf>) {
    let files = [SourceFile::new("/etc/weir/a.rules", rules)];
    let (vars, classes, references) = (Vars::default(), Classifications::default(), References::default());
    let mut loading = load_listed(&files, &vars, &classes, &references, Lists::default());
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    let mut opened = Vec::new();
    let list = list.map(str::to_owned);
    attach(&mut loading, |path| {
        opened.push(path.to_owned());
        match &list {
            Ok(text) => Ok(text.clone().into_bytes()),
            Err(error) => Err(error.kind().into()),
        }
    });
    (loading, opened)
}

fn list_of(loading: &mut Loading, at: usize) -> SumList {
    lists(&mut loading.rules.rules[at]).next().unwrap().clone()
}

#[test]
fn a_list_is_found_beside_the_rules_and_read_once() {
    let rules = "alert http any any -> any any (filemd5:bad.txt; sid:1;)\n\
        alert http any any -> any any (filemd5:!bad.txt; sid:2;)\n\
        alert http any any -> any any (content:\"x\"; sid:3;)\n";
    let text = format!("# known\n{ABC}  abc\n\n{}\r\n", "0".repeat(32));
    let (mut loading, opened) = loaded(rules, Ok(&text));
    assert_eq!(opened, [PathBuf::from("/etc/weir/bad.txt")]);
    let (mut first, second) = (list_of(&mut loading, 0), list_of(&mut loading, 1));
    assert_eq!((first.negated, second.negated, first.len()), (false, true, 2));
    let abc = sum(ABC.as_bytes(), 16).unwrap();
    assert!(first.contains(&abc) && second.contains(&abc) && !first.contains(&[1; 16]));
    assert!(!first.contains(b""));
    first.sums = Arc::default();
    assert!(!first.contains(&abc));
}

#[test]
fn a_rule_whose_list_is_at_fault_is_refused_with_its_place() {
    let rules = "alert http any any -> any any (sid:1; content:\"x\";)\n\
        alert http any any -> any any (msg:\"m\"; filesha1:bad.txt; sid:2; rev:4;)\n";
    let cases: [(io::Result<&str>, &str); 4] = [
        (Err(io::ErrorKind::NotFound.into()), "cannot read /etc/weir/bad.txt: entity not found"),
        (Ok("\nnothing\n"), "line 2 of /etc/weir/bad.txt does not begin with 40 hexadecimal digits"),
        (Ok(ABC), "line 1 of /etc/weir/bad.txt does not begin with 40 hexadecimal digits"),
        (Ok(&"a".repeat(64)), "line 1 of /etc/weir/bad.txt does not begin with 40 hexadecimal digits"),
    ];
    for (list, message) in cases {
        let (loading, _) = loaded(rules, list);
        assert_eq!(loading.rules.rules.iter().map(|rule| rule.sid).collect::<Vec<_>>(), [1]);
        let [told] = &loading.diagnostics[..] else { panic!("{:?}", loading.diagnostics) };
        assert_eq!((told.line, told.column, told.sid), (2, 50, Some(2)));
        assert_eq!(told.message, message);
        let [off] = &loading.disabled[..] else { panic!("one") };
        assert_eq!((off.sid, off.rev, &*off.action, &*off.msg), (2, 4, "alert", "m"));
    }
}

#[test]
fn a_list_is_named() {
    for (rule, message) in [
        ("filemd5:\"\"", "expected the name of a file with a sum in each line"),
        ("filemd5:!", "expected the name of a file with a sum in each line"),
        ("filemd5", "`filemd5` needs a value"),
    ] {
        let text = format!("alert http any any -> any any ({rule}; sid:1;)");
        let files = [SourceFile::new("t", text)];
        let (set, faults) =
            crate::rules::load(&files, &Vars::default(), &Classifications::default(), &References::default());
        assert!(set.rules.is_empty(), "{rule}");
        assert_eq!(faults[0].message, message, "{rule}");
    }
}

proptest! {
    #[test]
    fn all_sums_of_a_list_and_no_others_are_found(
        sums in proptest::collection::vec(any::<[u8; 20]>(), 0..40),
        other in any::<[u8; 20]>(),
        noise in "[ \t][ -~]{0,8}",
    ) {
        let hex = |sum: &[u8]| sum.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let text: String = sums.iter().map(|sum| format!("{}{noise}\n", hex(sum))).collect();
        let read = read(text.as_bytes(), 20).unwrap();
        let list = SumList { file: "x".into(), negated: false, width: 20, sums: read };
        prop_assert!(sums.iter().all(|sum| list.contains(sum)));
        prop_assert_eq!(list.contains(&other), sums.contains(&other));
    }
}
