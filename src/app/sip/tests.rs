use super::*;
use crate::app::fixture::Bench;
use proptest::prelude::*;

const TO_SERVER: Dir = Dir::ToServer;
const TO_CLIENT: Dir = Dir::ToClient;

fn over_udp() -> Bench {
    Bench::new(AppProto::Sip, Box::new(Sip::default()))
}

fn over_tcp() -> Bench {
    let mut bench = over_udp();
    bench.tuple.proto = ip_proto::TCP;
    bench
}

const SDP: &str = "v=0\r\no=alice 1 2 IN IP4 192.0.2.1\r\ns=call\r\ni=info\r\nb=AS:64\r\nb=CT:1\r\nt=0 0\r\na=sendrecv\r\n\
    m=audio 30000 RTP/AVP 0\r\ni=sound\r\nc=IN IP4 192.0.2.2\r\na=rtpmap:0 pcmu/8000\r\nm=video 30002 RTP/AVP 31\r\n";

fn invite(body: &str) -> String {
    format!(
        "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=1\r\nv: SIP/2.0/UDP b\r\n\
         f: <sip:alice@example.com>\r\nTO : <sip:bob@example.com>\r\nSubject: x\r\nUser-Agent: a\r\n\tphone\r\n\
         Content-Type: Application/SDP;x=y\r\nl: {}\r\n\r\n{body}",
        body.len()
    )
}

const TRYING: &str = "SIP/2.0 100 Trying hard\r\nVia: SIP/2.0/UDP a\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_request_has_its_line_and_its_fields() {
    let mut bench = over_udp();
    bench.data(TO_SERVER, invite(SDP).as_bytes());
    let text = |name| bench.text(0, name).unwrap_or_default();
    assert_eq!(text("sip.request_line"), "INVITE sip:bob@example.com SIP/2.0");
    assert_eq!((text("sip.method"), text("sip.uri")), ("INVITE".into(), "sip:bob@example.com".into()));
    assert_eq!(text("sip.protocol"), "SIP/2.0");
    assert_eq!(bench.texts(0, "sip.via"), ["SIP/2.0/UDP a;branch=1", "SIP/2.0/UDP b"]);
    assert_eq!(text("sip.from"), "<sip:alice@example.com>");
    assert_eq!(text("sip.to"), "<sip:bob@example.com>");
    assert_eq!(text("sip.user_agent"), "a phone");
    assert_eq!(text("sip.content_length"), SDP.len().to_string());
    assert!(bench.complete(0, TO_SERVER) && bench.complete(0, TO_CLIENT));
}

#[test]
fn a_description_tells_the_session_from_its_media() {
    let mut bench = over_udp();
    bench.data(TO_SERVER, invite(SDP).as_bytes());
    assert_eq!(bench.texts(0, "sdp.session_info"), ["info"]);
    assert_eq!(bench.texts(0, "sdp.bandwidth"), ["AS:64", "CT:1"]);
    assert_eq!(bench.texts(0, "sdp.attribute"), ["sendrecv"]);
    assert_eq!(bench.texts(0, "sdp.media.media"), ["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"]);
    assert_eq!(bench.texts(0, "sdp.media.media_info"), ["sound"]);
    assert!(bench.texts(0, "sdp.connection_data").is_empty());
    let mut other = over_udp();
    other.data(TO_SERVER, invite(SDP).replace("Application/SDP", "text/plain").as_bytes());
    assert!(other.texts(0, "sdp.origin").is_empty());
}

#[test]
fn a_response_has_its_code_and_reason() {
    let mut bench = over_udp();
    bench.data(TO_CLIENT, TRYING.as_bytes());
    assert_eq!(bench.text(0, "sip.stat_code").as_deref(), Some("100"));
    assert_eq!(bench.text(0, "sip.stat_msg").as_deref(), Some("Trying hard"));
    assert_eq!(bench.text(0, "sip.response_line").as_deref(), Some("SIP/2.0 100 Trying hard"));
}

#[test]
fn frames_are_the_lines_as_they_came() {
    let mut bench = over_udp();
    bench.data(TO_SERVER, b"ACK sip:a SIP/2.0\r\nVia: b\r\n\r\nbody");
    assert_eq!(bench.text(0, "sip.request.line").as_deref(), Some("ACK sip:a SIP/2.0\r\n"));
    assert_eq!(bench.text(0, "sip.request.headers").as_deref(), Some("Via: b\r\n"));
    assert_eq!(bench.text(0, "sip.request.body").as_deref(), Some("body"));
    assert_eq!(bench.text(0, "sip.pdu").as_deref(), Some("ACK sip:a SIP/2.0\r\nVia: b\r\n\r\nbody"));
}

#[test]
fn keep_alives_are_nothing_and_junk_is_told() {
    for bytes in [&b"\r\n\r\n"[..], b"\0\0\0\0", b"\r\n"] {
        let mut bench = over_udp();
        bench.data(TO_SERVER, bytes);
        assert_eq!(bench.transactions.len(), 0);
    }
    let mut bench = over_udp();
    bench.data(TO_SERVER, b"something else altogether");
    assert_eq!(bench.events(), ["sip.invalid_data"]);
}

