use super::*;
use crate::mgmt::rpc::socket;
use crate::mgmt::rpc::tests::Fake;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;

/// Serves a fake and runs `test` with the socket's path.
fn with_server<F: Future<Output = ()>>(test: impl FnOnce(std::path::PathBuf, Arc<Fake>) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let bound = socket::bind(&dir.path().join("run").join(FILE), false, KEY).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let gate = Gate::unix(&bound.listener, PLACES, "test", Speech::Json).unwrap();
        let fake = Arc::new(Fake::default());
        tokio::spawn(serve(gate, Arc::clone(&fake) as Arc<dyn Control>));
        test(bound.path.clone(), fake).await;
    });
}

/// A client that speaks 0.2.
struct Client(BufReader<UnixStream>);

impl Client {
    async fn new(path: &std::path::Path) -> Client {
        let mut client = Client(BufReader::new(UnixStream::connect(path).await.unwrap()));
        assert_eq!(client.say(r#"{"version": "0.2"}"#).await, json!({ "return": "OK" }));
        client
    }

    async fn say(&mut self, text: &str) -> Value {
        self.0.get_mut().write_all(format!("{text}\n").as_bytes()).await.unwrap();
        self.hear().await
    }

    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    async fn ask(&mut self, command: &str) -> Value {
        self.say(&json!({ "command": command }).to_string()).await
    }

    async fn done(&mut self, command: &str) -> Value {
        let answer = self.ask(command).await;
        assert_eq!(answer["return"], "OK", "{command}: {answer}");
        answer["message"].clone()
    }
}

#[test]
fn every_command_answers_in_the_shape_that_scripts_know() {
    with_server(async |path, fake| {
        let mut client = Client::new(&path).await;
        let version = client.done("version").await;
        assert!(
            version.as_str().unwrap().starts_with(concat!(env!("CARGO_PKG_VERSION"), " RELEASE")),
            "{version}"
        );
        assert_eq!(client.done("uptime").await, 60);
        assert_eq!(client.done("running-mode").await, "workers");
        assert_eq!(client.done("capture-mode").await, "DPDK");
        assert_eq!(client.done("iface-list").await, json!({ "count": 2, "ifaces": ["a", "b"] }));
        let counters = client.done("dump-counters").await;
        assert_eq!(counters, json!({ "uptime": 60, "decoder": { "pkts": 10 }, "flow": { "tcp": 3 } }));
        let time = json!([{ "id": 0, "last_reload": "1970-01-01T00:00:09.000000+0000" }]);
        assert_eq!(client.done("ruleset-reload-time").await, time);
        let stats = json!([{ "id": 0, "rules_loaded": 7, "rules_failed": 1, "rules_skipped": 2 }]);
        assert_eq!(client.done("ruleset-stats").await, stats);
        let failed = client.done("ruleset-failed-rules").await;
        assert_eq!((&failed[0]["filename"], &failed[0]["line"]), (&"a.rules".into(), &3.into()));
        assert_eq!(client.done("reopen-log-files").await, "done");
        assert!(fake.reopened.load(Ordering::Relaxed));
        assert_eq!(client.done("reload-rules").await, "done");
        let refused = client.ask("ruleset-reload-rules").await;
        assert!(
            refused["return"] == "NOK" && refused["message"].as_str().unwrap().contains("no such action")
        );
        let stat =
            |iface: &str| json!({ "command": "iface-stat", "arguments": { "iface": iface } }).to_string();
        let counts = client.say(&stat("a")).await;
        assert_eq!(counts, json!({ "message": { "pkts": 0, "drop": 0 }, "return": "OK" }));
        let unknown = client.say(&stat("c")).await;
        assert!(
            unknown["return"] == "NOK" && unknown["message"].as_str().unwrap().contains("a, b"),
            "{unknown}"
        );
        let flow = client.say(r#"{"command":"get-flow-stats-by-id","arguments":{"flow_id":0}}"#).await;
        assert_eq!(flow["message"]["age"], 60, "{flow}");
        assert_eq!(
            client.say(r#"{"command":"get-flow-stats-by-id","arguments":{"flow_id":1}}"#).await["return"],
            "NOK"
        );
        let list = client.done("command-list").await;
        assert_eq!(list["count"], list["commands"].as_array().unwrap().len());
        for command in ["nonsense", ""] {
            assert_eq!(client.ask(command).await["return"], "NOK");
        }
        for wrong in
            [r#"{"order":1}"#, r#"{"command":"uptime","arguments":[]}"#, r#"{"command":"iface-stat"}"#]
        {
            assert_eq!(client.say(wrong).await["return"], "NOK", "{wrong}");
        }
        assert_eq!(client.ask("shutdown").await["return"], "OK");
        assert!(fake.stopped.load(Ordering::Relaxed));
    });
}

#[test]
fn sets_are_changed_and_asked_as_files_write_their_values() {
    with_server(async |path, _| {
        let mut client = Client::new(&path).await;
        let mut ask = async |command: &str, kind: &str, value: &str| {
            let arguments = json!({ "setname": "seen", "settype": kind, "datavalue": value });
            let answer = client.say(&json!({ "command": command, "arguments": arguments }).to_string()).await;
            (answer["return"] == "OK", answer["message"].as_str().unwrap().to_owned())
        };
        assert!(!ask("dataset-lookup", "string", "YQ==").await.0);
        assert_eq!(ask("dataset-add", "string", "YQ==").await, (true, "data added".into()));
        assert_eq!(ask("dataset-add", "string", "YQ==").await, (true, "data already in set".into()));
        assert!(ask("dataset-lookup", "string", "YQ==").await.0);
        assert!(ask("dataset-remove", "string", "YQ==").await.0);
        assert!(!ask("dataset-remove", "string", "YQ==").await.0);
        assert!(ask("dataset-add", "string", "Yg==").await.0 && ask("dataset-clear", "string", "").await.0);
        assert!(!ask("dataset-lookup", "string", "Yg==").await.0);
        for (kind, value, said) in [
            ("md5", "YQ==", "is of type string"),
            ("text", "YQ==", "`text` is no type"),
            ("string", "no base64!", "no base64"),
            ("string", "YQ==\nYg==", "no base64"),
            ("string", "", "a value is missing"),
        ] {
            let (done, message) = ask("dataset-add", kind, value).await;
            assert!(!done && message.contains(said), "{kind} {value:?}: {message}");
        }
        assert_eq!(ask("dataset-dump", "", "").await, (false, "the disk is full".into()));
    });
}

#[test]
fn the_first_version_has_nothing_between_messages() {
    with_server(async |path, _| {
        let mut io = UnixStream::connect(&path).await.unwrap();
        io.write_all(br#"{"version": "0.1"}{"command":"up"#).await.unwrap();
        let mut answers = vec![0; 100];
        let length = io.read(&mut answers).await.unwrap();
        assert_eq!(&answers[..length], br#"{"return":"OK"}"#);
        io.write_all(br#"time"}"#).await.unwrap();
        let length = io.read(&mut answers).await.unwrap();
        assert_eq!(&answers[..length], br#"{"message":60,"return":"OK"}"#);
    });
}

#[test]
fn who_does_not_speak_it_is_told_so_and_left_and_others_go_on() {
    with_server(async |path, _| {
        let mut patient = Client::new(&path).await;
        for wrong in [
            &b"{\"version\": \"0.3\"}"[..],
            b"{\"command\": \"uptime\"}",
            b"{\"version\": }",
            &[0xff, 0xfe, 0],
            &[b"{\"a\":\"".as_slice(), &vec![b'x'; 70_000]].concat(),
        ] {
            let io = UnixStream::connect(&path).await.unwrap();
            let mut client = Client(BufReader::new(io));
            client.0.get_mut().write_all(wrong).await.unwrap();
            assert_eq!(
                client.hear().await["return"],
                "NOK",
                "{}",
                String::from_utf8_lossy(&wrong[..9.min(wrong.len())])
            );
            // Left: what it had not read may have become a reset.
            assert_eq!(client.0.read_line(&mut String::new()).await.unwrap_or(0), 0);
        }
        let mut browser = BufReader::new(UnixStream::connect(&path).await.unwrap());
        browser.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        browser.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("suricatasc"), "{answer}");
        assert_eq!(patient.done("uptime").await, 60);
    });
}

#[test]
fn of_more_clients_than_places_the_one_who_was_silent_for_longest_makes_room() {
    with_server(async |path, _| {
        let mut clients = Vec::new();
        for _ in 0..PLACES {
            clients.push(Client::new(&path).await);
        }
        assert_eq!(clients[0].done("uptime").await, 60);
        let mut late = Client::new(&path).await;
        assert_eq!(clients[1].hear().await, Value::Null, "he reads an end");
        for client in [0, 2, PLACES - 1] {
            assert_eq!(clients[client].done("uptime").await, 60);
        }
        assert_eq!(late.done("uptime").await, 60);
    });
}
