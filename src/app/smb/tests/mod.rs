mod limits;
mod messages;

use super::command::{smb1 as old, smb2 as new};
use super::*;
use crate::app::Next;
use crate::app::fixture::Bench;
use messages::*;
use proptest::prelude::*;

#[test]
fn a_share_and_a_share_of_pipes_have_buffers_of_their_own() {
    let bench = opened("\\\\host\\docs", "x");
    assert_eq!(bench.text(0, "smb.share").unwrap(), "\\\\host\\docs");
    assert_eq!(bench.text(0, "smb.named_pipe"), None);
    let bench = opened("\\\\host\\IPC$", "svcctl");
    assert_eq!(bench.text(0, "smb.named_pipe").unwrap(), "\\\\host\\IPC$");
    assert_eq!((bench.text(0, "smb.share"), bench.numbers(0, "smb.version")), (None, vec![2, 2]));
    assert!(bench.complete(0, Dir::ToServer) && bench.complete(0, Dir::ToClient));
}

/// `smb-filename`, `flow-tx-cnt`: rules look at a request when the client speaks again.
#[test]
fn a_share_of_pipes_is_a_share_for_rules_that_look_before_its_answer() {
    const IPC: &str = "\\\\host\\IPC$";
    let answers = [
        (
            session(&[ask(new::TREE_CONNECT, 1, 0, &tree_connect(IPC))]),
            session(&[reply(new::TREE_CONNECT, 1, 5, &[16, 0, 2, 0])]),
        ),
        (
            session(&[tree_connect_andx(IPC, "?????")]),
            session(&[smb1(old::TREE_CONNECT_ANDX, true, &[0xff, 0, 0, 0, 1, 0], b"IPC\0")]),
        ),
    ];
    for (request, answer) in answers {
        for (looks_first, wanted) in [(false, "smb.named_pipe"), (true, "smb.share")] {
            let mut bench = bench();
            bench.data(Dir::ToServer, &request);
            assert_eq!(bench.text(0, "smb.share").as_deref(), Some(IPC));
            if looks_first {
                bench.transactions.iter_mut().for_each(|tx| tx.looked_at(Dir::ToServer));
            }
            bench.data(Dir::ToClient, &answer);
            assert_eq!(bench.text(0, wanted).as_deref(), Some(IPC));
            assert_eq!(bench.texts(0, "smb.share").len() + bench.texts(0, "smb.named_pipe").len(), 1);
        }
        let mut bench = bench();
        bench.limits.at_once = true;
        bench.data(Dir::ToServer, &request);
        assert_eq!(bench.text(0, "smb.named_pipe").as_deref(), Some(IPC), "by its name");
    }
}

#[test]
fn what_is_written_is_a_file() {
    let mut bench = opened("\\\\host\\docs", "dir\\a.txt");
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 3, 5, &write(FILE, 0, b"one "))]));
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 4, 5, &write(FILE, 4, b"two"))]));
    assert_eq!(bench.streamed(2, "file.data").unwrap(), "one two");
    assert!(!bench.complete(2, Dir::ToServer));
    bench.data(Dir::ToServer, &session(&[ask(new::CLOSE, 5, 5, &close(FILE))]));
    assert!(bench.complete(2, Dir::ToServer) && bench.complete(2, Dir::ToClient));
    let tx = bench.transactions.iter().nth(2).unwrap();
    let file = &tx.files()[0];
    assert_eq!((tx.file_name(file), file.size, file.closed), (&b"dir\\a.txt"[..], 7, true));
    assert!(!file.truncated);
}

/// Each piece alone, and all of them in their order.
#[test]
fn what_is_written_backwards_is_one_file_too() {
    let mut bench = opened("\\\\host\\docs", "a.txt");
    for (message, at, piece) in [(3, 8, b"file"), (4, 4, b"wird"), (5, 0, b"back")] {
        bench.data(Dir::ToServer, &session(&[ask(new::WRITE, message, 5, &write(FILE, at, piece))]));
    }
    let files = bench.transactions.iter().nth(2).unwrap().streamed();
    let files: Vec<_> = files.iter().map(|s| String::from_utf8_lossy(s.kept()).into_owned()).collect();
    assert!(files.contains(&"file".to_owned()) && files.contains(&"backwirdfile".to_owned()), "{files:?}");
}

