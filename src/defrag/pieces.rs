//! The pieces of one datagram: disjoint runs of its payload, in order, and the frames that hold them.
//!
//! Runs stand in one short list per page of the datagram, so that finding a place costs no more for 8,000 pieces than for two, and
//! a fragment no more than the runs it covers.
//! Tiny fragments are copied into page frames, one for each page: an 8-byte fragment must not pin a whole buffer.

mod list;
mod nodes;

pub(super) use list::Found;
pub(super) use nodes::Nodes;
use nodes::{NONE, Node, Source};

use super::policy::{OverlapPolicy, Span};
use crate::io::{Frame, FrameAllocator};

/// Bytes of a datagram that one list, and one page frame, covers.
pub(super) const PAGE: u32 = 1024;
const PAGES: usize = 64;

pub(super) struct Pieces {
    /// Bit `p`: page `p`'s list is not empty, so `heads[p]` means something.
    used: u64,
    heads: [u32; PAGES],
    /// Bit `p`: page `p` has a frame.
    paged: u64,
    frames: [Option<Frame>; PAGES],
    /// Bytes that are there.
    pub(super) have: u32,
    /// Shares made of frames that hold several runs, and not yet asked for: each pins a buffer of the pool.
    shares: u32,
}

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces {
            used: 0,
            heads: [NONE; PAGES],
            paged: 0,
            frames: [const { None }; PAGES],
            have: 0,
            shares: 0,
        }
    }
}

/// A fragment on its way to its place.
pub(super) struct Newcomer {
    pub(super) of: Span,
    pub(super) frame: Frame,
    /// Where in the frame its bytes begin.
    pub(super) skip: u32,
    /// Its bytes are copied into page frames, which are there.
    pub(super) in_page: bool,
}

/// A run of a fragment that nobody contests (any more).
struct Run {
    span: Span,
    stands: bool,
}

/// Nodes or buffers ran out: the datagram cannot be completed any more.
pub(super) struct Exhausted;

impl Pieces {
    /// Whether just this fragment, with these bytes, is there already and whole; `found` is the first run that it covers.
    pub(super) fn has_twin(&self, nodes: &Nodes, found: Found, of: Span, frame: &Frame, skip: u32) -> bool {
        let (mut at, mut next) = (of.start, Some(found.at));
        while at < of.end {
            let Some(run) = next else { return false };
            let Some(node) = nodes.get(run) else { return false };
            if node.of != of || node.span.start > at {
                return false;
            }
            let end = node.span.end.min(of.end);
            let agree = match &node.source {
                Some(Source::Own(own, from)) => {
                    same(own, from + (at - node.span.start), frame, skip + (at - of.start), end - at)
                }
                Some(Source::Page) => match &self.frames[page_of(at)] {
                    Some(page) => same(page, at % PAGE, frame, skip + (at - of.start), end - at),
                    None => false,
                },
                None => false,
            };
            if !agree {
                return false;
            }
            at = end;
            next = self.after(nodes, run);
        }
        true
    }

    /// Two bytes of the datagram, if they are there and in one run, as those at multiples of 4 are.
    pub(super) fn pair(&self, nodes: &Nodes, at: u32) -> Option<[u8; 2]> {
        let node = nodes.get(self.first_within(nodes, Span::new(at, at + 2))?.at)?;
        let within = at.checked_sub(node.span.start).filter(|_| at + 2 <= node.span.end)?;
        let mut pair = [0; 2];
        let read = match node.source.as_ref()? {
            Source::Own(frame, from) => frame.copy_to((from + within) as usize, &mut pair),
            Source::Page => self.frames[page_of(at)].as_ref()?.copy_to((at % PAGE) as usize, &mut pair),
        };
        (read == pair.len()).then_some(pair)
    }

    /// Takes `region` away from a run; a run that stands before that. `hint` is one before this run.
    fn cut(&mut self, nodes: &mut Nodes, at: u32, region: Span, hint: u32) -> Result<u32, Exhausted> {
        let Some(node) = nodes.get(at) else { return Ok(hint) };
        let (span, of, stands) = (node.span, node.of, node.stands);
        let (left, right) = (Span::new(span.start, region.start), Span::new(region.end, span.end));
        self.have -= region.end.min(span.end) - region.start.max(span.start);
        let behind = match &node.source {
            Some(Source::Own(frame, skip)) if !right.is_empty() => {
                let shared = frame.share().ok_or(Exhausted)?;
                self.shares += 1;
                Some(Source::Own(shared, skip + (region.end - span.start)))
            }
            Some(Source::Page) if !right.is_empty() => Some(Source::Page),
            _ => None,
        };
        let before = if left.is_empty() {
            self.unlink(nodes, at, hint);
            hint
        } else {
            nodes.set_span(at, left);
            at
        };
        let stands = stands && left.is_empty();
        if let Some(source) = behind {
            self.link(nodes, Node { span: right, of, next: NONE, stands, source: Some(source) }, before)?;
        }
        Ok(before)
    }

