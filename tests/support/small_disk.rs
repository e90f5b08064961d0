//! A disk that can be filled: a small tmpfs in a mount namespace of its own, gone with it.

use std::path::PathBuf;
use std::process::Command;

/// Where the inner half of a test finds its disk.
const DISK: &str = "WEIR_TEST_DISK";

/// Runs the ignored test `inner` of the same file with a disk of `size` bytes.
#[track_caller]
pub fn on_a_small_disk(size: usize, inner: &str) {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={size} weir-test {0:?} && exec \"$0\" --exact {inner} --ignored --nocapture",
        dir.path()
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    let output = command.env(DISK, dir.path()).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The inner half's disk, with so many bytes of ballast on it in a file of that name.
pub fn disk(ballast: usize) -> PathBuf {
    let disk = PathBuf::from(std::env::var_os(DISK).unwrap());
    std::fs::write(disk.join("ballast"), vec![0; ballast]).unwrap();
    disk
}
