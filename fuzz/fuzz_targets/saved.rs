//! Any bytes as a saved rule set: read or refused with a reason, never a panic; what is read compiles.
//!
//! The first byte says how: as a whole file, whose checksum hardly any input has, or as the body behind a good one.
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run saved -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use weir::inspect::Engine;
use weir::rules::saved::{Fingerprint, read, seal};

fuzz_target!(|input: &[u8]| {
    let Some((&how, bytes)) = input.split_first() else { return };
    let file = if how % 8 == 0 { bytes.to_vec() } else { seal(Fingerprint([how; 16]), bytes) };
    match read(&file).and_then(|saved| saved.load()) {
        Ok(loading) => {
            for told in &loading.diagnostics {
                let _ = told.to_string();
            }
            let _ = Engine::compile(Arc::new(loading.rules));
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});
