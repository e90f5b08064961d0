//! What one end may ask of the other, and in what order.

use super::*;

/// An answer to the negotiation that takes so many bytes at once.
fn offer(read: u32, write: u32) -> Vec<u8> {
    let mut body = vec![65, 0, 0, 0, 0x11, 3, 0, 0];
    body.extend([0; 24]);
    body.extend(read.to_le_bytes());
    body.extend(write.to_le_bytes());
    body.extend([0; 32]);
    body
}

fn negotiated(read: u32, write: u32) -> Bench {
    let mut bench = bench();
    let ask_for = [&[36, 0, 1, 0][..], &[0; 32], &[0x11, 3]].concat();
    bench.data(Dir::ToServer, &session(&[ask(new::NEGOTIATE, 0, 0, &ask_for)]));
    bench.data(Dir::ToClient, &session(&[reply(new::NEGOTIATE, 0, 0, &offer(read, write))]));
    bench
}

#[test]
fn a_server_that_offers_more_than_is_allowed_is_an_event() {
    assert!(negotiated(8 << 20, 8 << 20).events().is_empty());
    assert_eq!(negotiated(17 << 20, 1).events(), ["smb.negotiate_max_read_size_too_large"]);
    assert_eq!(negotiated(1, 17 << 20).events(), ["smb.negotiate_max_write_size_too_large"]);
}

#[test]
fn a_read_or_write_of_more_than_was_offered_is_an_event() {
    let mut bench = negotiated(65_536, 4);
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 1, 5, &write(FILE, 0, b"four"))]));
    assert!(bench.events().is_empty());
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 2, 5, &write(FILE, 4, b"more!"))]));
    assert_eq!(bench.events(), ["smb.write_request_too_large"]);
    let mut asked = read(FILE, 0);
    asked[4..8].copy_from_slice(&65_536u32.to_le_bytes());
    let mut bench = negotiated(65_536, 4);
    bench.data(Dir::ToServer, &session(&[ask(new::READ, 1, 5, &asked)]));
    assert!(bench.events().is_empty());
    asked[4] = 1;
    bench.data(Dir::ToServer, &session(&[ask(new::READ, 2, 5, &asked)]));
    assert_eq!(bench.events(), ["smb.read_request_too_large"]);
    let mut bench = negotiated(4, 4);
    bench.data(Dir::ToClient, &session(&[reply(new::READ, 1, 5, &read_answer(b"more!"))]));
    assert_eq!(bench.events(), ["smb.read_response_too_large"]);
}

#[test]
fn a_second_negotiation_and_a_compound_that_leaves_its_message_are_events() {
    let mut bench = negotiated(1, 1);
    bench.data(Dir::ToServer, &session(&[ask(new::NEGOTIATE, 1, 0, &[36, 0, 0, 0])]));
    assert!(bench.events().contains(&"smb.duplicate_negotiate"));
    let mut bench = self::bench();
    let mut message = ask(new::CLOSE, 3, 5, &close(FILE));
    message[20..24].copy_from_slice(&1000u32.to_le_bytes());
    bench.data(Dir::ToServer, &session(&[message]));
    assert_eq!(bench.events(), ["smb.record_overflow"]);
}

#[test]
fn a_name_without_a_challenge_is_an_event() {
    let setup = |kind: u8| {
        let blob = [&b"NTLMSSP\0"[..], &[kind, 0, 0, 0], &[0; 60]].concat();
        let mut body = vec![25, 0];
        body.extend([0; 10]);
        body.extend(88u16.to_le_bytes());
        body.extend((blob.len() as u16).to_le_bytes());
        body.extend([0; 8]);
        body.extend(blob);
        ask(new::SESSION_SETUP, 1, 0, &body)
    };
    let mut bench = bench();
    for kind in [3, 1, 3] {
        bench.data(Dir::ToServer, &session(&[setup(kind)]));
    }
    assert!(bench.events().is_empty(), "{:?}", bench.events());
    bench.data(Dir::ToServer, &session(&[setup(3)]));
    assert_eq!(bench.events(), ["smb.unusual_ntlmssp_order"]);
}
