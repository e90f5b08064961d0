//! The commands of SMB 2 and 3 ([MS-SMB2] 2.2).

use super::command::{dialect_name, smb1, smb2};
use super::files::Handle;
use super::header::{Header, SMB2_LEN, STATUS_PENDING, Version};
use super::ntlmssp;
use super::session::{Awaits, Pending, Session, finish, is_pipe_share, put_share, tell_pipes};
use super::sizes;
use super::text::push_utf16;
use crate::app::cursor::Cursor;
use crate::app::digits::push_uuid;
use crate::app::limits::Limits;
use crate::app::{Sink, Transaction, TxId};
use crate::base::Dir;

/// Write to a pipe and read its answer, in one command.
const FSCTL_PIPE_TRANSCEIVE: u32 = 0x0011_c017;
const SHARE_TYPE_PIPE: u8 = 2;
const SHARE_TYPES: [&str; 4] = ["UNKNOWN", "FILE", "PIPE", "PRINT"];
const MAX_DIALECTS: usize = 32;

/// The part of a message that an offset from its header and a length name.
fn part(message: &[u8], offset: u32, len: u32) -> Option<&[u8]> {
    let from = usize::try_from(offset).ok()?;
    message.get(from..from.checked_add(usize::try_from(len).ok()?)?)
}

fn body(message: &[u8]) -> Cursor<'_> {
    Cursor::little(message.get(SMB2_LEN..).unwrap_or_default())
}

/// A message's head, all of it but the data of a read or write; `data` is how long that is. The transaction it belongs to.
pub fn message(session: &mut Session, header: &Header, message: &[u8], sink: &mut Sink<'_>) -> Option<TxId> {
    if header.is_response {
        return response(session, header, message, sink);
    }
    let before = sink.count();
    match request(session, header, message, sink) {
        Some(done) => done.0,
        None => {
            // Too short for what it is.
            if sink.count() == before {
                session.request(header, Awaits::Plain, sink);
            }
            sink.event(Dir::ToServer, "smb.malformed_data");
            None
        }
    }
}

/// Worked through; the transaction, where there is one.
struct Done(Option<TxId>);

fn request(session: &mut Session, header: &Header, bytes: &[u8], sink: &mut Sink<'_>) -> Option<Done> {
    let mut fields = body(bytes);
    let tx = match header.command {
        smb2::NEGOTIATE => {
            let tx = session.request(header, Awaits::Plain, sink);
            if session.negotiates_again(Version::Smb2) {
                sink.event(Dir::ToServer, "smb.duplicate_negotiate");
            }
            fields.skip(2)?;
            let count = usize::from(fields.u16()?);
            fields.skip(8)?;
            let guid = fields.array::<16>()?;
            fields.skip(8)?;
            if let Some(tx) = tx.and_then(|id| sink.tx(id)).filter(|tx| tx.wants_notes()) {
                tx.note_with("client_guid", |out| push_uuid(out, &guid));
                for _ in 0..count.min(MAX_DIALECTS) {
                    tx.note("client_dialects[]", dialect_name(fields.u16()?).as_bytes());
                }
            }
            tx
        }
        smb2::SESSION_SETUP => {
            let tx = session.request(header, Awaits::Plain, sink);
            fields.skip(12)?;
            let (offset, len) = (fields.u16()?, fields.u16()?);
            let blob = part(bytes, u32::from(offset), u32::from(len))?;
            if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
                ntlmssp::put(tx, blob, &mut session.ntlm);
            }
            tx
        }
        smb2::TREE_CONNECT => {
            fields.skip(4)?;
            let (offset, len) = (fields.u16()?, fields.u16()?);
            let name = part(bytes, u32::from(offset), u32::from(len))?;
            let is_pipe = ends_in_ipc(name);
            let tx = session.request(header, Awaits::Tree { is_pipe }, sink);
            let limits = sink.limits;
            if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
                put_share(tx, is_pipe, limits, |out| push_utf16(out, name));
            }
            tx
        }
        smb2::CREATE => create(session, header, bytes, sink)?,
        smb2::CLOSE => {
            fields.skip(8)?;
            let handle = fields.array()?;
            let awaits = session.close(&handle, sink);
            session.request(header, awaits, sink)
        }
        smb2::READ => {
            fields.skip(8)?;
            let (offset, handle) = (fields.u64()?, fields.array()?);
            session.read(header, handle, offset);
            None
        }
        smb2::WRITE => {
            fields.skip(8)?;
            let (offset, handle) = (fields.u64()?, fields.array()?);
            session.expect(header, None, Awaits::Plain);
            let id = session.find_or_adopt(handle, header.tree, sink);
            session.begin_data(header, Dir::ToServer, id, offset, sink)
        }
        smb2::IOCTL => ioctl(session, header, bytes, sink)?,
        smb2::GET_INFO => None,
        smb2::SET_INFO => set_info(session, header, bytes, sink)?,
        _ => session.request(header, Awaits::Plain, sink),
    };
    Some(Done(tx))
}

