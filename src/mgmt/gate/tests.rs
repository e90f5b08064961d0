use super::*;
use tokio::net::TcpStream;

/// A gate with so many places, and its address.
fn gate(places: usize, speech: Speech) -> (Gate, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Gate::tcp(listener, places, "test", speech).unwrap(), address)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

async fn all(io: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the words is as good as an end.
    let _ = io.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn where_all_are_busy_the_next_is_turned_away_and_told_why_and_a_place_that_is_left_is_given_again() {
    run(async {
        let (mut gate, address) = gate(1, Speech::Http1);
        let first = TcpStream::connect(address).await.unwrap();
        let place = gate.next().await;
        let busy = place.guest().seat.busy();
        let mut second = TcpStream::connect(address).await.unwrap();
        tokio::select! {
            _ = gate.next() => panic!("there was no place"),
            said = all(&mut second) => assert!(
                said.starts_with("HTTP/1.1 503 ") && said.contains("test: 1 connections at once"), "{said}"
            ),
        }
        drop((busy, place, first));
        let third = TcpStream::connect(address).await.unwrap();
        gate.next().await;
        drop(third);
    });
}

#[test]
fn who_is_idle_makes_room_and_reads_an_end() {
    run(async {
        let (mut gate, address) = gate(2, Speech::Json);
        let mut clients = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
            connections.push(gate.next().await);
        }
        let mut byte = [0; 1];
        assert_eq!(connections[0].read(&mut byte).await.unwrap(), 0);
        clients[2].write_all(b"x").await.unwrap();
        assert_eq!(connections[2].read(&mut byte).await.unwrap(), 1);
        let waits = tokio::time::timeout(Duration::from_millis(20), connections[1].read(&mut byte)).await;
        assert!(waits.is_err(), "he keeps his place");
    });
}

#[test]
fn the_first_words_are_read_again_and_who_says_none_is_not_waited_for() {
    run(async {
        let (mut gate, address) = gate(2, Speech::Json);
        let mut talker = TcpStream::connect(address).await.unwrap();
        talker.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (mut connection, speech) = gate.next().await.first_words(FIRST_WORDS).await.unwrap();
        let mut line = [0; 16];
        connection.read_exact(&mut line).await.unwrap();
        assert_eq!((speech, &line), (Speech::Http1, b"GET / HTTP/1.1\r\n"));
        let _silent = TcpStream::connect(address).await.unwrap();
        let error = gate.next().await.first_words(Duration::from_millis(20)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn who_waits_with_his_first_words_makes_room_as_well() {
    run(async {
        let (mut gate, address) = gate(1, Speech::Json);
        let _silent = TcpStream::connect(address).await.unwrap();
        let waiting = tokio::spawn(gate.next().await.first_words(FIRST_WORDS));
        tokio::task::yield_now().await;
        let _next = TcpStream::connect(address).await.unwrap();
        let _place = gate.next().await;
        let error = waiting.await.unwrap().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    });
}
