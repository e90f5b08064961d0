//! Sessions of each decoder come and go, whole and in pieces. **For a decoder that arrives: its conversation in
//! [`conversations`].**

use super::allocations;
use weir::app::{Apps, Limits, Source, Wanted};
use weir::base::{Dir, FlowTuple, Time};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Sessions until all buffers are as large as they need be, and sessions that count.
const WARM: usize = 20;
const ROUNDS: usize = 20;
const NO_HANDLE: u32 = u32::MAX;

struct Conversation {
    name: &'static str,
    proto: u8,
    port: u16,
    /// What each side says; over UDP a datagram each.
    said: Vec<(Dir, Vec<u8>)>,
}

fn conversation(name: &'static str, proto: u8, port: u16, said: &[(Dir, &[u8])]) -> Conversation {
    Conversation { name, proto, port, said: said.iter().map(|(dir, bytes)| (*dir, bytes.to_vec())).collect() }
}

fn conversations() -> Vec<Conversation> {
    use Dir::{ToClient, ToServer};
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    let answer = b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
    let prefixed = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
    let invite = b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nf: <sip:a@example.com>\r\n\
        User-Agent: a\r\n phone\r\nc: application/sdp\r\nl: 36\r\n\r\nv=0\r\no=a 1 2 IN IP4 192.0.2.1\r\ns=c\r\n";
    let ok = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nContent-Length: 0\r\n\r\n";
    let snmp = b"\x30\x27\x02\x01\x01\x04\x0bwhatever123\xa1\x15\x02\x04\x2b\x13\x3f\x85\x02\x01\0\x02\x01\0\
        \x30\x07\x30\x05\x06\x01\x01\x05\0";
    let mut dhcp = vec![0; 236];
    dhcp[..3].copy_from_slice(&[1, 1, 6]);
    dhcp.extend(b"\x63\x82\x53\x63\x35\x01\x03\x0c\x02pc\x33\x04\0\0\x0e\x10\xff");
    let mut ntp = vec![0; 48];
    ntp[0] = 0x23;
    let (query_tcp, answer_tcp) = (prefixed(query), prefixed(answer));
    vec![
        conversation("dns", UDP, 53, &[(ToServer, query), (ToClient, answer)]),
        conversation("dns over tcp", TCP, 53, &[(ToServer, &query_tcp), (ToClient, &answer_tcp)]),
        conversation("mdns", UDP, 5353, &[(ToServer, query)]),
        conversation("sip", UDP, 5060, &[(ToServer, invite), (ToClient, ok)]),
        conversation("sip over tcp", TCP, 5060, &[(ToServer, invite), (ToClient, ok)]),
        conversation("snmp", UDP, 161, &[(ToServer, snmp)]),
        conversation("dhcp", UDP, 67, &[(ToServer, &dhcp)]),
        conversation("ntp", UDP, 123, &[(ToServer, &ntp)]),
        conversation("tftp", UDP, 69, &[(ToServer, b"\0\x01file\0octet\0")]),
    ]
}

/// As inspection does: all that is there was looked at. How many transactions there were.
fn inspect(apps: &mut Apps, handle: u32) -> usize {
    let Some(state) = apps.get_mut(handle) else { return 0 };
    let seen = state.transactions.len();
    for tx in state.transactions.iter_mut() {
        for dir in Dir::BOTH {
            tx.inspected[dir] = Some(tx.stage(dir));
            tx.changed[dir] = false;
        }
        tx.streamed_mut().iter_mut().for_each(|streamed| streamed.looked_at());
    }
    apps.sweep(handle);
    seen
}

/// One session, in pieces of that size where it is a stream.
fn session(apps: &mut Apps, wanted: &Wanted, conversation: &Conversation, piece: usize) -> usize {
    let Conversation { proto, port, .. } = *conversation;
    let tuple = FlowTuple { sport: 40_000, dport: port, proto, ..FlowTuple::default() };
    let (mut handle, mut seen) = (NO_HANDLE, 0);
    let mut source = Source { tuple, time: Time::from_secs(0), dir: Dir::ToServer, opening_seen: true };
    for (dir, bytes) in &conversation.said {
        source.dir = *dir;
        for piece in bytes.chunks(if proto == TCP { piece } else { bytes.len() }) {
            apps.data(&mut handle, &source, wanted, piece);
            seen += inspect(apps, handle);
        }
    }
    apps.finish(handle, &source);
    apps.release(&mut handle);
    seen
}

#[test]
fn sessions_that_come_and_go_allocate_nothing() {
    let (mut apps, wanted) = (Apps::new(Limits::default()), Wanted::all());
    for conversation in conversations() {
        for piece in [1, 7, usize::MAX] {
            let mut seen = 0;
            for round in 0..WARM + ROUNDS {
                let count = allocations(|| seen += session(&mut apps, &wanted, &conversation, piece));
                assert!(round < WARM || count == 0, "{}: {count}, pieces of {piece}", conversation.name);
            }
            assert!(
                seen >= (WARM + ROUNDS) * conversation.said.len(),
                "{}: {seen} transactions",
                conversation.name
            );
        }
    }
    assert_eq!(apps.memory(), 0);
}
