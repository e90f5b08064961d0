use super::*;
use crate::app::fixture::Bench;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Smtp, Box::<Smtp>::default())
}

/// `C: ` and `S: ` lines, a direction's pieces of `size` bytes.
fn talk(bench: &mut Bench, talk: &str, size: usize) -> Next {
    for line in talk.lines().map(str::trim_start) {
        let (dir, text) = match line.split_at_checked(3) {
            Some(("C: ", text)) => (Dir::ToServer, text),
            Some(("S: ", text)) => (Dir::ToClient, text),
            _ => panic!("{line}"),
        };
        let next = bench.pieces(dir, format!("{}\r\n", text.replace("\\n", "\r\n")).as_bytes(), size);
        if next != Next::More {
            return next;
        }
    }
    Next::More
}

const MAIL: &str = "S: 220-two lines\\n220 host ESMTP
C: EHLO client
S: 250-host\\n250 PIPELINING
C: MAIL FROM:<a@b> SIZE=100\\nRCPT TO:<c@d>\\nRCPT TO: <e@f>
S: 250 ok\\n250 ok\\n250 ok
C: DATA
S: 354 go on
C: From: A <a@b>\\nTo: \"x, y\" <c@d>, e@f\\nSubject: hi\\nContent-Type: multipart/mixed; boundary=B\\n\\n--B\\n\\n..see http://u.example/x\\n--B
C: Content-Disposition: attachment; filename=f.txt\\n\\nfile\\n--B--\\n.
S: 250 queued
C: MAIL FROM:<second@b>
S: 250 ok
C: QUIT
S: 221 bye";

fn check_mail(size: usize) {
    let mut bench = bench();
    assert_eq!(talk(&mut bench, MAIL, size), Next::More);
    assert_eq!(bench.texts(0, "smtp.helo"), ["client"]);
    assert_eq!(bench.texts(0, "smtp.mail_from"), ["<a@b>"]);
    assert_eq!(bench.texts(0, "smtp.rcpt_to"), ["<c@d>", "<e@f>"]);
    assert_eq!(bench.texts(0, "email.from"), ["A <a@b>"]);
    assert_eq!(bench.texts(0, "email.subject"), ["hi"]);
    assert_eq!(bench.texts(0, "email.url"), ["u.example/x"]);
    assert_eq!(bench.texts(0, "file.name"), ["f.txt"]);
    assert_eq!(bench.streamed(0, "file.data").as_deref(), Some("file"));
    assert_eq!(bench.texts(0, "smtp.response_line")[..3], ["220-two lines", "220 host ESMTP", "250-host"]);
    assert!(Dir::BOTH.into_iter().all(|dir| bench.complete(0, dir) && bench.complete(1, dir)));
    assert_eq!(
        (bench.texts(1, "smtp.helo"), bench.texts(1, "smtp.mail_from")),
        (vec!["client".into()], vec!["<second@b>".into()])
    );
    assert_eq!(bench.events(), [""; 0]);
    let notes: Vec<_> = bench.transactions.iter().next().unwrap().notes().map(|(name, _)| name).collect();
    assert_eq!(
        notes,
        [
            "~banner",
            "helo",
            "mail_from",
            "rcpt_to[]",
            "rcpt_to[]",
            "email.from",
            "email.to[]",
            "email.to[]",
            "email.url[]",
            "email.attachment[]",
            "email.status"
        ]
    );
}

#[test]
fn a_mail_with_an_attachment() {
    check_mail(usize::MAX);
}

#[test]
fn a_byte_at_a_time() {
    check_mail(1);
}

#[test]
fn the_body_has_a_sum_without_its_header_and_dots() {
    // md5 of ".abc\r\n"
    for (made, sum) in [(true, Some("b1c8c960d854cffce2032f61d08a7222")), (false, None)] {
        let mut bench = bench();
        bench.limits.body_md5 = made;
        talk(&mut bench, "C: HELO x\nC: DATA\nC: A: b\\n\\n..abc\\n.", 3);
        assert_eq!(bench.text(0, "email.body_md5").as_deref(), sum);
    }
}

