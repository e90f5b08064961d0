//! `weir doctor` where no log can ever be written.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::weir;

/// What is said of the output folder, as state, text and mend.
fn of_outputs(output: &Output) -> (String, String, String) {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| text(check, "text").contains("(outputs.directory)")).unwrap();
    (text(check, "state"), text(check, "text"), text(check, "mend"))
}

#[test]
fn a_folder_of_the_kernels_own_is_a_fault_with_another_one() {
    for folder in ["/proc/x", "/proc", "/sys/weir"] {
        let set = format!("outputs.directory={folder}");
        let output = weir().args(["doctor", "--json", "--set", &set]).output().unwrap();
        let (state, text, mend) = of_outputs(&output);
        assert!(state == "fault" && text.contains("of the kernel's own"), "{folder}: {state} {text}");
        assert_eq!((mend.as_str(), output.status.code()), ("outputs.directory = \"/var/log/weir\"", Some(1)));
    }
}

/// Root's rights are no help there.
#[test]
fn a_folder_that_is_mounted_read_only_is_a_fault_with_the_way_to_change_that() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().display();
    let script = format!(
        "mount -t tmpfs -o ro weir-test {shown} && exec {} doctor --json --set outputs.directory={shown}/log",
        env!("CARGO_BIN_EXE_weir")
    );
    let output =
        Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", &script]).output().unwrap();
    let (state, text, mend) = of_outputs(&output);
    assert!(state == "fault" && text.contains("mounted read-only"), "{state} {text}");
    assert_eq!(mend, format!("mount -o remount,rw \"$(findmnt -no TARGET -T {shown})\""));
}
