//! Checks what the machine has before a long build fails half-way, and stamps the binary.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::process::Command;

/// The oldest DPDK whose interfaces we use.
const DPDK_NEEDED: &str = "22.11";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    check_dpdk();
    #[cfg(feature = "hyperscan")]
    find_hyperscan();
    stamp_commit();
    stamp_compiler();
    stamp_rules();
    #[cfg(feature = "manage")]
    compile_proto();
}

/// Sets `WEIR_DPDK_VERSION`, or ends the build with the name of the package to install.
fn check_dpdk() {
    let mut config = pkg_config::Config::new();
    config.cargo_metadata(false).env_metadata(true);
    match config.atleast_version(DPDK_NEEDED).probe("libdpdk") {
        Ok(library) => println!("cargo::rustc-env=WEIR_DPDK_VERSION={}", library.version),
        Err(error) => {
            println!("cargo::error=DPDK {DPDK_NEEDED} or newer is needed: apt install libdpdk-dev ({error})");
            std::process::exit(1);
        }
    }
}

/// Where the library is that the matcher's bench links.
#[cfg(feature = "hyperscan")]
fn find_hyperscan() {
    match pkg_config::Config::new().cargo_metadata(false).probe("libhs") {
        Ok(library) => {
            for path in library.link_paths {
                println!("cargo::rustc-link-search=native={}", path.display());
            }
        }
        Err(error) => {
            println!(
                "cargo::error=the feature `hyperscan` needs Hyperscan: apt install libhyperscan-dev ({error})"
            );
            std::process::exit(1);
        }
    }
}

/// Sets `WEIR_COMMIT`: twelve hex digits, or `unknown` when built from a tarball without `WEIR_COMMIT` in the
/// environment.
fn stamp_commit() {
    println!("cargo::rerun-if-env-changed=WEIR_COMMIT");
    let commit = std::env::var("WEIR_COMMIT").ok().or_else(|| {
        rerun_when_head_moves();
        run("git", &["rev-parse", "--short=12", "HEAD"])
    });
    println!("cargo::rustc-env=WEIR_COMMIT={}", commit.unwrap_or_else(|| "unknown".to_owned()));
}

/// A path that does not exist would rebuild each time, so only those that do are named.
fn rerun_when_head_moves() {
    let reference = run("git", &["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD"].into_iter().chain(reference.as_deref()) {
        let path = run("git", &["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| std::path::Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// Sets `WEIR_BUILT_WITH`: `rustc 1.95.0 (...)`.
fn stamp_compiler() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = run(&rustc, &["--version"]).unwrap_or_else(|| "an unknown compiler".to_owned());
    println!("cargo::rustc-env=WEIR_BUILT_WITH={version}");
}

/// Sets `WEIR_RULES_BUILD`: 16 hex digits over the sources that say what a compiled rule set is. A saved set is of one build:
/// numbers and orders in it mean what these files say, and matchers chose its windows.
fn stamp_rules() {
    let mut files = Vec::new();
    for folder in ["src/rules", "src/base", "src/inspect/matcher"] {
        println!("cargo::rerun-if-changed={folder}");
        sources(std::path::Path::new(folder), &mut files);
    }
    // The lock file says which regex engines and which form of encoding.
    println!("cargo::rerun-if-changed=Cargo.lock");
    files.push("Cargo.lock".into());
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        std::fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    println!("cargo::rustc-env=WEIR_RULES_BUILD={:016x}", hasher.finish());
}

fn sources(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

/// Makes the RPC's messages, client and server from `proto/`, without a protoc binary, and what reflection tells.
#[cfg(feature = "manage")]
fn compile_proto() {
    const FILE: &str = "proto/weir.proto";
    println!("cargo::rerun-if-changed={FILE}");
    let made = protox::compile([FILE], ["proto"]).map_err(|error| error.to_string()).and_then(|files| {
        let folder = std::env::var("OUT_DIR").map_err(|error| error.to_string())?;
        let path = std::path::Path::new(&folder).join("weir_descriptor.bin");
        let told = protox::prost::Message::encode_to_vec(&files);
        std::fs::write(&path, told).map_err(|error| format!("{}: {error}", path.display()))?;
        tonic_prost_build::compile_fds(files).map_err(|error| error.to_string())
    });
    if let Err(error) = made {
        println!("cargo::error={FILE}: {error}");
        std::process::exit(1);
    }
}
