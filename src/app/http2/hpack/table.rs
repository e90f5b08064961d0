//! The static table (RFC 7541, appendix A) and the dynamic one (2.3.2).

use std::collections::VecDeque;

#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// What an entry counts beyond its bytes (RFC 7541, 4.1).
const OVERHEAD: usize = 32;
/// The size before anyone says another.
pub const DEFAULT_SIZE: usize = 4096;
/// The size at most, whatever is agreed.
pub const MAX_SIZE: usize = 64 << 10;

#[derive(Copy, Clone, Debug)]
struct Entry {
    /// Counted from the first byte that the table ever held.
    at: u64,
    name: u32,
    value: u32,
}

impl Entry {
    fn size(&self) -> usize {
        self.name as usize + self.value as usize + OVERHEAD
    }
}

/// Header fields of earlier blocks, newest first.
#[derive(Debug)]
pub struct Table {
    store: Vec<u8>,
    /// Place of the store's first byte.
    base: u64,
    entries: VecDeque<Entry>,
    size: usize,
    limit: usize,
}

impl Default for Table {
    fn default() -> Table {
        Table { store: Vec::new(), base: 0, entries: VecDeque::new(), size: 0, limit: DEFAULT_SIZE }
    }
}

impl Table {
    pub fn reset(&mut self) {
        self.store.clear();
        self.store.shrink_to(2 * DEFAULT_SIZE);
        self.entries.clear();
        (self.base, self.size, self.limit) = (0, 0, DEFAULT_SIZE);
    }

    /// The field of that index, counted from 1, static ones first.
    pub fn get(&self, index: u64) -> Option<(&[u8], &[u8])> {
        let at = usize::try_from(index).ok()?.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(at - STATIC.len())?;
        let from = usize::try_from(entry.at.checked_sub(self.base)?).ok()?;
        let both = self.store.get(from..from + entry.name as usize + entry.value as usize)?;
        both.split_at_checked(entry.name as usize)
    }

    /// Adds a field, and lets go of the oldest ones for it.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let entry = Entry {
            at: self.base + self.store.len() as u64,
            name: name.len() as u32,
            value: value.len() as u32,
        };
        if entry.size() > self.limit {
            return self.shrink(0);
        }
        self.shrink(self.limit - entry.size());
        self.store.extend_from_slice(name);
        self.store.extend_from_slice(value);
        self.size += entry.size();
        self.entries.push_front(entry);
        // Bytes of those that went are moved out when they are the greater part.
        let oldest = self.entries.back().map_or(self.base, |entry| entry.at);
        let gone = (oldest - self.base) as usize;
        if gone > self.store.len() / 2 {
            self.store.drain(..gone);
            self.base = oldest;
        }
    }

    pub fn set_limit(&mut self, limit: u64) {
        self.limit = usize::try_from(limit).map_or(MAX_SIZE, |limit| limit.min(MAX_SIZE));
        self.shrink(self.limit);
    }

    fn shrink(&mut self, most: usize) {
        while self.size > most {
            let Some(entry) = self.entries.pop_back() else { break };
            self.size -= entry.size();
        }
        if self.entries.is_empty() {
            self.base += self.store.len() as u64;
            self.store.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_the_oldest_go() {
        let mut table = Table::default();
        table.set_limit(110);
        for name in ["one", "two", "three"] {
            table.add(name.as_bytes(), b"v");
        }
        assert_eq!(table.get(62), Some((&b"three"[..], &b"v"[..])));
        assert_eq!(table.get(63), Some((&b"two"[..], &b"v"[..])));
        assert_eq!((table.get(64), table.get(0)), (Some((&b"one"[..], &b"v"[..])), None));
        table.add(b"four", b"v");
        assert_eq!((table.get(63).unwrap().0, table.get(65)), (&b"three"[..], None));
        table.set_limit(40);
        assert_eq!((table.get(62).unwrap().0, table.get(63)), (&b"four"[..], None));
        table.add(b"far too long a name", b"for the table, which it empties");
        assert_eq!(table.get(62), None);
        assert_eq!(table.get(61).unwrap().0, b"www-authenticate");
    }

    #[test]
    fn its_memory_stays() {
        let mut table = Table::default();
        for n in 0..100_000u32 {
            table.add(&n.to_be_bytes(), b"value");
            assert_eq!(table.get(62).unwrap().0, n.to_be_bytes());
        }
        assert!(table.store.capacity() < 4 * DEFAULT_SIZE, "{}", table.store.capacity());
    }
}