#[test]
fn chunks_carry_a_message_too() {
    for size in [1, 7, 1000] {
        let mut bench = bench();
        talk(&mut bench, "S: 220 x\nC: EHLO x\nS: 250 x\nC: MAIL FROM:<a@b>\nS: 250 ok", size);
        bench.pieces(Dir::ToServer, b"BDAT 20\r\nSubject: hi\r\nContentBDAT 61 LAST\r\n-Type: x/y; name=n\r\nX: y\r\n\r\nfirst line of it\r\n.\r\nand a dotQUIT\r\n", size);
        talk(&mut bench, "S: 250 a\\n250 b\\n221 bye", size);
        assert_eq!(bench.text(0, "email.subject").as_deref(), Some("hi"), "in pieces of {size}");
        assert_eq!(bench.text(0, "file.name").as_deref(), Some("n"));
        assert!(bench.complete(0, Dir::ToClient));
        assert_eq!(bench.events(), [""; 0]);
    }
}

#[test]
fn tls_begins_after_the_servers_consent() {
    let mut bench = bench();
    talk(&mut bench, "S: 220 x\nC: EHLO x\nS: 250 x\nC: STARTTLS", 100);
    let next = bench.data(Dir::ToClient, b"220 go\r\n\x16\x03\x01");
    assert_eq!(next, Next::Change { consumed: 8, to: Some(AppProto::Tls) });
}

#[test]
fn tls_begins_though_the_consent_was_not_seen() {
    let mut bench = bench();
    talk(&mut bench, "C: EHLO x\nC: STARTTLS", 100);
    assert_eq!(
        bench.data(Dir::ToServer, b"\x16\x03\x01"),
        Next::Change { consumed: 0, to: Some(AppProto::Tls) }
    );
}

#[test]
fn tls_refused_and_data_refused() {
    let mut bench = bench();
    talk(
        &mut bench,
        "S: 220 x\nC: EHLO x\nS: 250 x\nC: STARTTLS\nS: 454 no\nC: DATA\nS: 503 no\nC: RSET\nS: 250 ok",
        5,
    );
    assert_eq!(bench.events(), ["smtp.tls_rejected", "smtp.data_command_rejected"]);
}

#[test]
fn a_message_that_was_sent_though_refused_is_closed() {
    let mut bench = bench();
    talk(
        &mut bench,
        "S: 220 x\nC: EHLO x\nS: 250 x\nC: DATA\\nContent-Type: x/y; name=n\\n\\nbody\nS: 503 no\nC: RSET",
        9,
    );
    let tx = bench.transactions.iter().next().unwrap();
    assert!(tx.files()[0].closed && tx.files()[0].truncated);
    assert_eq!(bench.events(), ["smtp.invalid_pipelined_sequence", "smtp.data_command_rejected"]);
}

#[test]
fn what_is_amiss_has_names() {
    let events = |text: &str| {
        let mut bench = bench();
        talk(&mut bench, text, 50);
        bench.events().join(" ")
    };
    assert_eq!(events("S: 220 x\nC: EHLO x\nS: abc"), "smtp.invalid_reply");
    assert_eq!(events("S: 220 x\nS: 250 x"), "smtp.unable_to_match_reply_with_request");
    assert_eq!(events("C: EHLO x\nS: 250 x"), "smtp.no_server_welcome_message");
    assert_eq!(events("C: MAIL FROM:<a>\nC: MAIL FROM:<b>"), "smtp.duplicate_fields");
    assert_eq!(events("C: MAIL FROM:"), "smtp.unparsable_content");
    assert_eq!(events("C: BDAT x"), "smtp.bdat_chunk_len_exceeded");
    assert_eq!(events(&format!("C: {}", "x".repeat(600))), "smtp.max_command_line_len_exceeded");
    assert_eq!(events(&format!("S: 220 {}", "x".repeat(600))), "smtp.max_reply_line_len_exceeded");
    assert_eq!(events("S: 220 x\nC: EHLO x\nC: MAIL FROM:<a>"), "smtp.invalid_pipelined_sequence");
    assert_eq!(
        events(&format!("C: DATA\nC: Content-Type: multipart/mixed; boundary={}\\n", "A".repeat(440))),
        "smtp.mime_long_boundary"
    );
}

