//! What one connection's two ends have agreed so far: shares, logins, open files, and requests without an answer.

use super::command::{smb1, smb1_name, smb2, smb2_name, status_name};
use super::dialects::Dialects;
use super::files::{Handle, OpenId, Opens, RELATED, looks_like_rpc};
use super::header::{Header, Version};
use super::ntlmssp;
use super::sizes::Sizes;
use crate::app::dcerpc;
use crate::app::digits::push_hex;
use crate::app::{Limits, Sink, Transaction, TxId, few};
use crate::base::{Dir, PerDir};
use crate::rules::{context, field};
use arrayvec::ArrayVec;

/// Requests without an answer; a further one takes the place of the oldest.
const MAX_PENDING: usize = 256;
/// Shares in use at once; a further one takes the place of the oldest.
const MAX_TREES: usize = 64;

const VERSION: field::FieldId = field::id("smb.version");
const SHARE: context::BufferId = context::id("smb.share");
const NAMED_PIPE: context::BufferId = context::id("smb.named_pipe");

/// What a request's answer will mean.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Awaits {
    Plain,
    /// A share: whether it is that of named pipes.
    Tree {
        is_pipe: bool,
    },
    Create(OpenId),
    /// `open`: what the handle meant when it was asked for, where anyone knew.
    Read {
        open: Option<OpenId>,
        handle: Handle,
        offset: u64,
    },
    /// What a pipe answers.
    Pipe(OpenId),
    /// The end of what is still to be answered.
    Close(OpenId),
}

impl Awaits {
    /// Whether the answer brings data of it.
    fn brings(self, id: OpenId) -> bool {
        match self {
            Awaits::Read { open, .. } => open == Some(id),
            Awaits::Pipe(open) => open == id,
            Awaits::Plain | Awaits::Tree { .. } | Awaits::Create(_) | Awaits::Close(_) => false,
        }
    }
}

#[derive(Copy, Clone, Debug)]
pub struct Pending {
    version: Version,
    command: u16,
    message: u64,
    pub tx: Option<TxId>,
    pub awaits: Awaits,
}

/// Where the data of a read or write under way goes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    #[default]
    Nowhere,
    File(OpenId),
    Pipe(OpenId),
    /// Opened before anyone looked: its first bytes will tell; the place of the first.
    Unsure(OpenId, u64),
}

#[derive(Debug, Default)]
pub struct Session {
    pending: Vec<Pending>,
    trees: Vec<(u32, bool)>,
    pub opens: Opens,
    target: PerDir<Target>,
    /// The first bytes of data that are to tell what their handle is.
    sample: PerDir<ArrayVec<u8, { dcerpc::HEADER_LEN }>>,
    /// As eve.json writes it, once the server chose.
    pub dialect: Option<&'static str>,
    /// What the server offered to read and write at once.
    pub sizes: Sizes,
    /// Versions in which the client negotiated.
    pub negotiated: [bool; 2],
    /// The client's last message of NTLM.
    pub ntlm: ntlmssp::Seen,
    /// What an SMB 1 client offers.
    pub offered: Dialects,
}

impl Session {
    pub fn reset(&mut self) {
        self.pending.clear();
        self.trees.clear();
        self.opens.reset();
        self.offered.clear();
        (self.target, self.sample, self.dialect) = Default::default();
        (self.sizes, self.negotiated, self.ntlm) = Default::default();
    }

    /// A transaction for a request, or for a response without one.
    pub fn open(&self, header: &Header, sink: &mut Sink<'_>) -> Option<TxId> {
        let id = sink.open()?;
        begin(sink.tx(id)?, header, self.dialect);
        Some(id)
    }

    pub fn expect(&mut self, header: &Header, tx: Option<TxId>, awaits: Awaits) {
        if self.pending.len() >= MAX_PENDING {
            self.pending.remove(0);
        }
        let Header { version, command, message, .. } = *header;
        let pending = Pending { version, command, message, tx, awaits };
        few::push(&mut self.pending, pending);
    }

    /// The request that a response answers; it stays until the last answer.
    pub fn answered(&mut self, header: &Header, interim: bool) -> Option<Pending> {
        let same = |p: &Pending| {
            (p.version, p.command, p.message) == (header.version, header.command, header.message)
        };
        let place = self.pending.iter().position(same)?;
        let pending = self.pending.get(place).copied();
        if !interim {
            self.pending.remove(place);
        }
        pending
    }

