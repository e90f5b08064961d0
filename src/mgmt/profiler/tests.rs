use super::keeper::Desk;
use super::store::Bounds;
use super::*;
use crate::base::event::record::{Entry, RecordBuffer};
use crate::base::event::{AppEvent, AppKind, EventBody, FlowEvent, FlowStats, Origin, TcpSummary};
use crate::base::event::{AppNames, CloseReason};
use crate::base::{Addr, FlowTuple, PerDir, Time};
use std::path::{Path, PathBuf};
use std::time::Duration;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 80];

fn tuple(client: [u8; 4]) -> FlowTuple {
    FlowTuple {
        src: Addr::v4(client),
        dst: Addr::v4(SERVER),
        sport: 4000,
        dport: 80,
        proto: 6,
        context: 20 << 12 | 10,
        ..FlowTuple::default()
    }
}

/// A session's end: packets by each end, and the flags that the server sent.
fn flow(client: [u8; 4], at: u64, packets: [u64; 2], flags: u8) -> Event {
    let tuple = tuple(client);
    let stats = FlowStats {
        start: Time::from_secs(at),
        last: Time::from_secs(at + 1),
        packets: PerDir(packets),
        bytes: PerDir([100, 900]),
        tuple,
    };
    let tcp = Some(TcpSummary { flags: PerDir([0x1b, flags]), state: "closed" });
    let app = AppNames { proto: Some("http"), ..AppNames::default() };
    let body = EventBody::Flow(FlowEvent {
        stats,
        outer: None,
        reason: CloseReason::Fin,
        state: "closed",
        alerted: false,
        exception: None,
        action: None,
        tcp,
        ttl: PerDir::default(),
        icmp: PerDir::default(),
        app,
    });
    Event { origin: Origin { tuple, ..Origin::default() }, body }
}

/// A transaction of a protocol, with its notes.
fn transaction(proto: &'static str, notes: &[(&str, &str)]) -> (Event, Vec<u8>) {
    let mut record = RecordBuffer::new(true);
    for (name, text) in notes {
        assert!(record.add(name, Entry::Text(text.as_bytes())));
    }
    let origin = Origin { time: Time::from_secs(7), tuple: tuple(CLIENT), ..Origin::default() };
    let app = AppEvent { kind: AppKind::Transaction, proto, tx: Some(0), record: 0 };
    (Event { origin, body: EventBody::App(app) }, record.bytes().to_vec())
}

fn settings(path: PathBuf) -> Settings {
    let bounds = Bounds { hosts: 32, services: 32, contexts: 32 };
    // Written when a test says so.
    Settings { path, bounds, text: 64, queue: 16, interval: Duration::from_secs(3600) }
}

struct Rig {
    dir: tempfile::TempDir,
    counts: Arc<Counts>,
    desk: Desk,
}

impl Rig {
    fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let counts = Arc::new(Counts::default());
        let desk = Desk::new(settings(dir.path().join("profile.db")), Arc::clone(&counts));
        Rig { dir, counts, desk }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("profile.db")
    }

    fn see(&mut self, event: &Event, record: &[u8]) {
        seen_in(event, record, 64, |seen| self.desk.add(seen));
    }

    fn reader(&self) -> Reader {
        Reader::of(self.path(), Arc::clone(&self.counts))
    }

    fn count(&self, name: &str) -> u64 {
        let counts = self.counts.named();
        counts.iter().find(|count| count.name == format!("profiler.{name}")).unwrap().value
    }
}

fn is_damaged(path: &Path) -> bool {
    path.with_file_name("profile.db.damaged").exists()
}