#[test]
fn what_is_read_is_a_file_though_its_record_is_not_whole() {
    let mut bench = opened("\\\\host\\docs", "a.txt");
    bench.data(Dir::ToServer, &session(&[ask(new::READ, 3, 5, &read(FILE, 0))]));
    let answer = session(&[reply(new::READ, 3, 5, &read_answer(b"the file's bytes"))]);
    bench.data(Dir::ToClient, &answer[..answer.len() - 6]);
    assert_eq!(bench.streamed(2, "file.data").unwrap(), "the file's");
    assert!(bench.complete(1, Dir::ToClient) && !bench.complete(2, Dir::ToClient));
}

#[test]
fn messages_may_be_compounded() {
    let mut bench = opened("\\\\host\\docs", "other");
    let related = files::RELATED;
    bench.data(
        Dir::ToServer,
        &session(&[
            chained(ask(new::CREATE, 3, 5, &create("new.txt"))),
            chained(ask(new::WRITE, 4, 5, &write(related, 0, b"all of it"))),
            ask(new::CLOSE, 5, 5, &close(related)),
        ]),
    );
    assert_eq!(bench.transactions.len(), 5);
    assert_eq!(bench.streamed(3, "file.data").unwrap(), "all of it");
    assert_eq!(bench.text(3, "file.name").unwrap(), "new.txt");
    assert!(bench.complete(3, Dir::ToClient));
}

/// What is opened, read and closed before the server has said a word.
fn read_and_closed(requests: &[Vec<u8>]) -> Bench {
    let mut bench = opened("\\\\host\\docs", "other");
    bench.data(Dir::ToServer, &session(requests));
    bench.data(
        Dir::ToClient,
        &session(&[
            chained(reply(new::CREATE, 3, 5, &created([9; 16]))),
            chained(reply(new::READ, 4, 5, &read_answer(b"all of it"))),
            reply(new::CLOSE, 5, 5, &[60, 0, 0, 0]),
        ]),
    );
    bench
}

#[test]
fn what_a_compound_opens_reads_and_closes_is_a_file_with_its_name() {
    let bench = read_and_closed(&[
        chained(ask(new::CREATE, 3, 5, &create("new.txt"))),
        chained(ask(new::READ, 4, 5, &read(files::RELATED, 0))),
        ask(new::CLOSE, 5, 5, &close(files::RELATED)),
    ]);
    let named = bench.transactions.iter().find(|tx| !tx.files().is_empty()).unwrap();
    let file = &named.files()[0];
    assert_eq!((named.file_name(file), file.size, file.closed), (&b"new.txt"[..], 9, true));
    assert!(!file.truncated);
}

#[test]
fn a_handle_that_is_given_anew_means_the_new_file() {
    let mut bench = opened("\\\\host\\docs", "old.txt");
    bench.data(Dir::ToServer, &session(&[ask(new::CREATE, 3, 5, &create("new.txt"))]));
    bench.data(Dir::ToClient, &session(&[reply(new::CREATE, 3, 5, &created(FILE))]));
    bench.data(Dir::ToServer, &session(&[ask(new::READ, 4, 5, &read(FILE, 0))]));
    bench.data(Dir::ToClient, &session(&[reply(new::READ, 4, 5, &read_answer(b"bytes"))]));
    assert_eq!(bench.text(3, "file.name").unwrap(), "new.txt");
}

#[test]
fn a_gap_in_data_ends_the_piece_and_loses_no_message() {
    let mut bench = opened("\\\\host\\docs", "a.txt");
    let message = session(&[ask(new::WRITE, 3, 5, &write(FILE, 0, b"0123456789"))]);
    let (first, rest) = message.split_at(message.len() - 8);
    bench.data(Dir::ToServer, first);
    bench.gap(Dir::ToServer, 3);
    bench.data(Dir::ToServer, &rest[3..]);
    bench.data(Dir::ToServer, &session(&[ask(new::CLOSE, 4, 5, &close(FILE))]));
    let tx = bench.transactions.iter().nth(2).unwrap();
    let kept: Vec<_> =
        tx.streamed().iter().filter(|s| s.id.get().name == "file.data").map(|s| s.kept()).collect();
    assert_eq!(kept, [&b"01"[..], b"56789"]);
    assert!(tx.files()[0].truncated && bench.complete(3, Dir::ToServer));
}

