//! Segments out of order, where the setting has them wait: which do, and which go on when a packet was judged.

use super::judgement::Judgement;
use super::worker::IdpWorker;
use crate::base::{Dir, DropReason};
use crate::service::Context;
use crate::service::hold::WhenHeld;
use crate::service::outbox::Decision;
use crate::service::plugin::Reply;
use crate::session::{SessionId, Settled};

impl IdpWorker {
    /// Lets go what waited for the packet, and says what becomes of itself, as far as order goes.
    pub(super) fn keep_order_of_segments(
        &mut self,
        context: &mut Context<'_>,
        judgement: &Judgement,
    ) -> Reply {
        let Some(at) = &context.session else { return Reply::Forward };
        let id = at.id;
        if !self.waiting.is_empty(id) {
            self.let_go(context, id);
        }
        if judgement.verdict.is_drop() || !self.streams.settings().hold {
            return Reply::Forward;
        }
        self.wait(context)
    }

    fn let_go(&mut self, context: &mut Context<'_>, id: SessionId) {
        let Some(at) = &context.session else { return };
        // What waited behind a SYN that does not hold any more would be the new stream's, unseen.
        let tracked = context.packet.as_ref().and_then(|packet| packet.tracked);
        let decision = match at.session.settled {
            Settled::Drop(_) => Decision::Discard(DropReason::SessionDropped),
            _ if tracked.is_some_and(|it| it.restarted) => Decision::Discard(DropReason::StreamInvalid),
            _ => Decision::Forward,
        };
        let all = at.session.settled != Settled::None;
        let came = [Dir::ToServer, Dir::ToClient]
            .map(|dir| self.streams.contiguous(at.session, dir).unwrap_or(u64::MAX));
        let due =
            self.waiting.take(id, |dir, end| all || came.get(dir.index()).is_some_and(|came| end <= *came));
        for (_, ticket) in due {
            // There is room for all that may wait of a session; what a plugin before took is dropped when its time is over.
            context.host.release(ticket, decision);
        }
    }

    /// The packet waits if it came before bytes in front of it, and there is room.
    #[cold]
    fn wait(&mut self, context: &Context<'_>) -> Reply {
        let (Some(at), Some(packet), Some(held)) = (&context.session, &context.packet, context.held) else {
            return Reply::Forward;
        };
        // What else would drop it does not come to be held.
        let sound = packet.decoded.invalid.is_none() && at.session.settled == Settled::None;
        let seq = packet.tracked.and_then(|tracked| tracked.data).filter(|_| sound);
        let len = packet.decoded.payload_range().len();
        let bytes = seq.and_then(|seq| self.streams.early(at.session, context.dir, seq, len));
        let Some(bytes) = bytes else { return Reply::Forward };
        let (settings, now) = (held.settings(), packet.meta.clock);
        self.waiting.forget(at.id, settings.timeout, now);
        match context.ticket().filter(|_| self.waiting.has_room(at.id, settings.session_frames)) {
            Some(ticket) => {
                self.waiting.add(at.id, context.dir, bytes, ticket, now);
                Reply::Hold
            }
            None => match settings.on_cap {
                WhenHeld::Drop => Reply::DropPacket(DropReason::HoldCap),
                WhenHeld::Forward => Reply::Forward,
            },
        }
    }
}
