//! Builds the sample plugins out of tree.

use std::path::{Path, PathBuf};
use std::process::Command;

pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where samples are built, away from the workspace's own objects.
fn target() -> PathBuf {
    let target = top().join("target/plugins");
    std::fs::create_dir_all(&target).unwrap();
    target
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn cargo(name: &str, features: &str, target: &Path) -> PathBuf {
    let manifest = top().join("plugins/samples").join(name).join("Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--features", features, "--manifest-path"])
        .arg(manifest)
        .env("CARGO_TARGET_DIR", target));
    target.join("debug").join(format!("lib{name}.so"))
}

/// A sample in Rust, by cargo, which keeps others from building it at the same time.
pub fn rust_sample(name: &str) -> PathBuf {
    cargo(name, "", &target())
}

/// The same with a feature, in a folder of its own: they would overwrite each other.
pub fn rust_sample_with(name: &str, feature: &str) -> PathBuf {
    cargo(name, feature, &target().join(feature))
}

/// A sample in C, by the system's compiler, put in its place whole.
pub fn c_sample(name: &str, flags: &[&str]) -> PathBuf {
    c_source(name, name, flags)
}

/// One of a sample's files.
pub fn c_source(sample: &str, file: &str, flags: &[&str]) -> PathBuf {
    let mark: String = flags.concat().chars().filter(char::is_ascii_alphanumeric).collect();
    let out = target().join(format!("{file}{mark}.so"));
    let draft = out.with_extension(std::process::id().to_string());
    run(Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2"])
        .args(flags)
        .arg("-I")
        .arg(top().join("plugins/include"))
        .arg(top().join("plugins/samples").join(sample).join(format!("{file}.c")))
        .arg("-o")
        .arg(&draft));
    std::fs::rename(&draft, &out).unwrap();
    out
}
