//! Bodies and files in the line (`weir replay --simulate-ips`): bytes that complete a match do not leave, however much of the
//! body is still to come, and what further bytes could take back is not concluded from a beginning.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::{Bench, Replayed, ethernet, v4};
use weir::base::Dir;
use weir::wire::build::TcpConversation;

const WORD: &[u8] = b"evil-word";

/// A request, and an answer of which these are the pieces; then the server closes.
fn answered(pieces: &[&[u8]]) -> TcpConversation {
    let mut talk = TcpConversation::new(v4(1, 4000), v4(2, 80), 7);
    talk.handshake().send(Dir::ToServer, b"GET /index HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    pieces.iter().for_each(|piece| {
        talk.send(Dir::ToClient, piece, 1000);
    });
    talk.close(Dir::ToClient);
    talk
}

fn posted(head: &str, pieces: &[&[u8]]) -> TcpConversation {
    let mut talk = TcpConversation::new(v4(1, 4000), v4(2, 80), 7);
    talk.handshake().send(Dir::ToServer, head.as_bytes(), 1000);
    pieces.iter().for_each(|piece| {
        talk.send(Dir::ToServer, piece, 1000);
    });
    talk.close(Dir::ToServer);
    talk
}

/// The replay, and what left of the capture.
fn passed(talk: &TcpConversation, rules: &str, more: &[&str]) -> (Replayed, Vec<u8>) {
    let bench = Bench::new();
    let path = bench.capture(&ethernet(&talk.packets));
    let out = bench.path("out.pcap");
    let mut arguments = vec!["--simulate-ips", "-w", out.to_str().unwrap()];
    arguments.extend(more);
    let replayed = bench.replay(&path, rules, &arguments).clean();
    (replayed, std::fs::read(out).unwrap())
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The beginning of the word leaves, the packet with its end does not.
#[track_caller]
fn stopped(talk: &TcpConversation, rule: &str) {
    for profile in ["suricata", "inline"] {
        let (replayed, left) = passed(talk, rule, &["--profile", profile]);
        assert_eq!(replayed.events.sids(), [1], "{profile}");
        assert!(has(&left, b"begins evil-"), "{profile}");
        assert!(!has(&left, b"word and") && !has(&left, b"behind it"), "{profile}");
    }
}

#[test]
fn an_answer_without_a_length_does_not_wait_for_its_end() {
    let head = b"HTTP/1.0 200 OK\r\nServer: a\r\n\r\n";
    let talk = answered(&[head, b"it begins evil-", b"word and", b"behind it"]);
    stopped(&talk, r#"drop http any any -> any any (msg:"m"; file.data; content:"evil-word"; sid:1;)"#);
}

#[test]
fn text_that_says_it_is_compressed_is_looked_into_as_it_comes() {
    let head = b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    let talk = answered(&[head, b"it begins evil-", b"word and", b"behind it"]);
    stopped(&talk, r#"drop http any any -> any any (msg:"m"; file.data; content:"evil-word"; sid:1;)"#);
}

#[test]
fn a_long_body_is_looked_into_as_it_comes() {
    let head = "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    let talk = posted(head, &[b"it begins evil-", b"word and", b"behind it", &[b'.'; 20_000]]);
    stopped(
        &talk,
        r#"drop http any any -> any any (msg:"m"; http.request_body; content:"evil-word"; sid:1;)"#,
    );
}

#[test]
fn a_file_in_a_form_is_looked_into_as_it_comes() {
    let head = "POST /up HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 6000\r\n\r\n";
    let part = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nit begins evil-";
    let talk = posted(head, &[part, b"word and", b"behind it"]);
    stopped(&talk, r#"drop http any any -> any any (msg:"m"; file.data; content:"evil-word"; sid:1;)"#);
}

/// What a match needs may lie further apart than the look back, as long as it would have been in one first look.
#[test]
fn parts_that_came_long_before_are_still_there_for_the_first_look() {
    let head = "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    let rule = r#"drop http any any -> any any (msg:"m"; http.request_body; content:"first"; content:"evil-word"; distance:9000; sid:1;)"#;
    let talk = posted(head, &[b"first", &[b'.'; 20_000], b"it begins evil-", b"word and", b"behind it"]);
    stopped(&talk, rule);
}

#[test]
fn what_further_bytes_take_back_is_not_concluded_from_a_beginning() {
    let rules = [
        r#"content:"begins"; content:!"excuse";"#,
        r#"content:"begins"; isdataat:!40;"#,
        r#"content:"begins"; bsize:<40;"#,
        r#"content:"begins"; endswith;"#,
        r#"content:"begins"; pcre:!"/excuse/";"#,
    ];
    let rules: Vec<String> = (1..)
        .zip(rules)
        .map(|(sid, steps)| {
            format!("drop http any any -> any any (msg:\"m\"; file.data; {steps} sid:{sid};)")
        })
        .collect();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n";
    let rest = format!("{:.<54}", "and the excuse comes later");
    let talk = answered(&[head, b"begins", rest.as_bytes()]);
    let (replayed, left) = passed(&talk, &rules.join("\n"), &[]);
    assert_eq!(replayed.events.sids(), Vec::<u64>::new());
    assert!(has(&left, b"the excuse"));

    // And is concluded once all is there, also where the end comes by itself.
    let head = b"HTTP/1.0 200 OK\r\nServer: a\r\n\r\n";
    let talk = answered(&[head, b"it ", b"begins"]);
    let (replayed, _) = passed(&talk, &rules.join("\n"), &[]);
    assert_eq!(replayed.events.sids(), [1, 2, 3, 4, 5]);
}

/// Rules of these steps over the buffer, numbered.
fn over(buffer: &str, steps: &[String]) -> String {
    let rule = |(sid, steps): (u64, &String)| {
        format!("alert http any any -> any any (msg:\"m\"; {buffer}; {steps} sid:{sid};)")
    };
    (1..).zip(steps).map(rule).collect::<Vec<String>>().join("\n")
}

/// Both are asked of all of it, also where rules look long before its end.
#[test]
fn the_size_and_the_end_of_a_body_are_judged_when_all_of_it_is_there() {
    let first = b"at the beginning";
    let piece = |byte| [byte; 10_000];
    for pieces in [5, 9] {
        let size = first.len() + pieces * 10_000;
        let yes = [
            format!("bsize:{size};"),
            format!("bsize:>{};", size - 1),
            format!("bsize:{}<>{};", size - 1, size + 1),
            "bsize:>45000;".to_owned(),
            format!("content:\"beginning\"; bsize:{size};"),
            "content:\"beginning\"; bsize:>45000;".to_owned(),
            format!("content:\"zz\"; bsize:{size};"),
            format!("content:\"zzz\"; isdataat:!1,relative; bsize:{size};"),
            "content:\"zzz\"; endswith;".to_owned(),
            format!("content:!\"evil\"; bsize:{size};"),
        ];
        let no = [
            format!("bsize:<{size};"),
            format!("bsize:!{size};"),
            "bsize:40000<>50000;".to_owned(),
            "content:\"beginning\"; bsize:<45000;".to_owned(),
            "content:\"yyy\"; endswith;".to_owned(),
            "content:\"zzz\"; bsize:10000;".to_owned(),
        ];
        let mut body: Vec<[u8; 10_000]> = vec![piece(b'y'); pieces];
        body[pieces - 1][9990..].fill(b'z');
        let all: Vec<&[u8]> = std::iter::once(&first[..]).chain(body.iter().map(|p| &p[..])).collect();
        let asked = posted(&format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"), &all);
        let told = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        let told = answered(&[&[told.as_bytes()][..], &all[..]].concat());
        let closed = answered(&[&[&b"HTTP/1.0 200 OK\r\nServer: a\r\n\r\n"[..]][..], &all[..]].concat());
        let rules = |buffer| over(buffer, &[&yes[..], &no].concat());
        for (talk, buffer) in
            [(&asked, "http.request_body"), (&told, "http.response_body"), (&closed, "file.data")]
        {
            for more in [&[][..], &["--simulate-ips"], &["--simulate-ips", "--profile", "inline"]] {
                let bench = Bench::new();
                let replayed = bench.replay(&bench.capture(&ethernet(&talk.packets)), &rules(buffer), more);
                let mut sids = replayed.clean().events.sids();
                sids.sort_unstable();
                assert_eq!(sids, (1..=yes.len() as u64).collect::<Vec<u64>>(), "{buffer} {pieces} {more:?}");
            }
        }
    }
}

#[test]
fn a_body_that_is_large_enough_does_not_wait_for_its_end() {
    let head = "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    let talk = posted(head, &[b"it begins evil-", &[b'.'; 3000], b"word and", b"behind it", &[b'.'; 20_000]]);
    stopped(
        &talk,
        r#"drop http any any -> any any (msg:"m"; http.request_body; content:"begins"; bsize:>3015; sid:1;)"#,
    );
}

/// Behind a request, without a line's end: some begin as a method does, and none is one.
#[test]
fn content_that_nobody_announced_is_seen_whatever_it_begins_with() {
    for more in ["id=BCDEF", "ABCDEF", "ABCDEF xyz", " ABCDEF", "POSTBCDEF", "GETBCDEF"] {
        for head in [
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        ] {
            let mut talk = TcpConversation::new(v4(1, 4000), v4(2, 80), 7);
            talk.handshake().send(Dir::ToServer, head.as_bytes(), 1000).send(
                Dir::ToServer,
                more.as_bytes(),
                1000,
            );
            talk.send(Dir::ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1000)
                .close(Dir::ToServer);
            let rules = r#"alert http any any -> any any (msg:"m"; http.request_body; content:"BCDEF"; sid:1;)
                alert http any any -> any any (msg:"m"; content:"BCDEF"; sid:2;)
                alert http any any -> any any (msg:"m"; app-layer-event:http.request_body_unexpected; sid:3;)"#;
            for more_words in [&[][..], &["--simulate-ips"]] {
                let bench = Bench::new();
                let replayed = bench.replay(&bench.capture(&ethernet(&talk.packets)), rules, more_words);
                let mut sids = replayed.clean().events.sids();
                sids.sort_unstable();
                assert_eq!(sids, [1, 2, 3], "{more} behind {head} {more_words:?}");
            }
        }
    }
}

#[test]
fn beside_the_line_the_first_look_waits_as_suricatas_does() {
    let head = "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n";
    let talk = posted(head, &[b"it ", WORD, b" and the end"]);
    let bench = Bench::new();
    let path = bench.capture(&ethernet(&talk.packets));
    let rule = r#"alert http any any -> any any (msg:"m"; http.request_body; content:"evil-word"; sid:1;)"#;
    let replayed = bench.replay(&path, rule, &[]).clean();
    let last = replayed.events.of("alert")[0]["pcap_cnt"].as_u64().unwrap();
    let replayed = bench.replay(&path, rule, &["--simulate-ips"]).clean();
    let at_once = replayed.events.of("alert")[0]["pcap_cnt"].as_u64().unwrap();
    assert!(at_once < last, "{at_once} {last}");
}
