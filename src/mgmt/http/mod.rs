//! `/metrics` for Prometheus, `/healthz` and `/readyz`: a small HTTP/1.1 server that only tells.
//!
//! Owes: an answer within a moment whatever the packet path does, and bounded work for whoever comes: [`PLACES`] connections,
//! one request each, headers of [`HEADERS`] bytes, [`PATIENCE`] for the whole of it.

mod exposition;
mod families;
mod metrics;
mod process;

#[cfg(test)]
mod tests;

use crate::mgmt::control::Control;
use crate::mgmt::gate::{Connection, FIRST_WORDS, Gate, Seat, Speech};
use crate::mgmt::pulse::Health;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The key that says where.
pub const KEY: &str = "http.listen";

/// Connections at once.
pub const PLACES: usize = 32;

/// Bytes of a request's head.
const HEADERS: usize = 8 << 10;

/// From a connection's begin to its end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of Prometheus's text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// Answers until it is dropped.
pub async fn serve(mut gate: Gate, control: Arc<dyn Control>, health: watch::Receiver<Health>) {
    loop {
        let connection = gate.next().await;
        let site = Site { control: Arc::clone(&control), health: health.clone() };
        tokio::spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, receive(connection, site)).await {
                tracing::debug!("http: {error}");
            }
        });
    }
}

/// What those hear who speak something else.
const WRONG_DOOR: &str =
    "this is weir's HTTP (http.listen), for metrics and health: weir ctl wants rpc.socket or rpc.listen";

async fn receive(connection: Connection, site: Site) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (connection, speech) = connection.first_words(FIRST_WORDS).await?;
    match speech {
        Speech::Http1 | Speech::Other => attend(connection, site).await?,
        Speech::Http2 | Speech::Json | Speech::Tls => connection.dismiss(speech, WRONG_DOOR).await,
    }
    Ok(())
}

async fn attend(connection: Connection, site: Site) -> hyper::Result<()> {
    let seat = Arc::clone(&connection.guest().seat);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (site, seat): (Site, Arc<Seat>) = (site.clone(), Arc::clone(&seat));
        async move {
            let _busy = seat.busy();
            Ok::<_, Infallible>(site.answer(&request).await)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEADERS)
        // A scrape a quarter of a minute: what a kept connection would save is not worth a place.
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), answer)
        .await
}

#[derive(Clone)]
struct Site {
    control: Arc<dyn Control>,
    health: watch::Receiver<Health>,
}

impl Site {
    async fn answer(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET and HEAD only\n".into());
            refused.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/metrics" => self.metrics().await,
            "/healthz" => {
                let health = self.health.borrow();
                report(health.is_alive(), &health.dead)
            }
            "/readyz" => {
                let health = self.health.borrow();
                report(health.is_ready(), health.dead.iter().chain(&health.unready))
            }
            _ => text(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /healthz and /readyz\n".into()),
        }
    }

    /// Counters are read behind locks that others hold for moments.
    async fn metrics(&self) -> Answer {
        let (control, health) = (Arc::clone(&self.control), self.health.borrow().clone());
        match tokio::task::spawn_blocking(move || metrics::text(&*control, &health)).await {
            Ok(metrics) => text(StatusCode::OK, METRICS, metrics),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        }
    }
}

/// `ok`, or what is wrong, a line each.
fn report<'a>(good: bool, wrong: impl IntoIterator<Item = &'a String>) -> Answer {
    if good {
        return text(StatusCode::OK, TEXT, "ok\n".into());
    }
    let lines: String = wrong.into_iter().flat_map(|line| [line, "\n"]).collect();
    text(StatusCode::SERVICE_UNAVAILABLE, TEXT, lines)
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    answer
}
