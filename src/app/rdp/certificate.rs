//! Within TLS: the server's certificate, in a handshake that is not encrypted.

use crate::app::carry::Framed;
use crate::app::clipped::{Clipped, Taken};
use crate::app::{Transaction, der, digits};

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CERTIFICATE: u8 = 11;
/// Kind and length of a handshake's message.
const HEADER: usize = 4;
/// Bytes of a message that are kept: a chain of certificates that is longer loses its last ones.
const MAX_MESSAGE: usize = 32 << 10;
/// Serial numbers told of a chain, and bytes of one (RFC 5280, 4.1.2.2 allows 20).
const MAX_SERIALS: usize = 16;
const MAX_SERIAL: usize = 64;

/// The server's side.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    message: Clipped,
}

impl Handshake {
    pub fn reset(&mut self) {
        self.message.clear();
    }

    /// More of the server's side. Whether its certificate is there, or will not come in the clear (TLS 1.3).
    pub fn record(&mut self, kind: u8, mut payload: &[u8]) -> bool {
        match kind {
            HANDSHAKE => {}
            APPLICATION_DATA => {
                self.message.clear();
                return true;
            }
            _ => return false,
        }
        while !payload.is_empty() {
            match self.message.take(&mut payload, MAX_MESSAGE, frame) {
                Taken::Part => {}
                Taken::Broken => return true,
                Taken::Whole { .. } if self.message.bytes().first() == Some(&CERTIFICATE) => return true,
                Taken::Whole { .. } => self.message.clear(),
            }
        }
        false
    }

    /// The certificates, behind their length; empty where there are none.
    pub fn certificate(&self) -> &[u8] {
        match self.message.bytes() {
            message @ [CERTIFICATE, ..] => message.get(HEADER + 3..).unwrap_or_default(),
            _ => &[],
        }
    }
}

fn frame(bytes: &[u8]) -> Framed {
    match *bytes {
        [_, high, middle, low, ..] => {
            Framed::Whole(HEADER + u32::from_be_bytes([0, high, middle, low]) as usize)
        }
        _ => Framed::Need(HEADER),
    }
}

pub(super) fn note_serials(tx: &mut Transaction, certificates: &[u8]) {
    let mut rest = certificates;
    for _ in 0..MAX_SERIALS {
        let [high, middle, low, behind @ ..] = rest else { return };
        let len = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        let (certificate, next) = behind.split_at(len.min(behind.len()));
        rest = next;
        if let Some(serial) = serial(certificate).filter(|serial| serial.len() <= MAX_SERIAL) {
            tx.note_with("x509_serials[]", |out| digits::push_bytes(out, serial));
        }
    }
}

/// RFC 5280, 4.1: behind the version, which is tagged and may be left out.
fn serial(certificate: &[u8]) -> Option<&[u8]> {
    let mut fields = der::only(der::only(certificate, der::SEQUENCE)?, der::SEQUENCE)?;
    let first = der::next(&mut fields)?;
    let serial = if first.tag == der::context(0) { der::next(&mut fields)? } else { first };
    (serial.tag == der::INTEGER).then_some(serial.content)
}
