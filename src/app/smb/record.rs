//! Cuts a direction's bytes into units: NetBIOS session messages (RFC 1002, 4.3; [MS-SMB2] 2.1), and within them SMB messages,
//! one after the other where they are compounded. The data of a read or write is not waited for: its head comes first.

use super::command::{smb1, smb2};
use super::header::{self, Header, SMB1_LEN, SMB1_MAGIC, SMB2_LEN, SMB2_MAGIC};
use crate::app::cursor::Cursor;

/// Of a NetBIOS session message.
pub const NBSS_LEN: usize = 4;
/// Bytes of one message that are kept, its data apart; what is longer is decoded as far as that.
pub const MAX_UNIT: usize = 128 << 10;
/// A read's or write's data begins within so many bytes of its header.
const MAX_HEAD: usize = 1024;

/// What stands next in a direction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A NetBIOS header.
    Session,
    /// A message, `left` bytes before the session message's end.
    Unit { left: u32 },
    /// Data of a read or write, then so many bytes of the message that mean nothing, then `after` of the session message.
    Data { left: u32, padding: u32, after: u32 },
    /// Bytes that mean nothing, then `after` of the session message.
    Skip { left: u32, after: u32 },
}

/// What the bytes at a unit's place are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Look again when so many are there.
    Need(usize),
    /// A message: its first `head` bytes are decoded, `data` is what of a read or write follows them.
    Message {
        header: Header,
        head: usize,
        data: Option<u32>,
        next: At,
    },
    /// Encrypted or compressed.
    Opaque,
    Broken,
    /// The next message of the compound would begin beyond the session message.
    Overflow,
}

impl At {
    /// What follows when nothing of the unit's own is left.
    pub fn settled(self) -> At {
        match self {
            At::Data { left: 0, padding, after } => At::Skip { left: padding, after }.settled(),
            At::Skip { left: 0, after: 0 } | At::Unit { left: 0 } => At::Session,
            At::Skip { left: 0, after } => At::Unit { left: after },
            other => other,
        }
    }

    /// So many bytes are lost here: where that leaves us, if it can be told.
    pub fn without(self, missing: u64) -> Option<At> {
        let mut at = self;
        let mut missing = u32::try_from(missing).ok()?;
        while missing > 0 {
            let step;
            (step, at) = match at {
                At::Data { left, padding, after } => {
                    (left.min(missing), At::Data { left: left - left.min(missing), padding, after })
                }
                At::Skip { left, after } => {
                    (left.min(missing), At::Skip { left: left - left.min(missing), after })
                }
                At::Unit { .. } | At::Session => return None,
            };
            missing -= step;
            at = at.settled();
        }
        Some(at)
    }
}

/// Whether a NetBIOS type is known.
pub fn is_session_type(kind: u8) -> bool {
    kind == 0 || (0x81..=0x85).contains(&kind)
}

/// Bytes that a NetBIOS header announces; of a message all 24 bits count, as on port 445.
pub fn session_len(header: [u8; NBSS_LEN]) -> u32 {
    u32::from_be_bytes(header) & 0x00ff_ffff
}

/// What the unit that begins with `bytes` is, when `left` bytes of the session message are not read yet.
pub fn unit(bytes: &[u8], left: u32) -> Unit {
    let whole = left as usize;
    if bytes.len() < 4.min(whole) {
        return Unit::Need(4.min(whole));
    }
    match bytes.first_chunk() {
        Some(magic) if magic == SMB2_MAGIC => message(bytes, whole, SMB2_LEN, header::smb2, smb2_data),
        Some(magic) if magic == SMB1_MAGIC => message(bytes, whole, SMB1_LEN, header::smb1, smb1_data),
        Some(magic) if magic == header::TRANSFORM_MAGIC || magic == header::COMPRESSION_MAGIC => Unit::Opaque,
        _ => Unit::Broken,
    }
}

/// How much must be there, or where a message's data begins and how long it is.
enum DataAt {
    None,
    Need(usize),
    From(usize, u32),
}

fn message(
    bytes: &[u8],
    whole: usize,
    header_len: usize,
    parse: fn(&[u8]) -> Option<Header>,
    data_at: fn(&Header, &[u8]) -> DataAt,
) -> Unit {
    if whole < header_len {
        return Unit::Broken;
    }
    if bytes.len() < header_len {
        return Unit::Need(header_len);
    }
    let Some(header) = parse(bytes) else { return Unit::Broken };
    let len = match header.next as usize {
        0 => whole,
        next if (header_len..=whole).contains(&next) => next,
        next if next > whole => return Unit::Overflow,
        _ => return Unit::Broken,
    };
    let after = (whole - len) as u32;
    match data_at(&header, bytes) {
        DataAt::Need(need) if need > bytes.len() && need <= len => return Unit::Need(need),
        DataAt::From(from, data) if from <= len.min(MAX_HEAD) => {
            if bytes.len() < from {
                return Unit::Need(from);
            }
            let data = data.min((len - from) as u32);
            let padding = (len - from) as u32 - data;
            let next = At::Data { left: data, padding, after };
            return Unit::Message { header, head: from, data: Some(data), next };
        }
        _ => {}
    }
    let head = len.min(MAX_UNIT);
    if bytes.len() < head {
        return Unit::Need(head);
    }
    let next = At::Skip { left: (len - head) as u32, after };
    Unit::Message { header, head, data: None, next }
}

fn smb2_data(header: &Header, bytes: &[u8]) -> DataAt {
    let fixed = match (header.command, header.is_response) {
        (smb2::WRITE, false) => 48,
        (smb2::READ, true) if header.is_success() => 16,
        _ => return DataAt::None,
    };
    if bytes.len() < SMB2_LEN + fixed {
        return DataAt::Need(SMB2_LEN + fixed);
    }
    let mut fields = Cursor::little(bytes.get(SMB2_LEN + 2..).unwrap_or_default());
    let (offset, len) = if header.is_response {
        let offset = fields.u8().map(u16::from);
        (offset, fields.skip(1).and_then(|()| fields.u32()))
    } else {
        (fields.u16(), fields.u32())
    };
    match (offset, len) {
        (Some(offset), Some(len)) if usize::from(offset) >= SMB2_LEN + fixed => {
            DataAt::From(usize::from(offset), len)
        }
        (Some(_), Some(0)) => DataAt::From(SMB2_LEN + fixed, 0),
        _ => DataAt::None,
    }
}

fn smb1_data(header: &Header, bytes: &[u8]) -> DataAt {
    let (offset_at, high_at, least) = match (header.command, header.is_response) {
        // Words before the data's length: AndX 2, then what each message has.
        (smb1::WRITE_ANDX, false) => (20, 18, 12),
        (smb1::READ_ANDX, true) if header.is_success() => (10, 14, 12),
        _ => return DataAt::None,
    };
    let Some(words) = bytes.get(SMB1_LEN).copied().map(usize::from) else {
        return DataAt::Need(SMB1_LEN + 1);
    };
    let params = SMB1_LEN + 1;
    if words < least {
        return DataAt::None;
    }
    if bytes.len() < params + words * 2 + 2 {
        return DataAt::Need(params + words * 2 + 2);
    }
    let word = |at: usize| Cursor::little(bytes.get(params + at..).unwrap_or_default()).u16();
    match (word(offset_at), word(offset_at + 2), word(high_at)) {
        (Some(len), Some(offset), Some(high)) if usize::from(offset) >= params + words * 2 => {
            DataAt::From(usize::from(offset), u32::from(high) << 16 | u32::from(len))
        }
        _ => DataAt::None,
    }
}
