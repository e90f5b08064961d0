//! Files set aside while they are written, by weir itself and by others: no line is lost, none is there twice.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::child::Running;
use support::wait::until;
use support::{Bench, ethernet, v4, weir, with_id};
use weir::wire::build::udp_packet;

/// All files whose names begin with `eve.json`, the one being written last.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("eve.json");
    let mut files: Vec<PathBuf> = entries.filter(ours).collect();
    files.sort_by_key(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        // `-10` is behind `-9`.
        let (stamp, number) = name.split_once('-').unwrap_or((name, "0"));
        (name == "eve.json", stamp.to_owned(), number.parse::<u32>().unwrap())
    });
    files
}

fn lines(folder: &Path) -> Vec<String> {
    let texts = files(folder).into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let mut lines = Vec::new();
    for text in texts {
        assert!(text.is_empty() || text.ends_with('\n'), "a file ends within a line: {text}");
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

const RULES: &str = "alert ip any any -> any any (msg:\"any packet\"; sid:1;)\n";

#[test]
fn a_replay_into_many_files_has_the_lines_of_one() {
    let bench = Bench::new();
    // A megabyte of alerts: it is written in pieces of 64 KiB.
    let packet = |n: u16| udp_packet(v4(1, n), v4(2, 53), &with_id(n), b"packet");
    let capture = bench.capture(&ethernet((1..2000).map(packet)));
    let replay = |more: &str| {
        let text = format!("profile = \"suricata\"\n[outputs.eve]\ntypes = [\"alert\", \"flow\"]\n{more}");
        let config = bench.file("weir.toml", text);
        bench.replay(&capture, RULES, &["-c", config.to_str().unwrap(), "--workers", "0"]).clean();
        let found = (lines(&bench.path("log")), files(&bench.path("log")).len());
        std::fs::remove_dir_all(bench.path("log")).unwrap();
        found
    };
    // Numbers of sessions are others in each run.
    let plain = |lines: Vec<String>| -> Vec<Value> {
        let mut found: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        found.iter_mut().for_each(|line| _ = line.as_object_mut().unwrap().remove("flow_id"));
        found
    };
    let (whole, one) = replay("");
    let (pieces, many) = replay("rotate-size = \"2KiB\"\nflush-interval = \"1ms\"\n");
    assert!(one == 1 && many > 5 && whole.len() >= 1999, "{many} files, {} lines", whole.len());
    assert_eq!(pieces.len(), whole.len());
    for (piece, line) in plain(pieces).iter().zip(&plain(whole)) {
        assert_eq!(piece, line);
    }
}

fn configuration(bench: &Bench) -> String {
    let path = |name: &str| bench.path(name).display().to_string();
    format!(
        "[eal]\nhugepages = false\nmemory = \"128MiB\"\n\n[[port]]\nname = \"outside\"\ndevice = \"net_null0,no-rx=1\"\n\n\
         [[port]]\nname = \"inside\"\ndevice = \"net_null1,no-rx=1\"\n\n[[pair]]\nports = [\"outside\", \"inside\"]\n\n\
         [pools]\nframes = 8191\n\n[sessions]\nsize = 4096\n\n[streams]\nmemory = \"8MiB\"\n\n[rpc]\nsocket = {:?}\n\n\
         [outputs]\ndirectory = {:?}\n\n[outputs.eve]\ntypes = [\"stats\"]\nstats-interval = \"20ms\"\nflush-interval = \"50ms\"\n\
         rotate-size = \"16KiB\"\n",
        path("weir.sock"),
        path("out")
    )
}

/// Each record of statistics tells how many lines were made before it.
#[test]
fn a_running_appliance_loses_no_line_to_rotation_and_logrotate() {
    let bench = Bench::new();
    let config = bench.file("weir.toml", configuration(&bench));
    let mut command = weir();
    command.args(["run", "-c"]).arg(&config).args([
        "--set",
        "http.listen=",
        "--set",
        "suricata-socket.enabled=false",
    ]);
    let mut appliance = Running::start(command, &bench, "appliance");
    let (folder, eve) = (bench.path("out"), bench.path("out/eve.json"));
    for n in 0..12 {
        until("a file with lines", || {
            assert!(appliance.ended().is_none(), "{}", appliance.stderr());
            std::fs::metadata(&eve).ok().filter(|file| file.len() > 0)
        });
        // As logrotate does it. Weir may set it aside itself between the look and this.
        if std::fs::rename(&eve, folder.join(format!("eve.json.{n}"))).is_ok() {
            let told = Command::new("kill").args(["-HUP", &appliance.id().to_string()]).status().unwrap();
            assert!(told.success());
        }
        until("the next file", || eve.exists().then_some(()));
    }
    until("some files set aside by weir", || {
        (files(&folder).iter().filter(|path| path.to_string_lossy().contains("json.20")).count() > 2)
            .then_some(())
    });
    appliance.terminate();
    assert!(appliance.wait().success(), "{}", appliance.stderr());
    let number = |line: &String| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["stats"]["output"]["eve"]["generated"].as_u64().unwrap()
    };
    let mut numbers: Vec<u64> = lines(&folder).iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "each line once");
    assert!(numbers.len() > 20 && !appliance.stderr().contains("ERROR"), "{}", appliance.stderr());
}
