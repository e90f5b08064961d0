//! Whose connection has a request under way: it keeps its place at the gate until the last byte of the answer is sent.

use crate::mgmt::gate::{Busy, Guest};
use hyper::body::{Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

#[derive(Copy, Clone, Debug)]
pub(super) struct Attend;

impl<S> Layer<S> for Attend {
    type Service = Attended<S>;

    fn layer(&self, inner: S) -> Attended<S> {
        Attended(inner)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Attended<S>(S);

impl<S, B> Service<Request<B>> for Attended<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let busy = request.extensions().get::<Guest>().map(|guest| guest.seat.busy());
        let answer = self.0.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Body::new(Held { body, _busy: busy }))) })
    }
}

/// An answer, and what it holds.
struct Held {
    body: Body,
    _busy: Option<Busy>,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