#[test]
fn behind_a_gap_the_next_message_is_found() {
    let mut bench = opened("\\\\host\\docs", "a.txt");
    let message = session(&[ask(new::CLOSE, 3, 5, &close(FILE))]);
    for size in [1, 7, 1000] {
        bench.data(Dir::ToServer, &message[..20]);
        bench.gap(Dir::ToServer, 1000);
        let mut later = b"SMB of no account \xfeSMB".to_vec();
        later.extend_from_slice(&message);
        let before = bench.transactions.len();
        assert_eq!(bench.pieces(Dir::ToServer, &later, size), Next::More);
        assert_eq!(bench.transactions.len(), before + 1);
    }
    assert!(bench.events().is_empty());
}

#[test]
fn a_pipe_carries_calls_by_write_and_read() {
    let mut bench = opened("\\\\host\\IPC$", "svcctl");
    let call = rpc(0, b"question");
    let (first, second) = call.split_at(11);
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 3, 5, &write(FILE, 0, first))]));
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 4, 5, &write(FILE, 0, second))]));
    bench.data(Dir::ToServer, &session(&[ask(new::READ, 5, 5, &read(FILE, 0))]));
    bench.data(Dir::ToClient, &session(&[reply(new::READ, 5, 5, &read_answer(&rpc(2, b"answer")))]));
    assert_eq!(bench.texts(2, "dcerpc.stub_data"), ["question", "answer"]);
    assert_eq!(bench.numbers(2, "dcerpc.opnum"), [12, 12]);
    assert!(bench.complete(2, Dir::ToClient));
}

#[test]
fn a_pipe_carries_calls_by_ioctl() {
    let ioctl = |data: &[u8], is_answer: bool| {
        let mut body = vec![57, 0, 0, 0, 0x17, 0xc0, 0x11, 0];
        body.extend(FILE);
        let (input, output) = if is_answer { (0, data.len()) } else { (data.len(), 0) };
        body.extend(120u32.to_le_bytes());
        body.extend((input as u32).to_le_bytes());
        if !is_answer {
            body.extend([0; 4]);
        }
        body.extend(120u32.to_le_bytes());
        body.extend((output as u32).to_le_bytes());
        body.resize(56, 0);
        body.extend_from_slice(data);
        body
    };
    let mut bench = opened("\\\\host\\IPC$", "svcctl");
    bench.data(Dir::ToServer, &session(&[ask(new::IOCTL, 3, 5, &ioctl(&rpc(0, b"question"), false))]));
    let pending = smb2(new::IOCTL, 3, header::STATUS_PENDING, 3, 0, &[9, 0, 0, 0, 0, 0, 0, 0]);
    bench.data(Dir::ToClient, &session(&[pending]));
    bench.data(Dir::ToClient, &session(&[reply(new::IOCTL, 3, 5, &ioctl(&rpc(2, b"answer"), true))]));
    assert_eq!(bench.texts(2, "dcerpc.stub_data"), ["question", "answer"]);
}

#[test]
fn a_handle_that_nobody_saw_opened_tells_by_its_data() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 3, 5, &write(FILE, 0, &rpc(0, b"stub")))]));
    assert_eq!(bench.text(0, "dcerpc.stub_data").unwrap(), "stub");
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 4, 5, &write([8; 16], 100, b"no call at all"))]));
    assert_eq!(bench.streamed(1, "file.data").unwrap(), "no call at all");
}

#[test]
fn what_all_pipes_hold_is_bounded() {
    let mut bench = bench();
    let mut start = rpc(0, &[7; 60_000]);
    start.truncate(50_000);
    for n in 0..100 {
        let mut handle = [0; 16];
        handle[0] = n;
        bench.data(Dir::ToServer, &session(&[ask(new::WRITE, n.into(), 5, &write(handle, 0, &start))]));
    }
    // The last one lost what it held: what ends it is no unit.
    let mut handle = [0; 16];
    handle[0] = 99;
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 200, 5, &write(handle, 0, &[7; 10_024]))]));
    assert_eq!(bench.transactions.len(), 0);
    // The first did not.
    bench.data(Dir::ToServer, &session(&[ask(new::WRITE, 201, 5, &write([0; 16], 0, &[7; 10_024]))]));
    assert_eq!(bench.text(0, "dcerpc.stub_data").map(|stub| stub.len()), Some(60_000));
}

