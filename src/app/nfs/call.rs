//! What a call asks and a reply gives, as far as rules and files need it.

use super::files::{Handle, MAX_HANDLE};
use super::procedure::{v2, v3, v4};
use super::rpc::Body;
use crate::app::cursor::Cursor;
use arrayvec::ArrayVec;

/// Operations of one compound that are told.
const MAX_OPERATIONS: usize = 32;

/// What a call is about.
#[derive(Debug, Default)]
pub struct Call<'a> {
    /// The file, or the directory.
    pub handle: Option<&'a [u8]>,
    /// A name in the directory.
    pub name: &'a [u8],
    /// What it is to be called from now on.
    pub new_name: Option<&'a [u8]>,
    /// Of a read or write.
    pub offset: u64,
    /// Where in the message the data of a write begins, and its length.
    pub data: Option<(usize, u32)>,
    /// Nothing more of the file will come.
    pub closes: bool,
    /// Version 4: operations after the first.
    pub operations: ArrayVec<u32, MAX_OPERATIONS>,
}

fn opaque<'a>(fields: &mut Cursor<'a>, most: usize) -> Option<&'a [u8]> {
    let len = usize::try_from(fields.u32()?).ok().filter(|len| *len <= most)?;
    let bytes = fields.take(len)?;
    fields.skip(len.next_multiple_of(4) - len).or(Some(()))?;
    Some(bytes)
}

const MAX_NAME: usize = 1024;

/// Reads a call's arguments; what it does not know it leaves out.
pub fn read<'a>(version: u32, procedure: u32, body: Body<'a>) -> Option<Call<'a>> {
    let mut call = Call::default();
    let mut fields = Cursor::big(body.bytes);
    match version {
        2 => {
            call.handle = Some(fields.take(32)?);
            match procedure {
                v2::LOOKUP | v2::CREATE | 10 | 14 | 15 => call.name = opaque(&mut fields, MAX_NAME)?,
                v2::RENAME => {
                    call.name = opaque(&mut fields, MAX_NAME)?;
                    fields.skip(32)?;
                    call.new_name = Some(opaque(&mut fields, MAX_NAME)?);
                }
                v2::READ => call.offset = u64::from(fields.u32()?),
                v2::WRITE => {
                    fields.skip(4)?;
                    call.offset = u64::from(fields.u32()?);
                    fields.skip(4)?;
                    let len = fields.u32()?;
                    call.data = Some((body.at + fields.at(), len));
                }
                _ => {}
            }
        }
        3 => {
            call.handle = Some(opaque(&mut fields, MAX_HANDLE)?);
            match procedure {
                v3::LOOKUP | v3::CREATE | 9..=13 => call.name = opaque(&mut fields, MAX_NAME)?,
                v3::RENAME => {
                    call.name = opaque(&mut fields, MAX_NAME)?;
                    opaque(&mut fields, MAX_HANDLE)?;
                    call.new_name = Some(opaque(&mut fields, MAX_NAME)?);
                }
                v3::READ => call.offset = fields.u64()?,
                v3::WRITE => {
                    call.offset = fields.u64()?;
                    fields.skip(8)?;
                    let len = fields.u32()?;
                    call.data = Some((body.at + fields.at(), len));
                }
                v3::COMMIT => call.closes = true,
                _ => {}
            }
        }
        _ if procedure == v4::COMPOUND => compound(&mut fields, body.at, &mut call)?,
        _ => {}
    }
    Some(call)
}

/// A compound's operations, as far as their arguments are known (RFC 7530, 16).
fn compound<'a>(fields: &mut Cursor<'a>, at: usize, call: &mut Call<'a>) -> Option<()> {
    opaque(fields, MAX_NAME)?;
    fields.skip(4)?;
    let count = fields.u32()?;
    for _ in 0..count {
        let operation = fields.u32()?;
        if call.operations.try_push(operation).is_err() {
            return Some(());
        }
        match operation {
            v4::PUTFH => call.handle = Some(opaque(fields, MAX_HANDLE)?),
            v4::PUTROOTFH | v4::GETFH | v4::SAVEFH | v4::RESTOREFH => {}
            v4::ACCESS => fields.skip(4)?,
            v4::GETATTR => fields.u32().and_then(|words| fields.skip((words as usize).checked_mul(4)?))?,
            v4::LOOKUP | v4::REMOVE => call.name = opaque(fields, MAX_NAME)?,
            v4::RENEW => fields.skip(8)?,
            v4::SEQUENCE => fields.skip(32)?,
            v4::CLOSE => {
                fields.skip(4 + 16)?;
                call.closes = true;
            }
            v4::COMMIT => fields.skip(12)?,
            v4::READ => {
                fields.skip(16)?;
                call.offset = fields.u64()?;
                fields.skip(4)?;
            }
            v4::WRITE => {
                fields.skip(16)?;
                call.offset = fields.u64()?;
                fields.skip(4)?;
                let len = fields.u32()?;
                call.data = Some((at + fields.at(), len));
                // What follows the data is beyond the head as often as not.
                return Some(());
            }
            _ => return Some(()),
        }
    }
    Some(())
}

