//! The bytes that a packet makes ready, to its session's decoder.

use super::at_work::{AppEvents, AtWork, Payloads, origin_of};
use super::early::Look;
use super::judgement::Judgement;
use crate::app::{AppState, BETWEEN_LOOKS, Source};
use crate::base::{Dir, ExceptionCause, Time};
use crate::decode::L4;
use crate::service::context::PacketAt;
use crate::session::{NO_HANDLE, Session};
use crate::wire::tcp::flag::SYN;

impl AtWork<'_> {
    /// Of both directions: an acknowledgement makes the other's bytes ready.
    pub(super) fn decode(
        &mut self,
        packet: &PacketAt<'_>,
        session: &mut Session,
        dir: Dir,
        payloads: Payloads,
        judgement: &mut Judgement,
    ) -> AppEvents {
        if !self.decodes() {
            return AppEvents::new();
        }
        self.apps.notes = self.report.wants().notes();
        let time = packet.meta.time;
        match (payloads, &packet.decoded.l4) {
            // What a SYN acknowledges is looked at with the segment behind it, as Suricata does.
            (Payloads::OfStream, L4::Tcp(tcp)) if tcp.flags & SYN != 0 && !self.streams.is_inline() => {}
            (Payloads::OfStream | Payloads::Sealed, _) => {
                let at = (packet.number, time);
                self.decode_stream(session, dir.reversed(), at, judgement);
                self.decode_stream(session, dir, at, judgement);
            }
            // Its rules look at the packet; to the decoder it is the stream's first bytes.
            (Payloads::OfPacket, L4::Tcp(_)) if packet.tracked.is_some_and(|it| self.streams.takes(it)) => {
                self.decode_stream(session, dir, (packet.number, time), judgement);
            }
            (Payloads::OfPacket, L4::Udp) => self.decode_datagram(packet, session, dir),
            (Payloads::OfPacket, _) => {}
        }
        let Some(state) = self.apps.get_mut(session.app) else { return AppEvents::new() };
        self.rules.name_types(&mut state.transactions);
        session.spoken = state.known.spoken();
        if state.take_error() {
            judgement.except(ExceptionCause::AppLayerError, &self.inspector.settings().exceptions, session);
        }
        // From the next packet on nobody looks into the session's bytes.
        if self.apps.get_mut(session.app).is_some_and(AppState::take_seal) {
            self.streams.seal(session);
        }
        let Some(state) = self.apps.get_mut(session.app) else { return AppEvents::new() };
        let events: AppEvents = state.events.drain(..).take(crate::app::MAX_EVENTS).collect();
        if !events.is_empty() {
            self.log_detection(session, &events, || origin_of(packet, Some(session), dir));
        }
        events
    }

    fn decode_datagram(&mut self, packet: &PacketAt<'_>, session: &mut Session, dir: Dir) {
        let payload = packet.subject.bytes.get(packet.decoded.payload_range()).unwrap_or_default();
        let source = source(session, packet.meta.time, dir);
        self.apps.data(&mut session.app, &source, self.rules.engine().wanted(), payload);
    }

    /// What is ready of one direction. `at`: the number of the packet at work, and its time.
    fn decode_stream(&mut self, session: &mut Session, dir: Dir, at: (u64, Time), judgement: &mut Judgement) {
        let (number, time) = at;
        let source = source(session, time, dir);
        let mut flush = false;
        while let Some(chunk) = self.streams.chunk(session, dir, self.gather) {
            if chunk.gap > 0 {
                flush |= self.apps.gap(session.app, &source, chunk.gap);
            }
            let mut look = Look {
                apps: &mut *self.apps,
                inspector: &mut *self.inspector,
                rules: &mut *self.rules,
                report: &mut *self.report,
            };
            for bytes in chunk.bytes.chunks(BETWEEN_LOOKS) {
                flush |= look.decode(session, &source, bytes);
                look.relieve(session, number, judgement);
            }
            self.streams.decoded(session, dir);
            if self.apps.get(session.app).is_none_or(|state| state.is_over()) {
                Dir::BOTH.into_iter().for_each(|dir| self.streams.stop_decoding(session, dir));
            }
        }
        let closed = self.streams.is_inline() || session.tcp.is_closed();
        if session.app != NO_HANDLE && closed && self.streams.is_over(session, dir) {
            self.apps.end(session.app, &source);
        }
        if flush {
            self.streams.trigger(session, dir);
        }
    }

    /// All that is left, at the session's end.
    pub(super) fn decode_rest(&mut self, session: &mut Session, number: u64) {
        if !self.decodes() || !session.is_tcp() {
            return;
        }
        let time = session.last;
        // No packet is left that a rule could drop.
        let mut judgement = Judgement::default();
        for dir in Dir::BOTH {
            self.decode_stream(session, dir, (number, time), &mut judgement);
        }
        session.note_alert(judgement.alerted);
        let source = source(session, time, Dir::ToServer);
        self.apps.finish(session.app, &source);
        if let Some(state) = self.apps.get_mut(session.app) {
            self.rules.name_types(&mut state.transactions);
            session.spoken = state.known.spoken();
        }
    }
}

fn source(session: &Session, time: Time, dir: Dir) -> Source {
    // Whose first packet of a datagram protocol is seen first proves nothing; a handshake does.
    let opening_seen = session.is_tcp() && session.tcp.opening_seen();
    Source { tuple: session.tuple, time, dir, opening_seen }
}
