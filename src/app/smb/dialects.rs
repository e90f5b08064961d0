//! The dialects that an SMB 1 client offers, until the server took one.

/// Bytes of them that are kept.
const MAX_BYTES: usize = 1024;

#[derive(Debug, Default)]
pub struct Dialects {
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Dialects {
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    pub fn push(&mut self, name: &[u8]) {
        if self.text.len() + name.len() <= MAX_BYTES {
            self.text.extend_from_slice(name);
            self.ends.push(self.text.len());
        }
    }

    pub fn get(&self, at: usize) -> Option<&[u8]> {
        let from = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(from..*self.ends.get(at)?)
    }
}
