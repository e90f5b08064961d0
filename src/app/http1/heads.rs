//! The memory of heads, lent to messages while they come.

use super::fields::Fields;
use super::message::Message;
use crate::app::limits::let_go;
use std::mem::swap;

/// Of so many messages it is kept; more are under way at once, and had theirs from the heap.
const MAX_KEPT: usize = 64;

/// What a head needs: its bytes as they came, and its fields.
#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    fields: Fields,
    frame: Vec<u8>,
}

/// One worker's.
#[derive(Default)]
pub(in crate::app) struct Heads {
    spare: Vec<Memory>,
}

impl Heads {
    /// Before a message takes more bytes: memory, where it has none.
    pub(super) fn lend(&mut self, message: &mut Message) {
        if message.head.memory().capacity() == 0
            && message.is_between()
            && let Some(memory) = self.spare.pop()
        {
            swap_with(message, memory);
        }
    }

    /// Behind the bytes of a message: its memory, unless it is needed for more of the same.
    pub(super) fn take_back(&mut self, message: &mut Message) {
        if message.head.memory().capacity() == 0 || !message.is_between() {
            return;
        }
        let mut memory = swap_with(message, Memory::default());
        if self.spare.len() < MAX_KEPT {
            let_go(&mut memory.bytes);
            let_go(&mut memory.frame);
            memory.fields.let_go();
            self.spare.push(memory);
        }
    }
}

fn swap_with(message: &mut Message, mut memory: Memory) -> Memory {
    swap(message.head.memory(), &mut memory.bytes);
    swap(&mut message.fields, &mut memory.fields);
    swap(message.frame_memory(), &mut memory.frame);
    memory
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dir;

    #[test]
    fn a_message_keeps_its_memory_while_a_line_of_it_has_come_and_no_longer() {
        let (mut heads, mut message) = (Heads::default(), Message::new(Dir::ToServer));
        message.head.memory().extend_from_slice(b"GET");
        heads.take_back(&mut message);
        assert!(heads.spare.is_empty());
        message.head.clear();
        heads.take_back(&mut message);
        assert_eq!((heads.spare.len(), message.head.memory().capacity()), (1, 0));
        let mut other = Message::new(Dir::ToClient);
        heads.lend(&mut other);
        assert!(heads.spare.is_empty() && other.head.memory().capacity() > 0);
    }
}
