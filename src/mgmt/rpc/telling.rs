//! Sends a client what a source has for it: as long as the client listens, and to the bounds that it set.

use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tonic::Status as Fault;

/// Taken from a source at one look.
const AT_ONCE: usize = 256;

/// What a client listens to.
pub(super) trait Source {
    type Reply;

    /// Between two looks while there is nothing.
    const LOOK: Duration;

    /// At most so many, oldest first.
    fn take(&mut self, most: usize) -> impl Iterator<Item = Self::Reply> + Send;

    /// What is said behind the last, where the client still listens.
    fn end(&mut self) -> Self::Reply;
}

/// `count` replies at most, and no longer than `span`.
pub(super) async fn tell<S: Source>(
    mut source: S,
    count: u64,
    span: Option<Duration>,
    replies: Sender<Result<S::Reply, Fault>>,
) {
    let end = async {
        match span {
            Some(span) => tokio::time::sleep(span).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    let mut left = count;
    while left > 0 {
        let most = AT_ONCE.min(usize::try_from(left).unwrap_or(usize::MAX));
        let before = left;
        for reply in source.take(most) {
            left = left.saturating_sub(1);
            if replies.send(Ok(reply)).await.is_err() {
                return; // nobody listens any more
            }
        }
        let quiet = left == before;
        tokio::select! {
            () = &mut end => break,
            () = replies.closed() => return,
            () = tokio::time::sleep(S::LOOK), if quiet => {}
            () = tokio::task::yield_now(), if !quiet => {}
        }
    }
    let end = source.end();
    let _ = replies.send(Ok(end)).await; // as above
}