    /// Puts a fragment in its place that has no byte in common with what is there.
    #[inline]
    pub(super) fn add_apart(&mut self, nodes: &mut Nodes, new: Newcomer) -> Result<(), Exhausted> {
        let Newcomer { of, frame, skip, .. } = new;
        self.have += of.len();
        let source = Some(Source::Own(frame, skip));
        self.link(nodes, Node { span: of, of, next: NONE, stands: true, source }, NONE).map(|_| ())
    }

    /// Puts a fragment in its place by `policy`, `found` being the first run that it covers; its frame comes back when nothing
    /// of it was wanted.
    pub(super) fn add(
        &mut self,
        nodes: &mut Nodes,
        new: Newcomer,
        found: Option<Found>,
        policy: OverlapPolicy,
    ) -> Result<Option<Frame>, Exhausted> {
        let (of, before) = (new.of, self.have);
        let (mut changed, mut placed) = (false, false);
        let mut next = found.map(|found| found.at);
        // A run that stays, behind which all that is still to come stands.
        let mut hint = found.map_or(NONE, |found| found.before);
        let mut at = of.start;
        while let Some(other) = next {
            let Some(node) = nodes.get(other).filter(|n| n.span.start < of.end) else { break };
            let (theirs, span) = (node.of, node.span);
            let common = Span::new(span.start.max(at), span.end.min(of.end));
            next = self.after(nodes, other);
            if policy.new_wins(theirs, of) {
                hint = self.cut(nodes, other, common, hint)?;
                changed = true;
                continue;
            }
            let run = Run { span: Span::new(at, common.start), stands: !placed };
            placed |= self.place(nodes, run, &new, hint)?;
            (at, hint) = (common.end, other);
        }
        self.place(nodes, Run { span: Span::new(at, of.end), stands: !placed }, &new, hint)?;
        Ok((!changed && self.have == before).then_some(new.frame))
    }

    /// How many shares were made since it was asked last.
    pub(super) fn take_shares(&mut self) -> u32 {
        std::mem::take(&mut self.shares)
    }

    /// Shows every fragment that has a frame of its own here, as it came.
    pub(super) fn each(&self, nodes: &Nodes, mut visit: impl FnMut(&Frame)) {
        let mut pages = self.used;
        while pages != 0 {
            let mut at = self.head(pages.trailing_zeros() as usize);
            while let Some(node) = nodes.get(at) {
                if let Some(Source::Own(frame, _)) = node.source.as_ref().filter(|_| node.stands) {
                    visit(frame);
                }
                at = node.next;
            }
            pages &= pages - 1;
        }
    }

    /// Puts a run of a fragment in its place; false when it is empty.
    fn place(&mut self, nodes: &mut Nodes, run: Run, new: &Newcomer, hint: u32) -> Result<bool, Exhausted> {
        let Run { span, stands } = run;
        if span.is_empty() {
            return Ok(false);
        }
        let (of, next) = (new.of, NONE);
        let from = new.skip + (span.start - of.start);
        if !new.in_page {
            self.have += span.len();
            let source = Some(Source::Own(new.frame.share().ok_or(Exhausted)?, from));
            self.shares += 1;
            return self.link(nodes, Node { span, of, next, stands, source }, hint).map(|_| true);
        }
        let border = (span.start / PAGE + 1) * PAGE;
        let here = Span::new(span.start, span.end.min(border));
        self.copy(here, &new.frame, from);
        self.have += here.len();
        let source = Some(Source::Page);
        let made = self.link(nodes, Node { span: here, of, next, stands, source }, hint)?;
        let rest = Run { span: Span::new(here.end, span.end), stands: false };
        self.place(nodes, rest, new, made).map(|_| true)
    }

    fn copy(&mut self, span: Span, frame: &Frame, from: u32) {
        let page = self.frames[page_of(span.start)].as_mut().and_then(Frame::first_mut);
        let within = (span.start % PAGE) as usize;
        if let Some(room) = page.and_then(|p| p.get_mut(within..within + span.len() as usize)) {
            frame.copy_to(from as usize, room);
        }
    }