#[test]
fn smb1_shares_and_files() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &session(&[tree_connect_andx("\\\\host\\docs", "?????")]));
    let answer = smb1(old::TREE_CONNECT_ANDX, true, &[0xff, 0, 0, 0, 1, 0], b"A:\0");
    bench.data(Dir::ToClient, &session(&[answer]));
    let mut words = vec![0xff];
    words.extend([0; 47]);
    let mut name = vec![0];
    name.extend(wide("\\a.txt"));
    bench.data(Dir::ToServer, &session(&[smb1(old::NT_CREATE_ANDX, false, &words, &name)]));
    let mut words = vec![0xff, 0, 0, 0, 0, 0, 0x40];
    words.extend([0; 61]);
    bench.data(Dir::ToClient, &session(&[smb1(old::NT_CREATE_ANDX, true, &words, &[])]));
    bench.data(Dir::ToServer, &session(&[write_andx(5, b"padded data")]));
    bench.data(Dir::ToServer, &session(&[smb1(old::CLOSE, false, &[0, 0x40, 0, 0, 0, 0], &[])]));
    assert_eq!(bench.text(0, "smb.share").unwrap(), "\\\\host\\docs");
    assert_eq!(bench.text(2, "file.name").unwrap(), "\\a.txt");
    assert_eq!(bench.streamed(2, "file.data").unwrap(), "padded data");
    assert!(bench.complete(2, Dir::ToServer));
    assert_eq!(bench.numbers(2, "smb.version"), [1, 1]);
}

#[test]
fn smb1_pipes_by_their_service() {
    let mut bench = bench();
    bench.limits.at_once = true;
    bench.data(Dir::ToServer, &session(&[tree_connect_andx("\\\\host\\pipes", "IPC")]));
    assert_eq!(bench.text(0, "smb.named_pipe").unwrap(), "\\\\host\\pipes");
    let data = rpc(0, b"question");
    let mut words = vec![0; 22];
    words.extend((data.len() as u16).to_le_bytes());
    words.extend(67u16.to_le_bytes());
    words.extend([2, 0, 0x26, 0, 0, 0x40]);
    bench.data(Dir::ToServer, &session(&[smb1(old::TRANSACTION, false, &words, &data)]));
    assert_eq!(bench.text(1, "dcerpc.stub_data").unwrap(), "question");
}

#[test]
fn the_user_is_found_in_a_session_setup() {
    let (domain, user) = (wide("CORP"), wide("ann"));
    let mut blob = b"wrapped NTLMSSP\0\x03\0\0\0".to_vec();
    let (at, user_at) = (64u32, 64 + domain.len() as u32);
    blob.extend([0; 16]);
    for (offset, text) in [(at, &domain), (user_at, &user), (user_at, &Vec::new())] {
        blob.extend((text.len() as u16).to_le_bytes());
        blob.extend([0, 0]);
        blob.extend(offset.to_le_bytes());
    }
    blob.extend([0; 8]);
    blob.extend([1, 0, 0, 0]);
    blob.extend([domain, user].concat());
    let setup = |blob: &[u8]| {
        let mut body = vec![25, 0];
        body.extend([0; 10]);
        body.extend(88u16.to_le_bytes());
        body.extend((blob.len() as u16).to_le_bytes());
        body.extend([0; 8]);
        body.extend_from_slice(blob);
        session(&[ask(new::SESSION_SETUP, 1, 0, &body)])
    };
    let mut bench = bench();
    bench.data(Dir::ToServer, &setup(&blob));
    assert_eq!(bench.text(0, "smb.ntlmssp_user").unwrap(), "ann");
    assert_eq!(bench.text(0, "smb.ntlmssp_domain").unwrap(), "CORP");
    assert!(bench.events().is_empty());
    bench.data(Dir::ToServer, &setup(&blob[..30]));
    assert_eq!(bench.events(), ["smb.malformed_ntlmssp_request"]);
}

#[test]
fn what_is_wrong_is_an_event() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &session(&[reply(new::CLOSE, 1, 0, &[])]));
    bench.data(Dir::ToClient, &session(&[ask(new::CLOSE, 1, 0, &[])]));
    bench.data(Dir::ToServer, &session(&[ask(new::CLOSE, 1, 0, &[0; 4])]));
    bench.data(Dir::ToServer, &session(&[smb1(old::NEGOTIATE, false, &[], b"\x02NT LM 0.12\0\x03bad\0")]));
    let mut events = bench.events();
    events.sort_unstable();
    events.dedup();
    assert_eq!(
        events,
        [
            "smb.malformed_data",
            "smb.negotiate_malformed_dialects",
            "smb.request_to_client",
            "smb.response_to_server"
        ]
    );
}

