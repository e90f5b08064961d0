use super::attach::attach;
use super::*;
use crate::base::Addr;
use crate::rules::lists::Lists;
use crate::rules::reputation::scores::of_v4;
use crate::rules::ruleset::Check;
use crate::rules::{Classifications, Loading, References, SourceFile, Vars, load_listed};
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// A writer of the format (maxmind.github.io/MaxMind-DB): a tree of both families with records of 24 bits, and a record
/// a network. `None` writes a record without a country.
fn database(networks: &[(&str, u8, Option<&str>)]) -> Vec<u8> {
    /// What a side of a node leads to.
    #[derive(Copy, Clone)]
    enum Side {
        Nothing,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[Side::Nothing; 2]];
    let mut data = Vec::new();
    for (address, length, country) in networks {
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
            IpAddr::V6(v6) => (u128::from(v6), *length),
        };
        let place = data.len();
        match country {
            Some(code) => {
                data.extend(map(&[("country", map(&[("iso_code", text(code))])), ("other", text("x"))]));
            }
            None => data.extend(map(&[("continent", text("EU"))])),
        }
        let mut at = 0;
        for bit in 0..length {
            let side = usize::from(bits >> (127 - bit) & 1 == 1);
            if bit + 1 == length {
                nodes[at][side] = Side::Data(place);
            } else if let Side::Node(next) = nodes[at][side] {
                at = next;
            } else {
                nodes.push([Side::Nothing; 2]);
                nodes[at][side] = Side::Node(nodes.len() - 1);
                at = nodes.len() - 1;
            }
        }
    }
    let count = nodes.len();
    let record = |side: Side| match side {
        Side::Nothing => count,
        Side::Node(next) => next,
        Side::Data(place) => count + 16 + place,
    };
    let tree = nodes.iter().flatten().flat_map(|side| (record(*side) as u32).to_be_bytes()[1..].to_vec());
    let metadata = map(&[
        ("binary_format_major_version", number(2)),
        ("binary_format_minor_version", number(0)),
        ("build_epoch", vec![0x01, 0x02, 1]),
        ("database_type", text("Test-Country")),
        ("description", map(&[("en", text("made by a test"))])),
        ("ip_version", number(6)),
        ("languages", vec![0x00, 0x04]),
        ("node_count", [vec![0xc4], (count as u32).to_be_bytes().to_vec()].concat()),
        ("record_size", number(24)),
    ]);
    tree.chain([0; 16]).chain(data).chain(*b"\xab\xcd\xefMaxMind.com").chain(metadata).collect()
}

fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29);
    [&[0x40 | text.len() as u8], text.as_bytes()].concat()
}

fn number(number: u8) -> Vec<u8> {
    vec![0xa1, number]
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, Vec<u8>)| [text(key), value.clone()].concat();
    [vec![0xe0 | entries.len() as u8], entries.iter().flat_map(entry).collect()].concat()
}

const NETWORKS: &[(&str, u8, Option<&str>)] = &[
    ("10.0.0.0", 8, Some("DE")),
    ("11.0.0.0", 8, Some("DE")),
    ("192.168.2.0", 24, Some("RU")),
    ("192.168.3.0", 32, None),
    ("192.168.3.1", 32, Some("CN")),
    ("2001:db8::", 32, Some("FR")),
];

fn country(letters: &str) -> Option<Country> {
    Country::new(letters.as_bytes())
}

/// The file that tests of the command use.
#[test]
fn the_database_of_the_tests_is_this_writers() {
    assert!(database(NETWORKS) == include_bytes!("../../../tests/data/countries.mmdb"));
}

#[test]
fn every_network_has_its_country_and_what_lies_between_has_none() {
    let known = Countries::read(database(NETWORKS)).unwrap();
    let of = |address: &str| match address.parse().unwrap() {
        IpAddr::V4(v4) => known.of_address(of_v4(v4.into())),
        IpAddr::V6(v6) => known.of_address(v6.into()),
    };
    for (address, code) in [
        ("9.255.255.255", ""),
        ("10.0.0.0", "DE"),
        ("11.255.255.255", "DE"),
        ("12.0.0.0", ""),
        ("192.168.2.255", "RU"),
        ("192.168.3.0", ""),
        ("192.168.3.1", "CN"),
        ("192.168.3.2", ""),
        ("2001:db8::1", "FR"),
        ("2001:db9::", ""),
        ("::a00:0", ""),
    ] {
        assert_eq!(of(address), country(code), "{address}");
    }
    assert_eq!(Countries::default().of_address(0), None);
}

