//! Between the C functions and the traits. For [`export!`](crate::export) only.

use crate::desk::{Control, Desk};
use crate::event::Event;
use crate::{CloseReason, Plugin, Registration, Reply, Worker, abi};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;

/// # Safety
/// As the ABI says of an entry function.
pub unsafe fn entry<P: Plugin>(host: *const abi::Host, out: *mut abi::Registration) -> c_int {
    // SAFETY: the host's table lives while the process does, and the registration is ours until we return.
    let (host, out): (&'static abi::Host, _) = unsafe { (&*host, &mut *out) };
    (out.size, out.version, out.tag) = (size_of::<abi::Registration>() as u32, abi::VERSION, abi::tag());
    if (host.version, host.tag) != (abi::VERSION, abi::tag()) || host.size as usize != size_of::<abi::Host>()
    {
        return abi::ABI_MISMATCH;
    }
    let made = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: by the ABI text that ends with NUL.
        let config = unsafe { text(host.config) };
        P::register(config, Desk { host })
    }));
    match made {
        Ok(Ok((registration, plugin))) => {
            fill::<P>(out, &registration, plugin);
            abi::OK
        }
        Ok(Err(why)) => {
            // SAFETY: the array is the registration's.
            unsafe { tell(&why, out.error.as_mut_ptr(), out.error.len()) };
            abi::REFUSED
        }
        Err(_) => abi::PANICKED,
    }
}

fn fill<P: Plugin>(out: &mut abi::Registration, registration: &Registration, plugin: P) {
    let flag = |on: bool, bit| if on { bit } else { 0 };
    out.name = leaked(&registration.name);
    out.kind = leaked(&registration.kind);
    out.flags = flag(registration.packet_mode, abi::FLAG_PACKET_MODE)
        | flag(registration.alone, abi::FLAG_ALONE)
        | flag(registration.needs_policy, abi::FLAG_POLICY)
        | flag(registration.turns, abi::FLAG_TURNS);
    out.publishes = leaked_list(&registration.publishes);
    out.subscribes = leaked_list(&registration.subscribes);
    out.counters = leaked_list(&registration.counters);
    out.self_ = Box::into_raw(Box::new(plugin)).cast();
    out.control = Some(control::<P>);
    out.data = Some(data::<P>);
}

/// The registration's texts stay for ever: they are few, and made once.
fn leaked(text: &str) -> *const c_char {
    let text: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
    CString::new(text).unwrap_or_default().into_raw()
}

fn leaked_list(names: &[String]) -> *const *const c_char {
    let list: Vec<_> = names.iter().map(|name| leaked(name)).chain([null()]).collect();
    Box::leak(list.into_boxed_slice()).as_ptr()
}

/// # Safety
/// Null, or text that ends with NUL and lives for `'a`.
unsafe fn text<'a>(text: *const c_char) -> &'a str {
    if text.is_null() {
        return "";
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or_default()
}

/// # Safety
/// There is room for so many bytes.
unsafe fn tell(why: &str, to: *mut c_char, room: usize) {
    let length = why.len().min(room.saturating_sub(1));
    // SAFETY: the caller's promise; the last byte is the NUL's.
    unsafe {
        std::ptr::copy_nonoverlapping(why.as_ptr().cast(), to, length);
        *to.add(length) = 0;
    }
}

unsafe extern "C-unwind" fn control<P: Plugin>(
    me: *mut c_void,
    event: u32,
    control: *const abi::Control,
) -> c_int {
    // SAFETY: by the ABI what the registration gave, and a struct that lives until we return.
    let (plugin, control) = unsafe { (&*me.cast::<P>(), &*control) };
    let told = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: by the ABI texts end with NUL, the block has that length, and all live until we return.
        let event = unsafe {
            match event {
                abi::CONTROL_INIT => Control::Init {
                    set: control.set,
                    set_name: text(control.set_name),
                    config: text(control.config),
                },
                abi::CONTROL_CONFIG_BLOB => Control::ConfigBlob {
                    set: control.set,
                    delete: control.op != 0,
                    generation: control.generation,
                    bytes: if control.bytes.is_null() {
                        &[]
                    } else {
                        std::slice::from_raw_parts(control.bytes.cast(), control.length as usize)
                    },
                },
                _ => Control::HaInfo,
            }
        };
        // SAFETY: the table lives while the process does.
        plugin.control(event, Desk { host: unsafe { &*control.host } })
    }));
    match told {
        Ok(Ok(())) => abi::OK,
        Ok(Err(why)) => {
            if control.error_size > 0 {
                // SAFETY: by the ABI there is that much room.
                unsafe { tell(&why, control.error, control.error_size as usize) };
            }
            abi::REFUSED
        }
        Err(_) => abi::PANICKED,
    }
}

unsafe extern "C-unwind" fn data<P: Plugin>(me: *mut c_void, event: u32, data: *mut abi::Data) -> c_int {
    // SAFETY: the struct is ours until we return.
    let data = unsafe { &mut *data };
    catch_unwind(AssertUnwindSafe(|| match event {
        abi::EVENT_WORKER_INIT => {
            // SAFETY: until now `me` is what the registration gave.
            let plugin = unsafe { &*me.cast::<P>() };
            data.worker_self = Box::into_raw(Box::new(plugin.worker(data.worker))).cast();
            abi::OK
        }
        abi::EVENT_WORKER_EXIT => {
            // SAFETY: `me` is the box of worker-init, and this is its last event.
            drop(unsafe { Box::from_raw(me.cast::<P::Worker>()) });
            abi::OK
        }
        // SAFETY: `me` is the box of worker-init, and a worker's half is called by one thread at a time, not within itself.
        _ => tell_worker(unsafe { &mut *me.cast::<P::Worker>() }, event, data),
    }))
    .unwrap_or(abi::PANICKED)
}

fn tell_worker<W: Worker>(worker: &mut W, number: u32, data: &mut abi::Data) -> c_int {
    let (reason, kind, argument) = (data.reason, data.kind, data.argument);
    if number == abi::EVENT_INIT {
        worker.init(data.set);
        return abi::OK;
    }
    if number == abi::EVENT_PUBLIC_DATA {
        if let Some((bytes, code)) = worker.public_data(kind, argument) {
            (data.bytes, data.length, data.code) = (bytes.as_ptr().cast(), bytes.len() as u64, code);
        }
        return abi::OK;
    }
    let bytes: &[u8] = if data.bytes.is_null() {
        &[]
    } else {
        // SAFETY: by the ABI so many bytes until we return.
        unsafe { std::slice::from_raw_parts(data.bytes.cast(), data.length as usize) }
    };
    // SAFETY: the struct of the running call.
    let event = &mut unsafe { Event::new(data) };
    match number {
        abi::EVENT_FIRST_PACKET => return code(worker.first_packet(event)),
        abi::EVENT_PACKET => return code(worker.packet(event)),
        abi::EVENT_USER => return code(worker.user(event, kind, bytes)),
        abi::EVENT_SESSION_OPEN => worker.session_open(event),
        abi::EVENT_SESSION_CLOSE => worker.session_close(event, CloseReason::of(reason)),
        abi::EVENT_SESSION_DESTROY => worker.session_destroy(event),
        abi::EVENT_TURN => worker.turn(event),
        _ => {}
    }
    abi::OK
}

fn code(reply: Reply) -> c_int {
    match reply {
        Reply::Ok => abi::OK,
        Reply::Forward => abi::FORWARD,
        Reply::Discard => abi::DISCARD,
        Reply::Hold => abi::HOLD,
        Reply::Raw(number) => number,
    }
}
