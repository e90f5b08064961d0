//! `flow:no_stream` and `flow:only_stream`.

use super::*;

#[test]
fn a_rule_without_the_stream_looks_into_packets_of_streams() {
    let text = r#"
        alert tcp any any -> any any (content:"Hi all"; flow:no_stream; sid:1;)
        alert tcp any any -> any any (flow:no_stream; dsize:6; sid:2;)
        alert tcp any any -> any any (content:"Hi all"; flow:only_stream; sid:3;)"#;
    let mut i = inspector(text);
    let segment = packet(Dir::ToServer, 2, b"Hi all");
    let mut state = StateHandle::NONE;
    i.inspect(&segment.facts(), Some(&mut state), Payload::Queued);
    assert_eq!(sids(&i), [1, 2], "it waits for its stream's turn");
    let window = StreamWindow {
        dir: Dir::ToServer,
        bytes: b"Hi all",
        fresh_from: 0,
        offset: 0,
        end: false,
        rest: false,
        memo: None,
    };
    i.inspect(&segment.facts(), Some(&mut state), Payload::Stream(window));
    assert_eq!(sids(&i), [1, 2, 3]);
    i.inspect(&segment.facts(), Some(&mut state), Payload::Stream(StreamWindow { rest: true, ..window }));
    assert_eq!(sids(&i), [3], "a further window is no packet");
}
