//! The stream of events: as long as the client listens, or to a bound that it sets.

use super::fault::invalid;
use super::proto as p;
use super::service::Service;
use crate::mgmt::config::EventType;
use crate::mgmt::listening::Listener;
use p::events_reply::What;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status as Fault};

/// Between two looks at what waits.
const LOOK: Duration = Duration::from_millis(20);

/// Records taken at one look.
const AT_ONCE: usize = 256;

/// Replies on their way to the client; more wait on its shelf, within its bound.
const ON_THE_WAY: usize = 64;

type Replies = Sender<Result<p::EventsReply, Fault>>;

fn types(names: &[String]) -> Result<Vec<EventType>, Fault> {
    let known = |name: &String| {
        EventType::all().find(|kind| kind.name() == name).ok_or_else(|| {
            let words: Vec<&str> = EventType::all().map(EventType::name).collect();
            invalid(format!("{name:?} is no type of records: write some of {}", words.join(", ")))
        })
    };
    names.iter().map(known).collect()
}

#[tonic::async_trait]
impl p::events_server::Events for Service {
    type WatchStream = ReceiverStream<Result<p::EventsReply, Fault>>;

    async fn watch(&self, request: Request<p::EventsRequest>) -> Result<Response<Self::WatchStream>, Fault> {
        let p::EventsRequest { types: names, count, milliseconds } = request.into_inner();
        let asked = types(&names)?;
        let (listener, types) = self
            .ask(move |control| {
                let types = if asked.is_empty() { control.event_types() } else { asked };
                control.listen(&types).map(|listener| (listener, types))
            })
            .await??;
        let (replies, stream) = tokio::sync::mpsc::channel(ON_THE_WAY);
        let types = types.into_iter().map(|kind| kind.name().to_owned()).collect();
        // There is room.
        let _ = replies.try_send(Ok(reply(What::Begin(p::EventsBegin { types }))));
        let count = if count == 0 { u64::MAX } else { count };
        let span = (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
        tokio::spawn(tell(listener, count, span, replies));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

async fn tell(listener: Listener, mut left: u64, span: Option<Duration>, replies: Replies) {
    let end = async {
        match span {
            Some(span) => tokio::time::sleep(span).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    while left > 0 {
        let most = AT_ONCE.min(usize::try_from(left).unwrap_or(usize::MAX));
        let lines = listener.take(most);
        let quiet = lines.is_empty();
        left = left.saturating_sub(lines.len() as u64);
        for line in lines {
            let record = String::from_utf8_lossy(&line).into_owned();
            if replies.send(Ok(reply(What::Record(record)))).await.is_err() {
                return; // nobody listens any more
            }
        }
        tokio::select! {
            () = &mut end => break,
            () = replies.closed() => return,
            () = tokio::time::sleep(LOOK), if quiet => {}
            () = tokio::task::yield_now(), if !quiet => {}
        }
    }
    let counts = listener.counts();
    let end = p::EventsEnd { seen: counts.generated, lost: counts.lost };
    let _ = replies.send(Ok(reply(What::End(end)))).await; // as above
}

fn reply(what: What) -> p::EventsReply {
    p::EventsReply { what: Some(what) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_server;
    use super::*;

    #[test]
    fn a_type_that_is_none_is_refused_with_those_there_are() {
        with_server(async |mut client, _| {
            let request = p::EventsRequest { types: vec!["allert".into()], ..Default::default() };
            let fault = client.events.watch(request).await.unwrap_err();
            assert_eq!(fault.code(), tonic::Code::InvalidArgument);
            assert!(fault.message().contains("\"allert\" is no type") && fault.message().contains("alert, "));
        });
    }

    #[test]
    fn a_client_hears_of_its_types_and_at_its_end_of_what_was_lost() {
        with_server(async |mut client, _| {
            let request = p::EventsRequest { milliseconds: 50, ..Default::default() };
            let mut stream = client.events.watch(request).await.unwrap().into_inner();
            let begin = stream.message().await.unwrap().and_then(|reply| reply.what);
            assert_eq!(begin, Some(What::Begin(p::EventsBegin { types: vec!["alert".into()] })));
            let end = stream.message().await.unwrap().and_then(|reply| reply.what);
            assert_eq!(end, Some(What::End(p::EventsEnd { seen: 0, lost: 0 })));
            assert_eq!(stream.message().await.unwrap(), None);
        });
    }
}
