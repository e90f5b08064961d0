//! Messages as they stand on the wire, for `frame:`.

use super::header::{Header, SMB1_LEN, SMB2_LEN, Version};
use crate::app::{Transaction, Window};
use crate::base::Dir;
use crate::rules::context::{BufferId, id};

/// Bytes of a message's data that a frame shows.
const MAX_DATA: u64 = 64 << 10;

const SMB1: [BufferId; 3] = [id("smb1.pdu"), id("smb1.hdr"), id("smb1.data")];
const SMB2: [BufferId; 3] = [id("smb2.pdu"), id("smb2.hdr"), id("smb2.data")];
const NBSS: [BufferId; 3] = [id("smb.nbss.pdu"), id("smb.nbss.hdr"), id("smb.nbss.data")];

/// Whether anyone looks at frames at all.
pub fn wanted(tx: &Transaction) -> bool {
    [SMB1, SMB2, NBSS].iter().flatten().any(|buffer| tx.wants(*buffer))
}

/// A message: what came of it, and whether more of it comes. Numbers of the buffers that [`grow`] adds to.
pub fn put(
    tx: &mut Transaction,
    dir: Dir,
    header: &Header,
    session_header: [u8; 4],
    head: &[u8],
    more: bool,
) -> Growing {
    let ([pdu, hdr, data], len) = match header.version {
        Version::Smb1 => (SMB1, SMB1_LEN),
        Version::Smb2 => (SMB2, SMB2_LEN),
    };
    let [nbss_pdu, nbss_hdr, nbss_data] = NBSS;
    tx.put(dir, hdr, head.get(..len).unwrap_or(head));
    tx.put(dir, nbss_hdr, &session_header);
    let body = head.get(len..).unwrap_or_default();
    let mut growing = Growing::default();
    let parts =
        [(pdu, &[][..], head), (data, &[], body), (nbss_pdu, &session_header, head), (nbss_data, &[], head)];
    for (place, (buffer, first, rest)) in growing.0.iter_mut().zip(parts) {
        if !tx.wants(buffer) {
            continue;
        }
        if more {
            *place = tx.begin(dir, buffer, Window { limit: MAX_DATA, back: MAX_DATA, ..Window::default() });
            if let Some(streamed) = *place {
                tx.grow(streamed, first);
                tx.grow(streamed, rest);
            }
        } else {
            tx.put_with(dir, buffer, |out| {
                out.extend_from_slice(first);
                out.extend_from_slice(rest);
            });
        }
    }
    growing
}

/// Frames of a message whose data is still coming.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Growing([Option<usize>; 4]);

impl Growing {
    pub fn grow(&self, tx: &mut Transaction, bytes: &[u8]) {
        self.0.iter().flatten().for_each(|streamed| tx.grow(*streamed, bytes));
    }

    pub fn end(&self, tx: &mut Transaction) {
        self.0.iter().flatten().for_each(|streamed| tx.end_streamed(*streamed));
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}
