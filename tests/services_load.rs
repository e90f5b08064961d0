//! What of plugins is refused before it runs, by `weir check` and `weir replay`, and in which order they are loaded.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use support::samples::{c_sample, c_source};
use support::services::{plugin, set};
use support::{Bench, ethernet, v4, with_id};
use weir::wire::build::udp_packet;

/// What a replay says that cannot start.
#[track_caller]
fn refused(bench: &Bench, config: &str) -> String {
    let packet = udp_packet(v4(1, 4000), v4(2, 53), &with_id(1), b"x");
    let capture = bench.capture(&ethernet([packet]));
    let (done, sent) = bench.replay_services(config, &capture);
    assert!(done.code() != Some(0) && sent.is_empty(), "{}{}", done.stdout(), done.stderr());
    done.stderr()
}

#[track_caller]
fn starts(bench: &Bench, config: &str) {
    let packet = udp_packet(v4(1, 4000), v4(2, 53), &with_id(1), b"x");
    let capture = bench.capture(&ethernet([packet]));
    let (done, sent) = bench.replay_services(config, &capture);
    assert_eq!((done.clean().code(), sent.len()), (Some(0), 1));
}

fn all(text: &str, words: &[&str]) -> bool {
    words.iter().all(|word| text.contains(word))
}

#[test]
fn a_third_external_plugin_is_above_the_limit() {
    let bench = Bench::new();
    let three = ["a", "b", "c"].map(|name| bench.probe(name, "")).concat() + &set("s", &["a", "b", "c"], "");
    let text = refused(&bench, &three);
    assert!(
        all(&text, &["\"c\" is external plugin number 3, and 2 may be loaded", "services.external-plugins"]),
        "{text}"
    );
    let config = bench.file("three.toml", &three);
    let (code, said) = bench.said(&["check", "-c", config.to_str().unwrap()]);
    assert!(code == Some(1) && said.contains("external plugin number 3"), "{said}");
    starts(&bench, &format!("[services]\nexternal-plugins = 3\n\n{three}"));
}

#[test]
fn with_an_external_plugin_both_orders_are_needed() {
    let bench = Bench::new();
    for (there, missing) in [("forward-flow", "reverse-flow"), ("reverse-flow", "forward-flow")] {
        let config = bench.probe("a", "") + &format!("[[service-set]]\nname = \"s\"\n{there} = [\"a\"]\n");
        let text = refused(&bench, &config);
        let says = format!("the set \"s\" has the external plugin \"a\" and no {missing}");
        assert!(all(&text, &[&says, "give both orders"]), "{text}");
    }
}

#[test]
fn another_abi_is_refused_with_both_versions_named() {
    let bench = Bench::new();
    let header = std::fs::read_to_string("plugins/include/weir_plugin.h").unwrap();
    let defined =
        |name: &str| header.lines().find_map(|line| line.strip_prefix(&format!("#define {name} "))).unwrap();
    let (version, tag) = (defined("WEIR_ABI_VERSION").trim_end_matches('u'), defined("WEIR_ABI_TAG"));
    let ours = c_sample("empty", &[]);
    starts(&bench, &(plugin("empty", &ours, "") + &set("s", &["empty"], "")));
    for (flag, theirs) in [
        ("-DVERSION=7", "version 7"),
        ("-DSIZE=80", "80 bytes"),
        ("-DTAG=\"weir-9.9/abi-1\"", "\"weir-9.9/abi-1\""),
    ] {
        let other = c_sample("empty", &[flag]);
        let text = refused(&bench, &(plugin("empty", &other, "") + &set("s", &["empty"], "")));
        let ours = [
            "plugin empty",
            "another ABI",
            &format!("this Weir has version {version} ({tag},"),
            "build it again",
        ];
        assert!(all(&text, &ours) && text.contains(theirs), "{flag}: {text}");
    }
}

