//! DCE/RPC over a connection of its own.

use super::association::{Association, Carrier};
use super::names::OWN;
use super::pdu::{self, HEADER_LEN};
use crate::app::{Carry, Decoder, Framed, Next, Sink};
use crate::base::{Dir, PerDir};

/// A unit's length has 16 bits.
const MAX_UNIT: usize = 65_535;

/// Decodes connection-oriented DCE/RPC.
#[derive(Debug, Default)]
pub struct Tcp {
    association: Association,
    carry: PerDir<Carry>,
    /// Bytes were lost: look for the next unit's header.
    lost: PerDir<bool>,
}

/// How long the unit that begins with these bytes is.
pub fn frame(bytes: &[u8]) -> Framed {
    if !pdu::may_begin(bytes) {
        return Framed::Broken;
    }
    if bytes.len() < HEADER_LEN {
        return Framed::Need(HEADER_LEN);
    }
    pdu::header(bytes).map_or(Framed::Broken, |header| Framed::Whole(usize::from(header.fragment_len)))
}

/// Behind a gap: where a unit may begin, or the bytes' end.
pub(super) fn next_unit(bytes: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = memchr::memchr(5, bytes.get(from..).unwrap_or_default()) {
        let here = from + at;
        if pdu::header(bytes.get(here..).unwrap_or_default()).is_some() {
            return here;
        }
        from = here + 1;
    }
    bytes.len()
}

impl Decoder for Tcp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut bytes = bytes;
        if self.lost[dir] {
            bytes = bytes.get(next_unit(bytes)..).unwrap_or_default();
            if bytes.is_empty() {
                return Next::More;
            }
            self.lost[dir] = false;
        }
        let association = &mut self.association;
        let mut carrier = Carrier { names: &OWN, opened: &mut |_, _| {} };
        let whole = self.carry[dir].cut(bytes, MAX_UNIT, frame, |unit| {
            association.unit(dir, unit, &mut carrier, sink);
            true
        });
        if whole { Next::More } else { Next::Broken }
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.carry[dir].clear();
        self.lost[dir] = true;
        Next::More
    }

    fn reset(&mut self) {
        self.association.reset();
        self.lost = PerDir::default();
        Dir::BOTH.into_iter().for_each(|dir| self.carry[dir].reset());
    }
}
