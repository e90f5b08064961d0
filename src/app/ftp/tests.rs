use super::data::FtpData;
use super::*;
use crate::app::apps::{Apps, Source};
use crate::app::fixture::Bench;
use crate::app::{Limits, Wanted};
use crate::base::{Addr, Family, FlowTuple, Time};
use crate::wire::ip_proto::TCP;
use proptest::prelude::*;

fn bench() -> Bench {
    let mut bench = Bench::new(AppProto::Ftp, Box::<Ftp>::default());
    bench.tuple = control();
    bench
}

fn control() -> FlowTuple {
    let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
    FlowTuple { src, dst, sport: 4000, dport: 21, proto: TCP, family: Family::V4, context: 0, tunnel: 0 }
}

/// `C: ` and `S: ` lines, a direction's pieces of `size` bytes.
fn talk(bench: &mut Bench, talk: &str, size: usize) -> Next {
    for line in talk.lines() {
        let (who, text) = line.split_at(3);
        let dir = if who == "C: " { Dir::ToServer } else { Dir::ToClient };
        let next = bench.pieces(dir, format!("{}\r\n", text.replace("\\n", "\r\n")).as_bytes(), size);
        if next != Next::More {
            return next;
        }
    }
    Next::More
}

const TALK: &str = "S: 220 (vsFTPd 2.3.5)
C: user anonymous
S: 331 Please specify the password.
C: PORT 10,0,0,1,4,1
S: 200 fine
C: RETR a b.txt
S: 150 here it comes
S: 226 done
C: FEAT
S: 211-Features:\\n SIZE\\n211 End
C: EPSV
S: 229 Entering Extended Passive Mode (|||58612|)
C: QUIT";

#[test]
fn commands_and_their_replies() {
    for size in [1, 3, 1000] {
        let mut bench = bench();
        talk(&mut bench, TALK, size);
        bench.transactions.iter_mut().count();
        // The first holds the greeting, for its frame.
        assert_eq!(bench.texts(0, "ftp.response_line"), ["220 (vsFTPd 2.3.5)"]);
        assert_eq!(
            (bench.texts(1, "ftp.command"), bench.texts(1, "ftp.command_data")),
            (vec!["USER".into()], vec!["anonymous".into()])
        );
        assert_eq!(bench.texts(1, "ftp.reply"), ["Please specify the password."]);
        assert_eq!(bench.texts(1, "ftp.completion_code"), ["331"]);
        assert_eq!(
            (bench.numbers(2, "ftp.dynamic_port"), bench.numbers(2, "ftp.mode")),
            (vec![1025, 1025], vec![0, 0])
        );
        assert_eq!(bench.numbers(2, "ftpbounce"), [0; 0]);
        assert_eq!(bench.texts(3, "ftp.completion_code"), ["150", "226"]);
        assert_eq!(bench.texts(4, "ftp.reply"), ["Features:", " SIZE", "End"]);
        assert_eq!(
            (bench.numbers(5, "ftp.dynamic_port"), bench.numbers(5, "ftp.mode")),
            (vec![58612, 58612], vec![1, 1])
        );
        assert!((0..6).all(|tx| Dir::BOTH.into_iter().all(|dir| bench.complete(tx, dir))));
        assert!(!bench.complete(6, Dir::ToClient));
        assert_eq!(bench.numbers(5, "ftp.reply_received"), [1]);
        bench.end(Dir::ToClient);
        assert_eq!(bench.numbers(6, "ftp.reply_received"), [0]);
    }
}

#[test]
fn a_passive_command_is_complete_with_the_reply_that_names_the_port() {
    for (command, reply) in
        [("EPSV", "229 (|||58612|)"), ("PASV", "227 (10,0,0,2,228,244)"), ("PASV", "425 no")]
    {
        let mut bench = bench();
        talk(&mut bench, &format!("C: {command}\nS: 150 wait"), 100);
        assert!(!bench.complete(0, Dir::ToServer), "{command}: a rule on it may ask for the port");
        talk(&mut bench, &format!("S: {reply}"), 100);
        assert!(Dir::BOTH.into_iter().all(|dir| bench.complete(0, dir)), "{command}");
    }
}

#[test]
fn a_port_of_someone_else_is_a_bounce() {
    let mut bench = bench();
    talk(&mut bench, "C: PORT 10,0,0,9,0,80", 100);
    assert_eq!(bench.numbers(0, "ftpbounce"), [1]);
}

#[test]
fn long_lines_are_events() {
    let mut bench = bench();
    let long = "A".repeat(5000);
    talk(&mut bench, &format!("C: {long}\nS: 227 {long}"), 700);
    assert_eq!(bench.events(), ["ftp.request_command_too_long", "ftp.response_command_too_long"]);
    assert_eq!(bench.text(0, "ftp.command").unwrap().len(), 4096);
}

#[test]
fn commands_without_replies_are_bounded() {
    let mut bench = bench();
    for _ in 0..1024 {
        talk(&mut bench, "C: NOOP", 100);
    }
    assert_eq!(bench.events(), [""; 0]);
    talk(&mut bench, "C: NOOP", 100);
    assert_eq!(bench.events(), ["ftp.too_many_transactions"]);
}

#[test]
fn tls_begins_after_the_servers_consent() {
    let mut bench = bench();
    talk(&mut bench, "S: 220 FTP\nC: AUTH TLS", 100);
    let next = bench.data(Dir::ToClient, b"234 go\r\n\x16\x03");
    assert_eq!(next, Next::Change { consumed: 8, to: Some(AppProto::Tls) });
}

