//! What a package brings beside the binary: systemd's own opinion of the unit, the shipped configuration, the scripts.
//! `./scripts/package-test` installs the package itself.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Bench, weir};

/// Of systemd's 0 (nothing it could do) to 10; `systemd-analyze security` says what is behind it.
const EXPOSURE: &str = "--threshold=25";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Whether `tool` is installed; says so where it is not.
fn have(tool: &str) -> bool {
    let there =
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success();
    if !there {
        eprintln!("skipped: there is no {tool}");
    }
    there
}

#[test]
fn systemd_understands_the_unit_and_finds_it_little_exposed() {
    if !have("systemd-analyze") {
        return;
    }
    let bench = Bench::new();
    // As installed, but for the binary, which may not be there.
    let unit = std::fs::read_to_string(here("packaging/weir.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/weir run"));
    let unit = bench.file("weir.service", unit.replace("/usr/bin/weir", "/bin/true"));
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&unit).output().unwrap();
        (output.status.success(), said(&output))
    };
    let (good, text) = analyze(&["verify", "--man=no", "--recursive-errors=no"]);
    assert!(good && text.trim().is_empty(), "{text}");
    let (good, text) = analyze(&["security", "--offline=true", "--no-pager", EXPOSURE]);
    assert!(good, "{text}");
    // The drop-in for VFIO without an IOMMU adds to the unit and is understood too.
    bench.file("weir.service.d/no-iommu.conf", std::fs::read(here("packaging/no-iommu.conf")).unwrap());
    let (good, text) = analyze(&["verify", "--man=no", "--recursive-errors=no"]);
    assert!(good && text.trim().is_empty(), "{text}");
}

#[test]
fn the_user_and_folders_are_as_systemd_reads_them() {
    if !have("systemd-sysusers") || !have("systemd-tmpfiles") || !is_root() {
        return;
    }
    let bench = Bench::new();
    bench.file("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    bench.file("etc/group", "root:x:0:\n");
    let root = format!("--root={}", bench.path("").display());
    let run = |tool: &str, words: &[&str], conf: &str| {
        let output = Command::new(tool).arg(&root).args(words).arg(here(conf)).output().unwrap();
        assert!(output.status.success(), "{tool}: {}", said(&output));
    };
    run("systemd-sysusers", &[], "packaging/weir.sysusers");
    let passwd = std::fs::read_to_string(bench.path("etc/passwd")).unwrap();
    assert!(passwd.contains("weir:") && passwd.contains(":/var/lib/weir:"), "{passwd}");
    run("systemd-tmpfiles", &["--create"], "packaging/weir.tmpfiles");
    assert!(bench.path("var/lib/weir").is_dir() && bench.path("var/log/weir").is_dir());
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("skipped: not root");
    }
    root
}

