//! Transactions in eve.json: from a record's bytes to the protocol's object.

use crate::base::event::record::{Entry, entries};
use crate::rules::app::AppProto;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How a protocol's transactions are written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub proto: AppProto,
    pub event_type: &'static str,
    /// The name of its object.
    pub object: &'static str,
    /// A part of the notes that stands beside the object rather than in it.
    beside: Option<&'static str>,
    /// Names of the decoder's events are in capitals.
    pub shouts: bool,
}

impl Form {
    /// By the name in events: the rules' name of the protocol.
    pub fn of(name: &str) -> Option<Form> {
        let proto = AppProto::ALL.iter().copied().find(|proto| proto.name() == name)?;
        let plain = proto.log_name();
        let (event_type, object) = match proto {
            AppProto::Http2 => ("http", "http"),
            AppProto::Doh2 => ("doh2", "http"),
            AppProto::FtpData => ("ftp_data", "ftp_data"),
            AppProto::BittorrentDht => ("bittorrent_dht", "bittorrent_dht"),
            _ => (plain, plain),
        };
        let beside = (proto == AppProto::Smtp).then_some("email");
        let shouts = matches!(proto, AppProto::Http1 | AppProto::Smtp | AppProto::Tls);
        Some(Form { proto, event_type, object, beside, shouts })
    }
}

/// The members that a record adds to its event's JSON object. Without a form only those that are no protocol's.
pub fn members(form: Option<&Form>, record: &[u8]) -> Map<String, Value> {
    let mut root = Map::new();
    // What begins with `~` is for the profile of hosts.
    for (name, entry) in entries(record).filter(|(name, _)| !name.starts_with('~')) {
        let first = name.split('.').next();
        match (name.strip_prefix('/'), form) {
            (Some(path), _) => put(&mut root, path.split('.'), entry),
            (None, Some(form)) if form.beside.is_some() && first == form.beside => {
                put(&mut root, name.split('.'), entry);
            }
            (None, Some(form)) => put(&mut root, std::iter::once(form.object).chain(name.split('.')), entry),
            (None, None) => {}
        }
    }
    root
}

/// Puts a value at the end of a path. What stands in the way and is of another kind is left as it is.
fn put<'p>(root: &mut Map<String, Value>, path: impl Iterator<Item = &'p str>, entry: Entry<'_>) {
    let mut at = root;
    let mut path = path.peekable();
    while let Some(step) = path.next() {
        let last = path.peek().is_none();
        let Some(name) = step.strip_suffix("[]") else {
            if last {
                let object = matches!(entry, Entry::Begin | Entry::Pair(..));
                let old = object.then(|| at.entry(step).or_insert_with(|| Value::Object(Map::new())));
                match (entry, old) {
                    (Entry::Pair(name, text), Some(Value::Object(inner))) => {
                        inner.insert(readable(name), Value::String(readable(text)));
                    }
                    (_, None) => _ = at.insert(step.to_owned(), value(entry)),
                    _ => {}
                }
                return;
            }
            let inner = at.entry(step).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = inner else { return };
            at = inner;
            continue;
        };
        let array = at.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(array) = array else { return };
        if last {
            array.push(value(entry));
            return;
        }
        if array.is_empty() {
            array.push(Value::Object(Map::new()));
        }
        let Some(Value::Object(newest)) = array.last_mut() else { return };
        at = newest;
    }
}

fn value(entry: Entry<'_>) -> Value {
    match entry {
        Entry::Begin => Value::Object(Map::new()),
        Entry::Number(number) => number.into(),
        Entry::Bool(value) => value.into(),
        Entry::Text(text) => Value::String(readable(text)),
        Entry::Pair(name, text) => {
            Value::Object(Map::from_iter([(readable(name), Value::String(readable(text)))]))
        }
    }
}

