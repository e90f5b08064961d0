use super::*;
use crate::mgmt::config::print::{Notes, print};
use crate::mgmt::config::{Faults, Loaded, Profile, SourceText, load_texts};
use std::path::PathBuf;
use std::sync::Arc;

fn config(text: &str) -> Config {
    let text = Arc::new(SourceText { name: "t".into(), text: text.into() });
    let loaded: Result<Loaded, Faults> = load_texts(&[text], Profile::Inline, PathBuf::new());
    loaded.unwrap_or_else(|f| panic!("{f}")).config
}

fn bare(config: &Config) -> String {
    print(&mut config.clone(), &Notes::None)
}

const TWO: &str = "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\n[[port]]\nname = \"b\"\ndevice = \"net_null1\"\n\
                   [[pair]]\nports = [\"a\", \"b\"]\nmode = \"tap\"\n";

/// (path, change) of what differs.
fn changes(old: &str, new: &str) -> Vec<(String, &'static str)> {
    let found = differences(&config(old), &config(new));
    found.into_iter().map(|d| (d.path, d.change.name())).collect()
}

#[test]
fn a_configuration_does_not_differ_from_itself() {
    assert_eq!(differences(&config(TWO), &config(TWO)), []);
}

#[test]
fn values_differ_as_their_keys_say() {
    let found = changes(
        "",
        "[lcores]\nworkers = 2\n[timeouts]\ntcp-new = \"5s\"\n[vars.address]\nHOME_NET = \"any\"\nMY_NET = \"any\"\n",
    );
    let expected = [
        ("lcores.workers", "restart"),
        ("timeouts.tcp-new", "live"),
        ("vars.address.HOME_NET", "live"),
        ("vars.address.MY_NET", "live"),
    ];
    assert_eq!(found, expected.map(|(path, change)| (path.to_owned(), change)));
}

#[test]
fn of_a_pair_the_mode_is_live_unless_the_pairs_may_be_others() {
    let ips = TWO.replace("tap", "ips");
    assert_eq!(changes(TWO, &ips), [("pair.0.mode".to_owned(), "live")]);
    let other = ips.replace("[\"a\", \"b\"]", "[\"b\", \"a\"]");
    assert!(
        changes(TWO, &other).iter().all(|(_, change)| *change == "restart"),
        "{:?}",
        changes(TWO, &other)
    );
    let more = TWO.to_owned()
        + "[[port]]\nname = \"c\"\ndevice = \"net_null2\"\n[[pair]]\nports = [\"c\"]\nmode = \"ids\"\n";
    let found = changes(TWO, &more);
    assert!(
        found.contains(&("pair.1.mode".into(), "restart")) && found.iter().all(|(_, c)| *c == "restart"),
        "{found:?}"
    );
}

#[test]
fn what_is_live_is_taken_over_and_the_rest_waits() {
    let old = config(&format!("{TWO}[vars.address]\nOLD_NET = \"any\"\n[[dataset]]\nname = \"one\"\n"));
    let new = config(&format!(
        "{}[vars.address]\n\"NEW_NET\" = \"[10.0.0.0/8]\"\n[[dataset]]\nname = \"two\"\ntype = \"ip\"\n[[dataset]]\nname = \"three\"\n\
         [lcores]\nworkers = 4\n[host-os-policy]\n\"10.0.0.0/8\" = \"linux\"\n[timeouts]\ntcp-new = \"5s\"\n",
        TWO.replace("tap", "ips")
    ));
    let merged = take_live(&old, &new);
    assert_eq!((merged.lcores.workers, merged.host_os_policy.len()), (1, 1));
    assert_eq!(merged.timeouts.tcp_new.as_secs(), 5);
    assert_eq!(merged.pairs[0].mode.name(), "ips");
    assert_eq!(merged.vars.address.get("NEW_NET").map(String::as_str), Some("[10.0.0.0/8]"));
    assert!(!merged.vars.address.contains_key("OLD_NET"));
    let names: Vec<_> =
        merged.named_datasets.iter().map(|set| (set.name.as_str(), set.kind.name())).collect();
    assert_eq!(names, [("two", "ip"), ("three", "string")]);
    let left = differences(&merged, &new);
    assert!(!left.is_empty() && left.iter().all(|d| d.change == Change::Restart), "{left:?}");
}

#[test]
fn where_all_is_live_what_is_taken_over_is_the_new_configuration() {
    let old = config(TWO);
    let new = config(&format!(
        "{TWO}[[plugin]]\nname = \"cos\"\nconfig = \"a \\\"quoted\\\" text\"\n[[service-set]]\nname = \"web\"\nforward-flow = [\"idp\"]\n\
         match = [\"tcp from 10.0.0.0/8 to any port 80-88\"]\n[[outputs.further-eve]]\nname = \"siem\"\ntypes = [\"alert\"]\n\
         [outputs.eve]\nrotate-size = \"1GiB\"\n[rules]\nfiles = [\"a b.rules\", \"c\"]\n"
    ));
    assert_eq!(bare(&take_live(&old, &new)), bare(&new));
    assert_eq!(bare(&take_live(&new, &old)), bare(&old));
}

#[test]
fn names_that_are_no_bare_keys_keep_their_dots() {
    let found = changes("", "[host-os-policy]\n\"10.0.0.0/8\" = \"linux\"\n");
    assert_eq!(found, [("host-os-policy.\"10.0.0.0/8\"".to_owned(), "live")]);
}