/// Whether UTF-16 ends in the name of the share of pipes.
fn ends_in_ipc(name: &[u8]) -> bool {
    let mut end = [0; 4];
    let units = name.chunks_exact(2).rev().filter(|pair| *pair != [0, 0]).take(4);
    for (place, pair) in end.iter_mut().rev().zip(units) {
        if let [byte, 0] = pair {
            *place = *byte;
        }
    }
    is_pipe_share(&end)
}

fn create(session: &mut Session, header: &Header, bytes: &[u8], sink: &mut Sink<'_>) -> Option<Option<TxId>> {
    let mut fields = body(bytes);
    fields.skip(36)?;
    let (disposition, options) = (fields.u32()?, fields.u32()?);
    let (offset, len) = (fields.u16()?, fields.u16()?);
    let name = part(bytes, u32::from(offset), u32::from(len)).unwrap_or_default();
    let is_pipe = session.is_pipe_tree(header.tree);
    let open = session.opens.add(is_pipe, |out| push_utf16(out, name), sink);
    let tx = session.request(header, Awaits::Create(open), sink);
    if let Some(tx) = tx.and_then(|id| sink.tx(id)).filter(|tx| tx.wants_notes()) {
        note_create(tx, disposition, options, |out| push_utf16(out, name));
    }
    Some(tx)
}

/// What eve.json says of something that is opened, in either version.
pub fn note_create(tx: &mut Transaction, disposition: u32, options: u32, name: impl FnOnce(&mut Vec<u8>)) {
    const DIRECTORY: u32 = 1;
    const DELETE_ON_CLOSE: u32 = 0x1000;
    let is_directory = options & DIRECTORY != 0;
    tx.note_with(if is_directory { "directory" } else { "filename" }, |out| {
        let before = out.len();
        name(out);
        if out.len() == before {
            out.extend_from_slice(b"<share_root>");
        }
    });
    let disposition = match disposition {
        0 => "FILE_SUPERSEDE",
        1 => "FILE_OPEN",
        2 => "FILE_CREATE",
        3 => "FILE_OPEN_IF",
        4 => "FILE_OVERWRITE",
        5 => "FILE_OVERWRITE_IF",
        _ => "UNKNOWN",
    };
    tx.note("disposition", disposition.as_bytes());
    let access = if options & DELETE_ON_CLOSE != 0 { "delete on close" } else { "normal" };
    tx.note("access", access.as_bytes());
}

fn ioctl(session: &mut Session, header: &Header, bytes: &[u8], sink: &mut Sink<'_>) -> Option<Option<TxId>> {
    let mut fields = body(bytes);
    fields.skip(4)?;
    let code = fields.u32()?;
    let handle: Handle = fields.array()?;
    let (offset, len) = (fields.u32()?, fields.u32()?);
    let input = part(bytes, offset, len).unwrap_or_default();
    if code == FSCTL_PIPE_TRANSCEIVE && !input.is_empty() {
        let id = session.find_or_adopt(handle, header.tree, sink);
        let tx = session.rpc(header, id, Dir::ToServer, input, sink);
        session.expect(header, None, Awaits::Pipe(id));
        return Some(tx);
    }
    let tx = session.request(header, Awaits::Plain, sink);
    if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
        let name = ioctl_name(code);
        if !name.is_empty() {
            tx.note("function", name.as_bytes());
        }
    }
    Some(tx)
}

