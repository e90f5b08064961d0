use super::*;
use crate::app::fixture::Bench;
use crate::app::transaction::NoteRef;
use proptest::prelude::*;

fn message(opcode: u8, options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; COOKIE];
    message[..8].copy_from_slice(&[opcode, 1, 6, 0, 0, 0, 0, 9]);
    message[16..20].copy_from_slice(&[192, 0, 2, 7]);
    message[28..34].copy_from_slice(&[0, 1, 2, 3, 4, 5]);
    [&message, &MAGIC[..], options].concat()
}

fn bench(bytes: &[u8]) -> Bench {
    let mut bench = Bench::new(AppProto::Dhcp, Box::new(Dhcp));
    bench.data(Dir::ToClient, bytes);
    bench
}

const ACK: &[u8] = &[53, 1, 5, 0, 51, 4, 0, 0, 0x0e, 0x10, 58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 0x0b, 0xd6, 255];

#[test]
fn times_are_fields() {
    let bench = bench(&message(2, ACK));
    assert_eq!(bench.numbers(0, "dhcp.leasetime"), [3600]);
    assert_eq!(bench.numbers(0, "dhcp.renewal_time"), [1800]);
    assert_eq!(bench.numbers(0, "dhcp.rebinding_time"), [3030]);
    assert!(bench.events().is_empty() && bench.complete(0, Dir::ToClient));
}

#[test]
fn notes_tell_who_got_what() {
    let bench = bench(&message(2, ACK));
    let tx = bench.transactions.iter().next().unwrap();
    let text = |wanted: &str| {
        tx.notes().find(|(name, _)| *name == wanted).and_then(|(_, value)| match value {
            NoteRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        })
    };
    assert_eq!(text("type").as_deref(), Some("reply"));
    assert_eq!(text("client_mac").as_deref(), Some("00:01:02:03:04:05"));
    assert_eq!(text("assigned_ip").as_deref(), Some("192.0.2.7"));
    assert_eq!(text("dhcp_type").as_deref(), Some("ack"));
}

#[test]
fn options_that_break_off_or_do_not_fit_are_told() {
    assert_eq!(bench(&message(1, &[12, 5, b'a'])).events(), ["dhcp.truncated_options"]);
    assert_eq!(bench(&message(1, &[12])).events(), ["dhcp.truncated_options"]);
    assert_eq!(bench(&message(1, &[])).events(), ["dhcp.truncated_options"]);
    assert_eq!(bench(&message(1, &[51, 2, 0, 0, 255])).events(), ["dhcp.malformed_options"]);
    assert!(Header::read(&message(3, &[255])).is_none());
    assert!(Header::read(&message(1, &[])[..COOKIE + 3]).is_none());
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        options in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        bench(&bytes);
        bench(&message(1, &options));
    }
}
