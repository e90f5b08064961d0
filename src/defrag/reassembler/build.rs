//! From pieces to a datagram.

use super::check::too_large_anomaly;
use super::*;
use crate::io::{Chain, FrameMeta, Rebuilt};

/// A chain with more segments is copied into fresh buffers.
const MAX_CHAIN: usize = 64;

impl Reassembler {
    /// All pieces are there.
    pub(super) fn complete(
        &mut self,
        slot: u32,
        meta: FrameMeta,
        alloc: &mut dyn FrameAllocator,
        sink: &mut impl Sink,
    ) -> Outcome {
        if self.holds_fragment(slot) {
            sink.anomaly(Anomaly::Ipv6FragIgnored);
            self.poison(slot, DropReason::FragmentInvalid, sink);
            return Outcome::GivenUp(DropReason::FragmentInvalid);
        }
        let datagram = self.datagrams.value_mut(slot);
        let built = build(datagram, &mut self.nodes, &mut self.scratch, &mut self.head_room, alloc);
        match built {
            Ok(mut frame) => {
                frame.set_meta(meta);
                let datagram = self.datagrams.value(slot);
                // IPv4's identification is still in the header, and it is cut at whatever size.
                if datagram.header.family() == Family::V6 {
                    frame.set_rebuilt(Rebuilt { id: datagram.id, largest: datagram.largest });
                }
                self.counters.merged += u64::from(self.let_go(slot));
                self.counters.generated += 1;
                Outcome::Complete(frame)
            }
            Err(reason) => {
                if reason == DropReason::FragmentTooLarge {
                    sink.anomaly(too_large_anomaly(self.datagrams.value(slot).header.family()));
                }
                self.discard(slot, reason, sink);
                Outcome::GivenUp(reason)
            }
        }
    }

    /// A fragment that is the whole datagram (RFC 6946): its fragment header goes, and others of its key do not matter.
    pub(super) fn atomic(
        &mut self,
        mut frame: Frame,
        ip: &Ip,
        fragment: &Fragment,
        alloc: &mut dyn FrameAllocator,
    ) -> Outcome {
        let mut header = Header::default();
        let len = u32::from(fragment.payload_len);
        let meta = frame.meta();
        if let Err(reason) = header.take(&frame, ip, fragment, &mut self.head_room, alloc) {
            return Outcome::Dropped(reason, frame);
        }
        let Some(header) = header.finish(len, &mut self.head_room) else {
            return Outcome::Dropped(DropReason::FragmentTooLarge, frame);
        };
        let before = fragment.payload as usize;
        frame.truncate(before + len as usize);
        match set_header(frame, before, header, alloc) {
            Ok(mut frame) => {
                frame.set_meta(meta);
                self.counters.merged += 1;
                self.counters.generated += 1;
                Outcome::Complete(frame)
            }
            Err((reason, frame)) => Outcome::Dropped(reason, frame),
        }
    }
}

fn build(
    datagram: &mut Datagram,
    nodes: &mut Nodes,
    scratch: &mut [u8],
    head_room: &mut [u8],
    alloc: &mut dyn FrameAllocator,
) -> Result<Frame, DropReason> {
    let total = datagram.pieces.have;
    let header = datagram.header.finish(total, head_room).ok_or(DropReason::FragmentTooLarge)?;
    let head = match datagram.pieces.take_first(nodes, header.len() as u32) {
        Some((mut frame, before, len)) => {
            frame.truncate((before + len) as usize);
            set_header(frame, before as usize, header, alloc).map_err(|(reason, _)| reason)?
        }
        None => alloc.allocate(header).ok_or(DropReason::NoBuffer)?,
    };
    let mut gathered = Gathered { chain: Some(Chain::new(head)), copied: 0, room: scratch };
    let mut complete = true;
    datagram.pieces.drain(nodes, |piece| match piece {
        Some(piece) => gathered.append(piece),
        None => complete = false,
    });
    Some(gathered)
        .filter(|_| complete)
        .and_then(|gathered| gathered.finish(alloc))
        .ok_or(DropReason::NoBuffer)
}

/// A datagram in the making: a chain, for as long as a frame can have so many segments; then its bytes.
struct Gathered<'a> {
    chain: Option<Chain>,
    /// Bytes in `room`, where there is no chain any more.
    copied: usize,
    /// For the largest datagram with its headers.
    room: &'a mut [u8],
}

impl Gathered<'_> {
    fn append(&mut self, piece: Frame) {
        let Some(chain) = &mut self.chain else { return self.copy(&piece) };
        if let Err(piece) = chain.append(piece) {
            self.copy_chain();
            self.copy(&piece);
        }
    }

    fn copy(&mut self, from: &Frame) {
        self.copied += self.room.get_mut(self.copied..).map_or(0, |room| from.copy_to(0, room));
    }

    fn copy_chain(&mut self) {
        if let Some(chain) = self.chain.take() {
            self.copy(&chain.finish());
        }
    }

    fn finish(mut self, alloc: &mut dyn FrameAllocator) -> Option<Frame> {
        if let Some(head) = self.chain.take().map(Chain::finish) {
            if head.segment_count() <= MAX_CHAIN {
                return Some(head);
            }
            self.copy(&head);
        }
        self.room.get(..self.copied).and_then(|bytes| alloc.allocate(bytes))
    }
}

/// Replaces the `before` bytes in front of a frame's payload by `header`: in place when the bytes are ours alone.
fn set_header(
    mut frame: Frame,
    before: usize,
    header: &[u8],
    alloc: &mut dyn FrameAllocator,
) -> Result<Frame, (DropReason, Frame)> {
    frame.trim_front(before.saturating_sub(header.len()));
    if let Some(room) = frame.first_mut().and_then(|bytes| bytes.get_mut(..header.len())) {
        room.copy_from_slice(header);
        return Ok(frame);
    }
    let Some(mut head) = alloc.allocate(header) else { return Err((DropReason::NoBuffer, frame)) };
    frame.trim_front(header.len());
    match head.append(frame) {
        Ok(()) => Ok(head),
        Err(frame) => Err((DropReason::TransmitSegments, frame)),
    }
}