#[test]
fn a_database_that_is_cut_or_changed_is_refused_or_read_and_never_more() {
    let whole = database(NETWORKS);
    for length in 0..whole.len() {
        let _read = Countries::read(whole[..length].to_vec());
    }
    for at in 0..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut other = whole.clone();
            other[at] = value;
            let _read = Countries::read(other);
        }
    }
}

fn loaded(tests: &[&str], named: Option<&str>, file: Option<Vec<u8>>) -> Loading {
    let rule =
        |(n, test): (usize, &&str)| format!("alert ip any any -> any any (geoip:{test}; sid:{};)\n", n + 1);
    let rules: String = tests.iter().enumerate().map(rule).collect();
    let sources = [SourceFile::new("/etc/weir/a.rules", rules)];
    let (vars, classes, references) = (Vars::default(), Classifications::default(), References::default());
    let mut loading = load_listed(&sources, &vars, &classes, &references, Lists::default());
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    attach(&mut loading, named.map(Path::new), |_| file.clone().ok_or(io::ErrorKind::NotFound.into()));
    loading
}

#[test]
fn a_test_looks_at_the_side_it_names() {
    const GERMAN: u32 = 0x0a00_0001;
    const RUSSIAN: u32 = 0xc0a8_0201;
    const UNKNOWN: u32 = 0xc0a8_0300;
    for (test, source, destination, holds) in [
        ("src,DE", GERMAN, UNKNOWN, true),
        ("src,de", GERMAN, UNKNOWN, true),
        ("src,DE", RUSSIAN, GERMAN, false),
        ("dst,CN,RU", GERMAN, RUSSIAN, true),
        ("dest,CN,RU", RUSSIAN, GERMAN, false),
        ("any,RU", GERMAN, RUSSIAN, true),
        ("any,RU", GERMAN, UNKNOWN, false),
        ("both,RU,DE", GERMAN, RUSSIAN, true),
        ("both,RU", GERMAN, RUSSIAN, false),
        ("src,!RU", GERMAN, RUSSIAN, true),
        ("src,!RU,!DE", GERMAN, RUSSIAN, false),
        ("src,!RU", UNKNOWN, RUSSIAN, false),
        ("any,!RU", UNKNOWN, RUSSIAN, false),
        ("any, !RU", GERMAN, RUSSIAN, true),
    ] {
        let loading = loaded(&[test], Some("/c.mmdb"), Some(database(NETWORKS)));
        let Check::Country(found) = &loading.rules.rules[0].checks[0] else { panic!("{test}") };
        let (src, dst) = (Addr(source.into()), Addr(destination.into()));
        let tuple = FlowTuple { src, dst, ..FlowTuple::default() };
        assert_eq!(found.holds(&tuple, Family::V4), holds, "{test}");
        assert_eq!(loading.rules.waiting(), [], "{test}");
    }
}

#[test]
fn without_countries_rules_are_refused_with_what_to_do() {
    let said = |named, file| {
        let mut loading = loaded(&["src,DE"], named, file);
        assert_eq!((loading.rules.rules.len(), loading.diagnostics.len()), (0, 1));
        let told = loading.diagnostics.remove(0);
        assert_eq!((told.line, told.column, told.help.is_some()), (1, 30, true), "{}", told.message);
        told.message
    };
    assert_eq!(said(None, None), "`geoip` needs a database of countries, and none is configured");
    assert_eq!(said(Some("/c.mmdb"), None), "cannot read /c.mmdb: entity not found");
    let text = said(Some("/c.mmdb"), Some(b"10.0.0.0/8,DE\n".to_vec()));
    assert!(text.starts_with("/c.mmdb is no database of countries: "), "{text}");
    let none = database(&[("10.0.0.0", 8, None)]);
    assert_eq!(said(Some("/c.mmdb"), Some(none)), "/c.mmdb says no country of any address");
    assert!(loaded(&[], None, None).diagnostics.is_empty());
}

#[test]
fn what_is_wrong_is_said() {
    for (value, message, place) in [
        ("src", "expected `side, country[, country...]`", "src"),
        ("source,DE", "`source` is not known here", "source"),
        ("src,DEU", "`DEU` is no country", "DEU"),
        ("src,D1", "`D1` is no country", "D1"),
        ("src,DE,", "`` is no country", ""),
        ("src,DE,!RU", "either all countries stand behind `!`, or none", "!RU"),
    ] {
        let fault = GeoTest::parse(Text::new(value.as_bytes(), 0)).unwrap_err();
        assert_eq!((fault.message.as_str(), &value[fault.span.range()]), (message, place), "{value}");
    }
}
