//! A rule's steps over buffers that come in pieces: which bytes they are shown, and when a size is judged.

use super::steps::{Need, Program, Subject};
use super::turn::Turn;
use crate::app::Streamed;
use crate::rules::ruleset::{BufferMatch, Endian};

/// What there is of the buffers of one name.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) there: bool,
    /// More may come.
    pub(super) open: bool,
    pub(super) holds: bool,
}

impl Turn<'_> {
    /// Of several buffers only the first has `but_for_size` kept: of a further one the steps must hold in the look that knows its size.
    pub(super) fn growing<'s>(
        &mut self,
        all: impl Iterator<Item = &'s Streamed>,
        order: Endian,
        buffer: &BufferMatch,
        program: &Program,
        but_for_size: &mut bool,
        found: &mut Found,
    ) {
        let to_its_end = program.is_sized() || program.need() == Need::End;
        for (at, streamed) in all.enumerate() {
            found.there |= !streamed.is_empty();
            found.open |= if to_its_end { streamed.left_at_end().is_none() } else { !streamed.is_over() };
            if found.holds {
                continue;
            }
            found.holds = if program.is_sized() {
                let mut of_another = false;
                let kept = if at == 0 { &mut *but_for_size } else { &mut of_another };
                self.holds_at_its_size(streamed, order, buffer, program, kept)
            } else {
                self.holds_so_far(streamed, order, buffer, program)
            };
        }
    }

    fn holds_so_far(
        &mut self,
        streamed: &Streamed,
        order: Endian,
        buffer: &BufferMatch,
        program: &Program,
    ) -> bool {
        let view = match program.need() {
            Need::Beginning => streamed.unsettled(),
            Need::Enough => streamed.gathered(),
            Need::End => streamed.own_end().map(|(bytes, base)| (bytes, base, 0)),
        };
        view.is_some_and(|(bytes, base, fresh_from)| {
            let subject = Subject::window(bytes, base, fresh_from).in_order(order);
            self.transformed_matches(buffer, program, subject)
        })
    }

    /// A size is known at the end, or once it is larger than all that is asked for. What else is asked may have held before.
    fn holds_at_its_size(
        &mut self,
        streamed: &Streamed,
        order: Endian,
        buffer: &BufferMatch,
        program: &Program,
        but_for_size: &mut bool,
    ) -> bool {
        let size = streamed.size;
        if let Some((bytes, base)) = streamed.left_at_end() {
            let there = program.need() != Need::End || streamed.own_end().is_some();
            let subject = Subject::window(bytes, base, 0).in_order(order).of_length(Some(size));
            return (*but_for_size && program.fits(size))
                || (there && self.transformed_matches(buffer, program, subject));
        }
        // Of what is transformed the size is that of what comes out, and nobody keeps that.
        if program.need() != Need::Beginning || buffer.transforms != 0 {
            return false;
        }
        if let Some((bytes, base, fresh_from)) = streamed.unsettled().filter(|_| !*but_for_size) {
            let subject = Subject::window(bytes, base, fresh_from).in_order(order).of_length(None);
            *but_for_size = self.transformed_matches(buffer, program, subject);
        }
        *but_for_size && program.fits_however_long(size)
    }
}
