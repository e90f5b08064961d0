//! What a server says of itself before anybody asks: kept until the session's first transaction can note it.

use super::Transaction;

/// Bytes kept of a banner.
const MOST: usize = 255;

/// For the profile of hosts alone: eve.json has no such member, as its `~` says.
const NOTE: &str = "~banner";

/// The first line of a server's greeting.
#[derive(Debug, Default)]
pub struct Greeting {
    text: Vec<u8>,
    /// The server has spoken, or it was too late for that.
    heard: bool,
}

impl Greeting {
    /// A line of the server's; those behind the first are none of it.
    pub fn hear(&mut self, text: &[u8]) {
        if !std::mem::replace(&mut self.heard, true) {
            self.text.extend_from_slice(text.get(..MOST.min(text.len())).unwrap_or_default());
        }
    }

    /// Notes it, once.
    pub fn note(&mut self, tx: &mut Transaction) {
        self.heard = true;
        if !self.text.is_empty() {
            tx.note(NOTE, &self.text);
            self.text.clear();
        }
    }

    pub fn reset(&mut self) {
        self.text.clear();
        self.heard = false;
    }
}
