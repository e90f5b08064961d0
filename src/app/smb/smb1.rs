//! The commands of SMB 1 ([MS-CIFS] 2.2.4, [MS-SMB] 2.2.4).

use super::command::smb1;
use super::files::Handle;
use super::header::{Header, SMB1_LEN, Version};
use super::ntlmssp;
use super::session::{Awaits, Session, finish, is_pipe_share, put_share, tell_pipes};
use super::smb2::note_create;
use super::text::{len_with_end, push};
use crate::app::cursor::Cursor;
use crate::app::{Sink, TxId};
use crate::base::Dir;

/// Function of a transaction that writes to a pipe and reads its answer.
const TRANSACT_NAMED_PIPE: u16 = 0x26;
/// Dialects of a negotiation that are told.
const MAX_DIALECTS: usize = 32;

/// A message's words and bytes.
struct Body<'a> {
    message: &'a [u8],
    words: Cursor<'a>,
    word_count: u8,
    /// Place of the first byte behind the words and the count of bytes.
    bytes_at: usize,
}

impl<'a> Body<'a> {
    fn of(message: &'a [u8]) -> Option<Body<'a>> {
        let mut fields = Cursor::little(message.get(SMB1_LEN..)?);
        let word_count = fields.u8()?;
        let words = Cursor::little(fields.take(usize::from(word_count) * 2)?);
        fields.skip(2)?;
        Some(Body { message, words, word_count, bytes_at: SMB1_LEN + fields.at() })
    }

    /// What follows the first `skip` bytes behind the words.
    fn bytes(&self, skip: usize) -> &'a [u8] {
        self.message.get(self.bytes_at.saturating_add(skip)..).unwrap_or_default()
    }

    /// A text `skip` bytes behind the words, where UTF-16 is at even places of the message.
    fn text(&self, skip: usize, unicode: bool) -> (&'a [u8], usize) {
        let at = self.bytes_at.saturating_add(skip);
        let padding = usize::from(unicode && at % 2 == 1);
        let text = self.bytes(skip + padding);
        let len = len_with_end(text, unicode);
        (text.get(..len).unwrap_or_default(), skip + padding + len)
    }

    /// Bytes at an offset of the message.
    fn part(&self, offset: u16, len: u16) -> Option<&'a [u8]> {
        self.message.get(usize::from(offset)..usize::from(offset) + usize::from(len))
    }
}

fn handle(file: u16) -> Handle {
    let mut handle = [0; 16];
    let [low, high] = file.to_le_bytes();
    if let Some(first) = handle.first_chunk_mut() {
        *first = [low, high];
    }
    handle
}

/// A message's head, all of it but the data of a read or write. The transaction it belongs to.
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
    let mut body = Body::of(bytes)?;
    let words = &mut body.words;
    let tx = match header.command {
        smb1::NEGOTIATE => negotiate(session, header, &body, sink),
        smb1::SESSION_SETUP_ANDX => session_setup(session, header, &mut body, sink)?,
        smb1::TREE_CONNECT_ANDX => {
            words.skip(6)?;
            let password = usize::from(words.u16()?);
            let (name, end) = body.text(password, header.unicode);
            let service = body.bytes(end);
            let name_end = name.strip_suffix(if header.unicode { &[0, 0][..] } else { &[0][..] });
            let is_pipe = service.starts_with(b"IPC")
                || is_pipe_share(&narrow_end(name_end.unwrap_or(name), header.unicode));
            let tx = session.request(header, Awaits::Tree { is_pipe }, sink);
            let limits = sink.limits;
            if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
                put_share(tx, is_pipe, limits, |out| push(out, name, header.unicode));
                let end = service.iter().position(|byte| *byte == 0).unwrap_or(service.len());
                tx.note("service.request", service.get(..end).unwrap_or_default());
            }
            tx
        }
        smb1::NT_CREATE_ANDX | smb1::OPEN_ANDX => create(session, header, &mut body, sink)?,
        smb1::CLOSE => {
            let handle = handle(words.u16()?);
            let awaits = session.close(&handle, sink);
            session.request(header, awaits, sink)
        }
        smb1::READ_ANDX => {
            words.skip(4)?;
            let (file, low) = (words.u16()?, words.u32()?);
            words.skip(10)?;
            let high = if body.word_count >= 12 { words.u32()? } else { 0 };
            let offset = u64::from(high) << 32 | u64::from(low);
            session.read(header, handle(file), offset);
            None
        }
        smb1::WRITE_ANDX => {
            words.skip(4)?;
            let (file, low) = (words.u16()?, words.u32()?);
            words.skip(14)?;
            let high = if body.word_count >= 14 { words.u32()? } else { 0 };
            let offset = u64::from(high) << 32 | u64::from(low);
            session.expect(header, None, Awaits::Plain);
            let id = session.find_or_adopt(handle(file), header.tree, sink);
            session.begin_data(header, Dir::ToServer, id, offset, sink)
        }
        smb1::TRANSACTION => transaction(session, header, &mut body, sink)?,
        smb1::TRANSACTION2 => {
            session.expect(header, None, Awaits::Plain);
            None
        }
        _ => session.request(header, Awaits::Plain, sink),
    };
    Some(Done(tx))
}

