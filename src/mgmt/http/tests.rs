use super::*;
use crate::mgmt::rpc::tests::Fake;
use checker::check;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "../../../tests/support/metrics.rs"]
mod checker;

/// Serves a fake and runs `test` with a way to ask: the whole answer to these bytes.
fn with_server<F: Future<Output = ()>>(test: impl FnOnce(std::net::SocketAddr, watch::Sender<Health>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Gate::tcp(listener, PLACES, "test", Speech::Http1).unwrap();
        let (tell, health) = watch::channel(Health::default());
        tokio::spawn(serve(gate, Arc::new(Fake::default()), health));
        test(address, tell).await;
    });
}

async fn say(to: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut io = TcpStream::connect(to).await.unwrap();
    io.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = io.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(to: std::net::SocketAddr, path: &str) -> (u16, String) {
    let answer = say(to, format!("GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n").as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[test]
fn health_and_readiness_are_told_with_what_is_wrong() {
    with_server(async |to, tell| {
        assert_eq!(get(to, "/healthz").await, (200, "ok\n".into()));
        assert_eq!(get(to, "/readyz?verbose").await, (200, "ok\n".into()));
        tell.send_replace(Health { unready: vec!["set web waits".into()], ..Health::default() });
        assert_eq!(get(to, "/healthz").await.0, 200);
        assert_eq!(get(to, "/readyz").await, (503, "set web waits\n".into()));
        tell.send_replace(Health { dead: vec!["worker 0 hangs".into()], ..Health::default() });
        assert_eq!(get(to, "/healthz").await, (503, "worker 0 hangs\n".into()));
        assert_eq!(get(to, "/readyz").await.0, 503);
    });
}

#[test]
fn other_paths_methods_and_bytes_are_refused() {
    with_server(async |to, _tell| {
        assert_eq!(get(to, "/").await.0, 404);
        assert_eq!(get(to, "/metrics/").await.0, 404);
        let posted = say(to, b"POST /metrics HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET, HEAD"), "{posted}");
        let head = say(to, b"HEAD /metrics HTTP/1.1\r\nHost: w\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
        for wrong in [&b"\x16\x03\x01\x02\x00"[..], b"nonsense\r\n\r\n", b"GET\r\n\r\n"] {
            let answer = say(to, wrong).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 * HEADERS));
        let answer = say(to, long.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(get(to, "/healthz").await.0, 200);
    });
}

#[test]
fn metrics_keep_to_the_text_format() {
    with_server(async |to, _tell| {
        let answer = say(to, b"GET /metrics HTTP/1.1\r\nHost: w\r\n\r\n").await;
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        let (status, page) = get(to, "/metrics").await;
        assert_eq!(status, 200);
        let samples = check(&page);
        assert_eq!(samples["weir_rules{state=\"refused\"}"], "1");
        assert_eq!(
            samples["weir_port_dropped_frames_total{reason=\"rules\",port=\"a\",lcore=\"worker 0\"}"],
            "3"
        );
        assert_eq!(samples["weir_lcore_up{lcore=\"main\"}"], "1");
        assert_eq!(samples["weir_ready"], "1");
        // A counter that this program does not know is not left out.
        assert_eq!(samples["weir_counter{name=\"flow.tcp\"}"], "3");
    });
}

#[test]
fn labels_are_escaped() {
    use super::exposition::{Exposition, Family, Kind};
    let mut page = Exposition::default();
    let family = Family { name: "x_total", kind: Kind::Counter, help: "Something." };
    page.add(&family, &[("a", "q\"b\\s\nn"), ("b", "{},= ü")], 1.5);
    let text = page.text();
    assert!(text.ends_with("x_total{a=\"q\\\"b\\\\s\\nn\",b=\"{},= ü\"} 1.5\n"), "{text}");
    check(&text);
}
