//! A buffer that grows while it is inspected: a body, a file. Bytes that were looked at go, but for a window before the
//! next.

use crate::base::Dir;
use crate::rules::context::BufferId;

/// Holes that wait for a look at what stands before them; what comes behind further ones, until then, is not kept.
const MAX_HOLES: usize = 8;

/// When inspection looks, and how far it looks back.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Bytes kept of the whole at most.
    pub limit: u64,
    /// Wait for so many before the first look, unless the end comes.
    pub minimum: u64,
    /// Bytes before the fresh ones that are kept.
    pub back: u64,
    /// Bytes are looked at as they come, before the packet that brings them leaves; all are kept until the minimum is there. That is
    /// waited for by those alone who ask what further bytes could take back.
    pub at_once: bool,
}

/// Bytes to look into: with the place of the first, and the index of the first fresh one.
pub type View<'a> = (&'a [u8], u64, usize);

#[derive(Clone, Debug)]
pub struct Streamed {
    pub id: BufferId,
    /// Its other name: a body that is a file is both, byte for byte.
    also: Option<BufferId>,
    pub dir: Dir,
    bytes: Vec<u8>,
    /// Place of the first byte kept.
    base: u64,
    /// All before this place were looked at by those who do it at once.
    inspected: u64,
    /// The same by those who wait for enough.
    settled: u64,
    window: Window,
    /// Places before which bytes are missing, ascending: no look goes over one.
    holes: Vec<u64>,
    /// What came, kept or not.
    pub size: u64,
    pub ended: bool,
    /// Bytes within it are missing, or it was not carried to its end.
    pub truncated: bool,
}

impl Streamed {
    pub(super) fn new(dir: Dir, id: BufferId, window: Window, bytes: Vec<u8>) -> Streamed {
        Streamed {
            id,
            also: None,
            dir,
            bytes,
            base: 0,
            inspected: 0,
            settled: 0,
            window,
            holes: Vec::new(),
            size: 0,
            ended: false,
            truncated: false,
        }
    }

    /// The name it was begun under, and the other one.
    pub fn names(&self) -> (BufferId, Option<BufferId>) {
        (self.id, self.also)
    }

    pub fn is(&self, id: BufferId) -> bool {
        self.id == id || self.also == Some(id)
    }

    pub(super) fn name_also(&mut self, id: BufferId) {
        self.also = Some(id);
    }

    fn kept_to(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// Bytes are missing here: nothing is found that would lie on both sides.
    pub(super) fn hole(&mut self) {
        let place = self.kept_to();
        if place == 0 || self.holes.last() == Some(&place) {
            return;
        }
        if self.holes.len() < MAX_HOLES {
            self.holes.push(place);
        } else if let Some(last) = self.holes.last() {
            // Unseen pieces beyond the bound: the newest one goes.
            let kept = place.min(*last).saturating_sub(self.base);
            self.bytes.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        self.pass_holes();
    }

    /// Lets go what stands before holes up to which all was looked at.
    fn pass_holes(&mut self) {
        while let Some(&hole) = self.holes.first().filter(|hole| **hole <= self.settled) {
            let gone = usize::try_from(hole.saturating_sub(self.base)).unwrap_or(usize::MAX);
            self.bytes.drain(..gone.min(self.bytes.len()));
            self.base = self.base.max(hole);
            self.holes.remove(0);
        }
    }

    pub(super) fn grow(&mut self, bytes: &[u8]) {
        let kept = self.kept_to();
        let room = self.window.limit.saturating_sub(kept).min(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes.get(..room as usize).unwrap_or_default());
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    /// Whether all that will ever be kept is there.
    pub fn is_full(&self) -> bool {
        self.ended || self.size >= self.window.limit
    }

    /// The same, and no hole lies before bytes that nobody looked at: this look is the last.
    pub fn is_over(&self) -> bool {
        self.is_full() && self.holes.is_empty()
    }

    /// Bytes came behind those that are kept of the whole at most.
    fn is_cut(&self) -> bool {
        self.size > self.kept_to()
    }

    /// What is kept of a buffer that came to its end, with the place of the first byte.
    pub fn left_at_end(&self) -> Option<(&[u8], u64)> {
        (self.ended && self.holes.is_empty()).then_some((&*self.bytes, self.base))
    }

    /// The same where the buffer's own end is among it.
    pub fn own_end(&self) -> Option<(&[u8], u64)> {
        self.left_at_end().filter(|_| !self.is_cut())
    }

    /// Whether so much is there that a look at it is worth its while.
    fn is_enough(&self) -> bool {
        self.is_full() || !self.holes.is_empty() || self.kept_to() >= self.window.minimum
    }

    /// The window to look into now. `None` while there is nothing new or too little.
    pub fn ready(&self) -> Option<View<'_>> {
        self.view(self.inspected).filter(|_| self.window.at_once || self.is_enough())
    }

    /// [`ready`](Self::ready)'s window as rules evaluate it: all of it is fresh that not everyone has looked at, for what kept a rule from
    /// looking before (a bit that was not set) may have gone.
    pub fn unsettled(&self) -> Option<View<'_>> {
        let (bytes, base, _) = self.ready()?;
        Some((bytes, base, usize::try_from(self.settled.saturating_sub(base)).ok()?))
    }

    /// The same for what further bytes could take back (`content:!"x"`): never before there is enough.
    pub fn gathered(&self) -> Option<View<'_>> {
        self.view(self.settled).filter(|_| self.is_enough())
    }

