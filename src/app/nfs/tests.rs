use super::*;
use crate::app::fixture::Bench;
use crate::app::{Next, NoteRef};
use crate::base::FlowTuple;
use crate::wire::ip_proto;
use proptest::prelude::*;

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn opaque(bytes: &[u8]) -> Vec<u8> {
    let mut all = words(&[bytes.len() as u32]);
    all.extend_from_slice(bytes);
    all.resize(all.len().next_multiple_of(4), 0);
    all
}

fn call(xid: u32, version: u32, procedure: u32, args: &[u8]) -> Vec<u8> {
    let mut bytes = words(&[xid, 0, 2, 100_003, version, procedure, 1, 4, 0xaaaa, 0, 0]);
    bytes.extend_from_slice(args);
    bytes
}

fn reply(xid: u32, results: &[u8]) -> Vec<u8> {
    let mut bytes = words(&[xid, 1, 0, 0, 0, 0]);
    bytes.extend_from_slice(results);
    bytes
}

fn record(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32 | 0x8000_0000).to_be_bytes()[..], message].concat()
}

/// The same in fragments of `size` bytes, an empty one among them.
fn fragments(message: &[u8], size: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut pieces = message.chunks(size).peekable();
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() { 0x8000_0000 } else { 0 };
        all.extend((piece.len() as u32 | last).to_be_bytes());
        all.extend(piece);
        if last == 0 {
            all.extend([0; 4]);
        }
    }
    all
}

fn write(handle: &[u8], offset: u32, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u32;
    [opaque(handle), words(&[0, offset, len, 0]), opaque(data)].concat()
}

fn bench() -> Bench {
    Bench::new(AppProto::Nfs, (ENTRY.make.unwrap())())
}

#[test]
fn a_call_and_its_reply_are_a_transaction() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &record(&call(1, 3, 0, &[])));
    bench.data(Dir::ToServer, &record(&call(2, 3, 1, &opaque(b"handle"))));
    assert_eq!(bench.numbers(0, "nfs.version"), [3]);
    assert_eq!(bench.numbers(0, "nfs_procedure"), [1]);
    assert!(bench.complete(0, Dir::ToServer) && !bench.complete(0, Dir::ToClient));
    bench.data(Dir::ToClient, &record(&reply(2, &words(&[0]))));
    assert!(bench.complete(0, Dir::ToClient));
    assert_eq!(bench.transactions.len(), 1, "a call that asks nothing is none");
}

#[test]
fn a_record_says_who_called_and_what_was_renamed() {
    let mut bench = bench();
    let credentials = [words(&[7]), opaque(b"host1"), words(&[1000, 100, 0])].concat();
    let rename = [opaque(b"dir"), opaque(b"old"), opaque(b"dir"), opaque(b"new.txt")].concat();
    let mut bytes = words(&[9, 0, 2, 100_003, 3, 14, 1]);
    bytes.extend([opaque(&credentials), words(&[0, 0]), rename].concat());
    bench.data(Dir::ToServer, &record(&bytes));
    bench.data(Dir::ToClient, &record(&reply(9, &words(&[0]))));
    let tx = bench.transactions.iter().next().unwrap();
    let said = tx.notes().map(|(name, value)| match value {
        NoteRef::Text(text) => format!("{name} {}", String::from_utf8_lossy(text)),
        NoteRef::Number(number) => format!("{name} {number}"),
        other => format!("{name} {other:?}"),
    });
    let said = said.collect::<Vec<_>>().join(", ");
    let expected = "version 3, id 0, procedure RENAME, type request, file_tx Bool(false), filename old, rename.from old, \
                    rename.to new.txt, /rpc.xid 9, /rpc.auth_type UNIX, /rpc.creds.machine_name host1, \
                    /rpc.creds.uid 1000, /rpc.creds.gid 100, /rpc.status ACCEPTED, status OK";
    assert_eq!(said, expected);
}

