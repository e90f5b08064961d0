//! A session's records to calls and replies, and those to transactions.

use super::call::{self, Call};
use super::files::{Files, Handle, Place};
use super::procedure;
use super::record::{Piece, Records};
use super::rpc::{self, Body, Caller, Message};
use crate::app::{Decoder, Next, Sink, Transaction, TxId, few};
use crate::base::{Dir, PerDir};
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use crate::wire::ip_proto;

/// Of the protocol, those that were ever published (RFC 1094, 1813, 7530).
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=4;

const VERSION: FieldId = field::id("nfs.version");
const PROCEDURE: FieldId = field::id("nfs_procedure");
const RPC_PDU: BufferId = context::id("nfs.rpc.pdu");
const RPC_HDR: BufferId = context::id("nfs.rpc.hdr");
const RPC_DATA: BufferId = context::id("nfs.rpc.data");
const NFS_PDU: BufferId = context::id("nfs.pdu");
const NFS_STATUS: BufferId = context::id("nfs.status");

/// Calls without a reply; a further one takes the place of the oldest.
const MAX_PENDING: usize = 256;
/// Bytes of names of calls without a reply, of each.
const MAX_NAME: usize = 255;

#[derive(Debug, Default)]
struct Pending {
    xid: u32,
    version: u32,
    procedure: u32,
    tx: Option<TxId>,
    /// What is to be read, from where.
    read: Option<(Handle, u64)>,
    /// The name of what the reply gives a handle of.
    name: Option<arrayvec::ArrayVec<u8, MAX_NAME>>,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<Pending>,
    files: Files,
    /// Where the data under way goes.
    target: PerDir<Option<Place>>,
}

#[derive(Debug, Default)]
pub struct Nfs {
    records: PerDir<Records>,
    state: State,
}

/// What a call's transaction says of it.
fn begin(tx: &mut Transaction, version: u32, procedure: u32, operations: &[u32]) {
    note_call(tx, version, procedure, operations);
    tx.field(Dir::ToServer, VERSION, u64::from(version));
    let own = [procedure];
    let all = if version == 4 { operations } else { &own[..] };
    for number in all {
        tx.field(Dir::ToServer, PROCEDURE, u64::from(*number));
        if let Some(known) = procedure::number_by_name(version, *number) {
            tx.field(Dir::ToServer, PROCEDURE, u64::from(known));
        }
    }
}

fn note_call(tx: &mut Transaction, version: u32, procedure: u32, operations: &[u32]) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_number("version", u64::from(version));
    tx.note_number("id", tx.id);
    let number = operations.last().filter(|_| version == 4).copied().unwrap_or(procedure);
    tx.note("procedure", procedure::name(version, number).as_bytes());
}

/// The call below NFS: an object beside the protocol's.
fn note_caller(tx: &mut Transaction, caller: &Caller<'_>) {
    tx.note_number("/rpc.xid", u64::from(caller.xid));
    caller.auth().into_iter().for_each(|auth| tx.note("/rpc.auth_type", auth.as_bytes()));
    if let Some((machine, user, group)) = caller.unix {
        tx.note("/rpc.creds.machine_name", machine);
        tx.note_number("/rpc.creds.uid", u64::from(user));
        tx.note_number("/rpc.creds.gid", u64::from(group));
    }
}

