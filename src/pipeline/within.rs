//! Packets within a packet: each is judged by itself, and their fragments are put together.

use super::lane::Lane;
use crate::base::event::Cause;
use crate::base::{Outer, Verdict};
use crate::decode::{Decoded, InnerSessions, decode_inner, decode_rebuilt};
use crate::io::Frame;
use crate::service::Subject;
use crate::service::trace::Step;
use crate::session::Settled;

impl Lane {
    /// The packets that this one carries. What settles an inner session settles those around it: a verdict acts on the
    /// outermost packet. Of an inner datagram in pieces that is the one with the piece that completed it.
    #[inline]
    pub(super) fn inner_packets(&mut self, subject: &Subject<'_>, outer: &Decoded) -> Verdict {
        if outer.inner.is_none() { Verdict::Forward } else { self.carried(subject, outer) }
    }

    fn carried(&mut self, subject: &Subject<'_>, outer: &Decoded) -> Verdict {
        let mut verdict = Verdict::Forward;
        let Some(mut inner) = self.inner.take() else { return verdict };
        let mut scratch = std::mem::take(&mut self.inner_scratch);
        let mut datagram: Option<Frame> = None;
        let (mut next, mut layers) = (outer.inner, outer.layers);
        // Decoding bounds the layers, and with them the tunnels and the datagrams in pieces.
        loop {
            let rebuilt = datagram.as_ref().map(|datagram| datagram.view(&mut scratch));
            let bytes = rebuilt.unwrap_or(subject.bytes);
            match next.take() {
                Some(found) => {
                    let (tuple, cause) = (outer.tuple, subject.cause);
                    let (kind, depth) = (found.kind, found.depth);
                    self.report.set_outer(Some(Outer { tuple, cause, kind, depth }));
                    if !self.ahead.take(&mut inner) {
                        decode_inner(bytes, &found, layers, &self.tunnels, &mut inner);
                    }
                }
                None => decode_rebuilt(bytes, &self.tunnels, &mut inner),
            }
            // Where its session is the tunnel's own, and may not come through another.
            if self.tunnels.sessions() == InnerSessions::OfTunnel {
                self.report.see_tunnel(inner.tuple.tunnel);
            }
            self.report.trace.step(Step::Inner);
            let within = Subject { bytes, cause: Cause::Inner, frame: None, ..*subject };
            verdict = verdict.and(self.inspect(&within, &mut inner));
            let piece = inner.is_fragment().then(|| self.inner_piece(&within, &mut inner));
            if let Some(Err(reason)) = piece {
                verdict = verdict.and(Verdict::Drop(reason));
            }
            if let Verdict::Drop(reason) = verdict {
                self.blame = self.services.outbox.blame;
                self.remember_drop(subject.meta, &inner, reason, !subject.inline);
                self.share_drop(&inner, outer);
            }
            (next, layers) = (inner.inner, inner.layers);
            match piece {
                Some(Ok(Some(whole))) => self.end_copy(datagram.replace(whole)),
                _ if next.is_some() => {}
                _ => break,
            }
        }
        self.end_copy(datagram);
        self.report.set_outer(None);
        (self.inner, self.inner_scratch) = (Some(inner), scratch);
        verdict
    }

    /// An inner datagram has been looked at.
    fn end_copy(&self, datagram: Option<Frame>) {
        self.ledger.consumed.add(u64::from(datagram.is_some()));
    }

    /// A dropped inner session takes with it what the tunnel carries between the same ends.
    fn share_drop(&mut self, inner: &Decoded, outer: &Decoded) {
        let settled = self.sessions.peek(&inner.tuple).map(|(_, session)| session.settled);
        if let Some(Settled::Drop(reason)) = settled
            && let Some((id, _)) = self.sessions.peek(&outer.tuple)
            && let Some(session) = self.sessions.get_mut(id)
        {
            session.settled = Settled::Drop(reason);
        }
    }
}
