//! What the command line says of configurations that it cannot use: precisely, and without commands to the terminal.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::{Bench, weir};

fn said(words: &[&str]) -> (Option<i32>, String) {
    let output = weir().args(words).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_with_the_place() {
    let bench = Bench::new();
    let file = bench.file("weir.toml", b"[log]\nlevel = \"caf\xe9\"\n");
    let file = file.to_str().unwrap();
    for words in [&["check", "-c", file][..], &["config", "show", "-c", file], &["run", "-c", file]] {
        let (code, text) = said(words);
        assert_eq!(code, Some(1), "{words:?}");
        assert!(text.contains("is not UTF-8: byte 18 (0xe9), on line 2") && text.contains("iconv"), "{text}");
    }
}

#[test]
fn keys_names_and_files_are_no_commands_to_the_terminal() {
    let bench = Bench::new();
    let wild = "\u{1b}]0;title\u{7}\u{9b}2J";
    let file = bench.file("weir.toml", format!("[log]\n\"lev{}el\" = 1\n", "\\u001b[2J"));
    let rules = bench
        .file("x.rules", format!("alert tcp any any -> any any (msg:\"{wild}\"; nonsense{wild}; sid:1;)\n"));
    let (file, rules) = (file.to_str().unwrap(), rules.to_str().unwrap());
    for words in [
        &["config", "explain", wild][..],
        &["check", "-c", file],
        &["config", "show", "--set", &format!("{wild}=1")],
        &["rules", "check", rules],
        &["rules", "list", "--sid", wild],
        &["ctl", "status", "--socket", wild],
        &["ctl", "config", "set", wild],
        &["ctl", "config", "rollback", wild],
        &[wild],
    ] {
        let (code, text) = said(words);
        assert!(code != Some(0) && !text.is_empty(), "{words:?}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{words:?}: {text:?}");
    }
    let (_, text) = said(&["config", "explain", wild]);
    assert!(text.contains("\\u{1b}]0;title\\u{7}\\u{9b}2J"), "{text}");
}

#[test]
fn items_are_explained_where_they_are_there() {
    let bench = Bench::new();
    let file = bench.file("weir.toml", "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\nmtu = 9000\n");
    let file = file.to_str().unwrap();
    let (code, text) = said(&["config", "explain", "port.9", "-c", file]);
    assert!(code == Some(1) && text.contains("there is no `port.9`; the only one is port.0"), "{text}");
    let (code, text) = said(&["config", "explain", "port.9"]);
    assert!(
        code == Some(1) && text.contains("no [[port]]: items are those of a file, given with -c"),
        "{text}"
    );
    let (code, text) = said(&["config", "explain", "port.0.mtu", "-c", file]);
    assert!(code == Some(0) && text.contains("9000, from "), "{text}");
}

/// What only the machine at run time can tell is a warning of a check, and a fault of a start.
#[test]
fn an_interface_that_is_not_there_is_told_by_a_check_and_refused_by_a_start() {
    let bench = Bench::new();
    let text = "[[port]]\nname = \"a\"\ndevice = \"net_af_packet0,iface=weir-none\"\n[[pair]]\nports = [\"a\"]\nmode = \"ids\"\n";
    let file = bench.file("weir.toml", text);
    let (code, checked) = said(&["check", "-c", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{checked}");
    let wanted = "there is no interface weir-none (iface) for port \"a\"";
    assert!(checked.contains(&format!("warning: {wanted}")) && checked.contains("weir.toml:3:"), "{checked}");
    let (code, started) = said(&["run", "-c", file.to_str().unwrap()]);
    assert!(code == Some(1) && started.contains(&format!("error: {wanted}")), "{started}");
}
