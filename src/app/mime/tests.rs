use super::*;
use crate::app::lines::Lines;
use proptest::prelude::*;

/// What a reader is told, in words.
#[derive(Default, Debug, PartialEq, Eq)]
struct Told {
    fields: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>, Option<bool>)>,
    text: Vec<u8>,
    faults: Vec<Fault>,
    header_ends: usize,
}

impl Reader for Told {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        self.fields.push((text(name), text(value)));
    }

    fn header_end(&mut self) {
        self.header_ends += 1;
    }

    fn attached(&mut self) -> Option<Attached<'_>> {
        None
    }

    fn attachment(&mut self, name: &[u8]) {
        self.files.push((String::from_utf8_lossy(name).into_owned(), Vec::new(), None));
    }

    fn attachment_data(&mut self, bytes: &[u8]) {
        let file = self.files.last_mut().expect("an attachment began");
        assert_eq!(file.2, None, "it ended");
        file.1.extend_from_slice(bytes);
    }

    fn attachment_end(&mut self, whole: bool) {
        let file = self.files.last_mut().expect("an attachment began");
        assert_eq!(file.2.replace(whole), None, "it ended once");
    }

    fn text(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    fn text_end(&mut self) {
        self.text.push(b'|');
    }

    fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

fn read(message: &[u8], size: usize) -> Told {
    let (mut told, mut parser, mut lines) = (Told::default(), Message::default(), Lines::default());
    parser.begin();
    for mut piece in message.chunks(size.max(1)) {
        while let Some(line) = lines.next(&mut piece, 1024) {
            parser.line(&line, &mut told);
        }
    }
    if let Some(line) = lines.rest() {
        parser.line(&line, &mut told);
    }
    parser.end(true, &mut told);
    told
}

fn files(told: &Told) -> Vec<(&str, &str)> {
    told.files.iter().map(|(n, b, _)| (n.as_str(), std::str::from_utf8(b).unwrap())).collect()
}

const MIXED: &[u8] = b"From: a <a@b>\r\nReceived: from x\r\n\tby y\r\n\tfor z\r\nContent-Type: multipart/mixed;\r\n boundary=\"b1\"\r\n\
\r\npreamble\r\n--b1\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsee =\r\nhttp://x\r\n--b1\r\n\
Content-Type: application/octet-stream; name=\"other\"\r\nContent-Disposition: attachment; filename=\"a.bin\"\r\n\
Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n--b1\r\nContent-Disposition: attachment\r\n\r\nplain\r\nlines\r\n\r\n--b1--\r\nepilogue\r\n";

#[test]
fn a_message_with_attachments() {
    let told = read(MIXED, MIXED.len());
    let field = |name: &str| told.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(field("From"), Some("a <a@b>"));
    assert_eq!(field("Received"), Some("from xby yfor z"), "joined as Suricata joins");
    assert_eq!(told.fields.len(), 3, "fields of parts are not the message's");
    assert_eq!(files(&told), [("a.bin", "hello"), ("", "plain\r\nlines\r\n")]);
    assert!(told.files.iter().all(|f| f.2 == Some(true)));
    assert_eq!(told.text, b"see http://x|");
    assert_eq!(told.faults, []);
}

#[test]
fn multiparts_within_and_messages_within() {
    let message = b"Content-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: multipart/alternative; boundary=outer\n\n\
--outer\n\ntext\n--outer--\n--out\nContent-Type: message/rfc822\n\nFrom: inner\nContent-Type: multipart/mixed; boundary=in\n\n\
--in\nContent-Type: x/y; name=in.txt\n\nin\n--in--\n--out\nContent-Type: x/y; name=last\n\nlast\n--out--\n";
    let told = read(message, message.len());
    assert_eq!(files(&told), [("in.txt", "in"), ("last", "last")]);
    assert_eq!(told.fields.len(), 1);
    assert_eq!(told.header_ends, 1);
}

#[test]
fn a_border_that_is_missing_does_not_hide_the_next() {
    let message = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n\
--a\nContent-Disposition: attachment; filename=x\n\nx";
    assert_eq!(files(&read(message, 7)), [("x", "x")]);
}

#[test]
fn a_border_without_an_empty_line_after_the_header() {
    let message = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nX: y\n--a\nContent-Disposition: attachment; filename=x\n\nx\n--a--\n";
    assert_eq!(files(&read(message, 9)), [("x", "x")]);
}

#[test]
fn an_attachment_that_is_the_whole_message() {
    let message = b"Content-Type: x/y; name=n\nContent-Transfer-Encoding: base64\n\naGVsbG8\n";
    assert_eq!(files(&read(message, 100)), [("n", "hello")]);
}

#[test]
fn faults_have_names() {
    let boundary = format!("Content-Type: multipart/mixed; boundary=\"{}\"\n\n", "A".repeat(300));
    assert_eq!(read(boundary.as_bytes(), 50).faults, [Fault::LongBoundary]);
    let name = format!("{}: v\n\n", "N".repeat(80));
    assert_eq!(read(name.as_bytes(), 50).faults, [Fault::LongHeaderName]);
    let value = format!("N: {}\n\n", "v\n ".repeat(2100));
    assert_eq!(read(value.as_bytes(), 5000).faults, [Fault::LongHeaderValue]);
    let line = format!("\n{}\n", "x".repeat(2000));
    assert_eq!(read(line.as_bytes(), 5000).faults, [Fault::LongLine]);
    assert_eq!(read(b"Content-Transfer-Encoding: base64\n\na*b", 9).faults, [Fault::InvalidBase64]);
    assert_eq!(
        read(b"Content-Transfer-Encoding: quoted-printable\n\na=zz\n", 9).faults,
        [Fault::InvalidQuotedPrintable]
    );
    let line = format!("Content-Transfer-Encoding: base64\n\n{}\n", "QUJD".repeat(20));
    assert_eq!(read(line.as_bytes(), 5000).faults, [Fault::LongEncodedLine]);
    assert_eq!(read(b"no field\n\n", 5000).faults, [Fault::Malformed]);
}

#[test]
fn nesting_without_end_is_bounded() {
    let level = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n".repeat(1000);
    assert!(read(&level, 4096).faults.contains(&Fault::Malformed));
    let level = b"Content-Type: message/rfc822\n\n".repeat(1000);
    assert_eq!(read(&level, 4096).files, []);
}

#[test]
fn a_gap_cuts_the_attachment_and_no_more() {
    let (mut told, mut parser) = (Told::default(), Message::default());
    parser.begin();
    let feed = |parser: &mut Message, told: &mut Told, text: &[u8]| {
        let (mut lines, mut text) = (Lines::default(), text);
        while let Some(line) = lines.next(&mut text, 1024) {
            parser.line(&line, told);
        }
    };
    feed(
        &mut parser,
        &mut told,
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: x; name=1\n\none\n",
    );
    parser.gap(&mut told);
    feed(&mut parser, &mut told, b"more\n--a\nContent-Type: x/y; name=2\n\ntwo\n--a--\n");
    parser.end(true, &mut told);
    assert_eq!(files(&told), [("1", "one"), ("2", "two")]);
    assert_eq!(told.files[0].2, Some(false));
    assert_eq!(told.files[1].2, Some(true));
}

proptest! {
    #[test]
    fn any_cutting_reads_the_same(size in 1usize..200) {
        prop_assert_eq!(read(MIXED, size), read(MIXED, MIXED.len()));
    }

    #[test]
    fn no_bytes_panic(pieces in proptest::collection::vec(prop_oneof![
        Just(b"--b1\n".to_vec()), Just(b"--b1--\r\n".to_vec()), Just(b"\n".to_vec()), Just(b"=".to_vec()),
        Just(b"Content-Type: multipart/mixed; boundary=b1\n".to_vec()),
        Just(b"Content-Transfer-Encoding: base64\n".to_vec()),
        Just(b"Content-Disposition: attachment; filename*0*=''%4\n".to_vec()),
        Just(b"Content-Type: message/rfc822\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)], 0..30), size in 1usize..50) {
        let message = pieces.concat();
        prop_assert_eq!(read(&message, size), read(&message, message.len().max(1)));
    }
}

#[test]
fn a_long_file_name_is_a_fault_and_its_beginning_the_name() {
    for (len, faults) in [(255, &[][..]), (256, &[Fault::LongFileName])] {
        let name = "n".repeat(len);
        let message = format!("Content-Disposition: attachment; filename={name}\n\nx\n");
        let told = read(message.as_bytes(), 50);
        assert_eq!((&told.faults[..], told.files[0].0.len()), (faults, 255));
    }
}