#[test]
fn a_file_has_the_name_that_was_looked_up() {
    let mut bench = bench();
    let lookup = [opaque(b"dir"), opaque(b"a.txt")].concat();
    bench.data(Dir::ToServer, &record(&call(1, 3, 3, &lookup)));
    bench.data(Dir::ToClient, &record(&reply(1, &[words(&[0]), opaque(b"file")].concat())));
    bench.data(Dir::ToServer, &record(&call(2, 3, 7, &write(b"file", 0, b"one "))));
    bench.data(Dir::ToServer, &record(&call(3, 3, 7, &write(b"file", 4, b"two"))));
    assert_eq!(bench.streamed(1, "file.data").unwrap(), "one two");
    assert_eq!(bench.text(1, "file.name").unwrap(), "a.txt");
    assert_eq!(bench.numbers(1, "nfs_procedure"), [7]);
    bench.data(Dir::ToServer, &record(&call(4, 3, 21, &opaque(b"file"))));
    assert!(bench.complete(1, Dir::ToServer) && bench.complete(1, Dir::ToClient));
    assert_eq!(bench.transactions.len(), 3);
}

#[test]
fn what_is_written_backwards_is_one_file_too() {
    let mut bench = bench();
    for (xid, at, piece) in [(1, 4, b"ward"), (2, 0, b"back")] {
        bench.data(Dir::ToServer, &record(&call(xid, 3, 7, &write(b"file", at, piece))));
    }
    let streamed = bench.transactions.iter().next().unwrap().streamed();
    let files: Vec<_> = streamed.iter().map(|s| String::from_utf8_lossy(s.kept()).into_owned()).collect();
    assert_eq!(files, ["ward", "backward"]);
}

#[test]
fn what_is_read_is_a_file_too() {
    let mut bench = bench();
    let args = [opaque(b"file"), words(&[0, 0, 100])].concat();
    bench.data(Dir::ToServer, &record(&call(1, 3, 6, &args)));
    let answer = [words(&[0, 0, 11, 1]), opaque(b"hello world")].concat();
    let whole = record(&reply(1, &answer));
    bench.data(Dir::ToClient, &whole);
    assert_eq!(bench.streamed(1, "file.data").unwrap(), "hello world");
    assert!(bench.complete(0, Dir::ToClient) && bench.complete(1, Dir::ToServer));
}

#[test]
fn data_is_not_waited_for_and_may_have_holes() {
    let mut bench = bench();
    let bytes = record(&call(2, 3, 7, &write(b"file", 0, &[b'x'; 5000])));
    bench.data(Dir::ToServer, &bytes[..2000]);
    assert!(bench.streamed(0, "file.data").unwrap().len() > 1500);
    assert_eq!(bench.gap(Dir::ToServer, 1000), Next::More);
    bench.data(Dir::ToServer, &bytes[3000..]);
    bench.data(Dir::ToServer, &record(&call(3, 3, 1, &opaque(b"handle"))));
    assert_eq!(bench.numbers(1, "nfs_procedure"), [1]);
    let tx = bench.transactions.iter().next().unwrap();
    assert_eq!(tx.files().len(), 2);
    assert!(tx.files()[0].truncated);
    assert_eq!(bench.gap(Dir::ToServer, 1000), Next::Stop);
}

#[test]
fn a_compounds_operations_are_its_procedures() {
    let mut bench = bench();
    let mut args =
        [opaque(b"tag"), words(&[0, 3, 22]), opaque(b"file"), words(&[38, 0, 0, 0, 0, 0, 0, 1])].concat();
    args.extend(opaque(b"data"));
    bench.data(Dir::ToServer, &record(&call(1, 4, 1, &args)));
    assert_eq!(bench.numbers(0, "nfs_procedure"), [22, 38, 7]);
    assert_eq!(bench.streamed(0, "file.data").unwrap(), "data");
}

#[test]
fn a_datagram_is_a_message() {
    let mut bench = bench();
    bench.tuple = FlowTuple { proto: ip_proto::UDP, ..bench.tuple };
    let bytes = call(1, 2, 17, &[0; 32]);
    assert_eq!(probe(Dir::ToServer, &bytes), Probe::Yes);
    bench.data(Dir::ToServer, &bytes);
    bench.data(Dir::ToServer, &call(2, 2, 8, &[&[7; 32][..], &words(&[0, 0, 0]), &opaque(b"old")].concat()));
    assert_eq!((bench.numbers(0, "nfs.version"), bench.numbers(0, "nfs_procedure")), (vec![2], vec![17]));
    assert_eq!(bench.streamed(1, "file.data").unwrap(), "old");
}

