//! The data half: each event as one call over the border, with views that live on this stack.

use super::abi;
use super::desk::ExternalPolicy;
use super::log::LogWriter;
use super::memory::Shared;
use super::shares::Shares;
use crate::base::event::{Cause, CloseReason, PluginFault};
use crate::base::{Addr, ClassId, Dir, DropReason, Family, FlowTuple, PerDir, SetId, Time, WorkerId};
use crate::decode::L4;
use crate::service::context::{Context, Host, PacketAt, SessionAt};
use crate::service::plugin::{DataPlugin, PublicData, Reply};
use crate::service::watchdog::{Suspect, marks};
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::sync::Arc;

pub struct ExternalWorker {
    handler: abi::DataHandler,
    /// The plugin's own, of this worker since `worker_init`.
    me: *mut c_void,
    host: &'static abi::Host,
    shared: Arc<Shared>,
    worker: WorkerId,
    suspect: &'static Suspect,
    /// What a packet's event hands over, from call to call: most of it stays as it is. Made and freed here; a pointer, because
    /// the plugin has it too.
    data: *mut abi::Data,
    /// What it keeps of the host's, for the host's functions.
    kept: Kept,
    fault: Option<PluginFault>,
    /// It misbehaved: never called again.
    dead: bool,
}

/// The largest replies of events that ask for an opinion, and of those that ask for none.
const OPINION: c_int = abi::HOLD;
const NO_OPINION: c_int = abi::FORWARD;

/// What a plugin reads where it can have attached nothing.
static NOTHING_ATTACHED: [u64; 2] = [0; 2];

pub(super) struct Kept {
    pub shares: Shares,
    pub log: LogWriter,
}

// SAFETY: `me` is the plugin's own and only handed back to it, `data` is this half's alone; the ABI says that a worker's half is
// called by one thread at a time, not always the same.
unsafe impl Send for ExternalWorker {}

/// What stands behind a call, for the host's functions: found through `weir_data.call`, for as long as the call lasts.
pub(super) struct Call {
    /// Null where the event has none.
    pub context: *mut Context<'static>,
    /// Only where there is no context.
    pub host: *mut Host<'static>,
    pub kept: *mut Kept,
}