    fn view(&self, seen: u64) -> Option<View<'_>> {
        let fresh = usize::try_from(seen.saturating_sub(self.base)).ok()?;
        let end = self.holes.first().map_or(self.kept_to(), |hole| *hole);
        let bytes = self.bytes.get(..usize::try_from(end.saturating_sub(self.base)).ok()?)?;
        (fresh < bytes.len()).then_some((bytes, self.base, fresh))
    }

    /// Whether there is anything for anyone to look into.
    pub fn is_due(&self) -> bool {
        self.ready().is_some() || self.gathered().is_some()
    }

    /// What is there, looked at or not.
    pub fn kept(&self) -> &[u8] {
        &self.bytes
    }

    /// Nothing is there to look into and nothing will be.
    pub fn is_empty(&self) -> bool {
        self.is_full() && self.base == 0 && self.bytes.is_empty()
    }

    /// What [`ready`](Self::ready) and [`gathered`](Self::gathered) gave was looked into by everyone.
    pub fn looked_at(&mut self) {
        let Some((bytes, base, _)) = self.ready().or(self.gathered()) else { return };
        self.inspected = base + bytes.len() as u64;
        if self.is_enough() {
            self.settled = self.inspected;
        }
        self.pass_holes();
        let keep_from = self.settled.saturating_sub(self.window.back);
        let Ok(gone) = usize::try_from(keep_from.saturating_sub(self.base)) else { return };
        // Moving less than there is to keep would cost more than it frees.
        if gone > self.bytes.len() - gone {
            self.bytes.drain(..gone);
            self.base = keep_from;
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::context;

    fn streamed(back: u64) -> Streamed {
        let window = Window { limit: 1000, minimum: 3, back, at_once: false };
        Streamed::new(Dir::ToServer, context::id("file.data"), window, Vec::new())
    }

    /// The windows of as many looks as there are, and the places of their first bytes.
    fn looks(streamed: &mut Streamed) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        while let Some((bytes, base, _)) = streamed.ready() {
            found.push((String::from_utf8_lossy(bytes).into_owned(), base));
            streamed.looked_at();
        }
        found
    }

    fn said(windows: &[(&str, u64)]) -> Vec<(String, u64)> {
        windows.iter().map(|(bytes, base)| ((*bytes).to_owned(), *base)).collect()
    }

    #[test]
    fn no_look_goes_over_a_hole() {
        for before in [false, true] {
            let mut body = streamed(100);
            body.hole();
            body.grow(b"abcd");
            let mut found = if before { looks(&mut body) } else { Vec::new() };
            body.hole();
            body.hole();
            body.grow(b"ef");
            body.grow(b"gh");
            found.append(&mut looks(&mut body));
            assert_eq!(found, said(&[("abcd", 0), ("efgh", 4)]), "looked at before: {before}");
        }
    }

    #[test]
    fn many_holes_before_a_look_cost_what_comes_behind_them_only() {
        let mut body = streamed(100);
        for _ in 0..MAX_HOLES + 5 {
            body.grow(b"x");
            body.hole();
        }
        body.grow(b"yz");
        let found = looks(&mut body);
        assert_eq!(found.len(), MAX_HOLES + 1);
        assert_eq!(found.last(), Some(&("yz".to_owned(), MAX_HOLES as u64)));
    }

    #[test]
    fn who_looks_at_once_waits_for_nothing_and_all_is_kept_for_who_waits() {
        let window = Window { limit: 1000, minimum: 5, back: 0, at_once: true };
        let mut body = Streamed::new(Dir::ToServer, context::id("file.data"), window, Vec::new());
        body.grow(b"ab");
        assert_eq!((body.ready(), body.gathered()), (Some((&b"ab"[..], 0, 0)), None));
        body.looked_at();
        assert!(!body.is_due());
        body.grow(b"cd");
        assert_eq!((body.ready(), body.gathered()), (Some((&b"abcd"[..], 0, 2)), None));
        assert_eq!(body.unsettled(), Some((&b"abcd"[..], 0, 0)));
        body.looked_at();
        body.grow(b"e");
        assert_eq!(
            (body.ready(), body.gathered()),
            (Some((&b"abcde"[..], 0, 4)), Some((&b"abcde"[..], 0, 0)))
        );
        body.looked_at();
        body.grow(b"f");
        assert_eq!((body.ready(), body.gathered()), (Some((&b"f"[..], 5, 0)), Some((&b"f"[..], 5, 0))));
    }

    #[test]
    fn who_waits_sees_what_stands_before_a_hole_or_the_end_that_comes_without_bytes() {
        let window = Window { limit: 1000, minimum: 50, back: 0, at_once: true };
        let mut body = Streamed::new(Dir::ToServer, context::id("file.data"), window, Vec::new());
        body.grow(b"ab");
        body.looked_at();
        body.hole();
        assert_eq!((body.ready(), body.gathered()), (None, Some((&b"ab"[..], 0, 0))));
        body.grow(b"cd");
        body.looked_at();
        assert_eq!(body.ready(), Some((&b"cd"[..], 2, 0)));
        body.looked_at();
        body.grow(b"e");
        body.looked_at();
        body.ended = true;
        assert_eq!((body.ready(), body.is_due()), (None, true));
        assert_eq!(body.gathered().map(|(bytes, _, _)| bytes.last()), Some(Some(&b'e')));
        body.looked_at();
        assert!(!body.is_due());
    }
}
