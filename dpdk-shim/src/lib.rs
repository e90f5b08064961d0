//! Bindings to DPDK 22.11 or newer, as Debian ships it, and the C shim (`shim.h`) for what its headers inline.
//!
//! Raw and unsafe: only weir's `io` layer uses this crate, and gives it a safe face. What is bound, and why, stands in
//! `build.rs`; the published crate of this name is for DPDK 18.05.

#![allow(unsafe_code)] // foreign functions
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)] // C's names
#![allow(unreachable_pub, clippy::all, clippy::undocumented_unsafe_blocks)] // generated
#![allow(unsafe_op_in_unsafe_fn, unnecessary_transmutes)] // generated

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
