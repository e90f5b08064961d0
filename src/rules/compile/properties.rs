//! No bytes may stop the reader: whatever a file holds, every line is a rule or a fault.

use super::super::{Classifications, References, SourceFile, Vars, load};
use super::*;
use proptest::prelude::*;

const REAL: &[&str] = &[
    r#"alert tcp $HOME_NET any -> [1.2.3.4,!10.0.0.0/8] [80,1024:] (msg:"a\;b"; flow:established,to_server; content:"|00 01|ab"; offset:2; depth:9; content:!"x"; within:3; pcre:"/a(b|c)+\s/Ri"; byte_test:2,>,4,0,relative; sid:1; rev:2;)"#,
    r#"drop udp any 53 <> $EXTERNAL_NET !$HTTP_PORTS (byte_extract:1,0,n,string,dec; content:"q"; depth:n; threshold:type limit, track by_src, seconds 60, count 1; flowbits:isset,a|b; classtype:bad; sid:2;)"#,
    r#"alert ip any any -> any any (ip_proto:!17; ttl:<5; fragbits:+M; tos:x10; ipopts:rr; metadata:a b, c d; reference:url,x.y; tag:host,5,packets,src; sid:3;)"#,
    r#"pass tcp-pkt any any -> any any (tcp.hdr; content:"|02 04|"; offset:20; byte_jump:2,0,little,post_offset -1; isdataat:!1,relative; flags:S,12; dsize:1<>9; sid:4;)"#,
];

fn read(bytes: Vec<u8>) -> (RuleSet, Vec<Diagnostic>) {
    load(
        &[SourceFile::new("p", bytes)],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
    )
}

/// A place in a rule and what to do there.
fn mutation() -> impl Strategy<Value = (usize, u8, Vec<u8>)> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\\", "\"", ";", ":", ",", "|", "!", "[", "]", "(", ")", "$", "/", "-", "\n", "\\\n", "0", " "
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
    ];
    (0usize..400, 0u8..3, piece)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (set, diagnostics) = read(bytes);
        diagnostics.iter().for_each(|d| drop(d.to_string()));
        prop_assert!(set.rules.is_empty() || !diagnostics.is_empty() || set.rules.len() == 1);
    }

    #[test]
    fn a_spoilt_rule_is_loaded_or_told_of(which in 0..REAL.len(), changes in prop::collection::vec(mutation(), 1..4)) {
        let mut bytes = REAL[which].as_bytes().to_vec();
        for (at, how, piece) in changes {
            let at = at.min(bytes.len());
            let end = if how == 0 { at } else { (at + usize::from(how) * 3).min(bytes.len()) };
            bytes.splice(at..end, piece);
        }
        let comment = bytes.trim_ascii().is_empty() || bytes.trim_ascii_start().starts_with(b"#");
        let (set, diagnostics) = read(bytes);
        prop_assert!(comment || !set.rules.is_empty() || diagnostics.iter().any(Diagnostic::is_fault));
        for diagnostic in &diagnostics {
            prop_assert!(diagnostic.line >= 1 && diagnostic.column >= 1 && !diagnostic.to_string().is_empty());
        }
    }
}

#[test]
fn the_rules_that_are_spoilt_are_good_to_begin_with() {
    let (set, diagnostics) = read(REAL.join("\n").into_bytes());
    assert_eq!(diagnostics.iter().filter(|d| d.is_fault()).count(), 0, "{diagnostics:?}");
    assert_eq!(set.rules.len(), REAL.len());
}
