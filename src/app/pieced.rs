//! A file that comes in pieces at places of their own (reads and writes of SMB and NFS), in one direction.
//!
//! A piece that came before the bytes in front of it is inspected at once, as a file of its own, and kept: when those bytes
//! have come it is put behind them, so that what is written backwards is seen forwards too.

use super::{FileId, Transaction, Window};
use crate::base::Dir;

/// Pieces that wait at once for one file: Suricata's stock `max-read-queue-cnt` and `max-write-queue-cnt`.
const MAX_EARLY: usize = 64;
/// Bytes of all that waits in one session; a file with which there would be more gives up its own.
pub const MAX_WAITING: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Pieced {
    main: Part,
    /// What came early, as a file of its own.
    side: Option<Part>,
    /// Data that comes now belongs to `side`.
    aside: bool,
    early: Vec<Early>,
}

#[derive(Copy, Clone, Debug, Default)]
struct Part {
    file: Option<FileId>,
    /// Where its next byte belongs.
    next: u64,
}

#[derive(Debug)]
struct Early {
    at: u64,
    bytes: Vec<u8>,
}

impl Early {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.bytes.len() as u64)
    }
}

impl Part {
    fn add(&mut self, bytes: &[u8], tx: &mut Transaction) {
        self.next = self.next.saturating_add(bytes.len() as u64);
        if let Some(file) = self.file {
            tx.grow_file(file, bytes);
        }
    }

    fn end(&mut self, truncated: bool, tx: &mut Transaction) {
        if let Some(file) = self.file.take() {
            tx.close_file(file, truncated);
        }
    }
}

impl Pieced {
    /// Nothing of it is known; it goes on at `next`.
    pub fn restart(&mut self, next: u64) {
        *self = Pieced { main: Part { file: None, next }, ..Pieced::default() };
    }

    /// Bytes that wait for those in front of them.
    pub fn waiting(&self) -> usize {
        self.early.iter().map(|early| early.bytes.len()).sum()
    }

    /// What waits is given up.
    pub fn give_up(&mut self) {
        self.early = Vec::new();
    }

    /// Data begins at `offset`.
    pub fn seek(&mut self, offset: u64, tx: &mut Transaction) {
        self.aside = offset > self.main.next;
        if offset < self.main.next {
            // Once more what was there: another file.
            self.end(true, tx);
            self.restart(offset);
        }
        if self.aside && self.side.is_none_or(|side| side.next != offset) {
            self.end_side(tx);
            self.side = Some(Part { file: None, next: offset });
            if self.early.len() < MAX_EARLY {
                self.early.push(Early { at: offset, bytes: Vec::new() });
            }
        }
    }

    /// Opens the file that the data belongs to, where it is not open.
    pub fn open(&mut self, dir: Dir, name: &[u8], window: Window, tx: &mut Transaction) {
        let part = self.part();
        if part.file.is_none() {
            part.file = tx.open_file(dir, name, window);
        }
    }

    fn part(&mut self) -> &mut Part {
        match &mut self.side {
            Some(side) if self.aside => side,
            _ => &mut self.main,
        }
    }

    /// More of the data that [`seek`](Self::seek) began.
    pub fn grow(&mut self, bytes: &[u8], tx: &mut Transaction) {
        let at = self.part().next;
        self.part().add(bytes, tx);
        if self.aside {
            if let Some(early) = self.early.iter_mut().rev().find(|early| early.end() == at) {
                early.bytes.extend_from_slice(bytes);
            }
            return;
        }
        while let Some(bytes) = self.take_early() {
            self.main.add(&bytes, tx);
        }
    }

    /// What waited for this place; what lies in front of it has come another way.
    fn take_early(&mut self) -> Option<Vec<u8>> {
        let next = self.main.next;
        self.early.retain(|early| early.end() > next);
        let found = self.early.iter().position(|early| early.at <= next)?;
        let Early { at, mut bytes } = self.early.remove(found);
        bytes.drain(..bytes.len().min((next - at) as usize));
        Some(bytes)
    }

    /// Bytes of the data are lost: what follows is a file of its own.
    pub fn lose(&mut self, missing: u64, tx: Option<&mut Transaction>) {
        let (at, aside) = (self.part().next, self.aside);
        self.early.retain(|early| !aside || early.end() != at);
        let part = self.part();
        part.next = at.saturating_add(missing);
        match tx {
            Some(tx) => part.end(true, tx),
            None => part.file = None,
        }
    }

    fn end_side(&mut self, tx: &mut Transaction) {
        if let Some(mut side) = self.side.take() {
            side.end(true, tx);
        }
    }

    /// Nothing more comes of it. It is whole unless bytes in front of others never came.
    pub fn end(&mut self, truncated: bool, tx: &mut Transaction) {
        self.main.end(truncated || !self.early.is_empty(), tx);
        self.end_side(tx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{AppProto, Limits, Wanted};

    fn transaction() -> Transaction {
        let mut tx = Transaction::new();
        tx.renew(0, AppProto::Smb, &Wanted::all(), &Limits::default());
        tx
    }

    /// Each piece is its place and its bytes; what the files are in the order in which they began.
    fn files(pieces: &[(u64, &str)]) -> Vec<String> {
        let (mut tx, mut pieced) = (transaction(), Pieced::default());
        let window = Window { limit: 1 << 20, back: 1 << 20, ..Window::default() };
        for (at, bytes) in pieces {
            pieced.seek(*at, &mut tx);
            pieced.open(Dir::ToServer, b"", window, &mut tx);
            pieced.grow(bytes.as_bytes(), &mut tx);
        }
        tx.streamed().iter().map(|s| String::from_utf8_lossy(s.kept()).into_owned()).collect()
    }

    #[test]
    fn pieces_in_order_are_one_file() {
        assert_eq!(files(&[(0, "EI"), (2, "C"), (3, "AR")]), ["EICAR"]);
    }

    #[test]
    fn what_is_written_backwards_is_seen_forwards() {
        assert_eq!(files(&[(3, "AR"), (2, "C"), (0, "EI")]), ["AR", "C", "EICAR"]);
        assert_eq!(files(&[(0, "E"), (3, "AR"), (1, "IC")]), ["EICAR", "AR"]);
    }

    #[test]
    fn what_came_early_may_go_on_by_itself() {
        assert_eq!(files(&[(7, "AB"), (9, "CD"), (0, "1234567"), (11, "EF")]), ["ABCD", "1234567ABCDEF"]);
    }

    #[test]
    fn an_early_piece_gives_only_what_has_not_come() {
        assert_eq!(files(&[(2, "CDE"), (0, "abcd")]), ["CDE", "abcdE"]);
        assert_eq!(files(&[(2, "CD"), (0, "abcdef"), (6, "g")]), ["CD", "abcdefg"]);
    }

    #[test]
    fn what_is_read_again_is_a_file_of_its_own() {
        assert_eq!(files(&[(0, "abc"), (0, "abc"), (3, "d")]), ["abc", "abcd"]);
    }

    #[test]
    fn so_many_pieces_wait_and_no_more() {
        let (mut tx, mut pieced) = (transaction(), Pieced::default());
        for at in (1..=2 * MAX_EARLY as u64).rev() {
            pieced.seek(10 * at, &mut tx);
            pieced.grow(b"12345", &mut tx);
        }
        assert_eq!((pieced.early.len(), pieced.waiting()), (MAX_EARLY, 5 * MAX_EARLY));
        pieced.give_up();
        assert_eq!(pieced.waiting(), 0);
    }
}