fn ioctl_name(code: u32) -> &'static str {
    match code {
        0x0006_0194 => "FSCTL_DFS_GET_REFERRALS",
        0x0011_400c => "FSCTL_PIPE_PEEK",
        0x0011_0018 => "FSCTL_PIPE_WAIT",
        FSCTL_PIPE_TRANSCEIVE => "FSCTL_PIPE_TRANSCEIVE",
        0x0014_40f2 => "FSCTL_SRV_COPYCHUNK",
        0x0014_4064 => "FSCTL_SRV_ENUMERATE_SNAPSHOTS",
        0x0014_0078 => "FSCTL_SRV_REQUEST_RESUME_KEY",
        0x0014_01d4 => "FSCTL_LMR_REQUEST_RESILIENCY",
        0x0014_01fc => "FSCTL_QUERY_NETWORK_INTERFACE_INFO",
        0x0009_00a4 => "FSCTL_SET_REPARSE_POINT",
        0x0014_0204 => "FSCTL_VALIDATE_NEGOTIATE_INFO",
        _ => "",
    }
}

/// A rename or a deletion; other information is no transaction.
fn set_info(
    session: &mut Session,
    header: &Header,
    bytes: &[u8],
    sink: &mut Sink<'_>,
) -> Option<Option<TxId>> {
    const FILE: u8 = 1;
    const RENAME: u8 = 10;
    const DISPOSITION: u8 = 13;
    let mut fields = body(bytes);
    fields.skip(2)?;
    let (kind, class, len, offset) = (fields.u8()?, fields.u8()?, fields.u32()?, fields.u16()?);
    fields.skip(6)?;
    let handle: Handle = fields.array()?;
    if kind != FILE || !matches!(class, RENAME | DISPOSITION) {
        return Some(None);
    }
    let info = part(bytes, u32::from(offset), len)?;
    let tx = session.request(header, Awaits::Plain, sink);
    let open = session.find(&handle);
    if let Some(tx) = tx.and_then(|id| sink.tx(id)).filter(|tx| tx.wants_notes()) {
        let name =
            open.and_then(|id| session.opens.get_mut(id)).map(|open| &open.name[..]).unwrap_or_default();
        if class == RENAME {
            let mut fields = Cursor::little(info);
            fields.skip(16)?;
            let len = fields.u32()?;
            let to = fields.take_some(len as usize);
            tx.note("set_info.class", b"FILE_INFO");
            tx.note("set_info.info_level", b"SMB2_FILE_RENAME_INFO");
            tx.note("rename.from", name);
            tx.note_with("rename.to", |out| push_utf16(out, to));
        } else {
            tx.note("filename", name);
            tx.note("set_info.class", b"FILE_INFO");
            tx.note("set_info.info_level", b"SMB2_FILE_DISPOSITION_INFO");
            let delete = info.first() == Some(&1);
            tx.note("access", if delete { b"delete on close" } else { b"normal" });
        }
    }
    Some(tx)
}

fn response(session: &mut Session, header: &Header, bytes: &[u8], sink: &mut Sink<'_>) -> Option<TxId> {
    let limits = sink.limits;
    let interim = header.status == STATUS_PENDING;
    let mut pending = session.answered(header, interim);
    if pending.is_none() && header.command == smb2::NEGOTIATE {
        pending = session.answered_negotiate(smb1::NEGOTIATE);
    }
    if interim {
        return pending?.tx;
    }
    let tx = match pending {
        Some(pending) => answer(session, header, &pending, bytes, sink).unwrap_or(pending.tx),
        None => lone(session, header, sink),
    };
    if let Some(tx) = pending.and_then(|pending| pending.tx).and_then(|id| sink.tx(id)) {
        if header.command == smb2::NEGOTIATE {
            negotiated(session, tx, bytes);
            put_sizes(session, tx, bytes, limits);
        }
        finish(tx, header);
    }
    tx
}

/// An answer without its question: what it carries besides is lost.
fn lone(session: &mut Session, header: &Header, sink: &mut Sink<'_>) -> Option<TxId> {
    if matches!(header.command, smb2::READ | smb2::WRITE | smb2::GET_INFO | smb2::SET_INFO) {
        return None;
    }
    let id = session.open(header, sink)?;
    finish(sink.tx(id)?, header);
    Some(id)
}