#[test]
fn what_sessions_and_transactions_tell_is_added_up() {
    let mut rig = Rig::new();
    rig.see(&flow(CLIENT, 5, [4, 3], 0x1b), &[]);
    let (http, notes) = transaction(
        "http1",
        &[
            ("hostname", "example.org"),
            ("http_user_agent", "curl/8.5\n"),
            ("server", "nginx/1.26"),
            ("url", "/"),
        ],
    );
    rig.see(&http, &notes);
    rig.desk.write();
    rig.see(&flow(CLIENT, 3, [4, 3], 0x1b), &[]);
    rig.see(&http, &notes);
    rig.desk.write();
    let reader = rig.reader();
    let hosts = reader.hosts(&Ask::default()).unwrap();
    let told =
        |host: &HostRow| (host.address.clone(), host.sessions, host.as_client, host.sent, host.received);
    let expected = [("10.0.0.1".to_owned(), 2, 2, 200, 1800), ("192.0.2.80".to_owned(), 2, 0, 1800, 200)];
    let mut found: Vec<_> = hosts.iter().map(told).collect();
    found.sort();
    assert_eq!(found, expected);
    assert!(hosts.iter().all(|h| h.vlan == "10.20" && h.first == 3_000_000 && h.last == 6_000_000));
    let services = reader.services(&Ask::default()).unwrap();
    let [service] = &services[..] else { panic!("{services:?}") };
    assert_eq!((service.address.as_str(), service.proto, service.port), ("192.0.2.80", 6, 80));
    assert_eq!((service.app.as_deref(), service.banner.as_deref()), (Some("http"), Some("nginx/1.26")));
    assert_eq!((service.sessions, service.first, service.last), (2, 3_000_000, 7_000_000));
    let ask = |kind, filter: &str| Ask { kind, filter: filter.into(), ..Ask::default() };
    let contexts = reader.contexts(&ask(Some(Kind::UserAgent), "CURL")).unwrap();
    let [agent] = &contexts[..] else { panic!("{contexts:?}") };
    assert_eq!((agent.text.as_str(), agent.address.as_str(), agent.seen), ("curl/8.5\\x0A", "10.0.0.1", 2));
    assert_eq!(reader.contexts(&Ask::default()).unwrap().len(), 3);
    assert!(reader.contexts(&ask(None, "%")).unwrap().is_empty(), "a filter has no wildcards");
    let of = |host: [u8; 4]| Ask { host: Some(host.into()), ..Ask::default() };
    assert_eq!(reader.contexts(&of(SERVER)).unwrap().len(), 2);
    assert_eq!(reader.hosts(&Ask { limit: 1, ..Ask::default() }).unwrap().len(), 1);
    assert_eq!((rig.count("written"), rig.count("lost"), rig.count("failures")), (8, 0, 0));
}

#[test]
fn who_is_not_answered_is_nobody_and_a_port_that_refuses_no_service() {
    let mut rig = Rig::new();
    rig.see(&flow(CLIENT, 5, [1, 0], 0), &[]);
    rig.see(&flow([10, 0, 0, 2], 5, [1, 1], 0x14), &[]);
    rig.desk.write();
    let reader = rig.reader();
    let hosts = reader.hosts(&Ask::default()).unwrap();
    assert_eq!(hosts.len(), 2);
    assert!(hosts.iter().all(|host| host.address != "10.0.0.1"), "{hosts:?}");
    assert!(reader.services(&Ask::default()).unwrap().is_empty());
}

/// The same of UDP.
fn datagrams(client: [u8; 4], packets: [u64; 2], state: &'static str) -> Event {
    let mut event = flow(client, 5, packets, 0);
    if let EventBody::Flow(flow) = &mut event.body {
        (flow.tcp, flow.state, flow.stats.tuple.proto) = (None, state, 17);
    }
    event
}

#[test]
fn an_icmp_error_is_no_answer_of_a_service() {
    let mut rig = Rig::new();
    // Counted in the session that they quote: port unreachable, and a router's word of a SYN.
    rig.see(&datagrams(CLIENT, [1, 1], "new"), &[]);
    rig.see(&flow(CLIENT, 5, [1, 1], 0), &[]);
    rig.desk.write();
    assert_eq!(rig.reader().hosts(&Ask::default()).unwrap(), []);
    assert_eq!(rig.reader().services(&Ask::default()).unwrap(), []);
    rig.see(&datagrams(CLIENT, [1, 1], "established"), &[]);
    rig.desk.write();
    assert_eq!(rig.reader().hosts(&Ask::default()).unwrap().len(), 2);
    assert_eq!(rig.reader().services(&Ask::default()).unwrap().len(), 1);
}

#[test]
fn a_question_of_dns_counts_once_and_is_its_askers() {
    let mut rig = Rig::new();
    for kind in ["request", "response"] {
        let (event, notes) = transaction("dns", &[("type", kind), ("queries[].rrname", "example.org")]);
        rig.see(&event, &notes);
    }
    rig.desk.write();
    let contexts = rig.reader().contexts(&Ask::default()).unwrap();
    let [name] = &contexts[..] else { panic!("{contexts:?}") };
    assert_eq!((name.kind.as_str(), name.address.as_str(), name.seen), ("dns-name", "10.0.0.1", 1));
}