#[test]
fn a_gap_in_a_message_keeps_the_mail() {
    let mut bench = bench();
    talk(
        &mut bench,
        "S: 220 x\nC: EHLO x\nS: 250 x\nC: DATA\nS: 354 x\nC: Content-Type: x/y; name=n\\n\\nbegin",
        50,
    );
    bench.gap(Dir::ToServer, 1000);
    talk(&mut bench, "C: of a line\nS: 250 queued\nC: MAIL FROM:<next@x>\nS: 250 ok", 50);
    let tx = bench.transactions.iter().next().unwrap();
    assert!(tx.files()[0].truncated);
    assert_eq!(bench.text(1, "smtp.mail_from").as_deref(), Some("<next@x>"));
    assert_eq!(bench.events(), [""; 0]);
}

#[test]
fn an_end_without_the_dot_closes_the_file() {
    let mut bench = bench();
    talk(&mut bench, "C: EHLO x\nC: DATA\nC: Content-Type: x/y; name=n\\n\\nbegin", 50);
    bench.end(Dir::ToServer);
    let tx = bench.transactions.iter().next().unwrap();
    assert!(tx.files()[0].closed && tx.files()[0].truncated && tx.is_complete(Dir::ToServer));
}

#[test]
fn endless_lines_stay_small_and_fast() {
    for dir in Dir::BOTH {
        let mut bench = bench();
        let junk = vec![b'x'; 1000];
        for _ in 0..10_000 {
            bench.data(dir, &junk);
        }
        let memory: usize = bench.transactions.iter().map(|tx| tx.items().len()).sum();
        assert!(memory < 10);
    }
    let mut bench = bench();
    talk(&mut bench, "C: EHLO x\nC: DATA", 50);
    for _ in 0..10_000 {
        bench.data(Dir::ToServer, &[b'x'; 1000]);
    }
    let mut bench = Bench::new(AppProto::Smtp, Box::<Smtp>::default());
    for _ in 0..1_000_000 {
        bench.data(Dir::ToServer, b"x");
    }
}

#[test]
fn first_bytes_tell() {
    assert_eq!(probe(Dir::ToServer, b"EH"), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"ehlo x\r\n"), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"USER x\r\n"), Probe::No);
    assert_eq!(probe(Dir::ToClient, b"220 mail ESMTP Postfix\r\n"), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, b"220 ready\r\n"), Probe::More);
    assert_eq!(probe(Dir::ToClient, b"HTTP/1.1 200"), Probe::No);
    assert_eq!(probe(Dir::ToClient, b"EHLO x\r\n"), Probe::Reversed);
    assert_eq!(probe(Dir::ToServer, b"220 x ESMTP\r\n"), Probe::Reversed);
    assert_eq!(probe(Dir::ToServer, b"MAIL FROM:<a>"), Probe::Yes);
}

/// What a bench found, to compare.
fn summary(bench: &Bench) -> Vec<String> {
    let mut all = Vec::new();
    for tx in bench.transactions.iter() {
        all.extend(
            tx.items().iter().map(|item| format!("{item:?} {:?}", String::from_utf8_lossy(tx.bytes(item)))),
        );
        all.extend(tx.streamed().iter().map(|s| format!("{:?} {:?} {:?}", s.id, s.kept(), s.ended)));
        all.extend(tx.events().iter().map(|event| format!("{event:?}")));
        all.push(format!("{:?}", Dir::BOTH.map(|dir| tx.stage(dir))));
    }
    all
}

