//! Syslog over TCP and TLS: frames whole and in order, servers that are killed, late, slow or not whom they should be.

use super::*;
use crate::mgmt::rpc::tls::provider;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The messages of frames, whole ones; and whether something is left.
fn frames(mut bytes: &[u8]) -> (Vec<String>, bool) {
    let mut found = Vec::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let Some(message) = bytes.get(space + 1..space + 1 + length) else { break };
        found.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = &bytes[space + 1 + length..];
    }
    (found, !bytes.is_empty())
}

/// Flushes a second apart until nothing waits; what the reader got meanwhile.
fn settle(sink: &mut FramedSink, at: &mut u64, mut read: impl FnMut() -> Vec<u8>) -> Vec<u8> {
    let mut got = Vec::new();
    for _ in 0..20_000 {
        *at += 1;
        sink.turn(Time::from_secs(*at));
        sink.flush();
        got.extend(read());
        if waiting(sink) == 0 {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(waiting(sink), 0, "{:?}", sink.counts());
    got
}

fn drain(mut io: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match io.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
    }
    bytes
}

/// The next connection. It may take the kernel a moment.
fn accept(listener: &TcpListener) -> TcpStream {
    let (reader, _) = listener.accept().unwrap();
    reader.set_nonblocking(true).unwrap();
    reader
}

fn clear(to: SocketAddr) -> FramedSink {
    FramedSink::open(Server { to, trust: None })
}

#[test]
fn each_message_stands_behind_its_length_without_an_end_of_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = clear(listener.local_addr().unwrap());
    let mut sink = Syslog::new(Header::new(21, 6, "box", "weir", 7), to);
    let mut reader = accept(&listener);
    reader.set_nonblocking(false).unwrap();
    put(&mut sink, "{\"a\":1}");
    put(&mut sink, "{\"ü\":2}");
    assert_eq!(sink.finish(), counts(2, 2, 0));
    drop(sink);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let head = "<174>1 1970-01-01T00:00:01.000000Z box weir 7 alert - ";
    let frame = |message: &str| format!("{} {head}{message}", head.len() + message.len());
    assert_eq!(text, frame("{\"a\":1}") + &frame("{\"ü\":2}"));
}

#[test]
fn a_server_that_was_killed_is_found_again_and_gets_whole_messages() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut sink = clear(address);
    let reader = accept(&listener);
    let mut at = 1;
    let long = "x".repeat(3000);
    (0..3000).for_each(|n| put(&mut sink, &format!("{n:05}{long}")));
    sink.flush();
    assert!(waiting(&sink) > 0, "nine megabytes find no room");
    drop((listener, reader));
    for _ in 0..3 {
        at += 1;
        sink.turn(Time::from_secs(at));
        sink.flush();
    }
    let gone = sink.counts();
    assert!(waiting(&sink) > 0 && gone.generated == 3000, "{gone:?}");
    let listener = TcpListener::bind(address).unwrap();
    at += 1;
    sink.turn(Time::from_secs(at));
    sink.flush();
    let reader = accept(&listener);
    let got = settle(&mut sink, &mut at, || drain(&reader));
    let last = sink.finish();
    let (messages, more) = frames(&[got, drain(&reader)].concat());
    assert!(!more && messages.is_sorted() && messages.iter().all(|message| message.len() == 3005));
    assert_eq!(last.generated, last.exported + last.lost);
    assert_eq!(messages.len() as u64, last.exported - gone.exported, "each one that was not sent before");
}

#[test]
fn a_server_that_closes_is_noticed_before_the_next_message_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = clear(listener.local_addr().unwrap());
    let mut at = 1;
    drop(accept(&listener));
    put(&mut sink, "kept");
    sink.turn(Time::from_secs(at));
    sink.flush();
    assert_eq!(sink.counts(), counts(1, 0, 0));
    at += 5;
    sink.turn(Time::from_secs(at));
    sink.flush();
    let reader = accept(&listener);
    let got = settle(&mut sink, &mut at, || drain(&reader));
    drop(sink);
    reader.set_nonblocking(false).unwrap();
    let mut rest = got;
    (&reader).read_to_end(&mut rest).unwrap();
    assert_eq!(frames(&rest), (vec!["kept".to_owned()], false));
}

