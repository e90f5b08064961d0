//! What whoever inspects a stream remembers of its direction. It lives here because it lives as long as the stream does; what
//! it means is the inspection's.

/// Findings remembered.
const ROOM: usize = 8;

/// Notes on the bytes that were inspected and may be shown again, 88 bytes. Offsets are those of
/// [`Window::offset`](super::Window::offset).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Memo {
    /// Whose notes these are: those of another mean nothing.
    of: u64,
    /// All before this offset was searched.
    searched: u64,
    /// What was found, and an offset it ends before, of which the low bits are enough: windows are short.
    found: [(u32, u32); ROOM],
    count: u8,
    /// Findings that there was no room for end before this one, if there are any.
    lost: Option<u32>,
}

impl Memo {
    /// Notes of nothing, by `of`.
    pub fn by(of: u64) -> Memo {
        Memo { of, ..Memo::default() }
    }

    /// Whether they are by `of` and tell all that stands before `fresh` in a window that begins at `offset`.
    pub fn tells(&self, of: u64, offset: u64, fresh: u64) -> bool {
        self.of == of && self.searched == fresh && self.lost.is_none_or(|end| !is_after(end, offset))
    }

    /// Forgets what ends before `offset`.
    pub fn forget_before(&mut self, offset: u64) {
        let mut kept = Memo { count: 0, lost: self.lost.filter(|&end| is_after(end, offset)), ..*self };
        for (what, end) in self.found().filter(|&(_, end)| is_after(end, offset)) {
            kept.put(what, end);
        }
        *self = kept;
    }

    /// Takes note of a finding that ends at `end` or before.
    pub fn note(&mut self, what: u32, end: u64) {
        let end = end as u32;
        let known = self.found.iter_mut().take(usize::from(self.count)).find(|(known, _)| *known == what);
        match known {
            Some((_, last)) => *last = end,
            None => self.put(what, end),
        }
    }

    /// All before `offset` was searched now.
    pub fn searched_to(&mut self, offset: u64) {
        self.searched = offset;
    }

    /// What was found, with the low bits of an offset it ends before.
    pub fn found(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        self.found.into_iter().take(usize::from(self.count))
    }

    /// A finding that there is no room for makes the notes incomplete until the window has passed it.
    fn put(&mut self, what: u32, end: u32) {
        match self.found.get_mut(usize::from(self.count)) {
            Some(place) => {
                *place = (what, end);
                self.count += 1;
            }
            None => self.lost = Some(end),
        }
    }
}

fn is_after(end: u32, offset: u64) -> bool {
    end.wrapping_sub(offset as u32).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_until_the_window_has_passed_its_end() {
        let mut memo = Memo::by(7);
        memo.note(1, 10);
        memo.note(2, 20);
        memo.note(1, 12);
        memo.searched_to(30);
        assert!(memo.tells(7, 0, 30) && !memo.tells(8, 0, 30) && !memo.tells(7, 0, 31));
        assert_eq!(memo.found().collect::<Vec<_>>(), [(1, 12), (2, 20)]);
        memo.forget_before(12);
        assert_eq!(memo.found().collect::<Vec<_>>(), [(2, 20)]);
    }

    #[test]
    fn notes_that_had_no_room_are_incomplete_until_the_window_has_passed_them() {
        let mut memo = Memo::by(1);
        (0..=ROOM as u32).for_each(|what| memo.note(what, 100));
        memo.searched_to(100);
        assert!(!memo.tells(1, 99, 100) && memo.tells(1, 100, 100));
        memo.forget_before(100);
        memo.note(3, 120);
        memo.searched_to(120);
        assert!(memo.tells(1, 50, 120));
    }

    #[test]
    fn offsets_beyond_32_bits_compare_as_those_below() {
        let far = u64::from(u32::MAX) - 5;
        let mut memo = Memo::by(1);
        memo.note(1, far + 10);
        memo.forget_before(far + 9);
        assert_eq!(memo.found().count(), 1);
        memo.forget_before(far + 10);
        assert_eq!(memo.found().count(), 0);
    }
}
