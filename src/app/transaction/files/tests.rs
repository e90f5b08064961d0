use super::*;
use crate::app::limits::Limits;
use crate::app::wanted::Wanted;
use crate::rules::app::AppProto;

const WINDOW: Window = Window { limit: 100, minimum: 0, back: 0, at_once: false };
const DIR: Dir = Dir::ToClient;

fn with(limits: &Limits) -> (Transaction, FileId) {
    let mut tx = Transaction::new();
    tx.renew(0, AppProto::Http1, &Wanted::all(), limits);
    let id = tx.open_file(DIR, b"a.pdf", WINDOW).unwrap();
    (tx, id)
}

fn file(tx: &Transaction, id: FileId) -> &File {
    tx.file(id).unwrap()
}

#[test]
fn a_whole_file_has_sums_and_one_with_a_hole_or_without_its_end_has_none() {
    for (hole, cut, whole) in
        [(false, false, true), (true, false, false), (false, true, false), (true, true, false)]
    {
        let (mut tx, id) = with(&Limits::default());
        tx.grow_file(id, b"ab");
        if hole {
            tx.skip_in_file(id, 5);
        }
        tx.grow_file(id, b"c");
        assert_eq!(file(&tx, id).sum(SumKind::Md5), None);
        tx.close_file(id, cut);
        let file = file(&tx, id);
        assert_eq!(file.is_whole(), whole);
        assert_eq!(file.size, if hole { 8 } else { 3 });
        assert_eq!((file.gaps, file.truncated), (hole, cut));
        for kind in [SumKind::Md5, SumKind::Sha1, SumKind::Sha256] {
            assert_eq!(file.sum(kind).is_some(), whole, "{kind:?}, hole {hole}, cut {cut}");
        }
    }
}

/// What is asked about, and when: after each piece.
fn asked(pieces: &[&[u8]], limit: usize) -> Vec<Vec<Vec<u8>>> {
    let (mut tx, id) = with(&Limits { file_type: limit, ..Limits::default() });
    let mut times = Vec::new();
    let mut ask = |tx: &mut Transaction| {
        let mut asked = Vec::new();
        tx.name_types(|first, out| {
            asked.push(first.to_vec());
            out.extend_from_slice(b"PDF document");
        });
        times.push(asked);
    };
    for piece in pieces {
        tx.grow_file(id, piece);
        ask(&mut tx);
    }
    tx.close_file(id, false);
    ask(&mut tx);
    let known: Vec<_> = tx.buffers(FILE_MAGIC).map(|(_, text)| text.to_vec()).collect();
    assert_eq!(known, [b"PDF document"]);
    assert_eq!(tx.file_type(file(&tx, id)), b"PDF document");
    times
}

#[test]
fn the_type_is_asked_for_once_when_enough_came_or_the_file_ended() {
    assert_eq!(asked(&[b"%PDF", b"-1.4", b"more"], 6), [vec![], vec![b"%PDF-1".to_vec()], vec![], vec![]]);
    assert_eq!(asked(&[b"%PDF"], 6), [vec![], vec![b"%PDF".to_vec()]]);
}

#[test]
fn a_hole_ends_the_first_bytes() {
    let (mut tx, id) = with(&Limits::default());
    tx.grow_file(id, b"%P");
    tx.skip_in_file(id, 1);
    tx.grow_file(id, b"other");
    let mut asked = Vec::new();
    tx.name_types(|first, _| asked.push(first.to_vec()));
    assert_eq!(asked, [b"%P"]);
    assert_eq!(tx.file_type(file(&tx, id)), b"");
    assert_eq!(tx.buffers(FILE_MAGIC).count(), 0, "nobody could tell");
}

#[test]
fn a_name_of_a_type_is_cut() {
    let (mut tx, id) = with(&Limits::default());
    tx.close_file(id, false);
    tx.name_types(|_, out| out.extend_from_slice(&[b'x'; 5000]));
    assert_eq!(tx.file_type(file(&tx, id)).len(), MAX_TYPE);
}

#[test]
fn a_body_that_is_a_file_is_kept_once_and_has_both_names() {
    let body = context::id("http.response_body");
    let (mut tx, _) = with(&Limits::default());
    let streamed = tx.begin(DIR, body, WINDOW).unwrap();
    let id = tx.open_file_of(DIR, b"b.pdf", Some(streamed), WINDOW).unwrap();
    tx.grow(streamed, b"ab");
    tx.grow_file(id, b"ab");
    let buffer = &tx.streamed()[streamed];
    assert!(buffer.is(body) && buffer.is(FILE_DATA) && !buffer.is(FILE_NAME));
    assert_eq!((buffer.kept(), file(&tx, id).size), (&b"ab"[..], 2));
    tx.close_file(id, true);
    assert!(tx.streamed()[streamed].ended && tx.streamed()[streamed].truncated);
}

#[test]
fn a_body_has_a_files_name_only_where_anyone_asks_for_it() {
    let body = context::id("http.response_body");
    let mut wanted = Wanted::default();
    wanted.add(body);
    let mut tx = Transaction::new();
    tx.renew(0, AppProto::Http1, &wanted, &Limits::default());
    let streamed = tx.begin(DIR, body, WINDOW).unwrap();
    tx.open_file_of(DIR, b"b.pdf", Some(streamed), WINDOW).unwrap();
    assert!(!tx.streamed()[streamed].is(FILE_DATA));
}
