//! The C ABI, as `plugins/include/weir_plugin.h` has it (what each thing means is said there).
//!
//! One file for both sides: Weir includes it too, and a test of Weir's holds it to the header.

use core::ffi::{c_char, c_int, c_void};

pub const VERSION: u32 = 2;
pub const TAG: &str = "weir-0.1/abi-2";
pub const TAG_SIZE: usize = 32;

/// [`TAG`] as it stands in a struct.
pub const fn tag() -> [c_char; TAG_SIZE] {
    let mut out = [0; TAG_SIZE];
    let mut i = 0;
    while i < TAG.len() {
        out[i] = TAG.as_bytes()[i] as c_char;
        i += 1;
    }
    out
}

/// A set of named numbers.
macro_rules! numbers {
    ($kind:ty: $($name:ident = $value:expr;)*) => { $(pub const $name: $kind = $value;)* };
}

numbers! { c_int:
    OK = 0; FORWARD = 1; DISCARD = 2; HOLD = 3; PANICKED = 99;
    REFUSED = -1; ABI_MISMATCH = -2;
}
numbers! { u32:
    EVENT_WORKER_INIT = 0; EVENT_INIT = 1; EVENT_FIRST_PACKET = 2; EVENT_PACKET = 3; EVENT_SESSION_OPEN = 4;
    EVENT_SESSION_CLOSE = 5; EVENT_SESSION_DESTROY = 6; EVENT_PUBLIC_DATA = 7; EVENT_USER = 8; EVENT_TURN = 9;
    EVENT_WORKER_EXIT = 10;
    CONTROL_INIT = 0; CONTROL_CONFIG_BLOB = 1; CONTROL_HA_INFO = 2;
    FLAG_PACKET_MODE = 1; FLAG_ALONE = 2; FLAG_POLICY = 4; FLAG_TURNS = 8;
    EDIT_DSCP = 0; EDIT_SOURCE = 1; EDIT_DESTINATION = 2; EDIT_SOURCE_PORT = 3; EDIT_DESTINATION_PORT = 4;
    RELEASE_FORWARD = 0; RELEASE_DISCARD = 1;
    LOG_ERROR = 1; LOG_WARN = 2; LOG_INFO = 3; LOG_DEBUG = 4;
    NONE = u32::MAX;
}
numbers! { u16:
    PACKET_FRAGMENT = 1; PACKET_REBUILT = 2; PACKET_INNER = 4; PACKET_INLINE = 8;
}

#[derive(Copy, Clone, Debug, Default)]
#[repr(C)]
pub struct Tuple {
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u8,
    pub family: u8,
    pub reserved: [u8; 2],
}

#[derive(Copy, Clone, Debug, Default)]
#[repr(C)]
pub struct Session {
    pub id: u64,
    pub packets: [u64; 2],
    pub bytes: [u64; 2],
    pub state: u32,
    pub reserved: u32,
    pub tuple: Tuple,
}

#[derive(Copy, Clone, Debug)]
#[repr(C)]
pub struct Packet {
    pub bytes: *const u8,
    pub length: u32,
    pub ip: u32,
    pub l4: u32,
    pub payload: u32,
    pub payload_length: u32,
    pub number: u32,
    pub time_us: u64,
    pub port: u16,
    pub flags: u16,
    pub reserved: u32,
}

/// Opaque.
#[repr(C)]
pub struct Desk {
    _private: [u8; 0],
}

#[repr(C)]
pub struct Data {
    pub host: *const Host,
    pub call: *mut c_void,
    pub shared: *mut c_void,
    pub shared_size: u64,
    pub worker_self: *mut c_void,
    pub set: u32,
    pub plugin: u32,
    pub worker: u32,
    pub direction: u32,
    pub reason: u32,
    pub kind: u32,
    pub bytes: *const c_void,
    pub length: u64,
    pub argument: u64,
    pub code: i64,
    pub action: *const [u64; 2],
    pub policy: *const c_void,
    pub policy_generation: u32,
    pub reserved: u32,
    pub now_us: u64,
    pub session: *const Session,
    pub packet: *const Packet,
}