/// What an answer adds to what is known. `Some` where it belongs to another transaction than its request's.
fn answer(
    session: &mut Session,
    header: &Header,
    pending: &Pending,
    bytes: &[u8],
    sink: &mut Sink<'_>,
) -> Option<Option<TxId>> {
    let mut fields = body(bytes);
    let tx = pending.tx;
    match pending.awaits {
        Awaits::Plain => None,
        Awaits::Tree { is_pipe } => {
            if header.is_success() {
                fields.skip(2)?;
                let kind = fields.u8()?;
                session.add_tree(header.tree, is_pipe || kind == SHARE_TYPE_PIPE);
                let name = SHARE_TYPES.get(usize::from(kind)).copied().unwrap_or("UNKNOWN");
                let tx = sink.tx(tx?)?;
                tx.note("share_type", name.as_bytes());
                if kind == SHARE_TYPE_PIPE {
                    tell_pipes(tx);
                }
            }
            None
        }
        Awaits::Create(open) if header.is_success() => {
            let opened = Opened::read(&mut fields)?;
            session.opens.opened(open, opened.handle, sink);
            opened.note(sink.tx(tx?)?);
            None
        }
        Awaits::Create(open) | Awaits::Close(open) => {
            session.opens.close(open, sink);
            None
        }
        Awaits::Read { open, handle, offset } if header.is_success() => {
            Some(session.begin_read(header, open, handle, offset, sink))
        }
        Awaits::Read { .. } => Some(None),
        Awaits::Pipe(id) => {
            fields.skip(32)?;
            let (offset, len) = (fields.u32()?, fields.u32()?);
            let output = part(bytes, offset, len)?;
            Some(session.rpc(header, id, Dir::ToClient, output, sink))
        }
    }
}

/// What the server says of a file that was opened ([MS-SMB2] 2.2.14).
struct Opened {
    /// Created, accessed, modified, changed.
    times: [u64; 4],
    size: u64,
    handle: Handle,
}

impl Opened {
    fn read(fields: &mut Cursor<'_>) -> Option<Opened> {
        fields.skip(8)?;
        let times = [fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?];
        fields.skip(8)?;
        let size = fields.u64()?;
        fields.skip(8)?;
        Some(Opened { times, size, handle: fields.array()? })
    }

    fn note(&self, tx: &mut Transaction) {
        let names = ["created", "accessed", "modified", "changed"];
        names.into_iter().zip(self.times).for_each(|(name, time)| tx.note_number(name, unix_seconds(time)));
        tx.note_number("size", self.size);
        tx.note_with("fuid", |out| push_uuid(out, &self.handle));
    }
}

/// Since 1970, of what counts tenths of microseconds since 1601; 0 for what was before.
fn unix_seconds(time: u64) -> u64 {
    (time / 10_000_000).saturating_sub(11_644_473_600)
}

/// What the server will read and write at once.
fn put_sizes(session: &mut Session, tx: &mut Transaction, bytes: &[u8], limits: &Limits) {
    let body = bytes.get(SMB2_LEN..).unwrap_or_default();
    let Some((sizes, events)) = sizes::offered(body, limits) else { return };
    session.sizes = sizes;
    tx.note_number("max_read_size", u64::from(sizes.read));
    tx.note_number("max_write_size", u64::from(sizes.write));
    events.into_iter().flatten().for_each(|event| tx.event(Dir::ToClient, event));
}

fn negotiated(session: &mut Session, tx: &mut Transaction, bytes: &[u8]) {
    let mut fields = body(bytes);
    if fields.skip(4).is_none() {
        return;
    }
    let Some(dialect) = fields.u16() else { return };
    session.dialect = Some(dialect_name(dialect));
    if tx.wants_notes() {
        tx.note("dialect", dialect_name(dialect).as_bytes());
        let _ = fields.skip(2);
        if let Some(guid) = fields.array::<16>() {
            tx.note_with("server_guid", |out| push_uuid(out, &guid));
        }
    }
}
