//! A call of a worker's half, and what it can see and ask.

use crate::desk::Policy;
use crate::{Direction, LogLevel, abi, address};
use std::any::Any;
use std::ffi::{CString, c_void};
use std::net::IpAddr;

/// One event. Everything in it ends with the call.
pub struct Event<'a> {
    data: &'a mut abi::Data,
}

/// The session of an event; of its tuple the source is the client.
#[derive(Copy, Clone)]
pub struct Session<'a>(&'a abi::Session);

/// The packet of an event, read-only.
#[derive(Copy, Clone)]
pub struct Packet<'a>(&'a abi::Packet);

/// A reference to a frame, kept on this worker until it is [released](Event::release_share).
#[derive(Debug, PartialEq, Eq)]
pub struct Share(u32);

/// A change of a packet's header.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Dscp(u8),
    Source(IpAddr),
    Destination(IpAddr),
    SourcePort(u16),
    DestinationPort(u16),
}

impl Session<'_> {
    /// Unique while Weir runs.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    pub fn source(&self) -> (IpAddr, u16) {
        (address(self.0.tuple.source, self.0.tuple.family), self.0.tuple.source_port)
    }

    pub fn destination(&self) -> (IpAddr, u16) {
        (address(self.0.tuple.destination, self.0.tuple.family), self.0.tuple.destination_port)
    }

    /// IANA's number.
    pub fn protocol(&self) -> u8 {
        self.0.tuple.protocol
    }

    pub fn packets(&self, direction: Direction) -> u64 {
        self.0.packets[direction.index()]
    }

    pub fn bytes(&self, direction: Direction) -> u64 {
        self.0.bytes[direction.index()]
    }

    pub fn is_established(&self) -> bool {
        self.0.state == 1
    }
}

impl<'a> Packet<'a> {
    /// The whole frame, from its link header on.
    pub fn bytes(&self) -> &'a [u8] {
        // SAFETY: by the ABI so many bytes, unchanged until the handler returns; `'a` ends before.
        unsafe { std::slice::from_raw_parts(self.0.bytes, self.0.length as usize) }
    }

    /// From the IP header on; empty when there is none.
    pub fn ip(&self) -> &'a [u8] {
        self.bytes().get(self.0.ip as usize..).unwrap_or_default()
    }

    /// From the TCP, UDP, ICMP or SCTP header on; empty when there is none.
    pub fn l4(&self) -> &'a [u8] {
        self.bytes().get(self.0.l4 as usize..).unwrap_or_default()
    }

    pub fn payload(&self) -> &'a [u8] {
        let start = self.0.payload as usize;
        self.bytes().get(start..start.saturating_add(self.0.payload_length as usize)).unwrap_or_default()
    }

    /// When it was captured, in microseconds since 1970.
    pub fn time_us(&self) -> u64 {
        self.0.time_us
    }

    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// The port that it came in by.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn is_fragment(&self) -> bool {
        self.0.flags & abi::PACKET_FRAGMENT != 0
    }

    pub fn is_rebuilt(&self) -> bool {
        self.0.flags & abi::PACKET_REBUILT != 0
    }

    /// Within a tunnel.
    pub fn is_inner(&self) -> bool {
        self.0.flags & abi::PACKET_INNER != 0
    }
}

impl<'a> Event<'a> {
    /// # Safety
    /// `data` is what the host gave to the handler that runs.
    pub(crate) unsafe fn new(data: &'a mut abi::Data) -> Event<'a> {
        Event { data }
    }

    fn host(&self) -> &abi::Host {
        // SAFETY: by the ABI never null, and alive while the process is.
        unsafe { &*self.data.host }
    }

    /// The service set.
    pub fn set(&self) -> u32 {
        self.data.set
    }

    pub fn worker(&self) -> u32 {
        self.data.worker
    }

    pub fn direction(&self) -> Direction {
        Direction::of(self.data.direction)
    }

    /// The worker's clock, in microseconds.
    pub fn now_us(&self) -> u64 {
        self.data.now_us
    }

    pub fn session(&self) -> Option<Session<'_>> {
        // SAFETY: null or alive until the handler returns.
        unsafe { self.data.session.as_ref() }.map(Session)
    }

