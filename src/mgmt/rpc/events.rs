//! The stream of events: as long as the client listens, or to a bound that it sets.

use super::fault::invalid;
use super::proto as p;
use super::service::Service;
use super::telling::{Source, tell};
use crate::mgmt::config::EventType;
use crate::mgmt::listening::Listener;
use p::events_reply::What;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status as Fault};

/// Replies on their way to the client; more wait on its shelf, within its bound.
const ON_THE_WAY: usize = 64;

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

impl Source for Listener {
    type Reply = p::EventsReply;

    const LOOK: Duration = Duration::from_millis(20);

    fn take(&mut self, most: usize) -> impl Iterator<Item = p::EventsReply> + Send {
        let record = |line: Vec<u8>| String::from_utf8_lossy(&line).into_owned();
        Listener::take(self, most).into_iter().map(move |line| reply(What::Record(record(line))))
    }

    fn end(&mut self) -> p::EventsReply {
        let counts = self.counts();
        reply(What::End(p::EventsEnd { seen: counts.generated, lost: counts.lost }))
    }
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