#[test]
fn a_data_channel_is_expected_where_it_will_end() {
    let mut bench = bench();
    let session = |src, sport, dst, dport| FlowTuple { src, sport, dst, dport, ..control() };
    let (client, server) = (control().src, control().dst);
    talk(&mut bench, "C: PORT 10,0,0,1,4,1\nS: 200 ok\nC: RETR in.txt\nS: 226 ok", 100);
    let found = bench.expected.take(&session(server, 20, client, 1025), true, Time::from_secs(0)).unwrap();
    assert_eq!((found.command, &found.name[..]), (RETR, &b"in.txt"[..]));
    talk(&mut bench, "C: PASV\nS: 227 Entering (192,168,0,1,4,2).\nC: STOR out.txt\nS: 226 ok", 100);
    let found = bench.expected.take(&session(client, 5000, server, 1026), true, Time::from_secs(0)).unwrap();
    assert_eq!((found.command, &found.name[..]), (STOR, &b"out.txt"[..]));
    talk(&mut bench, "C: EPSV\\nRETR early.txt\nS: 229 (|||1027|)\\n226 ok", 100);
    assert!(
        bench.expected.take(&session(client, 5001, server, 1027), true, Time::from_secs(0)).is_some(),
        "pipelined"
    );
    talk(&mut bench, "C: LIST", 100);
    assert_eq!(bench.expected.take(&session(client, 5002, server, 1027), true, Time::from_secs(0)), None);
}

/// The control channel announces, and the next session is a file, whichever worker has it.
#[test]
fn a_file_of_a_data_channel() {
    let announced = std::sync::Arc::default();
    let [mut control_apps, mut apps] =
        std::array::from_fn(|_| Apps::new(Limits::default()).sharing(std::sync::Arc::clone(&announced)));
    let wanted = Wanted::all();
    let (mut first, mut second) = (u32::MAX, u32::MAX);
    let at = |tuple, dir| Source { tuple, time: Time::from_secs(1), dir, opening_seen: true };
    control_apps.data(
        &mut first,
        &at(control(), Dir::ToServer),
        &wanted,
        b"USER x\r\nPORT 10,0,0,1,4,1\r\nRETR a.txt\r\n",
    );
    let FlowTuple { src: client, dst: server, .. } = control();
    let tuple = FlowTuple { src: server, sport: 20, dst: client, dport: 1025, ..control() };
    apps.data(&mut second, &at(tuple, Dir::ToServer), &wanted, b"GET / uid=0(root)");
    apps.data(&mut second, &at(tuple, Dir::ToServer), &wanted, b" more");
    apps.end(second, &at(tuple, Dir::ToServer));
    let state = apps.get(second).unwrap();
    assert_eq!(state.known.proto, Some(AppProto::FtpData));
    let tx = state.transactions.iter().next().unwrap();
    assert_eq!(
        (tx.file_name(&tx.files()[0]), tx.files()[0].size, tx.files()[0].dir),
        (&b"a.txt"[..], 22, Dir::ToServer)
    );
    assert_eq!(tx.numbers(field::id("ftpdata_command")).collect::<Vec<_>>(), [(Dir::ToClient, RETR)]);
    assert!(tx.files()[0].closed && !tx.files()[0].truncated && tx.is_complete(Dir::ToClient));
}

#[test]
fn a_gap_cuts_the_file() {
    let mut bench = Bench::new(AppProto::FtpData, Box::<FtpData>::default());
    bench.data(Dir::ToClient, b"some");
    assert_eq!(bench.gap(Dir::ToClient, 5), Next::Stop);
    assert!(bench.transactions.iter().next().unwrap().files()[0].truncated);
}

#[test]
fn first_bytes_tell() {
    assert_eq!(probe(Dir::ToClient, b"220 ProFTPD Server"), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, b"220 ready"), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"USER me\r\n"), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"USER me"), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"USER guest 0 * :Ron\r\n"), Probe::No);
    assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.1"), Probe::No);
}

#[test]
fn endless_lines_stay_small_and_fast() {
    for dir in Dir::BOTH {
        let mut bench = bench();
        for _ in 0..10_000 {
            bench.data(dir, &[b'x'; 1000]);
        }
        assert!(bench.transactions.len() < 2);
    }
    let mut bench = bench();
    for _ in 0..1_000_000 {
        bench.data(Dir::ToClient, b"x");
    }
}

fn summary(bench: &Bench) -> Vec<String> {
    let items = |tx: &Transaction| {
        let mut all: Vec<_> =
            tx.items().iter().map(|item| format!("{item:?} {:?}", tx.bytes(item))).collect();
        all.push(format!("{:?} {:?}", tx.events(), Dir::BOTH.map(|dir| tx.stage(dir))));
        all
    };
    bench.transactions.iter().flat_map(items).collect()
}

proptest! {
    #[test]
    fn any_cutting_finds_the_same_and_nothing_panics(pieces in proptest::collection::vec((any::<bool>(), prop_oneof![
        Just(b"PASV\r\n".to_vec()), Just(b"227 (1,2,3,4,5,6)\r\n".to_vec()), Just(b"RETR x\n".to_vec()), Just(b"150 x\n".to_vec()),
        Just(b"229 (|||7|)\n".to_vec()), Just(b"EPRT |2|::1|5|\n".to_vec()), Just(b"211-x\n".to_vec()), Just(b"211 x\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)]), 0..40), size in 1usize..20) {
        let (mut one, mut two) = (bench(), bench());
        for (to_server, bytes) in &pieces {
            let dir = if *to_server { Dir::ToServer } else { Dir::ToClient };
            one.data(dir, bytes);
            two.pieces(dir, bytes, size);
        }
        prop_assert_eq!(summary(&one), summary(&two));
    }
}