/// A CA and a server's settings with a certificate of it for 127.0.0.1.
fn authority(folder: &Path, name: &str) -> (std::path::PathBuf, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, ca.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (file, Arc::new(config))
}

fn by_tls(to: SocketAddr, ca: &std::path::PathBuf) -> FramedSink {
    let name = ServerName::IpAddress(to.ip().into());
    FramedSink::open(Server { to, trust: Some(Trust::read(ca, None, name).unwrap()) })
}

/// Reads in a thread until `most` bytes have come or the other end closes, and then closes at once.
fn serve(listener: TcpListener, config: Arc<ServerConfig>, most: usize) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (io, _) = listener.accept().unwrap();
        let mut session = StreamOwned::new(ServerConnection::new(config).unwrap(), io);
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while bytes.len() < most {
            match session.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => bytes.extend_from_slice(&piece[..length]),
            }
        }
        bytes
    })
}

#[test]
fn over_tls_a_server_that_was_killed_gets_the_rest_once_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, config) = authority(folder.path(), "ca.pem");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = serve(listener.try_clone().unwrap(), Arc::clone(&config), 100_000);
    let mut sink = by_tls(address, &ca);
    let long = "y".repeat(2000);
    let mut at = 1;
    // As much as the kernel's buffers do not take, and less than may wait.
    (0..2000).for_each(|n| put(&mut sink, &format!("{n:05}{long}")));
    while !first.is_finished() {
        at += 1;
        sink.turn(Time::from_secs(at));
        sink.flush();
        std::thread::yield_now();
    }
    let before = first.join().unwrap();
    let second = serve(listener, config, usize::MAX);
    settle(&mut sink, &mut at, Vec::new);
    let done = sink.finish();
    drop(sink);
    let after = second.join().unwrap();
    assert_eq!(done.generated, done.exported + done.lost);
    let ((first, _), (second, more)) = (frames(&before), frames(&after));
    assert!(!more && second.is_sorted() && !second.is_empty() && !first.is_empty());
    assert!(second.iter().all(|message| message.len() == 2005), "no half message begins a connection");
    assert_eq!(second.last().unwrap()[..5], *"01999");
    assert!(done.lost == 0 && second.len() as u64 <= done.exported, "{done:?}");
}

#[test]
fn a_server_of_another_ca_gets_nothing_and_is_one_fault() {
    let folder = tempfile::tempdir().unwrap();
    let (_, config) = authority(folder.path(), "theirs.pem");
    let (ours, _) = authority(folder.path(), "ours.pem");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = by_tls(listener.local_addr().unwrap(), &ours);
    let server = serve(listener, config, usize::MAX);
    put(&mut sink, "secret");
    let mut at = 1;
    while !server.is_finished() {
        sink.turn(Time::from_secs(at));
        sink.flush();
        std::thread::yield_now();
    }
    at += 1;
    sink.turn(Time::from_secs(at));
    assert_eq!((server.join().unwrap(), sink.counts()), (Vec::new(), counts(1, 0, 0)));
    assert_eq!(sink.finish(), counts(1, 0, 1));
}

#[test]
fn who_begins_with_tls_and_says_nothing_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, _) = authority(folder.path(), "ca.pem");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = by_tls(listener.local_addr().unwrap(), &ca);
    let mut silent = accept(&listener);
    for n in 0..50 {
        put(&mut sink, &format!("{n}"));
        sink.turn(Time::from_secs(1));
        sink.flush();
    }
    silent.write_all(b"this is no TLS at all, but a line of text\n").unwrap();
    for _ in 0..1000 {
        sink.flush();
        std::thread::yield_now();
    }
    assert_eq!(sink.finish(), counts(50, 0, 50));
}
