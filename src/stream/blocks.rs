//! The blocks a worker's streams keep their bytes in: 2 KiB each, made at start.
//!
//! A stream's blocks lie on a grid: block number `n` holds the offsets from `n * BLOCK` on, whoever wrote them and in
//! whatever order. Which of its bytes are there, the stream knows.

pub(super) const BLOCK: usize = 2048;
const NONE: u32 = u32::MAX;

/// A stream's blocks, in order of their number.
#[derive(Copy, Clone, Debug)]
pub(super) struct Chain {
    head: u32,
    /// Where the last search ended: the next byte in order is there, or right behind.
    hint: u32,
    pub(super) count: u32,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { head: NONE, hint: NONE, count: 0 }
    }
}

#[derive(Copy, Clone)]
struct Node {
    number: u64,
    next: u32,
}

pub(super) struct Blocks {
    bytes: Box<[u8]>,
    /// One a block; grown as blocks come into use, within the memory reserved at start.
    nodes: Vec<Node>,
    free: u32,
    in_use: u32,
    capacity: u32,
}

impl Blocks {
    pub(super) fn new(capacity: u32) -> Blocks {
        Blocks {
            // Zeroed pages come from the system as they are touched.
            bytes: vec![0; capacity as usize * BLOCK].into_boxed_slice(),
            nodes: Vec::with_capacity(capacity as usize),
            free: NONE,
            in_use: 0,
            capacity,
        }
    }

    pub(super) fn in_use(&self) -> u32 {
        self.in_use
    }

    fn allocate(&mut self, node: Node) -> Option<u32> {
        let at = if self.free != NONE {
            let at = self.free;
            self.free = self.nodes[at as usize].next;
            self.nodes[at as usize] = node;
            at
        } else if (self.nodes.len() as u32) < self.capacity {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        } else {
            return None;
        };
        self.in_use += 1;
        Some(at)
    }

    fn give_back(&mut self, at: u32) {
        self.nodes[at as usize].next = self.free;
        self.free = at;
        self.in_use -= 1;
    }

    /// The last block of the chain whose number is at most `number`.
    fn search(&self, chain: &Chain, number: u64) -> Option<u32> {
        let starts = |at: u32| self.nodes.get(at as usize).filter(|n| n.number <= number).map(|_| at);
        let mut at = starts(chain.hint).or_else(|| starts(chain.head))?;
        while let Some(next) = starts(self.nodes[at as usize].next) {
            at = next;
        }
        Some(at)
    }

    fn find(&self, chain: &Chain, number: u64) -> Option<u32> {
        self.search(chain, number).filter(|&at| self.nodes[at as usize].number == number)
    }

    fn find_or_make(&mut self, chain: &mut Chain, number: u64) -> Option<u32> {
        let before = self.search(chain, number);
        if let Some(at) = before
            && self.nodes[at as usize].number == number
        {
            chain.hint = at;
            return Some(at);
        }
        let next = before.map_or(chain.head, |at| self.nodes[at as usize].next);
        let made = self.allocate(Node { number, next })?;
        match before {
            Some(at) => self.nodes[at as usize].next = made,
            None => chain.head = made,
        }
        chain.hint = made;
        chain.count += 1;
        Some(made)
    }

    fn slice(&self, block: u32, within: usize, len: usize) -> &[u8] {
        let from = block as usize * BLOCK + within;
        &self.bytes[from..from + len]
    }

    /// Writes `bytes` at stream offset `at`; false when blocks ran out (what was written then does not count).
    pub(super) fn write(&mut self, chain: &mut Chain, at: u64, bytes: &[u8]) -> bool {
        let mut left = bytes;
        let mut at = at;
        while !left.is_empty() {
            let (number, within) = split(at);
            let Some(block) = self.find_or_make(chain, number) else { return false };
            let (now, later) = left.split_at(left.len().min(BLOCK - within));
            let from = block as usize * BLOCK + within;
            self.bytes[from..from + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            left = later;
        }
        true
    }

    /// Whether the chain has just these bytes at `at`. Blocks that are no longer there agree with anything.
    pub(super) fn agrees(&self, chain: &Chain, at: u64, bytes: &[u8]) -> bool {
        let mut left = bytes;
        let mut at = at;
        while !left.is_empty() {
            let (number, within) = split(at);
            let (now, later) = left.split_at(left.len().min(BLOCK - within));
            if self.find(chain, number).is_some_and(|b| self.slice(b, within, now.len()) != now) {
                return false;
            }
            at += now.len() as u64;
            left = later;
        }
        true
    }

    /// The bytes from `at` on: borrowed when one block has them all, else gathered. At most as many as `scratch` is long.
    pub(super) fn read<'a>(&'a self, chain: &Chain, at: u64, len: usize, scratch: &'a mut [u8]) -> &'a [u8] {
        let (number, within) = split(at);
        if within + len <= BLOCK {
            return self.find(chain, number).map_or(&[], |block| self.slice(block, within, len));
        }
        let filled = self.gather(chain, at, len, scratch);
        &scratch[..filled]
    }

    /// Copies the bytes from `at` on into `scratch`; how many there were and had room.
    pub(super) fn gather(&self, chain: &Chain, at: u64, len: usize, scratch: &mut [u8]) -> usize {
        let len = len.min(scratch.len());
        let mut filled = 0;
        while filled < len {
            let (number, within) = split(at + filled as u64);
            let n = (len - filled).min(BLOCK - within);
            let Some(block) = self.find(chain, number) else { break };
            scratch[filled..filled + n].copy_from_slice(self.slice(block, within, n));
            filled += n;
        }
        filled
    }

    /// Frees the blocks that lie wholly before `offset`.
    pub(super) fn free_before(&mut self, chain: &mut Chain, offset: u64) {
        let (first, _) = split(offset);
        while let Some(node) = self.nodes.get(chain.head as usize).copied()
            && node.number < first
        {
            if chain.hint == chain.head {
                chain.hint = NONE;
            }
            self.give_back(chain.head);
            chain.head = node.next;
            chain.count -= 1;
        }
    }

    pub(super) fn free_all(&mut self, chain: &mut Chain) {
        self.free_before(chain, u64::MAX);
    }
}

fn split(offset: u64) -> (u64, usize) {
    (offset / BLOCK as u64, (offset % BLOCK as u64) as usize)
}