    /// The client negotiates; whether it did so before in that version.
    pub fn negotiates_again(&mut self, version: Version) -> bool {
        let [old, new] = &mut self.negotiated;
        std::mem::replace(if version == Version::Smb1 { old } else { new }, true)
    }

    /// An SMB 1 negotiation that SMB 2 answers.
    pub fn answered_negotiate(&mut self, command: u16) -> Option<Pending> {
        let place = self.pending.iter().position(|p| p.version == Version::Smb1 && p.command == command)?;
        Some(self.pending.remove(place))
    }

    /// Every request asks for something, and every response answers: the rest of both is common.
    pub fn request(&mut self, header: &Header, awaits: Awaits, sink: &mut Sink<'_>) -> Option<TxId> {
        let tx = self.open(header, sink);
        self.expect(header, tx, awaits);
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.complete(Dir::ToServer);
        }
        tx
    }

    pub fn add_tree(&mut self, tree: u32, is_pipe: bool) {
        self.trees.retain(|(known, _)| *known != tree);
        if self.trees.len() >= MAX_TREES {
            self.trees.remove(0);
        }
        self.trees.push((tree, is_pipe));
    }

    pub fn is_pipe_tree(&self, tree: u32) -> bool {
        self.trees.contains(&(tree, true))
    }

    /// What a handle means.
    pub fn find(&self, handle: &Handle) -> Option<OpenId> {
        if *handle == RELATED { self.opens.newest() } else { self.opens.find(handle) }
    }

    /// What a handle means, opened before anyone looked if need be.
    pub fn find_or_adopt(&mut self, handle: Handle, tree: u32, sink: &mut Sink<'_>) -> OpenId {
        match self.find(&handle) {
            Some(id) => id,
            None => self.opens.adopt(handle, self.is_pipe_tree(tree), sink),
        }
    }

    /// The data of a handle is asked for.
    pub fn read(&mut self, header: &Header, handle: Handle, offset: u64) {
        let open = self.find(&handle);
        self.expect(header, None, Awaits::Read { open, handle, offset });
    }

    /// Data that was asked for is there.
    pub fn begin_read(
        &mut self,
        header: &Header,
        open: Option<OpenId>,
        handle: Handle,
        offset: u64,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let known = open.filter(|id| self.opens.get_mut(*id).is_some());
        let id = known.unwrap_or_else(|| self.find_or_adopt(handle, header.tree, sink));
        self.begin_data(header, Dir::ToClient, id, offset, sink)
    }

    /// A handle is given up: at once, but with the answer where data of it is still to come, as in a compound that opens, reads
    /// and closes.
    pub fn close(&mut self, handle: &Handle, sink: &mut Sink<'_>) -> Awaits {
        let Some(id) = self.find(handle) else { return Awaits::Plain };
        if self.pending.iter().any(|pending| pending.awaits.brings(id)) {
            return Awaits::Close(id);
        }
        self.opens.close(id, sink);
        Awaits::Plain
    }

    /// A message begins: what data it has is not known yet.
    pub fn begin_message(&mut self, dir: Dir) {
        self.target[dir] = Target::Nowhere;
        self.sample[dir].clear();
    }

    /// Data of a file or pipe begins that comes in pieces.
    pub fn begin_data(
        &mut self,
        header: &Header,
        dir: Dir,
        id: OpenId,
        offset: u64,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let open = self.opens.get_mut(id)?;
        if open.is_pipe {
            self.target[dir] = Target::Pipe(id);
            return None;
        }
        if open.is_adopted() {
            self.target[dir] = Target::Unsure(id, offset);
            return None;
        }
        self.begin_file(header, dir, id, offset, sink)
    }

    fn begin_file(
        &mut self,
        header: &Header,
        dir: Dir,
        id: OpenId,
        offset: u64,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        self.target[dir] = Target::File(id);
        let dialect = self.dialect;
        self.opens.get_mut(id)?.seek(dir, offset, &mut |tx| begin(tx, header, dialect), sink)
    }

    /// A piece of that data; `last` says that it is the last of its message.
    pub fn data(&mut self, header: &Header, dir: Dir, bytes: &[u8], last: bool, sink: &mut Sink<'_>) {
        let mut bytes = bytes;
        if let Target::Unsure(id, offset) = self.target[dir] {
            let room = self.sample[dir].remaining_capacity().min(bytes.len());
            let (now, later) = bytes.split_at(room);
            let _ = self.sample[dir].try_extend_from_slice(now);
            if !self.sample[dir].is_full() && !last {
                return;
            }
            let sample = std::mem::take(&mut self.sample[dir]);
            let is_pipe = looks_like_rpc(&sample);
            if let Some(open) = self.opens.get_mut(id) {
                open.settle(is_pipe);
            }
            if is_pipe {
                self.target[dir] = Target::Pipe(id);
            } else {
                self.begin_file(header, dir, id, offset, sink);
            }
            self.piece(header, dir, &sample, sink);
            bytes = later;
        }
        self.piece(header, dir, bytes, sink);
    }

    fn piece(&mut self, header: &Header, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        match self.target[dir] {
            Target::File(id) => {
                if let Some(open) = self.opens.get_mut(id) {
                    open.grow(dir, bytes, sink);
                }
                self.opens.bound_waiting(id);
            }
            Target::Pipe(id) => {
                self.rpc(header, id, dir, bytes, sink);
            }
            Target::Nowhere | Target::Unsure(..) => {}
        }
    }

    /// Bytes of that data are lost.
    pub fn lose(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) {
        if let Target::File(id) | Target::Pipe(id) = self.target[dir]
            && let Some(open) = self.opens.get_mut(id)
        {
            open.lose(dir, missing, sink);
        }
    }

    /// What a pipe carries.
    pub fn rpc(
        &mut self,
        header: &Header,
        id: OpenId,
        dir: Dir,
        bytes: &[u8],
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let dialect = self.dialect;
        let open = self.opens.get_mut(id)?;
        let tx = open.rpc(dir, bytes, &mut |_, tx| begin(tx, header, dialect), sink);
        self.opens.bound(id);
        tx
    }
}

