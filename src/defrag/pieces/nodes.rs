//! What runs are kept in: nodes of lists, made at start, for all datagrams of a worker.

use crate::defrag::policy::Span;
use crate::io::Frame;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// Where a run's bytes are.
pub(super) enum Source {
    /// In a fragment's own frame, from this offset of it on.
    Own(Frame, u32),
    /// In its page's frame.
    Page,
}

pub(super) struct Node {
    pub(super) span: Span,
    /// As the fragment came; policies compare these.
    pub(super) of: Span,
    pub(super) next: u32,
    /// It stands for its fragment; other runs of that do not.
    pub(super) stands: bool,
    /// `None`: the node is free.
    pub(super) source: Option<Source>,
}

/// The nodes of all datagrams of a worker.
pub(in crate::defrag) struct Nodes {
    nodes: Vec<Node>,
    free: u32,
    capacity: u32,
    /// Nodes looked at: what a fragment costs.
    #[cfg(test)]
    pub(in crate::defrag) looked: std::cell::Cell<usize>,
}

impl Nodes {
    pub(in crate::defrag) fn new(capacity: u32) -> Nodes {
        Nodes {
            nodes: Vec::with_capacity(capacity as usize),
            free: NONE,
            capacity,
            #[cfg(test)]
            looked: Default::default(),
        }
    }

    pub(super) fn get(&self, at: u32) -> Option<&Node> {
        #[cfg(test)]
        self.looked.set(self.looked.get() + 1);
        self.nodes.get(at as usize)
    }

    pub(super) fn take(&mut self, node: Node) -> Option<u32> {
        if let Some(free) = self.nodes.get_mut(self.free as usize) {
            let at = self.free;
            self.free = free.next;
            *free = node;
            return Some(at);
        }
        let at = self.nodes.len() as u32;
        (at < self.capacity).then(|| self.nodes.push(node))?;
        Some(at)
    }

    pub(super) fn give_back(&mut self, at: u32) -> Option<Source> {
        let node = self.nodes.get_mut(at as usize)?;
        node.next = self.free;
        self.free = at;
        node.source.take()
    }

    pub(super) fn set_next(&mut self, at: u32, next: u32) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.next = next;
        }
    }

    pub(super) fn set_span(&mut self, at: u32, span: Span) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.span = span;
        }
    }
}
