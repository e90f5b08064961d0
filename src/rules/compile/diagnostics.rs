//! What a person sees of a fault.

use super::super::diagnostic::Severity;
use super::tests::load_text;

fn shown(rules: &str) -> String {
    let (_, diagnostics) = load_text(rules);
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_unknown_keyword_has_a_caret_and_the_nearest_name() {
    insta::assert_snapshot!(
        shown("# mine\n\nalert tcp any any -> any 80 (msg:\"x\"; contnet:\"abc\"; sid:5;)\n"),
        @r#"
    test.rules:3:39: error in sid 5: no keyword is called `contnet`
       |
     3 | alert tcp any any -> any 80 (msg:"x"; contnet:"abc"; sid:5;)
       |                                       ^^^^^^^
       = help: did you mean `content`?
    "#
    );
}

#[test]
fn a_header_fault_points_at_its_word() {
    insta::assert_snapshot!(
        shown(concat!(
            "alrt tcp any any -> any 80 (sid:1;)\n",
            "alert tpc any any -> any 80 (sid:2;)\n",
            "alert tsl any any -> any 443 (sid:3;)\n",
            "alert tcp $HOME_NTE any -> any 80 (sid:4;)\n",
            "alert tcp [10.0.0.1, 10.0.0.300] any -> any 80 (sid:5;)\n",
            "alert tcp any any <- any 80 (sid:6;)\n",
            "alert tcp any any -> any (sid:7;)\n",
            "alert tcp any any -> any 80 (msg:\"x\"; sid:8)\n",
            "alert tcp any any -> any 80 (msg:\"x\";)\n",
            "accept:hook tcp any any -> any 80 (sid:10;)\n",
        )),
        @r#"
    test.rules:1:1: error in sid 1: `alrt` is no action
       |
     1 | alrt tcp any any -> any 80 (sid:1;)
       | ^^^^
       = help: did you mean `alert`?
    test.rules:2:7: error in sid 2: `tpc` is no protocol
       |
     2 | alert tpc any any -> any 80 (sid:2;)
       |       ^^^
       = help: did you mean `tcp`?
    test.rules:3:7: error in sid 3: `tsl` is no protocol
       |
     3 | alert tsl any any -> any 443 (sid:3;)
       |       ^^^
       = help: did you mean `tls`?
    test.rules:4:11: error in sid 4: the address variable `$HOME_NTE` is not defined
       |
     4 | alert tcp $HOME_NTE any -> any 80 (sid:4;)
       |           ^^^^^^^^^
       = help: did you mean `$HOME_NET`?
    test.rules:5:22: error in sid 5: `10.0.0.300` is not an IP address
       |
     5 | alert tcp [10.0.0.1, 10.0.0.300] any -> any 80 (sid:5;)
       |                      ^^^^^^^^^^
       = help: write an address, a network (10.0.0.0/8), a range (a-b), `any`, `$NAME` or a [list]
    test.rules:6:19: error in sid 6: a rule is read from left to right
       |
     6 | alert tcp any any <- any 80 (sid:6;)
       |                   ^^
       = help: swap the two sides and write `->`
    test.rules:7:26: error: expected a destination port here
       |
     7 | alert tcp any any -> any (sid:7;)
       |                          ^
       = help: a rule is: action protocol address port direction address port (options)
    test.rules:8:39: error: this option does not end in `;`
       |
     8 | alert tcp any any -> any 80 (msg:"x"; sid:8)
       |                                       ^^^
    test.rules:9:1: error: the rule has no `sid`
       |
     9 | alert tcp any any -> any 80 (msg:"x";)
       | ^^^^^
       = help: add its number: `sid:1000001;`
    test.rules:10:1: error in sid 10: `accept` is of firewall rules, which Weir has in another form
        |
     10 | accept:hook tcp any any -> any 80 (sid:10;)
        | ^^^^^^^^^^^
        = help: the filters of an interface, or `pass` for what rules would drop
    "#
    );
}

#[test]
fn a_fault_in_a_joined_line_is_told_where_it_stands_in_the_file() {
    insta::assert_snapshot!(
        shown("alert tcp any any -> any 80 ( \\\r\n  msg:\"x\"; \\\r\n  content:\"a|4|\"; \\\r\n  sid:9;)\r\n"),
        @r#"
    test.rules:3:14: error in sid 9: a byte has two hexadecimal digits
       |
     3 |   content:"a|4|"; \
       |              ^
       = help: `content`: bytes to find: text, and hexadecimal between bars
    "#
    );
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let filler = "10.0.0.1,".repeat(60);
    insta::assert_snapshot!(
        shown(&format!("alert tcp [{filler}10.0.0.2] any -> any 80 (content:\"a\"; depht:3; reference:url,{filler}; sid:1;)")),
        @r#"
    test.rules:1:590: error in sid 1: no keyword is called `depht`
       |
     1 | ...0.1,10.0.0.1,10.0.0.1,10.0.0.2] any -> any 80 (content:"a"; depht:3; reference:url,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0...
       |                                                                ^^^^^
       = help: did you mean `depth`?
    "#
    );
}

#[test]
fn an_expression_is_pointed_into() {
    insta::assert_snapshot!(
        shown("alert tcp any any -> any any (pcre:\"/ab(c/\"; sid:1;)\nalert tcp any any -> any any (content:\"abcd\"; depth:3; sid:2;)"),
        @r#"
    test.rules:1:38: error in sid 1: missing closing parenthesis
       |
     1 | alert tcp any any -> any any (pcre:"/ab(c/"; sid:1;)
       |                                      ^^^^
    test.rules:2:39: error in sid 2: `depth` of 3 is smaller than this content of 4 bytes
       |
     2 | alert tcp any any -> any any (content:"abcd"; depth:3; sid:2;)
       |                                       ^^^^^^
    "#
    );
}

#[test]
fn programs_read_the_fields_they_are_promised() {
    let (_, diagnostics) = load_text("alert tcp any any -> any 80 (contnet:\"abc\"; sid:5;)\n");
    assert_eq!(diagnostics[0].severity, Severity::Fault);
    insta::assert_snapshot!(serde_json::to_string(&diagnostics[0]).unwrap(), @r#"{"file":"test.rules","line":1,"column":30,"sid":5,"keyword":"contnet","message":"no keyword is called `contnet`","help":"did you mean `content`?","severity":"fault"}"#);
}

#[test]
fn bytes_that_are_no_text_are_shown_and_counted_as_one_character() {
    let (_, diagnostics) = {
        use super::super::{Classifications, References, SourceFile, Vars, load};
        let file =
            SourceFile::new("b", b"alert tcp any any -> any 80 (msg:\"\xff\xfe\"; foo; sid:1;)".to_vec());
        load(&[file], &Vars::default(), &Classifications::default(), &References::default())
    };
    assert_eq!((diagnostics[0].line, diagnostics[0].column), (1, 40));
}
