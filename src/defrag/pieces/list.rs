//! The lists of runs: where a run stands, what comes before and behind it.

use super::nodes::{NONE, Node, Nodes, Source};
use super::{Exhausted, Pieces, page_of};
use crate::defrag::policy::Span;

/// A run that was looked for.
#[derive(Copy, Clone)]
pub(in crate::defrag) struct Found {
    pub(super) at: u32,
    /// The one before it in its page's list, or none.
    pub(super) before: u32,
}

impl Pieces {
    pub(super) fn head(&self, page: usize) -> u32 {
        if self.used & 1 << page == 0 { NONE } else { self.heads[page] }
    }

    fn last_of(&self, nodes: &Nodes, page: usize) -> Option<u32> {
        let mut at = self.head(page);
        while let Some(next) = nodes.get(at).map(|n| n.next).filter(|&n| n != NONE) {
            at = next;
        }
        (at != NONE).then_some(at)
    }

    /// The first run that has a byte of `span`. To find it costs the runs of two pages at most; those behind it are found by
    /// [`Pieces::after`], one step each.
    pub(in crate::defrag) fn first_within(&self, nodes: &Nodes, span: Span) -> Option<Found> {
        let page = page_of(span.start);
        let earlier = self.used & ((1 << page) - 1);
        if let Some(previous) = earlier.checked_ilog2().and_then(|p| self.last_of(nodes, p as usize))
            && nodes.get(previous).is_some_and(|n| n.span.end > span.start)
        {
            // It begins before `span`, so it is cut at most: nobody asks for the one before it.
            return Some(Found { at: previous, before: NONE });
        }
        let mut pages = self.used & (u64::MAX << page);
        while pages != 0 {
            let (mut before, mut at) = (NONE, self.head(pages.trailing_zeros() as usize));
            while let Some(node) = nodes.get(at) {
                if node.span.start >= span.end {
                    return None;
                }
                if node.span.end > span.start {
                    return Some(Found { at, before });
                }
                (before, at) = (at, node.next);
            }
            pages &= pages - 1;
        }
        None
    }

    /// The run behind this one, in whatever page.
    pub(super) fn after(&self, nodes: &Nodes, at: u32) -> Option<u32> {
        let node = nodes.get(at)?;
        if node.next != NONE {
            return Some(node.next);
        }
        let page = page_of(node.span.start) as u32;
        let later = self.used & u64::MAX.checked_shl(page + 1).unwrap_or(0);
        self.heads.get(later.trailing_zeros() as usize).copied()
    }

    /// The last run of a page that begins before `start`, or none. It is looked for from `hint` on, a run of this datagram, if
    /// that stands there: who goes along a list pays for each step once.
    fn before(&self, nodes: &Nodes, start: u32, hint: u32) -> u32 {
        let page = page_of(start);
        let hinted = nodes.get(hint).filter(|n| n.span.start < start && page_of(n.span.start) == page);
        let (mut before, mut at) = match hinted {
            Some(node) => (hint, node.next),
            None => (NONE, self.head(page)),
        };
        while let Some(node) = nodes.get(at).filter(|n| n.span.start < start) {
            (before, at) = (at, node.next);
        }
        before
    }

    /// Puts a run into its list; where it is. `hint` as for [`Pieces::before`].
    pub(super) fn link(&mut self, nodes: &mut Nodes, node: Node, hint: u32) -> Result<u32, Exhausted> {
        let start = node.span.start;
        let (page, before) = (page_of(start), self.before(nodes, start, hint));
        let made = nodes.take(node).ok_or(Exhausted)?;
        match nodes.get(before).map(|n| n.next) {
            Some(next) => {
                nodes.set_next(made, next);
                nodes.set_next(before, made);
            }
            None => {
                nodes.set_next(made, self.head(page));
                self.heads[page] = made;
                self.used |= 1 << page;
            }
        }
        Ok(made)
    }

    /// Takes a run out of its list. `hint` as for [`Pieces::before`].
    pub(super) fn unlink(&mut self, nodes: &mut Nodes, gone: u32, hint: u32) -> Option<Source> {
        let node = nodes.get(gone)?;
        let (start, after) = (node.span.start, node.next);
        let (page, before) = (page_of(start), self.before(nodes, start, hint));
        if before != NONE {
            nodes.set_next(before, after);
        } else if after != NONE {
            self.heads[page] = after;
        } else {
            self.used &= !(1 << page);
        }
        nodes.give_back(gone)
    }
}
