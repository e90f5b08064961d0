//! Any bytes as a rule file: loaded or refused with a place in the file, never a panic; what loads compiles.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run rules -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use weir::inspect::Engine;
use weir::rules::{Classifications, References, SourceFile, Vars, load};

fuzz_target!(|input: &[u8]| {
    let file = SourceFile::new("fuzz.rules", input);
    let (rules, faults) =
        load(&[file], &Vars::default(), &Classifications::default(), &References::default());
    for fault in &faults {
        assert!(fault.line >= 1 && fault.column >= 1);
        let _ = fault.to_string();
    }
    let _ = Engine::compile(Arc::new(rules));
});