#[test]
fn frames_grow_with_their_data() {
    let mut bench = opened("\\\\host\\docs", "a.txt");
    let message = session(&[ask(new::WRITE, 3, 5, &write(FILE, 0, b"0123456789"))]);
    bench.data(Dir::ToServer, &message[..message.len() - 4]);
    let frame = |bench: &Bench, name: &str| {
        let tx = bench.transactions.iter().nth(2).unwrap();
        tx.streamed().iter().find(|s| s.id.get().name == name).map(|s| (s.kept().len(), s.ended))
    };
    assert_eq!(frame(&bench, "smb2.data"), Some((48 + 6, false)));
    bench.data(Dir::ToServer, &message[message.len() - 4..]);
    assert_eq!(frame(&bench, "smb2.data"), Some((48 + 10, true)));
    assert_eq!(frame(&bench, "smb.nbss.pdu"), Some((message.len(), true)));
    assert_eq!(bench.text(0, "smb2.hdr").unwrap().chars().count(), 64);
}

#[test]
fn probing_knows_messages_by_their_magic() {
    for (bytes, expected) in [
        (&b"\0\0\0\x40\xfeSMB"[..], Probe::Yes),
        (b"\0\0\0\x40\xffS", Probe::More),
        (b"\x81\0\0\x44", Probe::Yes),
        (b"\x81\0", Probe::More),
        (b"\x81\0\0\x45", Probe::No),
        (b"\0\0\0\x40\xfeHTTP", Probe::No),
        (b"GET /", Probe::No),
    ] {
        assert_eq!(probe(Dir::ToServer, bytes), expected, "{bytes:?}");
    }
}

#[test]
fn junk_and_records_without_end_cost_no_memory() {
    let mut bench = bench();
    let mut endless = b"\0\xff\xff\xff\xfeSMB".to_vec();
    endless.resize(10 << 20, b'S');
    for piece in endless.chunks(1460) {
        assert_eq!(bench.data(Dir::ToServer, piece), Next::More);
    }
    bench.gap(Dir::ToClient, 5);
    for piece in b"\0\0SMB".repeat(2 << 20).chunks(1460) {
        bench.data(Dir::ToClient, piece);
    }
    assert!(bench.transactions.len() <= 2);
}

fn dialogue() -> Vec<u8> {
    [
        session(&[tree_connect_andx("\\\\host\\x", "IPC")]),
        session(&[ask(new::TREE_CONNECT, 1, 0, &tree_connect("\\\\h\\s"))]),
        vec![0x85, 0, 0, 0],
        session(&[
            chained(ask(new::CREATE, 2, 5, &create("new.txt"))),
            chained(ask(new::WRITE, 3, 5, &write(files::RELATED, 0, b"all of it"))),
            ask(new::WRITE, 4, 5, &write(files::RELATED, 9, b" and more")),
        ]),
        session(&[write_andx(3, &rpc(0, b"stub"))]),
        b"\0\0\0\x0a\xfdSMBsecret".to_vec(),
        session(&[ask(new::CLOSE, 5, 5, &close(files::RELATED))]),
    ]
    .concat()
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(cuts in proptest::collection::vec(1usize..90, 1..40)) {
        let ask = dialogue();
        let mut whole = bench();
        whole.data(Dir::ToServer, &ask);
        let mut cut = bench();
        let (mut rest, mut cuts) = (&ask[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            cut.data(Dir::ToServer, now);
            rest = later;
        }
        prop_assert_eq!(told(&whole), told(&cut));
    }

    #[test]
    fn no_bytes_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12), answer: bool, size in 1usize..200) {
        let mut bytes = dialogue();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes) = byte;
        }
        if answer {
            for at in memchr::memmem::find_iter(&bytes.clone(), b"\xfeSMB") {
                if let Some(flags) = bytes.get_mut(at + 16) {
                    *flags |= 1;
                }
            }
        }
        let mut bench = opened("\\\\host\\docs", "a");
        bench.pieces(if answer { Dir::ToClient } else { Dir::ToServer }, &bytes, size);
        bench.gap(Dir::ToServer, 3);
        bench.pieces(Dir::ToServer, &bytes, size);
    }
}
