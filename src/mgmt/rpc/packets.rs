//! The stream of shown packets: as long as the client listens, and no longer than it asked for.

use super::proto as p;
use super::service::Service;
use super::telling::{Source, tell};
use crate::io::clock::wall;
use crate::mgmt::control::Control;
use crate::mgmt::watching::{Feed, Shown, WatchRequest};
use p::watch_reply::What;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status as Fault};

/// Replies on their way to the client; more wait in the workers' rings.
const ON_THE_WAY: usize = 512;

const DEFAULT_COUNT: u64 = 10_000;
const DEFAULT_SPAN: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(86_400);

#[tonic::async_trait]
impl p::packets_server::Packets for Service {
    type WatchStream = ReceiverStream<Result<p::WatchReply, Fault>>;

    async fn watch(&self, request: Request<p::WatchRequest>) -> Result<Response<Self::WatchStream>, Fault> {
        let r = request.into_inner();
        let snaplen = if r.snaplen == 0 { u32::MAX } else { r.snaplen };
        let count = if r.count == 0 { DEFAULT_COUNT } else { r.count };
        let span = Duration::from_millis(r.milliseconds);
        let span = if span.is_zero() { DEFAULT_SPAN } else { span.min(LONGEST) };
        let request = WatchRequest { filter: r.filter, dropped: r.dropped, steps: r.steps, snaplen };
        let ((id, feed), ports) =
            self.ask(move |c| c.watch(&request).map(|watch| (watch, c.ports()))).await??;
        let (replies, stream) = tokio::sync::mpsc::channel(ON_THE_WAY);
        let begin = p::WatchReply { what: Some(What::Begin(p::WatchBegin { ports })) };
        // There is room.
        let _ = replies.try_send(Ok(begin));
        let watched = Watched { control: self.control(), id, feed };
        tokio::spawn(tell(watched, count, Some(span), replies));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// A watch that ends with this, however that goes.
struct Watched {
    control: Arc<dyn Control>,
    id: u64,
    feed: Box<dyn Feed>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let (control, id) = (Arc::clone(&self.control), self.id);
        // It asks workers.
        tokio::task::spawn_blocking(move || control.unwatch(id));
    }
}

impl Source for Watched {
    type Reply = p::WatchReply;

    const LOOK: Duration = Duration::from_millis(5);

    fn take(&mut self, most: usize) -> impl Iterator<Item = p::WatchReply> + Send {
        self.feed.take(most).into_iter().map(reply)
    }

    fn end(&mut self) -> p::WatchReply {
        let totals = self.feed.totals();
        let end = p::WatchEnd { seen: totals.seen, lost: totals.lost };
        p::WatchReply { what: Some(What::End(end)) }
    }
}

fn reply(shown: Shown) -> p::WatchReply {
    let packet = p::ShownPacket {
        time: wall(shown.time).micros(),
        packet: shown.packet,
        port: shown.port.into(),
        length: shown.length,
        bytes: shown.bytes,
        lines: shown.lines,
    };
    p::WatchReply { what: Some(What::Packet(packet)) }
}
