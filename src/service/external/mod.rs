//! Plugins that come as shared objects: the border between Weir and code that it was not built with.
//!
//! [`load`](load()) opens the libraries and calls each entry once; an [`External`] is then a plugin as any other, and an
//! [`ExternalWorker`](worker::ExternalWorker) its data half. Owed at this border: every call is entered with valid views and
//! left with a checked reply; a panic or a bad reply becomes a fault, by which the host takes the plugin out; whatever a plugin
//! keeps of the host's (shares of frames) is counted, bounded and freed here. Libraries stay loaded while the process lives:
//! pointers into them may be anywhere.
//!
//! The ABI itself is one file, shared with the `weir-plugin` crate; the C header is held to it by a test.

#![allow(unsafe_code)] // the border: C pointers, each block says why it is sound

#[path = "../../../plugins/weir-plugin/src/abi.rs"]
#[allow(dead_code)] // both sides' numbers
pub mod abi;

mod desk;
mod host;
mod loader;
mod log;
mod memory;
mod shares;
mod worker;

#[cfg(test)]
mod abi_tests;

pub use loader::{ExternalSpec, LoadError, load};
pub use log::{LogLevel, LogLine};
pub use shares::MAX_SHARES;

use super::plugin::{About, BlobOp, ControlEvent, ControlFault, DataPlugin, Desk, Plugin};
use super::watchdog::{Suspect, marks};
use crate::base::WorkerId;
use desk::DeskQueue;
use log::LogReader;
use memory::Shared;
use std::ffi::{CStr, CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that a plugin has to say why it refuses.
const ERROR_SIZE: usize = 512;

/// The control half of an external plugin.
pub struct External {
    about: About,
    suspect: &'static Suspect,
    control: abi::ControlHandler,
    data: abi::DataHandler,
    /// The plugin's own, given to its handlers.
    me: *mut c_void,
    host: &'static abi::Host,
    desk: &'static DeskQueue,
    shared: Arc<Shared>,
    logs: Mutex<Vec<LogReader>>,
}

// SAFETY: `me` is the plugin's and is only handed back to it; the ABI says that control is one thread at a time.
unsafe impl Send for External {}

impl External {
    /// Does what the plugin queued from its own threads; management calls it now and then.
    fn serve(&self, desk: &mut dyn Desk) {
        self.desk.serve(desk);
    }
}

impl Plugin for External {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, worker: WorkerId) -> Box<dyn DataPlugin> {
        let (log, reader) = log::line_ring();
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Box::new(worker::ExternalWorker::new(
            self.data,
            self.me,
            self.host,
            Arc::clone(&self.shared),
            log,
            (worker, self.suspect),
        ))
    }

    fn control(&mut self, event: ControlEvent<'_>, desk: &mut dyn Desk) -> Result<(), ControlFault> {
        let mut error = [0u8; ERROR_SIZE];
        let (set_name, config);
        let mut control = abi::Control {
            host: self.host,
            desk: self.desk.handle(),
            shared: self.shared.pointer(),
            shared_size: self.shared.size(),
            set: abi::NONE,
            op: 0,
            generation: 0,
            error_size: ERROR_SIZE as u32,
            set_name: c"".as_ptr(),
            config: c"".as_ptr(),
            bytes: std::ptr::null(),
            length: 0,
            error: error.as_mut_ptr().cast(),
        };
        let number = match event {
            ControlEvent::Init { set, set_name: name, config: text } => {
                (set_name, config) = (terminated(name)?, terminated(text)?);
                control.set = u32::from(set.0);
                (control.set_name, control.config) = (set_name.as_ptr(), config.as_ptr());
                abi::CONTROL_INIT
            }
            ControlEvent::ConfigBlob { set, op, generation, bytes } => {
                control.set = u32::from(set.0);
                control.op = u32::from(op == BlobOp::Delete);
                control.generation = generation;
                (control.bytes, control.length) = (bytes.as_ptr().cast(), bytes.len() as u64);
                abi::CONTROL_CONFIG_BLOB
            }
            ControlEvent::HaInfo => abi::CONTROL_HA_INFO,
        };
        let (handler, me) = (self.control, self.me);
        // SAFETY: the handler is the registration's, and every pointer in `control` lives until it returns.
        let call = AssertUnwindSafe(|| unsafe { handler(me, number, &raw const control) });
        let reply = marks::outside(self.suspect, || catch_unwind(call));
        self.serve(desk);
        match reply {
            Ok(abi::OK) => Ok(()),
            Ok(abi::PANICKED) | Err(_) => Err(self.refusal("it panicked")),
            Ok(reply) => {
                let said = CStr::from_bytes_until_nul(&error).unwrap_or_default().to_string_lossy();
                let plain = format!("it replied {reply} and gave no reason");
                Err(self.refusal(if said.is_empty() { &plain } else { &said }))
            }
        }
    }

    fn poll(&mut self, desk: &mut dyn Desk) {
        self.serve(desk);
    }

    fn log_lines(&mut self, to: &mut dyn FnMut(LogLine<'_>)) {
        self.desk.lines(to);
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain_mut(|reader| reader.drain(to));
    }
}

impl External {
    fn refusal(&self, why: &str) -> ControlFault {
        ControlFault(format!("plugin {}: {why}", self.about.name))
    }
}

fn terminated(text: &str) -> Result<CString, ControlFault> {
    CString::new(text).map_err(|_| ControlFault("a configuration text for a plugin has a NUL in it".into()))
}