/// What every transaction says of its command.
fn begin(tx: &mut Transaction, header: &Header, dialect: Option<&'static str>) {
    let (version, name) = match header.version {
        Version::Smb1 => (1, smb1_name(header.command)),
        Version::Smb2 => (2, smb2_name(header.command)),
    };
    Dir::BOTH.into_iter().for_each(|dir| tx.field(dir, VERSION, version));
    if tx.wants_notes() {
        tx.note_number("id", tx.id + 1);
        if let Some(dialect) = dialect {
            tx.note("dialect", dialect.as_bytes());
        }
        tx.note("command", name.as_bytes());
        if !gives_ids(header) {
            note_ids(tx, header);
        }
    }
}

/// A login or a share: the answer says by which numbers it will be known.
fn gives_ids(header: &Header) -> bool {
    match header.version {
        Version::Smb1 => matches!(header.command, smb1::SESSION_SETUP_ANDX | smb1::TREE_CONNECT_ANDX),
        Version::Smb2 => matches!(header.command, smb2::SESSION_SETUP | smb2::TREE_CONNECT),
    }
}

fn note_ids(tx: &mut Transaction, header: &Header) {
    tx.note_number("session_id", header.session);
    tx.note_number("tree_id", u64::from(header.tree));
}

/// What the answer says, whatever was asked.
pub fn finish(tx: &mut Transaction, header: &Header) {
    if tx.wants_notes() {
        if gives_ids(header) {
            note_ids(tx, header);
        }
        if let Some(name) = status_name(header.status) {
            tx.note("status", name.as_bytes());
        }
        tx.note_with("status_code", |out| push_hex(out, u64::from(header.status)));
    }
    tx.complete(Dir::ToServer);
    tx.complete(Dir::ToClient);
}

/// A share's name: rules ask for those of named pipes by a name of their own. Which it is the answer says; rules that look
/// before it go by the name, unless they look later by rule: then what has no answer yet is a share, as in Suricata.
pub fn put_share(tx: &mut Transaction, is_pipe: bool, limits: &Limits, build: impl Fn(&mut Vec<u8>)) {
    let (id, or) = if is_pipe && limits.at_once { (NAMED_PIPE, SHARE) } else { (SHARE, NAMED_PIPE) };
    tx.put_or(Dir::ToServer, id, or, &build);
    tx.note_with(if is_pipe { "named_pipe" } else { "share" }, &build);
}

/// The answer: the share is one of named pipes.
pub fn tell_pipes(tx: &mut Transaction) {
    tx.rename(Dir::ToServer, SHARE, NAMED_PIPE);
}

/// The share of named pipes, by its name.
pub fn is_pipe_share(name: &[u8]) -> bool {
    let end = name.len().checked_sub(4).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(b"IPC$"))
}
