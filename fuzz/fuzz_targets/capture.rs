//! Any bytes as a capture file: frames and an end, or an error that names the offset; never a panic.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run capture -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write;
use weir::io::capture::Summary;

fuzz_target!(|input: &[u8]| {
    let path = std::env::temp_dir().join(format!("weir-fuzz-{}.pcap", std::process::id()));
    let written = std::fs::File::create(&path).and_then(|mut file| file.write_all(input));
    if written.is_ok()
        && let Ok(summary) = Summary::scan(&path)
    {
        assert!(summary.bytes <= input.len() as u64);
    }
});
