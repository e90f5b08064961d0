//! PPP over Ethernet (RFC 2516): discovery, and the header before the PPP packets of a session.

use crate::base::Anomaly;
use crate::wire::u16_at;

pub const HEADER_LEN: usize = 6;

/// Version 1, type 1.
const VERSION_AND_TYPE: u8 = 0x11;
const TAG_HEADER_LEN: usize = 4;
/// Tags looked at; a message has a few.
const MAX_TAGS: usize = 64;

mod code {
    pub const SESSION: u8 = 0x00;
    pub const PADO: u8 = 0x07;
    pub const PADI: u8 = 0x09;
    pub const PADR: u8 = 0x19;
    pub const PADS: u8 = 0x65;
    pub const PADT: u8 = 0xa7;
}

/// Code and the bytes that the length field gives the payload; they may reach behind the end of `bytes`.
fn header(bytes: &[u8]) -> Result<(u8, usize), Anomaly> {
    let (Some(&[version, code]), Some(len)) = (bytes.first_chunk(), u16_at(bytes, 4)) else {
        return Err(Anomaly::PppoePktTooSmall);
    };
    if version != VERSION_AND_TYPE {
        return Err(Anomaly::PppoeWrongCode);
    }
    Ok((code, usize::from(len)))
}

/// Checks a discovery message and its tags.
pub fn discovery(bytes: &[u8]) -> Result<(), Anomaly> {
    let (code, len) = header(bytes)?;
    if !matches!(code, code::PADO | code::PADI | code::PADR | code::PADS | code::PADT) {
        return Err(Anomaly::PppoeWrongCode);
    }
    let mut rest = bytes.get(HEADER_LEN..HEADER_LEN + len).ok_or(Anomaly::PppoePktTooSmall)?;
    for _ in 0..MAX_TAGS {
        if rest.is_empty() {
            return Ok(());
        }
        let tag_len = usize::from(u16_at(rest, 2).ok_or(Anomaly::PppoeMalformedTags)?);
        rest = rest.get(TAG_HEADER_LEN + tag_len..).ok_or(Anomaly::PppoeMalformedTags)?;
    }
    Err(Anomaly::PppoeMalformedTags)
}

/// Checks the header of a session's packet; behind it stands PPP, without address and control bytes.
pub fn session(bytes: &[u8]) -> Result<(), Anomaly> {
    let (code, _) = header(bytes)?;
    if bytes.len() <= HEADER_LEN {
        return Err(Anomaly::PppoePktTooSmall);
    }
    if code == code::SESSION { Ok(()) } else { Err(Anomaly::PppoeWrongCode) }
}

/// The number of the session whose packet this is.
pub fn session_id(bytes: &[u8]) -> Option<u16> {
    u16_at(bytes, 2)
}

/// Makes the header at `at` of a frame's `head` say that its payload is the rest of `head` and `behind` bytes more; `None`
/// when its length field cannot.
pub fn set_length(head: &mut [u8], at: usize, behind: usize) -> Option<()> {
    let own = head.len().checked_sub(at + HEADER_LEN)?;
    let len = u16::try_from(own + behind).ok()?;
    head.get_mut(at + 4..at + HEADER_LEN)?.copy_from_slice(&len.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_has_a_known_code_and_whole_tags() {
        let padi = [0x11, 9, 0, 0, 0, 8, 1, 1, 0, 0, 1, 3, 0, 0];
        assert_eq!(discovery(&padi), Ok(()));
        assert_eq!(discovery(&[&padi[..], &[0; 40]].concat()), Ok(()), "padding");
        assert_eq!(discovery(&padi[..5]), Err(Anomaly::PppoePktTooSmall));
        assert_eq!(discovery(&padi[..13]), Err(Anomaly::PppoePktTooSmall));
        assert_eq!(discovery(&[0x11, 8, 0, 0, 0, 0]), Err(Anomaly::PppoeWrongCode));
        assert_eq!(discovery(&[0x12, 9, 0, 0, 0, 0]), Err(Anomaly::PppoeWrongCode));
        assert_eq!(discovery(&[0x11, 9, 0, 0, 0, 4, 1, 1, 0, 1]), Err(Anomaly::PppoeMalformedTags));
        assert_eq!(discovery(&[0x11, 9, 0, 0, 0, 2, 1, 1]), Err(Anomaly::PppoeMalformedTags));
        let many = [&[0x11, 9, 0, 0, 4, 0][..], &[0; 1024]].concat();
        assert_eq!(discovery(&many), Err(Anomaly::PppoeMalformedTags));
    }

    #[test]
    fn a_length_counts_what_stands_behind_the_header() {
        let mut head = [0xee, 0x11, 0, 0, 1, 9, 9, 0, 0x21];
        assert_eq!(set_length(&mut head, 1, 0x100), Some(()));
        assert_eq!(head, [0xee, 0x11, 0, 0, 1, 1, 2, 0, 0x21]);
        assert_eq!(set_length(&mut head, 1, 65_534), None);
        assert_eq!(set_length(&mut head, 4, 0), None, "no header there");
        assert_eq!(head, [0xee, 0x11, 0, 0, 1, 1, 2, 0, 0x21]);
    }

    #[test]
    fn a_session_packet_carries_something() {
        assert_eq!(session(&[0x11, 0, 0, 1, 0, 2, 0]), Ok(()));
        assert_eq!(session(&[0x11, 0, 0, 1, 0, 2]), Err(Anomaly::PppoePktTooSmall));
        assert_eq!(session(&[0x11, 9, 0, 1, 0, 2, 0]), Err(Anomaly::PppoeWrongCode));
    }
}