    pub fn packet(&self) -> Option<Packet<'_>> {
        // SAFETY: as `session`.
        unsafe { self.data.packet.as_ref() }.map(Packet)
    }

    /// The policy that the session took, if it is of this type.
    pub fn policy<T: Any>(&self) -> Option<&T> {
        // SAFETY: policies of this plugin are attached by `Desk::attach`, which makes them of this type.
        unsafe { self.data.policy.cast::<Policy>().as_ref() }?.downcast_ref()
    }

    /// 0 when there is none.
    pub fn policy_generation(&self) -> u32 {
        self.data.policy_generation
    }

    /// Keeps a number for the session's packets of a direction.
    pub fn attach(&mut self, direction: Direction, action: u64) {
        let attach = self.host().attach;
        // SAFETY: the host's function with the struct of the running call; so are all below.
        unsafe { attach(self.data, direction as u32, action) };
    }

    /// What was attached for this event's direction; 0 for nothing.
    pub fn action(&self) -> u64 {
        self.action_of(self.direction())
    }

    pub fn action_of(&self, direction: Direction) -> u64 {
        // SAFETY: by the ABI it points to two actions, or is null.
        unsafe { self.data.action.as_ref() }.map_or(0, |actions| actions[direction.index()])
    }

    /// No more packets of this session in that direction.
    pub fn ignore(&mut self, direction: Direction) {
        let ignore = self.host().ignore;
        // SAFETY: see `attach`.
        unsafe { ignore(self.data, direction as u32) };
    }

    /// Changes a header when the packet leaves. False where that cannot be.
    pub fn edit(&mut self, edit: Edit) -> bool {
        let mut value = [0u8; 16];
        let (what, length) = match edit {
            Edit::Dscp(dscp) => (abi::EDIT_DSCP, put(&mut value, &[dscp])),
            Edit::Source(addr) => (abi::EDIT_SOURCE, put_addr(&mut value, addr)),
            Edit::Destination(addr) => (abi::EDIT_DESTINATION, put_addr(&mut value, addr)),
            Edit::SourcePort(port) => (abi::EDIT_SOURCE_PORT, put(&mut value, &port.to_be_bytes())),
            Edit::DestinationPort(port) => (abi::EDIT_DESTINATION_PORT, put(&mut value, &port.to_be_bytes())),
        };
        let edit = self.host().edit;
        // SAFETY: see `attach`.
        unsafe { edit(self.data, what, value.as_ptr(), length) != 0 }
    }

    /// The ticket that this frame will have if the reply is [`Hold`](crate::Reply::Hold); `None` when no more can be held.
    pub fn ticket(&mut self) -> Option<u64> {
        let (ticket, mut out) = (self.host().ticket, 0);
        // SAFETY: see `attach`.
        (unsafe { ticket(self.data, &mut out) } != 0).then_some(out)
    }

    /// Decides about a held frame.
    pub fn release(&mut self, ticket: u64, forward: bool) -> bool {
        let release = self.host().release;
        let decision = if forward { abi::RELEASE_FORWARD } else { abi::RELEASE_DISCARD };
        // SAFETY: see `attach`.
        unsafe { release(self.data, ticket, decision) != 0 }
    }

    /// Keeps the packet's frame beyond this event. Who keeps too many is taken out.
    pub fn share(&mut self) -> Option<Share> {
        let (share, mut out) = (self.host().share, 0);
        // SAFETY: see `attach`.
        (unsafe { share(self.data, &mut out) } != 0).then_some(Share(out))
    }

    /// A piece of a kept frame.
    pub fn shared(&mut self, share: &Share, segment: u32) -> Option<&[u8]> {
        let (find, mut bytes, mut length) = (self.host().share_segment, std::ptr::null(), 0);
        // SAFETY: see `attach`; the bytes stay until the share is released, for which this borrow has to end.
        unsafe {
            let found = find(self.data, share.0, segment, &mut bytes, &mut length) != 0;
            found.then(|| std::slice::from_raw_parts(bytes, length as usize))
        }
    }

    pub fn release_share(&mut self, share: Share) {
        let release = self.host().share_release;
        // SAFETY: see `attach`.
        unsafe { release(self.data, share.0) };
    }

    /// Sends a frame of your own, from its link header on, out of a port.
    pub fn emit(&mut self, frame: &[u8], port: u16) -> bool {
        let emit = self.host().emit;
        // SAFETY: see `attach`.
        unsafe { emit(self.data, frame.as_ptr(), frame.len() as u32, u32::from(port)) != 0 }
    }

    /// A plugin's id. Keep it until [`ask`](Event::ask) fails: one that is restarted gets another. Allocates.
    pub fn plugin_named(&mut self, name: &str) -> Option<u32> {
        let (find, name) = (self.host().plugin_named, CString::new(name).ok()?);
        // SAFETY: see `attach`.
        Some(unsafe { find(self.data, name.as_ptr()) }).filter(|&id| id != abi::NONE)
    }

    /// As [`plugin_named`](Event::plugin_named), of a class of user events.
    pub fn class_named(&mut self, name: &str) -> Option<u32> {
        let (find, name) = (self.host().class_named, CString::new(name).ok()?);
        // SAFETY: see `attach`.
        Some(unsafe { find(self.data, name.as_ptr()) }).filter(|&id| id != abi::NONE)
    }

    /// Tells all subscribers of a class on this worker, now; how many there were.
    pub fn dispatch(&mut self, class: u32, data: &[u8]) -> u32 {
        let dispatch = self.host().dispatch;
        // SAFETY: see `attach`.
        unsafe { dispatch(self.data, class, data.as_ptr().cast(), data.len() as u64) }
    }

    /// Asks another plugin for data; `to` sees it, and its code, while this call lasts.
    pub fn ask(&mut self, plugin: u32, kind: u32, argument: u64, mut to: impl FnMut(&[u8], i64)) -> bool {
        let ask = self.host().ask;
        let mut to: &mut dyn FnMut(&[u8], i64) = &mut to;
        // SAFETY: see `attach`; `answer` gets the closure that it expects.
        unsafe { ask(self.data, plugin, kind, argument, answer, (&raw mut to).cast()) != 0 }
    }

    /// Adds to a counter, by its place in the registration, in this event's set.
    pub fn count(&mut self, counter: u32, n: u64) {
        let (count, set) = (self.host().count, self.data.set);
        // SAFETY: see `attach`.
        unsafe { count(self.data, set, counter, n) };
    }

    /// A line for the log; false when it was lost, as are more than a few a second.
    pub fn log(&mut self, level: LogLevel, text: &str) -> bool {
        let log = self.host().log;
        // SAFETY: see `attach`.
        unsafe { log(self.data, level.number(), text.as_ptr().cast(), text.len() as u32) != 0 }
    }
}

unsafe extern "C-unwind" fn answer(user: *mut c_void, bytes: *const c_void, length: u64, code: i64) {
    // SAFETY: `ask` passed the closure, and the host the bytes, both for this call; a panic must not cross to the host.
    unsafe {
        let to = &mut **user.cast::<&mut dyn FnMut(&[u8], i64)>();
        let bytes =
            if bytes.is_null() { &[] } else { std::slice::from_raw_parts(bytes.cast(), length as usize) };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| to(bytes, code))).is_err() {
            std::process::abort();
        }
    }
}

fn put(value: &mut [u8; 16], bytes: &[u8]) -> u32 {
    value[..bytes.len()].copy_from_slice(bytes);
    bytes.len() as u32
}

fn put_addr(value: &mut [u8; 16], addr: IpAddr) -> u32 {
    match addr {
        IpAddr::V4(addr) => put(value, &addr.octets()),
        IpAddr::V6(addr) => put(value, &addr.octets()),
    }
}
