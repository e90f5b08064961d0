//! Sinks whose other end stops, vanishes and comes back. What a full disk does is in `tests/outputs_full_disk.rs`.

mod files;
mod framed;
mod said;

use super::backlog::MOST_WAITING;
use super::*;
use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

fn put(sink: &mut dyn Sink, text: &str) {
    sink.write_line(&Line { text: text.as_bytes(), time: Time::from_secs(1), kind: "alert" });
}

fn counts(generated: u64, exported: u64, lost: u64) -> SinkCounts {
    SinkCounts { generated, exported, lost }
}

fn waiting(sink: &dyn Sink) -> u64 {
    let SinkCounts { generated, exported, lost } = sink.counts();
    generated - exported - lost
}

mod streams {
    use super::*;

    /// A server and the sink that found it.
    fn connected(path: &Path) -> (UnixListener, UnixStream, SocketSink) {
        let listener = UnixListener::bind(path).unwrap();
        let sink = SocketSink::open(Address::UnixStream(path.to_owned()));
        let (reader, _) = listener.accept().unwrap();
        reader.set_nonblocking(true).unwrap();
        (listener, reader, sink)
    }

    /// What has come so far.
    fn read(mut reader: &UnixStream) -> String {
        let mut bytes = Vec::new();
        match reader.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_reader_that_stops_holds_nobody_up_and_gets_whole_lines_when_it_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (_listener, reader, mut sink) = connected(&dir.path().join("s"));
        let sent = 3 * MOST_WAITING as u64 / 1000;
        (0..sent).for_each(|n| put(&mut sink, &format!("{n:05}{}", "x".repeat(994))));
        sink.flush();
        let stopped = sink.counts();
        assert!(stopped.lost > 0 && stopped.exported > 0 && waiting(&sink) <= MOST_WAITING as u64 / 1000);
        let mut text = String::new();
        while waiting(&sink) > 0 {
            text += &read(&reader);
            sink.turn(Time::ZERO);
        }
        put(&mut sink, "last");
        sink.flush();
        text += &read(&reader);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(sink.counts(), counts(sent + 1, lines.len() as u64, stopped.lost));
        let (last, others) = lines.split_last().unwrap();
        assert_eq!(*last, "last");
        assert!(others.iter().all(|line| line.len() == 999) && others.is_sorted());
    }

    #[test]
    fn a_server_that_was_killed_is_found_again_and_no_half_line_reaches_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (listener, reader, mut sink) = connected(&path);
        (0..1000).for_each(|n| put(&mut sink, &format!("{n:04}{}", "x".repeat(1000))));
        sink.flush();
        assert!(waiting(&sink) > 0, "the socket takes less than a megabyte");
        drop((listener, reader));
        sink.flush();
        sink.flush();
        let gone = sink.counts();
        assert!(gone.lost <= 1 && waiting(&sink) > 0, "only a line that was half written is lost: {gone:?}");
        std::fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        sink.flush();
        let (reader, _) = listener.accept().unwrap();
        reader.set_nonblocking(true).unwrap();
        let mut text = String::new();
        while waiting(&sink) > 0 {
            text += &read(&reader);
            sink.turn(Time::ZERO);
        }
        text += &read(&reader);
        assert!(text.lines().all(|line| line.len() == 1004) && text.lines().is_sorted());
        assert_eq!(text.lines().count() as u64, 1000 - gone.exported - gone.lost);
        assert_eq!(sink.finish(), counts(1000, 1000 - gone.lost, gone.lost));
    }

    #[test]
    fn a_server_that_comes_late_gets_what_waited_and_keeps_its_connection() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut sink = SocketSink::open(Address::UnixStream(path.clone()));
        put(&mut sink, "early");
        sink.flush();
        assert_eq!(sink.counts(), counts(1, 0, 0));
        let listener = UnixListener::bind(&path).unwrap();
        sink.flush();
        let (reader, _) = listener.accept().unwrap();
        reader.set_nonblocking(true).unwrap();
        assert_eq!((read(&reader).as_str(), sink.counts()), ("early\n", counts(1, 1, 0)));
        sink.reopen();
        put(&mut sink, "again");
        sink.flush();
        assert_eq!(read(&reader), "again\n");
    }

    #[test]
    fn at_the_end_a_slow_reader_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (_listener, mut reader, mut sink) = connected(&dir.path().join("s"));
        (0..2000).for_each(|_| put(&mut sink, &"x".repeat(999)));
        reader.set_nonblocking(false).unwrap();
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        assert_eq!(sink.finish(), counts(2000, 2000, 0));
        drop(sink);
        assert_eq!(reading.join().unwrap().unwrap().len(), 2_000_000);
    }

    #[test]
    fn at_the_end_what_nobody_reads_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (_listener, _reader, mut sink) = connected(&dir.path().join("s"));
        (0..2000).for_each(|_| put(&mut sink, &"x".repeat(999)));
        let SinkCounts { generated, exported, lost } = sink.finish();
        assert!(lost > 0 && generated == exported + lost);
    }
}