proptest! {
    #[test]
    fn any_cutting_finds_the_same(size in 1usize..100) {
        let (mut one, mut two) = (bench(), bench());
        talk(&mut one, MAIL, usize::MAX);
        talk(&mut two, MAIL, size);
        prop_assert_eq!(summary(&one), summary(&two));
    }

    #[test]
    fn no_bytes_panic(pieces in proptest::collection::vec((any::<bool>(), prop_oneof![
        Just(b"DATA\r\n".to_vec()), Just(b".\r\n".to_vec()), Just(b"BDAT 30 LAST\n".to_vec()), Just(b"250 ok\n".to_vec()),
        Just(b"RSET\n".to_vec()), Just(b"STARTTLS\n".to_vec()), Just(b"MAIL FROM:<a>\n".to_vec()), Just(b"EHLO x\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)]), 0..40), gap in any::<u8>()) {
        let mut bench = bench();
        for (at, (to_server, bytes)) in pieces.iter().enumerate() {
            let dir = if *to_server { Dir::ToServer } else { Dir::ToClient };
            if at == usize::from(gap) {
                bench.gap(dir, u64::from(gap));
            }
            if bench.pieces(dir, bytes, 1 + at) != Next::More {
                break;
            }
        }
        Dir::BOTH.into_iter().for_each(|dir| bench.end(dir));
        bench.decoder.reset();
    }
}

#[test]
fn a_session_that_changed_its_protocol_does_not_change_again() {
    for (changed, expected) in [(false, &[][..]), (true, &["smtp.failed_protocol_change"])] {
        let mut bench = bench();
        bench.changed = changed;
        talk(&mut bench, "S: 220 host\nC: EHLO a\nS: 250 ok\nC: STARTTLS\nS: 220 go on", 100);
        assert_eq!(bench.events(), expected);
    }
}

#[test]
fn what_is_amiss_in_a_mail_has_names() {
    let with = |fields: &str, body: &str| format!("{fields}\\n\\n{body}");
    let encoded = |coding: &str, body: &str| with(&format!("Content-Transfer-Encoding: {coding}"), body);
    let cases = [
        ("malformed_msg", with("no field", "")),
        ("invalid_base64", encoded("base64", "!!!!")),
        ("invalid_qp", encoded("quoted-printable", "=zz")),
        ("long_line", with("A: b", &"x".repeat(1000))),
        ("long_enc_line", encoded("base64", &"A".repeat(80))),
        ("long_header_name", with(&format!("{}: x", "N".repeat(80)), "")),
        ("long_header_value", with(&format!("N: {}", "x\\n ".repeat(2100)), "")),
        ("long_boundary", with(&format!("Content-Type: multipart/mixed; boundary={}", "B".repeat(300)), "")),
        (
            "long_filename",
            with(&format!("Content-Disposition: attachment; filename={}", "f".repeat(300)), "x"),
        ),
    ];
    for (event, mail) in cases {
        let mut bench = bench();
        talk(
            &mut bench,
            "S: 220 h\nC: EHLO a\nS: 250 ok\nC: MAIL FROM:<a>\nS: 250 ok\nC: DATA\nS: 354 go",
            100,
        );
        talk(&mut bench, &format!("C: {mail}\\n."), 100);
        let events = bench.events();
        let told = |name: &&&str| name.strip_prefix("smtp.mime_") == Some(event);
        assert!(events.iter().find(told).is_some(), "{event}: {events:?}");
    }
}

#[test]
fn a_line_beyond_what_is_kept_is_an_event() {
    let mut bench = bench();
    talk(&mut bench, &format!("S: 220 h\nC: EHLO a\nS: 250 ok\nC: NOOP {}", "x".repeat(5000)), 100);
    assert!(bench.events().contains(&"smtp.truncated_line"), "{:?}", bench.events());
}