#[test]
fn probing_asks_for_a_call() {
    let whole = record(&call(1, 3, 1, &opaque(b"handle")));
    assert_eq!(probe(Dir::ToServer, &whole), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &whole[..10]), Probe::More);
    assert_eq!(probe(Dir::ToClient, &whole), Probe::No);
    let answer = record(&reply(1, &words(&[0])));
    assert_eq!((probe(Dir::ToClient, &answer), probe(Dir::ToServer, &answer)), (Probe::Yes, Probe::No));
    assert_eq!(probe(Dir::ToClient, &answer[4..]), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"), Probe::No);
}

#[test]
fn a_record_is_what_its_fragments_say_together() {
    for size in [1, 4, 23, 40, 1023, 1024, 1500] {
        let mut bench = bench();
        let first = fragments(&call(1, 3, 3, &[opaque(b"dir"), opaque(b"a.txt")].concat()), size);
        assert_eq!(probe(Dir::ToServer, &first), Probe::Yes, "{size}");
        bench.data(Dir::ToServer, &first);
        bench.data(Dir::ToServer, &fragments(&call(2, 3, 7, &write(b"file", 0, &[b'x'; 3000])), size));
        bench.data(Dir::ToServer, &fragments(&call(3, 3, 1, &opaque(b"file")), size));
        assert!(bench.events().is_empty(), "{size}");
        assert_eq!(bench.numbers(0, "nfs_procedure"), [3], "{size}");
        assert_eq!(bench.streamed(1, "file.data").unwrap(), "x".repeat(3000), "{size}");
        assert_eq!(bench.numbers(2, "nfs_procedure"), [1], "{size}");
    }
}

#[test]
fn what_is_no_message_is_an_event() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &record(&[9; 60]));
    assert_eq!(bench.events(), ["nfs.malformed_data"]);
    assert_eq!(bench.data(Dir::ToServer, &[0x7f; 60]), Next::Broken);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(size in 1usize..700, fragment in 1usize..3000) {
        let messages = [
            call(1, 3, 3, &[opaque(b"dir"), opaque(b"name")].concat()),
            call(2, 3, 7, &write(b"file", 0, &[b'x'; 3000])),
            call(3, 3, 7, &write(b"file", 3000, b"end")),
            call(4, 3, 21, &opaque(b"file")),
        ];
        let bytes = messages.each_ref().map(|message| record(message)).concat();
        let in_fragments = messages.each_ref().map(|message| fragments(message, fragment)).concat();
        let (mut whole, mut cut) = (bench(), bench());
        whole.data(Dir::ToServer, &bytes);
        cut.pieces(Dir::ToServer, &in_fragments, size);
        prop_assert_eq!(whole.transactions.len(), 3);
        for at in 0..3 {
            prop_assert_eq!(whole.streamed(at, "file.data"), cut.streamed(at, "file.data"));
            prop_assert_eq!(whole.numbers(at, "nfs_procedure"), cut.numbers(at, "nfs_procedure"));
        }
    }

    #[test]
    fn no_bytes_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12), udp: bool, size in 1usize..200) {
        let mut bytes = [
            record(&call(1, 3, 3, &[opaque(b"dir"), opaque(b"name")].concat())),
            record(&call(2, 3, 7, &write(b"file", 0, b"data"))),
            record(&call(2, 4, 1, &[opaque(b""), words(&[0, 2, 22]), opaque(b"f"), words(&[25, 0, 0, 0, 0, 0, 0, 9])].concat())),
            record(&reply(2, &[opaque(b""), words(&[0, 2, 22, 0, 25, 0, 1]), opaque(b"f")].concat())),
        ]
        .concat();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes) = byte;
        }
        let mut bench = bench();
        if udp {
            bench.tuple = FlowTuple { proto: ip_proto::UDP, ..bench.tuple };
        }
        bench.pieces(Dir::ToServer, &bytes, size);
        bench.pieces(Dir::ToClient, &bytes, size);
    }
}

#[test]
fn a_version_that_never_was_is_an_event() {
    for (version, expected) in [(3, &[][..]), (9, &["nfs.non_existing_version"])] {
        let mut bench = bench();
        bench.data(Dir::ToServer, &record(&call(1, 3, 1, &opaque(b"handle"))));
        bench.data(Dir::ToServer, &record(&call(2, version, 1, &opaque(b"handle"))));
        assert_eq!(bench.events(), expected);
    }
}
