//! From pieces to a datagram.

use super::*;
use crate::io::{FrameMeta, Rebuilt};

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
        let datagram = self.datagrams.value_mut(slot);
        let built = build(datagram, &mut self.nodes, &mut self.scratch, alloc);
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
                self.discard(slot, reason, sink);
                Outcome::Held // this fragment was among the discarded
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
        if !header.take(&frame, ip, fragment) {
            return Outcome::Dropped(DropReason::FragmentInvalid, frame);
        }
        let Some(header) = header.finish(len) else {
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
    alloc: &mut dyn FrameAllocator,
) -> Result<Frame, DropReason> {
    let total = datagram.pieces.have;
    let header = datagram.header.finish(total).ok_or(DropReason::FragmentTooLarge)?;
    let mut head = match datagram.pieces.take_first(nodes, header.len() as u32) {
        Some((mut frame, before, len)) => {
            frame.truncate((before + len) as usize);
            set_header(frame, before as usize, header, alloc).map_err(|(reason, _)| reason)?
        }
        None => alloc.allocate(header).ok_or(DropReason::NoBuffer)?,
    };
    let mut fault = None;
    datagram.pieces.drain(nodes, |piece| match piece.map(|piece| head.append(piece)) {
        Some(Ok(())) => {}
        Some(Err(_)) => fault = Some(DropReason::TransmitSegments),
        None => fault = Some(DropReason::NoBuffer),
    });
    if let Some(reason) = fault {
        return Err(reason);
    }
    if head.segment_count() <= MAX_CHAIN {
        return Ok(head);
    }
    let len = head.copy_to(0, scratch);
    scratch.get(..len).and_then(|bytes| alloc.allocate(bytes)).ok_or(DropReason::NoBuffer)
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
