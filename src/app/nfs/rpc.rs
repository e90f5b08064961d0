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
        xid: u32,
        version: u32,
        procedure: u32,
        body: Body<'a>,
    },
    /// `accepted` says whether the procedure was carried out.
    Reply {
        xid: u32,
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

/// Credentials and verifiers have at most so many bytes.
const MAX_AUTH: u32 = 400;

fn skip_auth(fields: &mut Cursor<'_>) -> Option<()> {
    fields.skip(4)?;
    let len = fields.u32().filter(|len| *len <= MAX_AUTH)?;
    fields.skip((len as usize).next_multiple_of(4))
}

/// Whether the bytes begin a call to NFS.
pub fn begins_call(bytes: &[u8]) -> Probe {
    let word = |n: usize| {
        bytes.get(n * 4..).and_then(|rest| rest.first_chunk()).map(|word| u32::from_be_bytes(*word))
    };
    let is = |n: usize, test: &dyn Fn(u32) -> bool| word(n).is_none_or(test);
    let fits = is(1, &|kind| kind == CALL)
        && is(2, &|version| version == RPC_VERSION)
        && is(3, &|program| program == NFS)
        && is(4, &|version| (2..=4).contains(&version))
        && is(5, &|procedure| procedure <= 21);
    match (fits, bytes.len() >= 24) {
        (false, _) => Probe::No,
        (true, true) => Probe::Yes,
        (true, false) => Probe::More,
    }
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
            skip_auth(&mut fields)?;
            skip_auth(&mut fields)?;
            let body = Body { bytes: fields.rest(), at: fields.at() };
            Some(Message::Call { xid, version, procedure, body })
        }
        REPLY => {
            let accepted = fields.u32()? == 0;
            let mut success = accepted;
            if accepted {
                skip_auth(&mut fields)?;
                success = fields.u32()? == 0;
            }
            let body = Body { bytes: fields.rest(), at: fields.at() };
            Some(Message::Reply { xid, accepted: success, body })
        }
        _ => None,
    }
}