impl ExternalWorker {
    pub fn new(
        handler: abi::DataHandler,
        me: *mut c_void,
        host: &'static abi::Host,
        shared: Arc<Shared>,
        log: LogWriter,
        (worker, suspect): (WorkerId, &'static Suspect),
    ) -> ExternalWorker {
        let kept = Kept { shares: Shares::default(), log };
        let (fault, data) = (None, null_mut());
        let mut half =
            ExternalWorker { handler, me, host, shared, worker, suspect, data, kept, fault, dead: false };
        half.data = Box::into_raw(Box::new(half.bare()));
        half
    }

    /// An event without packet, session or host.
    #[inline(always)]
    fn bare(&self) -> abi::Data {
        abi::Data {
            host: self.host,
            call: null_mut(),
            shared: self.shared.pointer(),
            shared_size: self.shared.size(),
            worker_self: self.me,
            set: abi::NONE,
            plugin: abi::NONE,
            worker: u32::from(self.worker.0),
            direction: 0,
            reason: 0,
            kind: 0,
            bytes: null(),
            length: 0,
            argument: 0,
            code: 0,
            action: &raw const NOTHING_ATTACHED,
            policy: null(),
            policy_generation: 0,
            reserved: 0,
            now_us: 0,
            session: null(),
            packet: null(),
        }
    }

    /// Over the border and back. `most` is the largest reply that is right.
    #[inline(always)]
    fn call(
        &mut self,
        event: u32,
        most: c_int,
        data: *mut abi::Data,
        context: *mut Context<'static>,
        host: *mut Host<'static>,
    ) -> c_int {
        if self.dead {
            return abi::OK;
        }
        let mut call = Call { context, host, kept: &raw mut self.kept };
        let (handler, me) = (self.handler, self.me);
        // SAFETY: the caller's `data` is there until this returns; the plugin has it only while its handler runs.
        unsafe { (*data).call = (&raw mut call).cast() };
        // SAFETY: the handler is the registration's; all that `data` points to lives until it returns, and nothing of it is
        // touched meanwhile but by the host's functions.
        let reply = catch_unwind(AssertUnwindSafe(|| unsafe { handler(me, event, data) }));
        let reply = reply.unwrap_or(abi::PANICKED);
        // SAFETY: as above.
        unsafe { (*data).call = null_mut() };
        if !(abi::OK..=most).contains(&reply) || self.kept.shares.leaked {
            return self.misbehaved(reply);
        }
        reply
    }

    /// A call that is made on other threads than the worker's too, and so has to be marked apart.
    fn call_outside(&mut self, event: u32, data: &mut abi::Data) {
        marks::outside(self.suspect, || self.call(event, NO_OPINION, data, null_mut(), null_mut()));
    }

    /// An event of a packet or a session; `data` as [`bare`](Self::bare) makes it.
    #[inline(always)]
    fn with_context(
        &mut self,
        event: u32,
        most: c_int,
        data: *mut abi::Data,
        context: &mut Context<'_>,
    ) -> c_int {
        // Views are made in their places: to move them costs more than to make them.
        let (session_seen, packet_seen);
        let session = match &context.session {
            Some(at) => {
                session_seen = session_view(at);
                &raw const session_seen
            }
            None => null(),
        };
        let packet = match &context.packet {
            Some(at) => {
                packet_seen = packet_view(at);
                &raw const packet_seen
            }
            None => null(),
        };
        let (policy, policy_generation) = match context.policy() {
            Some(policy) => {
                let external = policy.data.downcast_ref::<ExternalPolicy>();
                (external.map_or(null(), |p| p.pointer), policy.generation)
            }
            None => (null(), 0),
        };
        // SAFETY: no handler runs that has it.
        let told = unsafe { &mut *data };
        told.set = u32::from(context.set.0);
        told.plugin = u32::from(context.host.me.0);
        told.direction = context.dir as u32;
        told.action = context.actions().map_or(&raw const NOTHING_ATTACHED, |actions| &raw const actions.0);
        (told.policy, told.policy_generation) = (policy, policy_generation);
        told.now_us = context.host.now.micros();
        (told.session, told.packet) = (session, packet);
        // The lifetimes are forgotten only while the call lasts, during which `context` is not used here.
        let lent = (&raw mut *context).cast::<Context<'static>>();
        let reply = self.call(event, most, data, lent, null_mut());
        context.host.misbehaved |= self.dead;
        reply
    }

    /// A packet's event.
    #[inline(always)]
    fn opinion(&mut self, event: u32, context: &mut Context<'_>) -> Reply {
        reply(self.with_context(event, OPINION, self.data, context))
    }

    /// A session's.
    fn notice(&mut self, event: u32, reason: u32, context: &mut Context<'_>) {
        let mut data = self.bare();
        data.reason = reason;
        self.with_context(event, NO_OPINION, &raw mut data, context);
    }

    /// What it replied or did is wrong: it is never called again.
    #[cold]
    fn misbehaved(&mut self, reply: c_int) -> c_int {
        self.dead = true;
        self.fault = Some(match reply {
            _ if self.kept.shares.leaked => PluginFault::LeakedFrames,
            abi::PANICKED => PluginFault::Panicked,
            _ => PluginFault::BadReply,
        });
        self.kept.shares.clear();
        abi::OK
    }
}

impl DataPlugin for ExternalWorker {
    fn worker_init(&mut self, _worker: WorkerId) {
        let mut data = self.bare();
        self.call_outside(abi::EVENT_WORKER_INIT, &mut data);
        self.me = data.worker_self;
        // SAFETY: made by `new`, and no handler runs.
        unsafe { *self.data = self.bare() };
    }

