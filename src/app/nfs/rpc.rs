//! Calls and replies of ONC RPC (RFC 5531, 9).

use crate::app::Probe;
use crate::app::cursor::Cursor;

const CALL: u32 = 0;
const REPLY: u32 = 1;
const RPC_VERSION: u32 = 2;
const NFS: u32 = 100_003;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    Call {
        caller: Caller<'a>,
        version: u32,
        procedure: u32,
        body: Body<'a>,
    },
    /// `denied`: the message was not taken; `accepted` says whether the procedure was carried out.
    Reply {
        xid: u32,
        denied: bool,
        accepted: bool,
        body: Body<'a>,
    },
    /// A call to another program: NFS 4.1's servers call their clients back by the same connection.
    Other,
}

/// What follows the header, and how far from the message's beginning.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

/// Who calls, as far as its credentials say.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller<'a> {
    pub xid: u32,
    flavor: u32,
    /// The machine's name, and the numbers of user and group.
    pub unix: Option<(&'a [u8], u32, u32)>,
}

impl Caller<'_> {
    /// How it proves who it is (RFC 5531, 8.2), as records say it.
    pub fn auth(&self) -> Option<&'static str> {
        Some(match self.flavor {
            0 => "NULL",
            UNIX => "UNIX",
            2 => "SHORT",
            3 => "DH",
            6 => "GSS",
            _ => return None,
        })
    }
}

const UNIX: u32 = 1;
/// Credentials and verifiers have at most so many bytes.
const MAX_AUTH: u32 = 400;

fn credentials<'a>(fields: &mut Cursor<'a>, xid: u32) -> Option<Caller<'a>> {
    let flavor = fields.u32()?;
    let len = fields.u32().filter(|len| *len <= MAX_AUTH)?;
    let mut body = Cursor::big(fields.take((len as usize).next_multiple_of(4))?);
    let unix = if flavor == UNIX { unix(&mut body) } else { None };
    Some(Caller { xid, flavor, unix })
}

/// RFC 5531, appendix A.
fn unix<'a>(body: &mut Cursor<'a>) -> Option<(&'a [u8], u32, u32)> {
    body.skip(4)?;
    let len = body.u32()? as usize;
    let machine = body.take(len)?;
    body.align(4)?;
    Some((machine, body.u32()?, body.u32()?))
}

fn skip_auth(fields: &mut Cursor<'_>) -> Option<()> {
    fields.skip(4)?;
    let len = fields.u32().filter(|len| *len <= MAX_AUTH)?;
    fields.skip((len as usize).next_multiple_of(4))
}

/// Whether each word of a header that is there is what `expected` says of it; all `len` of them prove it.
fn begins(bytes: &[u8], len: usize, expected: impl Fn(usize, u32) -> bool) -> Probe {
    let words = bytes.chunks_exact(4).filter_map(|word| word.first_chunk()).take(len);
    let fits = words.enumerate().all(|(at, word)| expected(at, u32::from_be_bytes(*word)));
    match (fits, bytes.len() >= len * 4) {
        (false, _) => Probe::No,
        (true, true) => Probe::Yes,
        (true, false) => Probe::More,
    }
}

/// Whether the bytes begin a call to NFS.
pub fn begins_call(bytes: &[u8]) -> Probe {
    begins(bytes, 6, |at, word| match at {
        1 => word == CALL,
        2 => word == RPC_VERSION,
        3 => word == NFS,
        4 => (2..=4).contains(&word),
        5 => word <= 21,
        _ => true,
    })
}

/// Whether the bytes begin a reply, to whatever program.
pub fn begins_reply(bytes: &[u8]) -> Probe {
    begins(bytes, 5, |at, word| match at {
        1 => word == REPLY,
        2 => word <= 1,
        // The verifier's length, or why the call was denied.
        4 => word <= MAX_AUTH,
        _ => true,
    })
}

pub fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let mut fields = Cursor::big(bytes);
    let (xid, kind) = (fields.u32()?, fields.u32()?);
    match kind {
        CALL => {
            if fields.u32()? != RPC_VERSION {
                return None;
            }
            if fields.u32()? != NFS {
                return Some(Message::Other);
            }
            let (version, procedure) = (fields.u32()?, fields.u32()?);
            let caller = credentials(&mut fields, xid)?;
            skip_auth(&mut fields)?;
            let body = Body { bytes: fields.rest(), at: fields.at() };
            Some(Message::Call { caller, version, procedure, body })
        }
        REPLY => {
            let denied = fields.u32()? != 0;
            let mut success = !denied;
            if !denied {
                skip_auth(&mut fields)?;
                success = fields.u32()? == 0;
            }
            let body = Body { bytes: fields.rest(), at: fields.at() };
            Some(Message::Reply { xid, denied, accepted: success, body })
        }
        _ => None,
    }
}
