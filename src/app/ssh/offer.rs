//! The algorithms that a side offers (RFC 4253, section 7.1), and their fingerprint (HASSH, Salesforce 2018).

use crate::app::tls::reader::Reader;
use crate::base::Dir;

/// SSH_MSG_KEXINIT
pub(super) const KEXINIT: u8 = 20;
/// SSH_MSG_NEWKEYS
pub(super) const NEWKEYS: u8 = 21;

const COOKIE: usize = 16;
/// Lists of names in the message that are read.
const LISTS: usize = 8;

/// Places of the lists that make the fingerprint: key exchange, then what the side itself sends by.
const CLIENTS: [usize; 4] = [0, 2, 4, 6];
const SERVERS: [usize; 4] = [0, 3, 5, 7];

/// Appends `key exchange;encryption;MAC;compression` of a KEXINIT without its type. False when it is malformed.
pub(super) fn write(dir: Dir, message: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(lists) = read(message) else { return false };
    let places = if dir == Dir::ToServer { CLIENTS } else { SERVERS };
    for (nth, place) in places.into_iter().enumerate() {
        if nth > 0 {
            out.push(b';');
        }
        out.extend_from_slice(lists.get(place).copied().unwrap_or_default());
    }
    true
}

fn read(message: &[u8]) -> Option<[&[u8]; LISTS]> {
    let mut rest = Reader(message);
    rest.take(COOKIE)?;
    let mut lists = [&[][..]; LISTS];
    for list in &mut lists {
        let len = usize::try_from(rest.u32()?).ok()?;
        *list = rest.take(len)?;
    }
    Some(lists)
}
