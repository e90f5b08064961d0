//! The host's functions, as a plugin calls them: each finds its call through `weir_data`, checks what it was given, and asks
//! the same [`Context`] or [`Host`] that a built-in plugin asks.
//!
//! Safety, for all: by the ABI `data` is the struct that the plugin's running handler was given, on the thread that runs it, so
//! what `data.call` points to is alive and nobody else uses it.

use super::abi::{self, Answer, Data};
use super::desk;
use super::worker::{Call, direction};
use crate::base::{Addr, ClassId, Family, PluginId, PortId, SetId};
use crate::decode::{Decoded, L4};
use crate::service::context::{Context, Host};
use crate::service::outbox::{Decision, Edit};
use crate::service::plugin::MAX_NAME;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;

/// The functions, for one plugin.
pub fn table(config: *const c_char, desk: *mut abi::Desk) -> abi::Host {
    abi::Host {
        size: size_of::<abi::Host>() as u32,
        version: abi::VERSION,
        tag: abi::tag(),
        config,
        desk,
        shared: null_mut(),
        attach,
        ignore,
        edit,
        ticket,
        release,
        share,
        share_segment,
        share_release,
        emit,
        plugin_named,
        class_named,
        dispatch,
        ask,
        count,
        log,
        attach_policy: desk::attach_policy,
        detach_policy: desk::detach_policy,
        desk_log: desk::desk_log,
    }
}

/// Bytes that a plugin points to; `None` for null.
///
/// # Safety
/// There are so many, and they stay as they are for as long as the slice is used.
pub unsafe fn bytes_at<'a>(at: *const c_void, length: u64) -> Option<&'a [u8]> {
    let length = usize::try_from(length).ok().filter(|&length| length <= isize::MAX as usize)?;
    if at.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; the length is one that a slice can have.
    Some(unsafe { std::slice::from_raw_parts(at.cast(), length) })
}

/// # Safety
/// As the module says.
#[inline]
unsafe fn call<'a>(data: *mut Data) -> Option<&'a mut Call> {
    // SAFETY: `data` is null or the running handler's, and `call` is null outside of a call.
    unsafe { data.as_mut()?.call.cast::<Call>().as_mut() }
}

/// # Safety
/// As the module says.
#[inline]
unsafe fn context<'a>(data: *mut Data) -> Option<&'a mut Context<'static>> {
    // SAFETY: the context outlives the call, which is running.
    unsafe { call(data)?.context.as_mut() }
}

/// # Safety
/// As the module says.
unsafe fn host<'a>(data: *mut Data) -> Option<&'a mut Host<'static>> {
    // SAFETY: of the two at most one is there, and it outlives the call, which is running.
    unsafe {
        let call = call(data)?;
        match call.context.as_mut() {
            Some(context) => Some(&mut context.host),
            None => call.host.as_mut(),
        }
    }
}

/// # Safety
/// `text` is null or ends with a NUL.
unsafe fn name<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().ok().filter(|name| name.len() <= MAX_NAME)
}

/// # Safety
/// As the module says, and `out` is null or to be written.
unsafe fn put<T>(out: *mut T, value: T) -> bool {
    // SAFETY: the caller's promise.
    unsafe { out.as_mut() }.map(|out| *out = value).is_some()
}

fn done(yes: bool) -> c_int {
    c_int::from(yes)
}

unsafe extern "C-unwind" fn attach(data: *mut Data, dir: u32, action: u64) -> c_int {
    let Some(dir) = direction(dir) else { return 0 };
    // SAFETY: see the module.
    let Some(context) = (unsafe { context(data) }) else { return 0 };
    done(context.attach(dir, action))
}

unsafe extern "C-unwind" fn ignore(data: *mut Data, dir: u32) -> c_int {
    // SAFETY: see the module.
    let (Some(dir), Some(context)) = (direction(dir), unsafe { context(data) }) else { return 0 };
    context.ignore(dir);
    done(context.session.is_some())
}