#[test]
fn a_body_longer_than_is_kept_does_not_hide_the_next_message() {
    let stream = invite(&"x".repeat(300_000)) + &invite("");
    for size in [1, 1000, stream.len()] {
        let mut bench = over_tcp();
        bench.pieces(TO_SERVER, stream.as_bytes(), size);
        assert_eq!(bench.transactions.len(), 2, "in pieces of {size}");
        assert_eq!(bench.text(0, "sip.request.body").unwrap().len(), 96 << 10);
    }
}

#[test]
fn behind_junk_and_gaps_messages_are_found_again() {
    let mut bench = over_tcp();
    bench.data(TO_SERVER, b"junk\r\nmore junk\r\n\r\n");
    bench.data(TO_SERVER, invite("").as_bytes());
    bench.data(TO_SERVER, &invite(SDP).as_bytes()[..300]);
    bench.gap(TO_SERVER, 10);
    bench.data(TO_SERVER, b"a=rest\r\n\r\n");
    bench.data(TO_SERVER, invite(SDP).as_bytes());
    assert_eq!(bench.events(), ["sip.invalid_data"]);
    // The junk's, and two that are whole.
    assert_eq!(bench.transactions.len(), 3);
}

#[test]
fn a_stream_that_ends_within_a_body_gives_what_came() {
    let mut bench = over_tcp();
    let whole = invite(SDP);
    bench.data(TO_SERVER, &whole.as_bytes()[..whole.len() - 10]);
    assert_eq!(bench.transactions.len(), 0);
    bench.end(TO_SERVER);
    assert_eq!(bench.text(0, "sdp.session_name").as_deref(), Some("call"));
}

#[test]
fn probes_know_first_lines() {
    for yes in
        ["INVITE sip:a SIP/2.0", "OPTIONS SIPS:a", "\r\nSIP/2.0 200 OK", "NOTIFY x SIP/2.0\r\n", "ACK tel:1"]
    {
        assert_eq!(probe(yes.as_bytes()), Probe::Yes, "{yes}");
    }
    for more in ["", "I", "INVITE", "INVITE ", "INVITE si", "SIP/2.0", "OPTIONS x"] {
        assert_eq!(probe(more.as_bytes()), Probe::More, "{more}");
    }
    for no in [
        "GET / HTTP/1.1",
        "OPTIONS / HTTP/1.1\r\n",
        "OPTIONS * RTSP/1.0\n",
        "INFOX ",
        "SIP/3.0 200 OK",
        "\x16\x03",
    ] {
        assert_eq!(probe(no.as_bytes()), Probe::No, "{no}");
    }
}

fn found(bench: &Bench) -> Vec<(Option<String>, Vec<&'static str>)> {
    let each = bench.transactions.iter().enumerate();
    each.map(|(at, tx)| (bench.text(at, "sip.pdu"), tx.events().iter().map(|(_, name)| *name).collect()))
        .collect()
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        over_udp().data(TO_SERVER, &bytes);
        over_tcp().data(TO_SERVER, &bytes);
        let with_line = [b"BYE sip:a SIP/2.0\r\nc:application/sdp\r\n\r\n", &bytes[..]].concat();
        over_udp().data(TO_SERVER, &with_line);
        let _ = probe(&bytes);
    }

    #[test]
    fn any_cutting_of_a_stream_gives_the_same(
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let mut stream = [TRYING, "\r\n\r\n", &invite(SDP), TRYING, &invite("")].concat().into_bytes();
        let len = stream.len();
        for (at, byte) in damage {
            stream[at % len] = byte;
        }
        let mut whole = over_tcp();
        whole.data(TO_SERVER, &stream);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % len).chain([0, len]).collect();
        cuts.sort_unstable();
        let mut pieces = over_tcp();
        for pair in cuts.windows(2) {
            pieces.data(TO_SERVER, &stream[pair[0]..pair[1]]);
        }
        prop_assert_eq!(found(&whole), found(&pieces));
    }
}

#[test]
fn endless_lines_and_heads_take_linear_time() {
    let mut lines = over_tcp();
    let mut heads = over_tcp();
    heads.data(TO_SERVER, b"BYE sip:a SIP/2.0\r\n");
    for at in 0..5_000_000u32 {
        lines.data(TO_SERVER, b"a");
        heads.data(TO_SERVER, if at % 2 == 0 { b"a" } else { b"\n" });
        heads.transactions.clear();
    }
    assert_eq!(lines.events(), ["sip.invalid_data"]);
}

#[test]
fn a_message_that_breaks_off_is_an_event() {
    let mut datagram = over_udp();
    datagram.data(TO_SERVER, b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n");
    assert_eq!(datagram.events(), ["sip.incomplete_data"]);
    let mut stream = over_tcp();
    stream.data(TO_SERVER, b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 9\r\n\r\nhalf");
    assert!(stream.events().is_empty());
    stream.end(TO_SERVER);
    assert_eq!(stream.events(), ["sip.incomplete_data"]);
    let mut whole = over_udp();
    whole.data(TO_SERVER, invite(SDP).as_bytes());
    assert!(whole.events().is_empty());
}
