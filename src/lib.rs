//! Weir: an inline network-security appliance.
//!
//! The layers, lowest first; a module uses only what stands before it (`scripts/check-layers`):
//!
//! `base <- {io, wire, rules} <- decode <- defrag <- session <- stream <- app <- inspect <- service <- pipeline <- mgmt <- cli`
//!
//! A frame's path is told in [`pipeline`]; who owns a frame at each border, in `docs/architecture.md`.

pub mod app;
pub mod base;
#[cfg(feature = "manage")]
pub mod cli;
pub mod decode;
pub mod defrag;
pub mod inspect;
pub mod io;
#[cfg(feature = "manage")]
pub mod mgmt;
pub mod pipeline;
pub mod rules;
pub mod service;
pub mod session;
pub mod stream;
pub mod wire;