    /// Makes the page frames that `span` needs; how many were made, or `None` when the pool is empty.
    pub(super) fn make_pages(&mut self, span: Span, alloc: &mut dyn FrameAllocator) -> Option<u32> {
        let mut made = 0;
        for page in page_of(span.start)..=page_of(span.end - 1) {
            if self.frames[page].is_none() {
                let mut frame = alloc.allocate(&[0; PAGE as usize])?;
                // A pool of small buffers gives chains, which cannot be written in place.
                frame.first_mut().filter(|bytes| bytes.len() == PAGE as usize)?;
                self.frames[page] = Some(frame);
                self.paged |= 1 << page;
                made += 1;
            }
        }
        Some(made)
    }

    /// The frame of the first run, when it is its own and has at least `header` bytes before the run; it leaves.
    /// With it the offset of the run in it, and the run's length.
    pub(super) fn take_first(&mut self, nodes: &mut Nodes, header: u32) -> Option<(Frame, u32, u32)> {
        let first = Some(self.head(0)).filter(|&at| {
            let node = nodes.get(at);
            node.is_some_and(|n| matches!(n.source, Some(Source::Own(_, skip)) if skip >= header))
        })?;
        let len = nodes.get(first)?.span.len();
        match self.unlink(nodes, first, NONE)? {
            Source::Own(frame, skip) => Some((frame, skip, len)),
            Source::Page => None,
        }
    }

    /// Hands out every run as a frame of just its bytes, in order, and is empty. `None` stands for a run that the
    /// pool had no buffer to share.
    pub(super) fn drain(&mut self, nodes: &mut Nodes, mut visit: impl FnMut(Option<Frame>)) {
        while self.used != 0 {
            let page = self.used.trailing_zeros() as usize;
            self.used &= self.used - 1;
            let mut at = self.heads[page];
            let mut run: Option<Span> = None;
            while let Some(node) = nodes.get(at) {
                let (span, next) = (node.span, node.next);
                let own = match nodes.give_back(at) {
                    Some(Source::Own(frame, skip)) => Some((frame, skip)),
                    _ => None,
                };
                match (&own, &mut run) {
                    (None, Some(run)) if run.end == span.start => run.end = span.end,
                    _ => {
                        if let Some(done) = run.take() {
                            visit(self.frames[page].as_ref().and_then(Frame::share).map(|f| within(f, done)));
                        }
                        run = own.is_none().then_some(span);
                    }
                }
                if let Some((mut frame, skip)) = own {
                    frame.trim_front(skip as usize);
                    frame.truncate(span.len() as usize);
                    visit(Some(frame));
                }
                at = next;
            }
            if let Some(last) = run {
                visit(self.frames[page].take().map(|f| within(f, last)));
            }
        }
        self.clear(nodes);
    }

    /// Frees everything.
    pub(super) fn clear(&mut self, nodes: &mut Nodes) {
        while self.used != 0 {
            let page = self.used.trailing_zeros() as usize;
            self.used &= self.used - 1;
            let mut at = self.heads[page];
            while let Some(next) = nodes.get(at).map(|n| n.next) {
                nodes.give_back(at);
                at = next;
            }
        }
        while self.paged != 0 {
            self.frames[self.paged.trailing_zeros() as usize] = None;
            self.paged &= self.paged - 1;
        }
        (self.have, self.shares) = (0, 0);
    }
}

/// A run of a page's frame.
fn within(mut frame: Frame, run: Span) -> Frame {
    frame.trim_front((run.start % PAGE) as usize);
    frame.truncate(run.len() as usize);
    frame
}

fn page_of(offset: u32) -> usize {
    ((offset / PAGE) as usize).min(PAGES - 1)
}

/// Whether two frames have the same `len` bytes at these offsets.
fn same(a: &Frame, a_at: u32, b: &Frame, b_at: u32, len: u32) -> bool {
    let (mut left, mut right) = ([0; 256], [0; 256]);
    let mut done = 0;
    while done < len {
        let n = (len - done).min(256) as usize;
        let x = a.copy_to((a_at + done) as usize, &mut left[..n]);
        let y = b.copy_to((b_at + done) as usize, &mut right[..n]);
        if x != n || y != n || left[..n] != right[..n] {
            return false;
        }
        done += n as u32;
    }
    true
}