#[repr(C)]
pub struct Control {
    pub host: *const Host,
    pub desk: *mut Desk,
    pub shared: *mut c_void,
    pub shared_size: u64,
    pub set: u32,
    pub op: u32,
    pub generation: u32,
    pub error_size: u32,
    pub set_name: *const c_char,
    pub config: *const c_char,
    pub bytes: *const c_void,
    pub length: u64,
    pub error: *mut c_char,
}

/// Takes the answer of [`Host::ask`].
pub type Answer = unsafe extern "C-unwind" fn(*mut c_void, *const c_void, u64, i64);
pub type ReleasePolicy = unsafe extern "C-unwind" fn(*const c_void);

#[derive(Copy, Clone)]
#[repr(C)]
pub struct Host {
    pub size: u32,
    pub version: u32,
    pub tag: [c_char; TAG_SIZE],
    pub config: *const c_char,
    pub desk: *mut Desk,
    pub shared: *mut c_void,
    pub attach: unsafe extern "C-unwind" fn(*mut Data, u32, u64) -> c_int,
    pub ignore: unsafe extern "C-unwind" fn(*mut Data, u32) -> c_int,
    pub edit: unsafe extern "C-unwind" fn(*mut Data, u32, *const u8, u32) -> c_int,
    pub ticket: unsafe extern "C-unwind" fn(*mut Data, *mut u64) -> c_int,
    pub release: unsafe extern "C-unwind" fn(*mut Data, u64, u32) -> c_int,
    pub share: unsafe extern "C-unwind" fn(*mut Data, *mut u32) -> c_int,
    pub share_segment: unsafe extern "C-unwind" fn(*mut Data, u32, u32, *mut *const u8, *mut u64) -> c_int,
    pub share_release: unsafe extern "C-unwind" fn(*mut Data, u32) -> c_int,
    pub emit: unsafe extern "C-unwind" fn(*mut Data, *const u8, u32, u32) -> c_int,
    pub plugin_named: unsafe extern "C-unwind" fn(*mut Data, *const c_char) -> u32,
    pub class_named: unsafe extern "C-unwind" fn(*mut Data, *const c_char) -> u32,
    pub dispatch: unsafe extern "C-unwind" fn(*mut Data, u32, *const c_void, u64) -> u32,
    pub ask: unsafe extern "C-unwind" fn(*mut Data, u32, u32, u64, Answer, *mut c_void) -> c_int,
    pub count: unsafe extern "C-unwind" fn(*mut Data, u32, u32, u64) -> c_int,
    pub log: unsafe extern "C-unwind" fn(*mut Data, u32, *const c_char, u32) -> c_int,
    pub attach_policy:
        unsafe extern "C-unwind" fn(*mut Desk, u32, *const c_void, Option<ReleasePolicy>) -> c_int,
    pub detach_policy: unsafe extern "C-unwind" fn(*mut Desk, u32) -> c_int,
    pub desk_log: unsafe extern "C-unwind" fn(*mut Desk, u32, *const c_char, u32) -> c_int,
}

pub type ControlHandler = unsafe extern "C-unwind" fn(*mut c_void, u32, *const Control) -> c_int;
pub type DataHandler = unsafe extern "C-unwind" fn(*mut c_void, u32, *mut Data) -> c_int;

#[derive(Copy, Clone)]
#[repr(C)]
pub struct Registration {
    pub size: u32,
    pub version: u32,
    pub tag: [c_char; TAG_SIZE],
    pub name: *const c_char,
    pub kind: *const c_char,
    pub flags: u32,
    pub reserved: u32,
    pub self_: *mut c_void,
    pub shared_size: u64,
    pub publishes: *const *const c_char,
    pub subscribes: *const *const c_char,
    pub counters: *const *const c_char,
    pub control: Option<ControlHandler>,
    pub data: Option<DataHandler>,
    pub error: [c_char; 256],
}

pub type Entry = unsafe extern "C-unwind" fn(*const Host, *mut Registration) -> c_int;