#[test]
fn the_shipped_configuration_is_valid_and_drops_nothing() {
    let bench = Bench::new();
    let signatures = here("signatures").display().to_string();
    let text = std::fs::read_to_string(here("packaging/weir.toml")).unwrap();
    let file = bench.file("weir.toml", text.replace("/usr/share/weir/signatures", &signatures));
    let checked = weir().args(["check", "-c"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let shown = weir().args(["config", "show", "-c"]).arg(&file).output().unwrap();
    assert!(said(&shown).contains("mode = \"tap\""), "{}", said(&shown));
}

#[test]
fn weir_doctor_tells_of_this_machine_in_words_and_as_json() {
    let bench = Bench::new();
    let sets = [
        "port=[{name=\"a\",device=\"0000:ff:1f.7\"}]".to_owned(),
        format!("outputs.directory={:?}", bench.path("log")),
    ];
    let doctor = |more: &[&str]| {
        let mut command = weir();
        command.arg("doctor").args(sets.iter().flat_map(|set| ["--set", set])).args(more);
        command.output().unwrap()
    };
    let words = doctor(&[]);
    let text = said(&words);
    assert_eq!(words.status.code(), Some(1), "{text}");
    assert!(text.contains("fault    driver         port a: there is no PCI device 0000:ff:1f.7\n"), "{text}");
    assert!(text.contains("mend: dpdk-devbind.py --status-dev net"), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&doctor(&["--json"]).stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let faults = checks.iter().filter(|check| check["state"] == "fault").count();
    assert!(faults > 0 && json["faults"] == faults, "{json}");
    assert!(checks.iter().all(|check| check["mend"].is_null() == (check["state"] == "ok")), "{json}");
    let unreadable = doctor(&["--set", "lcores.wrokers=2"]);
    assert!(said(&unreadable).contains("fault    configuration"), "{}", said(&unreadable));
}

/// A /sys with one NIC of the kernel's that carries the default route and one beside it, and a dpdk-devbind.py that notes its words.
fn bind(bench: &Bench, arguments: &[&str]) -> (bool, String, String) {
    for (address, interface) in [("0000:03:00.0", "eth0"), ("0000:04:00.0", "eth1")] {
        let device = bench.path(&format!("sys/bus/pci/devices/{address}"));
        bench.file(&format!("sys/bus/pci/devices/{address}/class"), "0x020000\n");
        bench.file(&format!("sys/bus/pci/devices/{address}/net/{interface}/mtu"), "1500\n");
        std::fs::create_dir_all(bench.path(&format!("sys/class/net/{interface}"))).unwrap();
        // Made by an earlier call, it stays.
        let _ = std::os::unix::fs::symlink("../../drivers/ixgbe", device.join("driver"));
        let link = bench.path(&format!("sys/class/net/{interface}/device"));
        let _ = std::os::unix::fs::symlink(&device, link);
    }
    bench.file("sys/bus/pci/drivers/vfio-pci/bind", "");
    let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 0101A8C0 0003 0 0 0 00000000\n";
    let routes = bench.file("route", routes);
    let notes = bench.file("notes", "");
    let tool = bench.file("devbind", format!("#!/bin/sh\necho \"$@\" > {}\n", notes.display()));
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(here("scripts/bind"));
    command
        .args(arguments)
        .env("WEIR_SYS", bench.path("sys"))
        .env("WEIR_ROUTES", routes)
        .env("WEIR_DEVBIND", tool);
    let output = command.output().unwrap();
    (output.status.success(), said(&output), std::fs::read_to_string(notes).unwrap())
}

#[test]
fn bind_shows_binds_and_refuses_the_way_out_unless_forced() {
    let bench = Bench::new();
    let (good, text, _) = bind(&bench, &["--show"]);
    assert!(good && text.contains("eth0 *") && text.contains("ixgbe"), "{text}");
    assert!(!text.contains("eth1 *"), "{text}");
    let (good, text, notes) = bind(&bench, &["vfio-pci", "04:00.0"]);
    assert!(good && notes == "--bind=vfio-pci 0000:04:00.0\n", "{notes} {text}");
    let (good, text, notes) = bind(&bench, &["vfio-pci", "eth1"]);
    assert!(good && notes == "--bind=vfio-pci 0000:04:00.0\n", "{notes} {text}");
    for words in [&["vfio-pci", "03:00.0"][..], &["vfio-pci", "eth1", "eth0"], &["--unbind", "eth0"]] {
        let (good, text, notes) = bind(&bench, words);
        assert!(!good && text.contains("carries the default route (eth0)") && notes.is_empty(), "{text}");
    }
    let (good, text, notes) = bind(&bench, &["--force", "vfio-pci", "03:00.0"]);
    assert!(good && notes == "--force --bind=vfio-pci 0000:03:00.0\n", "{notes} {text}");
    let (good, _, notes) = bind(&bench, &["--unbind", "eth1"]);
    assert!(good && notes == "--unbind 0000:04:00.0\n", "{notes}");
    let (good, text, _) = bind(&bench, &["vfio-pci", "0000:09:00.0"]);
    assert!(!good && text.contains("no PCI device or interface 0000:09:00.0"), "{text}");
    assert!(!bind(&bench, &["vfio-pci"]).0 && !bind(&bench, &[]).0);
}

#[test]
fn hugepages_sets_keeps_and_takes_back() {
    let bench = Bench::new();
    bench.file(
        "proc/meminfo",
        "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n",
    );
    bench.file("proc/mounts", "");
    let set = bench.file("proc/sys/vm/nr_hugepages", "0\n");
    let conf = bench.path("etc/sysctl.d/60-weir-hugepages.conf");
    let hugepages = |word: &str| {
        let mut command = Command::new(here("scripts/hugepages"));
        let output = command.arg(word).env("WEIR_ROOT", bench.path("")).output().unwrap();
        (output.status.success(), said(&output), std::fs::read_to_string(&set).unwrap())
    };
    assert_eq!(hugepages("512MiB").2, "256\n");
    assert!(std::fs::read_to_string(&conf).unwrap().contains("vm.nr_hugepages = 256\n"));
    assert!(bench.path("dev/hugepages").is_dir());
    assert_eq!(hugepages("3").2, "3\n");
    assert_eq!(hugepages("1GiB").2, "512\n");
    for word in ["many", "2KiB", "-1"] {
        let (good, text, count) = hugepages(word);
        assert!(!good && text.contains("neither a number of pages") && count == "512\n", "{word}: {text}");
    }
    assert!(hugepages("0").0 && !conf.exists());
}