unsafe extern "C-unwind" fn edit(data: *mut Data, what: u32, value: *const u8, length: u32) -> c_int {
    // SAFETY: see the module; by the ABI the value has that length.
    let (Some(context), Some(value)) =
        (unsafe { context(data) }, unsafe { bytes_at(value.cast(), length.into()) })
    else {
        return 0;
    };
    let fits = |edit: &Edit| has_place(edit, value, context.packet.as_ref().map(|packet| &*packet.decoded));
    let edit = change(what, value).filter(fits);
    done(edit.is_some_and(|edit| context.edit(edit)))
}

/// Whether the packet has such a header: an address of its own family, ports where there are some.
fn has_place(edit: &Edit, value: &[u8], packet: Option<&Decoded>) -> bool {
    let Some((decoded, ip)) = packet.and_then(|decoded| Some((decoded, decoded.ip.as_ref()?))) else {
        return false;
    };
    match edit {
        Edit::Dscp(_) => true,
        Edit::Source(_) | Edit::Destination(_) => (ip.family == Family::V4) == (value.len() == 4),
        Edit::SourcePort(_) | Edit::DestinationPort(_) => {
            matches!(decoded.l4, L4::Tcp(_) | L4::Udp) && ip.fragment.is_none()
        }
        // No plugin of others asks for it.
        Edit::NotUrgent => false,
    }
}

fn change(what: u32, value: &[u8]) -> Option<Edit> {
    let addr = || match value.len() {
        4 => value.first_chunk().map(|bytes| Addr::v4(*bytes)),
        16 => value.first_chunk().map(|bytes| Addr::v6(*bytes)),
        _ => None,
    };
    let port = || value.first_chunk().filter(|_| value.len() == 2).map(|bytes| u16::from_be_bytes(*bytes));
    Some(match what {
        abi::EDIT_DSCP => Edit::Dscp(*value.first().filter(|_| value.len() == 1)?),
        abi::EDIT_SOURCE => Edit::Source(addr()?),
        abi::EDIT_DESTINATION => Edit::Destination(addr()?),
        abi::EDIT_SOURCE_PORT => Edit::SourcePort(port()?),
        abi::EDIT_DESTINATION_PORT => Edit::DestinationPort(port()?),
        _ => return None,
    })
}

unsafe extern "C-unwind" fn ticket(data: *mut Data, out: *mut u64) -> c_int {
    // SAFETY: see the module.
    let Some(ticket) = unsafe { context(data) }.and_then(|context| context.ticket()) else { return 0 };
    // SAFETY: by the ABI `out` is to be written.
    done(unsafe { put(out, ticket) })
}

unsafe extern "C-unwind" fn release(data: *mut Data, ticket: u64, decision: u32) -> c_int {
    let decision = match decision {
        abi::RELEASE_FORWARD => Decision::Forward,
        abi::RELEASE_DISCARD => Decision::Discard(crate::base::DropReason::PluginDiscard),
        _ => return 0,
    };
    // SAFETY: see the module.
    done(unsafe { host(data) }.is_some_and(|host| host.release(ticket, decision)))
}

unsafe extern "C-unwind" fn share(data: *mut Data, out: *mut u32) -> c_int {
    // SAFETY: see the module.
    let (Some(call), Some(context)) = (unsafe { call(data) }, unsafe { context(data) }) else { return 0 };
    let Some(frame) = context.packet.as_ref().and_then(|packet| packet.frame) else { return 0 };
    // SAFETY: the worker's half is alive while it is called, and does not touch what it keeps meanwhile.
    let Some(share) = unsafe { &mut *call.kept }.shares.keep(frame) else { return 0 };
    // SAFETY: by the ABI `out` is to be written.
    done(unsafe { put(out, share) })
}

unsafe extern "C-unwind" fn share_segment(
    data: *mut Data,
    share: u32,
    segment: u32,
    bytes: *mut *const u8,
    length: *mut u64,
) -> c_int {
    // SAFETY: see the module, and `share`.
    let kept = unsafe { call(data).map(|call| &(*call.kept).shares) };
    let Some(found) = kept.and_then(|shares| shares.get(share)?.segments().nth(segment as usize)) else {
        return 0;
    };
    // SAFETY: by the ABI both are to be written.
    done(unsafe { put(bytes, found.as_ptr()) && put(length, found.len() as u64) })
}