/// What a reply gives.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: u32,
    /// Of what was looked up or made.
    pub handle: Option<Handle>,
    /// Where in the message the data of a read begins, and its length.
    pub data: Option<(usize, u32)>,
    pub at_end: bool,
}

const ATTRIBUTES_V2: usize = 68;
const ATTRIBUTES_V3: usize = 84;

fn handle(bytes: &[u8]) -> Handle {
    bytes.iter().copied().take(MAX_HANDLE).collect()
}

pub fn reply(version: u32, procedure: u32, body: Body<'_>) -> Option<Reply> {
    let mut reply = Reply::default();
    let mut fields = Cursor::big(body.bytes);
    reply.status = fields.u32()?;
    if reply.status != 0 {
        return Some(reply);
    }
    match (version, procedure) {
        (2, v2::LOOKUP | v2::CREATE) => reply.handle = Some(handle(fields.take(32)?)),
        (2, v2::READ) => {
            fields.skip(ATTRIBUTES_V2)?;
            let len = fields.u32()?;
            reply.data = Some((body.at + fields.at(), len));
        }
        (3, v3::LOOKUP) => reply.handle = Some(handle(opaque(&mut fields, MAX_HANDLE)?)),
        (3, v3::CREATE) if fields.u32()? == 1 => {
            reply.handle = Some(handle(opaque(&mut fields, MAX_HANDLE)?));
        }
        (3, v3::READ) => {
            if fields.u32()? == 1 {
                fields.skip(ATTRIBUTES_V3)?;
            }
            fields.skip(4)?;
            reply.at_end = fields.u32()? == 1;
            let len = fields.u32()?;
            reply.data = Some((body.at + fields.at(), len));
        }
        (4, v4::COMPOUND) => read_results(&mut fields, body.at, &mut reply)?,
        _ => {}
    }
    Some(reply)
}

/// The results before a READ's in a compound, and that.
fn read_results(fields: &mut Cursor<'_>, at: usize, reply: &mut Reply) -> Option<()> {
    opaque(fields, MAX_NAME)?;
    let count = fields.u32()?;
    for _ in 0..count {
        let (operation, status) = (fields.u32()?, fields.u32()?);
        if status != 0 {
            return Some(());
        }
        match operation {
            v4::PUTFH | v4::PUTROOTFH | v4::LOOKUP | v4::SAVEFH | v4::RESTOREFH => {}
            v4::GETFH => reply.handle = Some(handle(opaque(fields, MAX_HANDLE)?)),
            v4::ACCESS => fields.skip(8)?,
            v4::SEQUENCE => fields.skip(36)?,
            v4::READ => {
                reply.at_end = fields.u32()? == 1;
                let len = fields.u32()?;
                reply.data = Some((at + fields.at(), len));
                return Some(());
            }
            _ => return Some(()),
        }
    }
    Some(())
}

/// Whether a call asks for a file's bytes.
pub fn is_read(version: u32, procedure: u32, call: &Call<'_>) -> bool {
    match version {
        2 => procedure == v2::READ,
        3 => procedure == v3::READ,
        _ => call.operations.contains(&v4::READ),
    }
}

/// Whether the reply names a handle for the name in the call.
pub fn names(version: u32, procedure: u32, call: &Call<'_>) -> bool {
    match version {
        2 => matches!(procedure, v2::LOOKUP | v2::CREATE),
        3 => matches!(procedure, v3::LOOKUP | v3::CREATE),
        _ => call.operations.contains(&v4::LOOKUP) || call.operations.contains(&v4::OPEN),
    }
}