/// The last four characters, a byte each.
fn narrow_end(name: &[u8], unicode: bool) -> [u8; 4] {
    let step = if unicode { 2 } else { 1 };
    let mut end = [0; 4];
    for (place, character) in end.iter_mut().rev().zip(name.chunks_exact(step).rev()) {
        *place = character.first().copied().unwrap_or(0);
    }
    end
}

fn negotiate(session: &mut Session, header: &Header, body: &Body<'_>, sink: &mut Sink<'_>) -> Option<TxId> {
    let id = session.request(header, Awaits::Plain, sink);
    if session.negotiates_again(Version::Smb1) {
        sink.event(Dir::ToServer, "smb.duplicate_negotiate");
    }
    let mut malformed = false;
    session.offered.clear();
    let mut dialects = body.bytes(0);
    let mut count = 0;
    while let Some((&kind, text)) = dialects.split_first() {
        if kind != 2 {
            malformed = true;
            break;
        }
        let len = len_with_end(text, false);
        let name = text.get(..len).and_then(|text| text.strip_suffix(&[0])).unwrap_or(text);
        if count < MAX_DIALECTS {
            session.offered.push(name);
            if let Some(tx) = id.and_then(|id| sink.tx(id)) {
                tx.note("client_dialects[]", name);
            }
        }
        count += 1;
        dialects = text.get(len..).unwrap_or_default();
    }
    if malformed && let Some(tx) = id.and_then(|id| sink.tx(id)) {
        tx.event(Dir::ToServer, "smb.negotiate_malformed_dialects");
    }
    id
}

fn session_setup(
    session: &mut Session,
    header: &Header,
    body: &mut Body<'_>,
    sink: &mut Sink<'_>,
) -> Option<Option<TxId>> {
    /// With extended security a setup has a blob, and these many words.
    const EXTENDED_WORDS: u8 = 12;
    let id = session.request(header, Awaits::Plain, sink);
    if body.word_count != EXTENDED_WORDS {
        return Some(id);
    }
    body.words.skip(14)?;
    let len = usize::from(body.words.u16()?);
    let bytes = body.bytes(0);
    let blob = bytes.get(..len.min(bytes.len())).unwrap_or_default();
    if let Some(tx) = id.and_then(|id| sink.tx(id)) {
        ntlmssp::put(tx, blob, &mut session.ntlm);
        if tx.wants_notes() {
            let (system, end) = body.text(len, header.unicode);
            let (manager, _) = body.text(end, header.unicode);
            tx.note_with("request.native_os", |out| push(out, system, header.unicode));
            tx.note_with("request.native_lm", |out| push(out, manager, header.unicode));
        }
    }
    Some(id)
}

fn create(
    session: &mut Session,
    header: &Header,
    body: &mut Body<'_>,
    sink: &mut Sink<'_>,
) -> Option<Option<TxId>> {
    let (mut disposition, mut options) = (1, 0);
    if header.command == smb1::NT_CREATE_ANDX {
        body.words.skip(35)?;
        (disposition, options) = (body.words.u32()?, body.words.u32()?);
    }
    let (name, _) = body.text(0, header.unicode);
    let is_pipe = session.is_pipe_tree(header.tree);
    let open = session.opens.add(is_pipe, |out| push(out, name, header.unicode), sink);
    let tx = session.request(header, Awaits::Create(open), sink);
    if let Some(tx) = tx.and_then(|id| sink.tx(id)).filter(|tx| tx.wants_notes()) {
        note_create(tx, disposition, options, |out| push(out, name, header.unicode));
    }
    Some(tx)
}