mod datagrams {
    use super::*;

    fn bound(path: &Path) -> UnixDatagram {
        let server = UnixDatagram::bind(path).unwrap();
        server.set_nonblocking(true).unwrap();
        server
    }

    /// The datagrams that have come.
    fn read(server: &UnixDatagram) -> Vec<String> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| {
            let length = server.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
        })
        .collect()
    }

    #[test]
    fn each_line_is_a_datagram_and_a_reader_that_stops_gets_them_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let server = bound(&path);
        let mut sink = SocketSink::open(Address::UnixDatagram(path));
        (0..5000).for_each(|n| put(&mut sink, &format!("{n:04}")));
        sink.flush();
        assert!(waiting(&sink) > 0, "the kernel queues few datagrams");
        let mut lines = Vec::new();
        while waiting(&sink) > 0 {
            lines.extend(read(&server));
            sink.turn(Time::ZERO);
        }
        lines.extend(read(&server));
        assert_eq!(lines, (0..5000).map(|n| format!("{n:04}")).collect::<Vec<_>>());
        assert_eq!(sink.finish(), counts(5000, 5000, 0));
    }

    #[test]
    fn a_server_that_was_killed_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let server = bound(&path);
        let mut sink = SocketSink::open(Address::UnixDatagram(path.clone()));
        put(&mut sink, "1");
        sink.flush();
        assert_eq!(read(&server), ["1"]);
        drop(server);
        put(&mut sink, "2");
        sink.flush();
        std::fs::remove_file(&path).unwrap();
        sink.flush();
        assert_eq!(sink.counts(), counts(2, 1, 0));
        let server = bound(&path);
        put(&mut sink, "3");
        sink.flush();
        assert_eq!(read(&server), ["2", "3"]);
        assert_eq!(sink.finish(), counts(3, 3, 0));
    }

    #[test]
    fn a_line_too_long_for_a_datagram_is_lost_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let server = bound(&path);
        let mut sink = SocketSink::open(Address::UnixDatagram(path));
        put(&mut sink, "1");
        put(&mut sink, &"x".repeat(2 << 20));
        put(&mut sink, "2");
        sink.flush();
        assert_eq!((read(&server), sink.finish()), (vec!["1".to_owned(), "2".to_owned()], counts(3, 2, 1)));
    }
}

mod udp {
    use super::*;

    fn read(server: &UdpSocket) -> Option<String> {
        let mut buffer = vec![0; 65_536];
        let length = server.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[test]
    fn syslog_messages_arrive_by_udp() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = SocketSink::open(Address::Udp(server.local_addr().unwrap()));
        let mut sink = Syslog::new(Header::new(21, 6, "box", "weir", 7), to);
        put(&mut sink, "{\"a\":1}");
        sink.flush();
        let expected = "<174>1 1970-01-01T00:00:01.000000Z box weir 7 alert - {\"a\":1}";
        assert_eq!(read(&server).unwrap(), expected);
        assert_eq!(sink.finish(), counts(1, 1, 0));
    }

    /// What the kernel took for a port that nobody had open counts as exported: no more than that can be known.
    #[test]
    fn a_server_that_was_killed_costs_some_lines_and_is_heard_of_again() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut sink = SocketSink::open(Address::Udp(address));
        drop(server);
        for n in 0..6 {
            put(&mut sink, &format!("{n}"));
            sink.flush();
        }
        let dead = sink.counts();
        assert!(dead.exported < 6, "the refusal of one holds up the next: {dead:?}");
        let server = UdpSocket::bind(address).unwrap();
        server.set_nonblocking(true).unwrap();
        put(&mut sink, "last");
        sink.flush();
        sink.flush();
        assert_eq!(sink.finish(), counts(7, 7, 0));
        let lines: Vec<_> = std::iter::from_fn(|| read(&server)).collect();
        assert_eq!(lines.last().unwrap(), "last");
        assert_eq!(lines.len() as u64, 7 - dead.exported);
    }
}