    fn init(&mut self, set: SetId) {
        let mut data = self.bare();
        data.set = u32::from(set.0);
        self.call_outside(abi::EVENT_INIT, &mut data);
    }

    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        self.opinion(abi::EVENT_FIRST_PACKET, context)
    }

    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        self.opinion(abi::EVENT_PACKET, context)
    }

    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        self.packet(context)
    }

    fn session_open(&mut self, context: &mut Context<'_>) {
        self.notice(abi::EVENT_SESSION_OPEN, 0, context);
    }

    fn session_close(&mut self, context: &mut Context<'_>, reason: CloseReason) {
        self.notice(abi::EVENT_SESSION_CLOSE, reason as u32, context);
    }

    fn session_destroy(&mut self, context: &mut Context<'_>) {
        self.notice(abi::EVENT_SESSION_DESTROY, 0, context);
    }

    fn user(&mut self, context: &mut Context<'_>, class: ClassId, bytes: &[u8]) -> Reply {
        let mut data = self.bare();
        data.kind = u32::from(class.0);
        (data.bytes, data.length) = (bytes.as_ptr().cast(), bytes.len() as u64);
        reply(self.with_context(abi::EVENT_USER, OPINION, &raw mut data, context))
    }

    fn public_data(&mut self, kind: u32, argument: u64, to: &mut dyn FnMut(PublicData<'_>)) -> bool {
        let mut data = self.bare();
        (data.kind, data.argument) = (kind, argument);
        self.call(abi::EVENT_PUBLIC_DATA, NO_OPINION, &raw mut data, null_mut(), null_mut());
        if self.dead {
            return false;
        }
        // SAFETY: by the ABI the answer is null, or the plugin's memory of that length, unchanged until its next call.
        let Some(bytes) = (unsafe { super::host::bytes_at(data.bytes, data.length) }) else { return false };
        to(PublicData { bytes, code: data.code });
        true
    }

    fn turn(&mut self, host: &mut Host<'_>, now: Time) {
        let mut data = self.bare();
        data.plugin = u32::from(host.me.0);
        data.now_us = now.micros();
        let host = (&raw mut *host).cast::<Host<'static>>();
        self.call(abi::EVENT_TURN, NO_OPINION, &raw mut data, null_mut(), host);
    }

    fn fault(&mut self) -> Option<PluginFault> {
        self.fault.take()
    }
}

impl Drop for ExternalWorker {
    fn drop(&mut self) {
        // What a plugin that misbehaved left stays where it is: nobody knows in what state.
        let mut data = self.bare();
        self.call_outside(abi::EVENT_WORKER_EXIT, &mut data);
        // SAFETY: made by `new`, and no handler runs any more.
        drop(unsafe { Box::from_raw(self.data) });
    }
}

fn reply(number: c_int) -> Reply {
    match number {
        abi::FORWARD => Reply::Forward,
        abi::DISCARD => Reply::Discard(DropReason::PluginDiscard),
        abi::HOLD => Reply::Hold,
        _ => Reply::Ok,
    }
}

#[inline(always)]
fn session_view(at: &SessionAt<'_>) -> abi::Session {
    let session = &*at.session;
    let (PerDir(packets), PerDir(bytes)) = (session.packets, session.bytes);
    let state = session.phase as u32;
    abi::Session { id: session.flow_id, packets, bytes, state, reserved: 0, tuple: tuple(&session.tuple) }
}

#[inline(always)]
fn tuple(tuple: &FlowTuple) -> abi::Tuple {
    abi::Tuple {
        source: address(tuple.src, tuple.family),
        destination: address(tuple.dst, tuple.family),
        source_port: tuple.sport,
        destination_port: tuple.dport,
        protocol: tuple.proto,
        family: if tuple.family == Family::V4 { 4 } else { 6 },
        reserved: [0; 2],
    }
}

/// Network order; IPv4 in front.
#[inline(always)]
fn address(addr: Addr, family: Family) -> [u8; 16] {
    match family {
        Family::V4 => u128::from((addr.0 as u32).swap_bytes()).to_le_bytes(),
        Family::V6 => addr.0.to_be_bytes(),
    }
}

#[inline(always)]
fn packet_view(at: &PacketAt<'_>) -> abi::Packet {
    let decoded = &*at.decoded;
    let l4 = !matches!(decoded.l4, L4::None);
    let flag = |on: bool, bit| if on { bit } else { 0 };
    abi::Packet {
        bytes: at.bytes.as_ptr(),
        length: at.bytes.len() as u32,
        ip: decoded.ip.as_ref().map_or(abi::NONE, |ip| ip.at),
        l4: if l4 { decoded.l4_at } else { abi::NONE },
        payload: if l4 { decoded.payload } else { abi::NONE },
        payload_length: if l4 { decoded.payload_len } else { 0 },
        number: at.meta.packet,
        time_us: at.meta.time.micros(),
        port: at.meta.port.0,
        flags: flag(decoded.is_fragment(), abi::PACKET_FRAGMENT)
            | flag(at.cause == Cause::Rebuilt, abi::PACKET_REBUILT)
            | flag(at.frame.is_none(), abi::PACKET_INNER)
            | flag(at.inline, abi::PACKET_INLINE),
        reserved: 0,
    }
}

pub(super) fn direction(number: u32) -> Option<Dir> {
    Dir::BOTH.into_iter().find(|&dir| dir as u32 == number)
}