/// What a transaction carries: of a request also its function and the file it is for.
struct Transaction<'a> {
    data: &'a [u8],
    function: u16,
    file: u16,
}

fn transaction_request<'a>(body: &mut Body<'a>) -> Option<Transaction<'a>> {
    body.words.skip(22)?;
    let (len, offset) = (body.words.u16()?, body.words.u16()?);
    let setup = body.words.u8()?;
    body.words.skip(1)?;
    let (function, file) = if setup >= 2 { (body.words.u16()?, body.words.u16()?) } else { (0, 0) };
    Some(Transaction { data: body.part(offset, len)?, function, file })
}

fn transaction(
    session: &mut Session,
    header: &Header,
    body: &mut Body<'_>,
    sink: &mut Sink<'_>,
) -> Option<Option<TxId>> {
    let request = transaction_request(body)?;
    if request.function != TRANSACT_NAMED_PIPE || request.data.is_empty() {
        session.expect(header, None, Awaits::Plain);
        return Some(None);
    }
    let handle = handle(request.file);
    let id = session.find_or_adopt(handle, header.tree, sink);
    let tx = session.rpc(header, id, Dir::ToServer, request.data, sink);
    session.expect(header, None, Awaits::Pipe(id));
    Some(tx)
}

fn transaction_response<'a>(body: &mut Body<'a>) -> Option<&'a [u8]> {
    body.words.skip(12)?;
    let (len, offset) = (body.words.u16()?, body.words.u16()?);
    body.part(offset, len)
}

fn response(session: &mut Session, header: &Header, bytes: &[u8], sink: &mut Sink<'_>) -> Option<TxId> {
    let Some(pending) = session.answered(header, false) else {
        return lone(session, header, sink);
    };
    let own = answer(session, header, pending.awaits, bytes, sink);
    if let Some(tx) = pending.tx.and_then(|id| sink.tx(id)) {
        if header.command == smb1::NEGOTIATE
            && let Some(chosen) = chosen_dialect(bytes).and_then(|at| session.offered.get(at))
        {
            tx.note("dialect", chosen);
        }
        if matches!(pending.awaits, Awaits::Tree { .. }) && header.is_success() && serves_pipes(bytes) {
            tell_pipes(tx);
        }
        finish(tx, header);
    }
    own.unwrap_or(pending.tx)
}

/// Whether the answer to a tree connect says that the share is one of named pipes.
fn serves_pipes(bytes: &[u8]) -> bool {
    Body::of(bytes).is_some_and(|body| body.bytes(0).starts_with(b"IPC"))
}

/// The place of the dialect that the server took, among those offered.
fn chosen_dialect(bytes: &[u8]) -> Option<usize> {
    Body::of(bytes)?.words.u16().map(usize::from)
}

/// An answer without its question: what it carries besides is lost.
fn lone(session: &mut Session, header: &Header, sink: &mut Sink<'_>) -> Option<TxId> {
    if matches!(header.command, smb1::READ_ANDX | smb1::WRITE_ANDX | smb1::TRANSACTION | smb1::TRANSACTION2) {
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
    awaits: Awaits,
    bytes: &[u8],
    sink: &mut Sink<'_>,
) -> Option<Option<TxId>> {
    let success = header.is_success();
    match awaits {
        Awaits::Plain => None,
        Awaits::Tree { is_pipe } => {
            if success {
                session.add_tree(header.tree, is_pipe || serves_pipes(bytes));
            }
            None
        }
        Awaits::Create(open) if success => {
            let mut body = Body::of(bytes)?;
            // Behind the chained command; one byte of an NT create's oplock.
            body.words.skip(if header.command == smb1::NT_CREATE_ANDX { 5 } else { 4 })?;
            let file = body.words.u16()?;
            session.opens.opened(open, handle(file), sink);
            None
        }
        Awaits::Create(open) | Awaits::Close(open) => {
            session.opens.close(open, sink);
            None
        }
        Awaits::Read { open, handle, offset } if success => {
            Some(session.begin_read(header, open, handle, offset, sink))
        }
        Awaits::Read { .. } => Some(None),
        Awaits::Pipe(id) => {
            let output = transaction_response(&mut Body::of(bytes)?)?;
            Some(session.rpc(header, id, Dir::ToClient, output, sink))
        }
    }
}