#[test]
fn servers_say_who_they_are_in_greetings_and_in_headers_of_http2() {
    let mut rig = Rig::new();
    for (proto, notes) in [
        ("ftp", &[("~banner", "vsFTPd 3.0.5"), ("command", "USER")][..]),
        ("smtp", &[("helo", "me"), ("~banner", "mail ESMTP Postfix")]),
        (
            "http2",
            &[
                ("request_headers[].name", ":authority"),
                ("request_headers[].value", "example.net"),
                ("response_headers[].name", "via"),
                ("response_headers[].value", "server"),
                ("response_headers[].name", "server"),
                ("response_headers[].value", "h2o"),
            ],
        ),
    ] {
        let (event, notes) = transaction(proto, notes);
        rig.see(&event, &notes);
    }
    rig.desk.write();
    let contexts = rig.reader().contexts(&Ask::default()).unwrap();
    let mut told: Vec<_> = contexts
        .iter()
        .filter(|c| c.address == "192.0.2.80")
        .map(|c| (c.kind.as_str(), c.text.as_str()))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("http-host", "example.net"),
            ("server-banner", "h2o"),
            ("server-banner", "mail ESMTP Postfix"),
            ("server-banner", "vsFTPd 3.0.5"),
        ]
    );
}

#[test]
fn beyond_its_bounds_those_seen_longest_ago_give_way() {
    let mut rig = Rig::new();
    for n in 0..100 {
        rig.see(&flow([10, 0, 1, n], 1000 + u64::from(n), [4, 3], 0x1b), &[]);
    }
    rig.desk.write();
    let hosts = rig.reader().hosts(&Ask::default()).unwrap();
    assert_eq!(hosts.len(), 30, "32, less the part that gives way at once");
    assert!(hosts.iter().any(|host| host.address == "10.0.1.99"));
    assert!(hosts.iter().all(|host| host.last >= 1071 * 1_000_000), "{hosts:?}");
    assert_eq!(rig.count("evicted"), 71);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let mut rig = Rig::new();
    std::fs::write(
        rig.path(),
        b"this is no database, and longer than a header of one hundred bytes ".repeat(9),
    )
    .unwrap();
    rig.see(&flow(CLIENT, 5, [4, 3], 0x1b), &[]);
    rig.desk.write();
    assert!(is_damaged(&rig.path()));
    assert_eq!(rig.reader().hosts(&Ask::default()).unwrap().len(), 2);
    assert_eq!((rig.count("written"), rig.count("lost")), (1, 0));
}

#[test]
fn a_file_that_is_damaged_under_way_costs_nothing_that_waits() {
    let mut rig = Rig::new();
    for n in 0..30 {
        rig.see(&flow([10, 0, 1, n], 5, [4, 3], 0x1b), &[]);
    }
    rig.desk.write();
    rig.desk.close();
    // All pages but the first.
    let bytes = std::fs::read(rig.path()).unwrap();
    let mut damaged = bytes[..4096].to_vec();
    damaged.resize(bytes.len(), 0x5a);
    std::fs::write(rig.path(), damaged).unwrap();
    rig.see(&flow(CLIENT, 6, [4, 3], 0x1b), &[]);
    rig.desk.write();
    rig.desk.write();
    assert!(is_damaged(&rig.path()));
    assert_eq!(rig.reader().hosts(&Ask::default()).unwrap().len(), 2);
    assert_eq!((rig.count("failures"), rig.count("lost")), (1, 0));
}

/// A profile of 251 hosts that is open for writing.
fn filled() -> Rig {
    let mut rig = Rig::new();
    rig.desk = Desk::new(
        Settings { bounds: Bounds { hosts: 1000, services: 1000, contexts: 32 }, ..settings(rig.path()) },
        Arc::clone(&rig.counts),
    );
    for n in 0..250 {
        rig.see(&flow([10, 0, 1, n], 5, [4, 3], 0x1b), &[]);
    }
    rig.desk.write();
    rig
}

#[test]
fn a_file_that_is_emptied_or_overwritten_in_place_is_set_aside_though_it_is_open() {
    let noise: Vec<u8> = (0..16384u32).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    for damage in [&b""[..], &noise] {
        let mut rig = filled();
        // The pages are in the file, no longer in the log beside it.
        let other = rusqlite::Connection::open(rig.path()).unwrap();
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(other);
        std::fs::write(rig.path(), damage).unwrap();
        rig.reader().hosts(&Ask::default()).unwrap_err();
        // Without anything to write, too.
        rig.desk.write();
        assert!(is_damaged(&rig.path()));
        assert_eq!(rig.reader().hosts(&Ask::default()).unwrap(), []);
        rig.see(&flow(CLIENT, 6, [4, 3], 0x1b), &[]);
        rig.desk.write();
        rig.desk.write();
        assert_eq!(rig.reader().hosts(&Ask::default()).unwrap().len(), 2);
        assert_eq!((rig.count("set_aside"), rig.count("failures"), rig.count("lost")), (1, 0, 0));
    }
}