unsafe extern "C-unwind" fn share_release(data: *mut Data, share: u32) -> c_int {
    // SAFETY: see the module, and `share`.
    done(unsafe { call(data).is_some_and(|call| (*call.kept).shares.release(share)) })
}

unsafe extern "C-unwind" fn emit(data: *mut Data, bytes: *const u8, length: u32, port: u32) -> c_int {
    // SAFETY: see the module; by the ABI there are so many bytes.
    let (Some(host), Some(bytes)) = (unsafe { host(data) }, unsafe { bytes_at(bytes.cast(), length.into()) })
    else {
        return 0;
    };
    let Ok(port) = u16::try_from(port) else { return 0 };
    done(host.emit(bytes, PortId(port)))
}

unsafe extern "C-unwind" fn plugin_named(data: *mut Data, text: *const c_char) -> u32 {
    // SAFETY: see the module; by the ABI the name ends with a NUL.
    let (Some(host), Some(name)) = (unsafe { host(data) }, unsafe { name(text) }) else { return abi::NONE };
    host.plugin_named(name).map_or(abi::NONE, |plugin| u32::from(plugin.0))
}

unsafe extern "C-unwind" fn class_named(data: *mut Data, text: *const c_char) -> u32 {
    // SAFETY: see the module; by the ABI the name ends with a NUL.
    let (Some(host), Some(name)) = (unsafe { host(data) }, unsafe { name(text) }) else { return abi::NONE };
    host.class_named(name).map_or(abi::NONE, |class| u32::from(class.0))
}

unsafe extern "C-unwind" fn dispatch(data: *mut Data, class: u32, bytes: *const c_void, length: u64) -> u32 {
    // SAFETY: see the module; by the ABI there are so many bytes.
    let (Some(context), bytes) = (unsafe { context(data) }, unsafe { bytes_at(bytes, length) }) else {
        return 0;
    };
    let Ok(class) = u16::try_from(class) else { return 0 };
    context.dispatch(ClassId(class), bytes.unwrap_or_default()) as u32
}

unsafe extern "C-unwind" fn ask(
    data: *mut Data,
    plugin: u32,
    kind: u32,
    argument: u64,
    to: Answer,
    user: *mut c_void,
) -> c_int {
    let Ok(plugin) = u8::try_from(plugin) else { return 0 };
    // SAFETY: see the module.
    let Some(host) = (unsafe { host(data) }) else { return 0 };
    // What unwinds out of the asker's function goes on in the asker, when the other plugin is back in its place.
    let mut unwound = None;
    let there = host.ask(PluginId(plugin), kind, argument, &mut |answer| {
        let (bytes, length) = (answer.bytes.as_ptr().cast(), answer.bytes.len() as u64);
        // SAFETY: by the ABI the function takes what it is lent while it runs.
        let told = catch_unwind(AssertUnwindSafe(|| unsafe { to(user, bytes, length, answer.code) }));
        unwound = told.err();
    });
    if let Some(payload) = unwound {
        resume_unwind(payload);
    }
    done(there)
}

unsafe extern "C-unwind" fn count(data: *mut Data, set: u32, counter: u32, n: u64) -> c_int {
    // SAFETY: see the module.
    let (Ok(set), Some(host)) = (u8::try_from(set), unsafe { host(data) }) else { return 0 };
    host.count(SetId(set), counter as usize, n);
    1
}

unsafe extern "C-unwind" fn log(data: *mut Data, level: u32, text: *const c_char, length: u32) -> c_int {
    // SAFETY: see the module; by the ABI there are so many bytes.
    let (Some(call), Some(text)) = (unsafe { call(data) }, unsafe { bytes_at(text.cast(), length.into()) })
    else {
        return 0;
    };
    // SAFETY: see the module, and `share`.
    let (now, kept) = unsafe { (host(data).map(|host| host.now), &mut *call.kept) };
    done(kept.log.write(level, text, now))
}
