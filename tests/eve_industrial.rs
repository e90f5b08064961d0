//! Modbus, DNP3, EtherNet/IP, POP3 and IMAP through the built binary: rules on their keywords match once each, and their records are
//! under `conf/eve.schema.json`.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use support::{Bench, ethernet, v4};
use weir::base::Dir;
use weir::wire::build::TcpConversation;

const RULES: &str = r#"
alert modbus any any -> any any (modbus: unit 1, access write holding, address 500, value 7; sid:1;)
alert dnp3 any any -> any any (dnp3_func: cold_restart; dnp3_data; content:"|c3 0d|"; sid:2;)
alert enip any any -> any any (enip_command: send_rr_data; cip_service: 14,1,7; sid:3;)
alert pop3 any any -> any any (file.data; content:"MZ"; startswith; sid:4;)
alert modbus any any -> any any (modbus: function reserved; sid:5;)
alert imap any any -> any any (imap.request; content:"FETCH"; sid:6;)
alert imap any any -> any any (imap.email.header; content:"subject: hi"; imap.email.direction:to_client; imap.email.body; content:"attack"; sid:7;)
"#;

const MAIL: &[u8] = b"+OK\r\nContent-Type: application/octet-stream; name=run.exe\r\n\
Content-Disposition: attachment; filename=run.exe\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAA=\r\n.\r\n";

/// What a client sends to that port, and what comes back.
fn talk(port: u16, sent: &[u8], answer: &[u8]) -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(1, 40_000 + port % 1000), v4(2, port), 7);
    talk.handshake().send(Dir::ToServer, sent, 1000).send(Dir::ToClient, answer, 1000).close(Dir::ToServer);
    talk.packets
}

/// The server speaks first.
fn mailbox() -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(1, 40_110), v4(2, 110), 7);
    talk.handshake().send(Dir::ToClient, b"+OK ready\r\n", 1000).send(Dir::ToServer, b"RETR 1\r\n", 1000);
    talk.send(Dir::ToClient, MAIL, 1000).close(Dir::ToServer);
    talk.packets
}

fn imap() -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(1, 40_143), v4(2, 143), 7);
    talk.handshake().send(Dir::ToClient, b"* OK ready\r\n", 1000).send(
        Dir::ToServer,
        b"a1 FETCH 1 BODY[]\r\n",
        1000,
    );
    let mail = b"* 1 FETCH (BODY[] {23}\r\nSubject: hi\r\n\r\nattack\r\n)\r\na1 OK\r\n";
    talk.send(Dir::ToClient, mail, 1000).close(Dir::ToServer);
    talk.packets
}

fn enip(cip: &[u8]) -> Vec<u8> {
    let head = [0x6f, 0, 16 + cip.len() as u8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0];
    [&head[..], &[0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0, cip.len() as u8, 0], cip].concat()
}

#[test]
fn keywords_match_and_records_keep_to_the_schema() {
    // A cold restart, with the sums of its header and of its only block.
    let restart = [0x05, 0x64, 0x08, 0xc4, 0x0a, 0x00, 0x01, 0x00, 0xfc, 0x42, 0xc0, 0xc3, 0x0d, 0x37, 0x36];
    let request = [0, 1, 0, 0, 0, 6, 1, 6, 0x01, 0xf3, 0, 7];
    let packets = [
        talk(502, &request, &request),
        talk(20_000, &restart, &[]),
        talk(44_818, &enip(&[0x0e, 3, 0x20, 1, 0x24, 1, 0x30, 7]), &enip(&[0x8e, 0, 0, 0, 1, 2])),
        mailbox(),
        imap(),
    ];
    let bench = Bench::new();
    let capture = bench.capture(&ethernet(packets.concat()));
    let replayed = bench.replay(&capture, RULES, &[]).clean();
    let mut alerts: Vec<_> =
        replayed.events.of("alert").iter().map(|e| e["alert"]["signature_id"].as_u64().unwrap()).collect();
    alerts.sort_unstable();
    assert_eq!(alerts, [1, 2, 3, 4, 6, 7], "{:?}", replayed.events.0);
    let [modbus] = replayed.events.of("modbus")[..] else { panic!("{:?}", replayed.events.0) };
    assert_eq!(modbus["modbus"]["request"]["function_code"], "WrSingleReg");
    assert_eq!(modbus["modbus"]["request"]["access_type"], "WRITE | HOLDING | SINGLE");
    assert_eq!(modbus["modbus"]["response"]["write"], json!({ "address": 499, "data": 7 }));
    assert_eq!(replayed.events.of("enip")[0]["enip"]["request"]["cip"][0]["attributes"], json!([7]));
    let text = std::fs::read_to_string("conf/eve.schema.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    for event in &replayed.events.0 {
        let faults: Vec<_> =
            validator.iter_errors(event).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{event}\n{}", faults.join("\n"));
    }
    for kind in ["modbus", "dnp3", "enip", "pop3", "imap", "fileinfo"] {
        assert!(!replayed.events.of(kind).is_empty(), "no record of type {kind}");
    }
}