#[test]
fn damage_that_only_a_question_finds_has_the_file_set_aside() {
    let mut rig = filled();
    let other = rusqlite::Connection::open(rig.path()).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let mut roots = other.prepare("SELECT rootpage FROM sqlite_master").unwrap();
    let roots: Vec<u32> = roots.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    // The last leaf of a table of several: 13 is the kind of such a page.
    let mut bytes = std::fs::read(rig.path()).unwrap();
    let is_leaf = |page: &usize| bytes[(page - 1) * 4096] == 13 && !roots.contains(&(*page as u32));
    let leaves: Vec<usize> = (2..=bytes.len() / 4096).filter(is_leaf).collect();
    assert!(leaves.len() > 1, "{leaves:?}");
    bytes[(leaves[leaves.len() - 1] - 1) * 4096] = 0x5a;
    std::fs::write(rig.path(), bytes).unwrap();
    rig.desk.write();
    assert!(!is_damaged(&rig.path()), "not noticed");
    assert!(rig.reader().hosts(&Ask { filter: "no one".into(), ..Ask::default() }).is_err());
    rig.desk.write();
    assert!(is_damaged(&rig.path()));
    assert_eq!(rig.reader().hosts(&Ask::default()).unwrap(), []);
}

#[test]
fn a_file_that_somebody_deleted_is_made_anew() {
    let mut rig = Rig::new();
    rig.see(&flow(CLIENT, 5, [4, 3], 0x1b), &[]);
    rig.desk.write();
    for ending in ["", "-wal", "-shm"] {
        std::fs::remove_file(rig.dir.path().join(format!("profile.db{ending}"))).unwrap();
    }
    rig.see(&flow(CLIENT, 6, [4, 3], 0x1b), &[]);
    rig.desk.write();
    let hosts = rig.reader().hosts(&Ask::default()).unwrap();
    assert_eq!((hosts.len(), hosts[0].sessions), (2, 1));
}

#[test]
fn another_versions_file_is_set_aside_too_and_one_that_cannot_be_made_only_told() {
    let mut rig = Rig::new();
    let other = rusqlite::Connection::open(rig.path()).unwrap();
    other.execute_batch("CREATE TABLE t (n); PRAGMA user_version = 9;").unwrap();
    drop(other);
    rig.see(&flow(CLIENT, 5, [4, 3], 0x1b), &[]);
    rig.desk.write();
    assert!(is_damaged(&rig.path()));

    let mut rig = Rig::new();
    std::fs::create_dir(rig.path()).unwrap();
    rig.see(&flow(CLIENT, 5, [4, 3], 0x1b), &[]);
    rig.desk.write();
    assert_eq!((rig.count("failures"), rig.count("written")), (1, 0));
    assert!(rig.reader().hosts(&Ask::default()).unwrap_err().contains("cannot be read"));
}

#[test]
fn the_thread_writes_all_it_has_at_its_end_and_what_finds_no_room_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/profile.db");
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (keeper, tap) = Keeper::start(settings(path.clone()), move || {
        // Until both ends are there to be filled.
        let _ = wait.recv();
    })
    .unwrap();
    let reader = Reader::new(path, &keeper);
    for n in 0..20 {
        tap.see(&flow([10, 0, 1, n], 5, [4, 3], 0x1b), &[]);
    }
    drop((go, tap));
    drop(keeper);
    let count =
        |name: &str| reader.counters().iter().find(|c| c.name == format!("profiler.{name}")).unwrap().value;
    assert_eq!((count("observed"), count("lost"), count("written")), (20, 4, 16));
    assert_eq!(reader.hosts(&Ask::default()).unwrap().len(), 17);
}

#[test]
fn a_pipe_in_its_place_holds_nobody_up() {
    let mut rig = Rig::new();
    assert!(std::process::Command::new("mkfifo").arg(rig.path()).status().unwrap().success());
    rig.see(&flow(CLIENT, 1, [2, 2], 0x1b), &[]);
    rig.desk.write();
    assert_eq!(rig.counts.failures.load(std::sync::atomic::Ordering::Relaxed), 1);
    let reader = Reader::of(rig.path(), Arc::clone(&rig.counts));
    assert!(reader.hosts(&Ask::default()).unwrap_err().ends_with("it is no file"));
}