impl State {
    /// The head of a message: where in it data begins, and how long it is.
    fn head(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Option<(usize, u32)> {
        self.target[dir] = None;
        match (rpc::read(bytes), dir) {
            (Some(Message::Call { caller, version, procedure, body }), Dir::ToServer) => {
                self.call(&caller, version, procedure, body, bytes, sink)
            }
            (Some(Message::Reply { xid, denied, accepted, body }), Dir::ToClient) => {
                self.status(xid, denied, sink);
                self.reply(xid, accepted, body, bytes, sink)
            }
            (Some(_), _) => None,
            (None, _) => {
                sink.event(dir, "nfs.malformed_data");
                None
            }
        }
    }

    fn call(
        &mut self,
        caller: &Caller<'_>,
        version: u32,
        procedure: u32,
        body: Body<'_>,
        bytes: &[u8],
        sink: &mut Sink<'_>,
    ) -> Option<(usize, u32)> {
        if !VERSIONS.contains(&version) {
            sink.event(Dir::ToServer, "nfs.non_existing_version");
            return None;
        }
        if procedure == 0 {
            return None;
        }
        let Some(call) = call::read(version, procedure, body) else {
            let tx = sink.open().and_then(|id| sink.tx(id))?;
            begin(tx, version, procedure, &[]);
            tx.event(Dir::ToServer, "nfs.malformed_data");
            tx.complete_one_way(Dir::ToServer);
            return None;
        };
        let mut pending = Pending { xid: caller.xid, version, procedure, ..Pending::default() };
        if let Some(data) = call.data {
            let handle = call.handle.unwrap_or_default();
            let mut opened = |tx: &mut Transaction| {
                begin(tx, version, procedure, &call.operations);
                tx.note_bool("file_tx", true);
                note_caller(tx, caller);
            };
            self.target[Dir::ToServer] =
                self.files.begin(handle, Dir::ToServer, call.offset, &mut opened, sink);
            self.push(pending);
            return Some(data);
        }
        pending.tx = self.plain(&pending, &call, body, bytes, sink);
        if let Some(tx) = pending.tx.and_then(|id| sink.tx(id)) {
            note_caller(tx, caller);
        }
        if call::is_read(version, procedure, &call) {
            let handle = call.handle.unwrap_or_default();
            pending.read = Some((handle.iter().copied().collect(), call.offset));
        }
        if call::names(version, procedure, &call) {
            pending.name = Some(call.name.iter().copied().take(MAX_NAME).collect());
        }
        if let Some(handle) = call.handle.filter(|_| call.closes) {
            self.files.close(handle, sink);
        }
        self.push(pending);
        None
    }

    /// A transaction of its own, for a call that writes nothing.
    fn plain(
        &self,
        pending: &Pending,
        call: &Call<'_>,
        body: Body<'_>,
        bytes: &[u8],
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let id = sink.open()?;
        let tx = sink.tx(id)?;
        begin(tx, pending.version, pending.procedure, &call.operations);
        if tx.wants_notes() {
            tx.note("type", b"request");
            tx.note_bool("file_tx", false);
            let known = call.handle.and_then(|handle| self.files.name_of(handle));
            let name = if call.name.is_empty() { known.unwrap_or_default() } else { call.name };
            if !name.is_empty() {
                tx.note("filename", name);
            }
            if let Some(new_name) = call.new_name {
                tx.note("rename.from", name);
                tx.note("rename.to", new_name);
            }
        }
        frames(tx, Dir::ToServer, body, bytes);
        tx.complete(Dir::ToServer);
        Some(id)
    }

    /// Whether the call of that number was taken at all.
    fn status(&self, xid: u32, denied: bool, sink: &mut Sink<'_>) {
        let pending = self.pending.iter().find(|pending| pending.xid == xid);
        if let Some(tx) = pending.and_then(|pending| pending.tx).and_then(|id| sink.tx(id)) {
            tx.note("/rpc.status", if denied { b"DENIED" } else { b"ACCEPTED" });
        }
    }

    fn push(&mut self, pending: Pending) {
        if self.pending.len() >= MAX_PENDING {
            self.pending.remove(0);
        }
        few::push(&mut self.pending, pending);
    }

    fn reply(
        &mut self,
        xid: u32,
        accepted: bool,
        body: Body<'_>,
        bytes: &[u8],
        sink: &mut Sink<'_>,
    ) -> Option<(usize, u32)> {
        let place = self.pending.iter().position(|pending| pending.xid == xid)?;
        let pending = self.pending.remove(place);
        let given = if accepted { call::reply(pending.version, pending.procedure, body) } else { None };
        if let Some(tx) = pending.tx.and_then(|id| sink.tx(id)) {
            if tx.wants_notes()
                && let Some(given) = &given
            {
                tx.note("status", if given.status == 0 { b"OK" } else { b"ERROR" });
            }
            if tx.wants(NFS_STATUS) {
                tx.put(Dir::ToClient, NFS_STATUS, body.bytes.get(..4).unwrap_or_default());
            }
            frames(tx, Dir::ToClient, body, bytes);
            tx.complete(Dir::ToClient);
        }
        let given = given?;
        if let (Some(handle), Some(name)) = (&given.handle, &pending.name)
            && !name.is_empty()
        {
            self.files.name(handle, name, sink);
        }
        let ((handle, offset), data) = pending.read.zip(given.data)?;
        let (version, procedure) = (pending.version, pending.procedure);
        // Rules on the call look at the call's own transaction.
        let mut opened = |tx: &mut Transaction| {
            note_call(tx, version, procedure, &[procedure::v4::READ]);
            tx.note_bool("file_tx", true);
            tx.complete(Dir::ToServer);
        };
        self.target[Dir::ToClient] = self.files.begin(&handle, Dir::ToClient, offset, &mut opened, sink);
        Some(data)
    }

    fn piece(&mut self, dir: Dir, piece: Piece<'_>, sink: &mut Sink<'_>) -> Option<(usize, u32)> {
        match piece {
            Piece::Head(bytes) => return self.head(dir, bytes, sink),
            Piece::Data(bytes) => {
                if let Some(place) = self.target[dir] {
                    self.files.grow(place, dir, bytes, sink);
                }
            }
            Piece::DataEnds => sink.flush_stream(),
        }
        None
    }
}

fn frames(tx: &mut Transaction, dir: Dir, body: Body<'_>, bytes: &[u8]) {
    for (id, part) in [
        (RPC_PDU, bytes),
        (RPC_HDR, bytes.get(..body.at).unwrap_or_default()),
        (RPC_DATA, body.bytes),
        (NFS_PDU, body.bytes),
    ] {
        if tx.wants(id) {
            tx.put(dir, id, part);
        }
    }
}

impl Decoder for Nfs {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Nfs { records, state } = self;
        if sink.tuple.proto == ip_proto::UDP {
            if let Some((from, len)) = state.head(dir, bytes, sink) {
                let data = bytes.get(from..).unwrap_or_default();
                let data = data.get(..data.len().min(len as usize)).unwrap_or_default();
                state.piece(dir, Piece::Data(data), sink);
            }
            return Next::More;
        }
        let on = records[dir].cut(bytes, &mut |piece| state.piece(dir, piece, sink));
        if on { Next::More } else { Next::Broken }
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        if !self.records[dir].lose(missing) {
            return Next::Stop;
        }
        if let Some(place) = self.state.target[dir] {
            self.state.files.lose(place, dir, missing, sink);
        }
        Next::More
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.records[dir].reset());
        self.state.pending.clear();
        self.state.files.reset();
        self.state.target = PerDir::default();
    }
}
