//! NTLM's messages within a session setup, wrapped in SPNEGO or bare ([MS-NLMP] 2.2.1).

use super::text;
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::app::digits::push_number;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
const NEGOTIATE: u32 = 1;
const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;
const UNICODE: u32 = 1;
const VERSION: u32 = 0x0200_0000;

const USER: BufferId = context::id("smb.ntlmssp_user");
const DOMAIN: BufferId = context::id("smb.ntlmssp_domain");

/// Who logs in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Authenticate<'a> {
    domain: &'a [u8],
    user: &'a [u8],
    host: &'a [u8],
    unicode: bool,
    version: Option<[u8; 8]>,
}

/// A field: its length, the room it has, its offset.
fn field<'a>(message: &'a [u8], fields: &mut Cursor<'_>) -> Option<&'a [u8]> {
    let len = usize::from(fields.u16()?);
    fields.skip(2)?;
    let offset = usize::try_from(fields.u32()?).ok()?;
    message.get(offset..offset.checked_add(len)?)
}

fn authenticate(message: &[u8]) -> Option<Authenticate<'_>> {
    let mut fields = Cursor::little(message);
    fields.skip(12 + 16)?;
    let domain = field(message, &mut fields)?;
    let user = field(message, &mut fields)?;
    let host = field(message, &mut fields)?;
    fields.skip(8)?;
    let flags = fields.u32()?;
    let version = if flags & VERSION != 0 { fields.array() } else { None };
    Some(Authenticate { domain, user, host, unicode: flags & UNICODE != 0, version })
}

/// The client's messages of NTLM so far.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// One that opens a login came in this connection.
    negotiate: bool,
    /// And is not answered by a name yet.
    waits: bool,
}

/// Puts what a client's security blob says of the user, and what is wrong with it.
pub fn put(tx: &mut Transaction, blob: &[u8], seen: &mut Seen) {
    let Some(at) = memchr::memmem::find(blob, SIGNATURE) else { return };
    let message = blob.get(at..).unwrap_or_default();
    let kind = Cursor::little(message.get(SIGNATURE.len()..).unwrap_or_default()).u32();
    // A name without a challenge to it. Of a connection that was seen late nothing is known.
    let unusual = kind == Some(AUTHENTICATE) && seen.negotiate && !seen.waits;
    seen.negotiate |= kind == Some(NEGOTIATE);
    seen.waits = kind == Some(NEGOTIATE);
    if unusual {
        tx.event(Dir::ToServer, "smb.unusual_ntlmssp_order");
    }
    if !put_message(tx, message, kind) {
        tx.event(Dir::ToServer, "smb.malformed_ntlmssp_request");
    }
}

/// False when the message is broken.
fn put_message(tx: &mut Transaction, message: &[u8], kind: Option<u32>) -> bool {
    let dir = Dir::ToServer;
    match kind {
        Some(AUTHENTICATE) => {}
        Some(NEGOTIATE | CHALLENGE) => return true,
        _ => return false,
    }
    let Some(who) = authenticate(message) else { return false };
    tx.put_with(dir, DOMAIN, |out| text::push(out, who.domain, who.unicode));
    tx.put_with(dir, USER, |out| text::push(out, who.user, who.unicode));
    if tx.wants_notes() {
        for (name, value) in
            [("ntlmssp.domain", who.domain), ("ntlmssp.user", who.user), ("ntlmssp.host", who.host)]
        {
            tx.note_with(name, |out| text::push(out, value, who.unicode));
        }
        if let Some([major, minor, low, high, _, _, _, revision]) = who.version {
            let build = u16::from_le_bytes([low, high]);
            tx.note_with("ntlmssp.version", |out| {
                push_number(out, u64::from(major));
                out.push(b'.');
                push_number(out, u64::from(minor));
                out.extend_from_slice(b" build ");
                push_number(out, u64::from(build));
                out.extend_from_slice(b" rev ");
                push_number(out, u64::from(revision));
            });
        }
    }
    true
}