#[test]
fn a_second_plugin_of_the_same_name_is_refused() {
    let bench = Bench::new();
    let empty = c_sample("empty", &[]);
    let twice =
        plugin("empty", &empty, "") + &plugin("other", &empty, "") + &set("s", &["empty", "other"], "");
    let text = refused(&bench, &twice);
    assert!(all(&text, &["\"other\"", "registers as \"empty\"", "another plugin"]), "{text}");
    let same = plugin("empty", &empty, "").repeat(2) + &set("s", &["empty"], "");
    let text = refused(&bench, &same);
    assert!(text.contains("two plugins are named \"empty\""), "{text}");
    let built_in = bench.probe("cos", "") + &set("s", &["cos"], "");
    let text = refused(&bench, &built_in);
    assert!(text.contains("\"cos\" is the name of a built-in plugin"), "{text}");
}

#[test]
fn a_plugin_that_registers_under_another_name_is_refused() {
    let bench = Bench::new();
    let text = refused(&bench, &(plugin("hollow", &c_sample("empty", &[]), "") + &set("s", &["hollow"], "")));
    assert!(all(&text, &["\"hollow\"", "registers as \"empty\"", "package = \"empty\""]), "{text}");
}

#[test]
fn plugins_are_loaded_by_their_order_and_behind_what_they_need() {
    let registered = |bench: &Bench| {
        let lines = bench.diary();
        lines.iter().filter_map(|line| line.strip_suffix(" registers").map(str::to_owned)).collect::<Vec<_>>()
    };
    let bench = Bench::new();
    let config = "[services]\nexternal-plugins = 3\n\n".to_owned()
        + &bench.probe("late", "announce").replace("config", "order = 9\nconfig")
        + &bench.probe("needy", "announce").replace("config", "order = 1\nneeds = [\"late\"]\nconfig")
        + &bench.probe("early", "announce").replace("config", "order = 2\nconfig")
        + &set("s", &["late", "needy", "early"], "");
    starts(&bench, &config);
    assert_eq!(registered(&bench), ["early", "late", "needy"], "what it needs outweighs the order");

    let circle = bench.probe("a", "").replace("config", "needs = [\"b\"]\nconfig")
        + &bench.probe("b", "").replace("config", "needs = [\"a\"]\nconfig")
        + &set("s", &["a", "b"], "");
    let text = refused(&bench, &circle);
    assert!(all(&text, &["needs a plugin that needs it in turn", "take one of them out"]), "{text}");
}

#[test]
fn libraries_that_a_plugin_needs_are_loaded_before_it() {
    let bench = Bench::new();
    let (greeter, greeting) = (c_sample("greeter", &[]), c_source("greeter", "greeting", &[]));
    let config = |needs: &Path| {
        plugin("greeter", &greeter, "").replace("config", &format!("needs = [{needs:?}]\nconfig"))
            + &set("s", &["greeter"], "")
    };
    starts(&bench, &config(&greeting));
    let text = refused(&bench, &(plugin("greeter", &greeter, "") + &set("s", &["greeter"], "")));
    assert!(all(&text, &["greeter", "weir_sample_greeting"]), "the symbol that is missing: {text}");
    let text = refused(&bench, &config(&bench.path("nowhere.so")));
    assert!(all(&text, &["plugin greeter needs library", "nowhere.so"]), "{text}");
}

#[test]
fn what_cannot_be_loaded_is_named_with_what_to_do() {
    let bench = Bench::new();
    let set = set("s", &["empty"], "");
    let empty = c_sample("empty", &[]);
    let text = refused(&bench, &(plugin("empty", Path::new("empty.so"), "") + &set));
    assert!(all(&text, &["\"empty\" needs the full path", "write path ="]), "{text}");
    let text = refused(&bench, &(plugin("empty", &bench.path("none.so"), "") + &set));
    assert!(all(&text, &["empty", "none.so", "does not load"]), "{text}");
    let entry = plugin("empty", &empty, "").replace("config", "entry = \"begin\"\nconfig");
    let text = refused(&bench, &(entry + &set));
    assert!(all(&text, &["empty", "has no function begin", "`entry`"]), "{text}");
    let text = refused(&bench, &(bench.probe("empty", "sing") + &set));
    assert!(all(&text, &["plugin empty refused to start", "probe does not know \"sing\""]), "{text}");
}