/// A text as JSON can say it: bytes that are not UTF-8 are written `\xHH`.
fn readable(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::record::RecordBuffer;
    use serde_json::json;

    fn made(proto: &str, notes: &[(&str, Entry<'_>)]) -> Value {
        let mut buffer = RecordBuffer::new(true);
        for (name, entry) in notes {
            assert!(buffer.add(name, *entry));
        }
        Value::Object(members(Some(&Form::of(proto).unwrap()), buffer.bytes()))
    }

    fn text(text: &str) -> Entry<'_> {
        Entry::Text(text.as_bytes())
    }

    #[test]
    fn notes_become_the_protocols_object() {
        let made = made(
            "http1",
            &[
                ("hostname", text("example.org")),
                ("status", Entry::Number(200)),
                ("content_range.raw", text("bytes 0-9/10")),
                ("content_range.size", Entry::Number(10)),
            ],
        );
        let range = json!({ "raw": "bytes 0-9/10", "size": 10 });
        let http = json!({ "hostname": "example.org", "status": 200, "content_range": range });
        assert_eq!(made, json!({ "http": http }));
    }

    #[test]
    fn arrays_grow_and_fields_go_to_their_newest_element() {
        let notes = [
            ("answers[]", Entry::Begin),
            ("answers[].rrname", text("a")),
            ("answers[]", Entry::Begin),
            ("answers[].rrname", text("b")),
            ("answers[].soa.serial", Entry::Number(7)),
            ("grouped.A[]", text("192.0.2.1")),
            ("grouped.A[]", text("192.0.2.2")),
            ("aa", Entry::Bool(true)),
            ("lost[].name", text("its beginning did not fit")),
        ];
        let answers = json!([{ "rrname": "a" }, { "rrname": "b", "soa": { "serial": 7 } }]);
        let expected = json!({ "dns": {
            "answers": answers,
            "grouped": { "A": ["192.0.2.1", "192.0.2.2"] },
            "aa": true,
            "lost": [{ "name": "its beginning did not fit" }],
        } });
        assert_eq!(made("dns", &notes), expected);
    }

    #[test]
    fn some_parts_stand_beside_the_object() {
        let notes = [
            ("/files[]", Entry::Begin),
            ("/files[].size", Entry::Number(3)),
            ("helo", text("there")),
            ("email.to[]", text("you")),
        ];
        let expected =
            json!({ "files": [{ "size": 3 }], "smtp": { "helo": "there" }, "email": { "to": ["you"] } });
        assert_eq!(made("smtp", &notes), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_spelt_and_clashing_names_change_nothing() {
        let notes = [
            ("sni", Entry::Text(b"\xffa\xc3\xa9\n")),
            ("sni.deeper", Entry::Number(1)),
            ("sni[]", Entry::Number(1)),
        ];
        assert_eq!(made("tls", &notes), json!({ "tls": { "sni": "\\xFFa\u{e9}\n" } }));
    }

    #[test]
    fn the_traffics_own_names_are_members_whatever_is_in_them() {
        let notes = [
            ("properties.size", Entry::Number(3)),
            ("properties", Entry::Pair(b"a.b[]", b"x")),
            ("properties", Entry::Pair(b"\xff", b"")),
            ("pairs[]", Entry::Pair(b"k", b"v")),
            ("properties.size", Entry::Pair(b"lost", b"v")),
        ];
        let properties = json!({ "size": 3, "a.b[]": "x", "\\xFF": "" });
        assert_eq!(
            made("mqtt", &notes),
            json!({ "mqtt": { "properties": properties, "pairs": [{ "k": "v" }] } })
        );
    }

    #[test]
    fn every_protocol_has_a_form_with_names_of_plain_letters() {
        for proto in AppProto::ALL {
            let form = Form::of(proto.name()).unwrap();
            let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            assert!(plain(form.event_type) && plain(form.object), "{form:?}");
        }
        assert_eq!(Form::of("http2").unwrap().event_type, "http");
        assert_eq!(Form::of(""), None);
    }
}
