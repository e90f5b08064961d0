//! Write a plugin for Weir in safe Rust.
//!
//! A plugin is a `cdylib` with a type that implements [`Plugin`], its control half, and a [`Worker`], of which every worker of
//! the appliance has one. [`export!`] makes the entry function of them. `docs/plugins.md` of Weir goes through it step by
//! step. On the packet path (every method of [`Worker`]) do not allocate, lock, log to a file or sleep: the worker waits.
//!
//! A panic is caught before it reaches Weir, which then takes the plugin out of its chains: build with `panic = "unwind"`.

pub mod abi;
#[doc(hidden)]
pub mod border;
mod desk;
mod event;

pub use desk::{Control, Desk};
pub use event::{Edit, Event, Packet, Session, Share};

use std::net::IpAddr;

/// What a plugin says of itself.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    /// Unique in the appliance.
    pub name: String,
    /// What kind of service, for people.
    pub kind: String,
    /// It works per packet, without sessions.
    pub packet_mode: bool,
    /// It sees raw fragments and frames without session too.
    pub alone: bool,
    /// Its service sets pass traffic only once it has attached a policy to them.
    pub needs_policy: bool,
    /// It hears [`Worker::turn`].
    pub turns: bool,
    pub publishes: Vec<String>,
    pub subscribes: Vec<String>,
    /// Names of its counters, for [`Event::count`].
    pub counters: Vec<String>,
}

/// The control half.
pub trait Plugin: Send + Sync + Sized + 'static {
    type Worker: Worker;

    /// Runs once; `config` is the plugin's text of the configuration. An error ends the start, and is shown.
    fn register(config: &str, desk: Desk) -> Result<(Registration, Self), String>;

    /// A worker's half.
    fn worker(&self, worker: u32) -> Self::Worker;

    /// Something happened on management. An error refuses it, and is shown.
    fn control(&self, _event: Control<'_>, _desk: Desk) -> Result<(), String> {
        Ok(())
    }
}

/// The data half: one a worker.
pub trait Worker: Send + 'static {
    /// A service set has this plugin as a member now.
    fn init(&mut self, _set: u32) {}

    /// The packet that opens a session. [`Reply::Discard`] refuses it; [`Reply::Hold`] is not allowed.
    fn first_packet(&mut self, event: &mut Event<'_>) -> Reply {
        self.packet(event)
    }

    fn packet(&mut self, _event: &mut Event<'_>) -> Reply {
        Reply::Ok
    }

    /// All plugins have accepted the first packet.
    fn session_open(&mut self, _event: &mut Event<'_>) {}

    fn session_close(&mut self, _event: &mut Event<'_>, _reason: CloseReason) {}

    /// The last event of a session.
    fn session_destroy(&mut self, _event: &mut Event<'_>) {}

    /// An event of a class that it subscribes to.
    fn user(&mut self, _event: &mut Event<'_>, _class: u32, _data: &[u8]) -> Reply {
        Reply::Ok
    }

    /// Another plugin asks for data; the number beside it is a code of your own meaning.
    fn public_data(&mut self, _kind: u32, _argument: u64) -> Option<(&[u8], i64)> {
        None
    }

    /// Once a turn of the worker.
    fn turn(&mut self, _event: &mut Event<'_>) {}
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// Handled, no opinion.
    #[default]
    Ok,
    /// Accepted: on to the next plugin.
    Forward,
    /// First packet: the session is refused. Later: the packet is dropped.
    Discard,
    /// The frame waits until it is released: take its [ticket](Event::ticket) first.
    Hold,
    /// For tests of the host: whatever number you like.
    #[doc(hidden)]
    Raw(i32),
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// As the packet that opened the session.
    #[default]
    ToServer,
    ToClient,
}

impl Direction {
    pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

    fn of(number: u32) -> Direction {
        if number == 0 { Direction::ToServer } else { Direction::ToClient }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// Why a session ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Fin,
    Rst,
    Timeout,
    Evicted,
    OpenFailed,
    Policy,
    Killed,
    PluginRestart,
    Shutdown,
    /// Its ends are in another connection with the same addresses and ports.
    Reused,
    /// One that this crate does not know.
    Other(u32),
}

impl CloseReason {
    fn of(number: u32) -> CloseReason {
        use CloseReason::*;
        let known = [Fin, Rst, Timeout, Evicted, OpenFailed, Policy, Killed, PluginRestart, Shutdown, Reused];
        known.get(number as usize).copied().unwrap_or(Other(number))
    }

    pub fn name(self) -> &'static str {
        match self {
            CloseReason::Fin => "fin",
            CloseReason::Rst => "rst",
            CloseReason::Timeout => "timeout",
            CloseReason::Evicted => "evicted",
            CloseReason::OpenFailed => "open-failed",
            CloseReason::Policy => "policy",
            CloseReason::Killed => "killed",
            CloseReason::PluginRestart => "plugin-restart",
            CloseReason::Shutdown => "shutdown",
            CloseReason::Reused => "reused",
            CloseReason::Other(_) => "other",
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

impl LogLevel {
    fn number(self) -> u32 {
        match self {
            LogLevel::Error => abi::LOG_ERROR,
            LogLevel::Warn => abi::LOG_WARN,
            LogLevel::Info => abi::LOG_INFO,
            LogLevel::Debug => abi::LOG_DEBUG,
        }
    }
}

fn address(bytes: [u8; 16], family: u8) -> IpAddr {
    match family {
        4 => IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]),
        _ => IpAddr::from(bytes),
    }
}

/// Makes the entry function, `weir_plugin_entry`, of a type that implements [`Plugin`].
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        /// # Safety
        /// Called by Weir, as its ABI says.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn weir_plugin_entry(
            host: *const $crate::abi::Host,
            out: *mut $crate::abi::Registration,
        ) -> ::core::ffi::c_int {
            // SAFETY: the caller's promise.
            unsafe { $crate::border::entry::<$plugin>(host, out) }
        }
    };
}
