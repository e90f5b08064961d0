//! A chain in the making that knows its end: each piece is put behind it without a walk from its head.

#![allow(unsafe_code)] // mbuf pointers; every block says why it is sound

use super::{FormMut, Frame, MAX_SEGMENTS, Mbuf};
use dpdk_sys::rte_mbuf;
use std::ptr::NonNull;

/// Begun with the frame that stays its head; its meta is the chain's.
pub struct Chain {
    head: Frame,
    /// Of mbufs.
    last: Option<NonNull<rte_mbuf>>,
}

impl Chain {
    pub fn new(mut head: Frame) -> Chain {
        let last = match head.form_mut() {
            FormMut::Mbuf(mbuf) => Some(mbuf.last()),
            FormMut::Heap(_) => None,
        };
        Chain { head, last }
    }

    /// As [`Frame::append`].
    ///
    /// # Errors
    /// With the frame, when it cannot be chained.
    pub fn append(&mut self, mut tail: Frame) -> Result<(), Frame> {
        let Some(last) = self.last else { return self.head.append(tail) };
        if self.head.segment_count() + tail.segment_count() > MAX_SEGMENTS {
            return Err(tail);
        }
        let (FormMut::Mbuf(head), FormMut::Mbuf(other)) = (self.head.form_mut(), tail.form_mut()) else {
            return Err(tail);
        };
        self.last = Some(other.last());
        // SAFETY: `last` is the head's last segment since `new` or the latest `append`, for nobody else has the head; the tail
        // is forgotten, so it has one owner: this chain.
        unsafe { Mbuf::append_behind(head, last, other) };
        std::mem::forget(tail);
        Ok(())
    }

    pub fn finish(self) -> Frame {
        self.head
    }
}
