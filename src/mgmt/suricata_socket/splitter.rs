//! Where one JSON object ends and the next begins, in bytes that come in pieces: each byte is looked at once.

/// Bytes that one message may have.
pub const LONGEST: usize = 64 << 10;

/// Why no further message can be found.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("this does not begin with {{")]
    NoObject,
    #[error("this is longer than {LONGEST} bytes")]
    TooLong,
}

/// Collects bytes, and gives them back a message at a time. Only nesting and texts are followed: whether it is JSON is for the
/// parser.
#[derive(Default)]
pub struct Splitter {
    /// Begins with a message, or the blanks before one.
    bytes: Vec<u8>,
    /// Of them, looked at.
    seen: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Splitter {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        while let Some(&byte) = self.bytes.get(self.seen) {
            self.seen += 1;
            if self.depth == 0 {
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' | 0 => continue,
                    b'{' => self.depth = 1,
                    _ => return Err(Fault::NoObject),
                }
            } else if self.follow(byte) {
                let rest = self.bytes.split_off(self.seen);
                self.seen = 0;
                return Ok(Some(trim(std::mem::replace(&mut self.bytes, rest))));
            }
            if self.seen > LONGEST {
                return Err(Fault::TooLong);
            }
        }
        if self.depth == 0 {
            self.bytes.clear();
            self.seen = 0;
        }
        Ok(None)
    }

    /// A byte within a message; whether it is the last.
    fn follow(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' => self.depth += 1,
            b'}' => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

/// Without what stood before it.
fn trim(mut message: Vec<u8>) -> Vec<u8> {
    let blanks = message.iter().take_while(|byte| **byte != b'{').count();
    message.drain(..blanks);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(splitter: &mut Splitter) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        while let Some(message) = splitter.take()? {
            found.push(String::from_utf8(message).unwrap());
        }
        Ok(found)
    }

    #[test]
    fn messages_are_found_with_and_without_newlines_between_them() {
        let mut splitter = Splitter::default();
        splitter.push(b" {\"a\": \"}{\\\"\"}{\"b\":{\"c\":1}}\n{\"d");
        assert_eq!(all(&mut splitter).unwrap(), ["{\"a\": \"}{\\\"\"}", "{\"b\":{\"c\":1}}"]);
        splitter.push(b"\":2}\r\n");
        assert_eq!(all(&mut splitter).unwrap(), ["{\"d\":2}"]);
    }

    #[test]
    fn what_is_no_object_or_too_long_is_refused_and_blanks_cost_nothing() {
        let mut splitter = Splitter::default();
        (0..LONGEST).for_each(|_| {
            splitter.push(b"\n\n");
            assert_eq!(splitter.take(), Ok(None));
        });
        assert!(splitter.bytes.is_empty());
        splitter.push(b"[1]");
        assert_eq!(splitter.take(), Err(Fault::NoObject));
        let mut splitter = Splitter::default();
        splitter.push(b"{\"a\":\"");
        splitter.push(&vec![b'x'; LONGEST]);
        assert_eq!(splitter.take(), Err(Fault::TooLong));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(texts in prop::collection::vec("[a-z{}\"\\\\ ]{0,9}", 0..6), piece in 1..9usize) {
            let messages: Vec<_> = texts.iter().map(|text| serde_json::json!({ "k": text, "o": {} }).to_string()).collect();
            let stream = messages.join("\n");
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for bytes in stream.as_bytes().chunks(piece) {
                splitter.push(bytes);
                found.extend(all(&mut splitter).unwrap());
            }
            prop_assert_eq!(found, messages);
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut splitter = Splitter::default();
            splitter.push(&bytes);
            while let Ok(Some(message)) = splitter.take() {
                let ends = (message.first(), message.last());
                prop_assert_eq!(ends, (Some(&b'{'), Some(&b'}')));
            }
        }
    }
}
