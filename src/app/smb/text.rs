//! Names within messages: UTF-16 in little endian or one byte a character, to UTF-8 without what follows a NUL.

/// Appends UTF-16 as UTF-8, as far as a NUL.
pub fn push_utf16(out: &mut Vec<u8>, bytes: &[u8]) {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk());
    let units = units.map(|pair| u16::from_le_bytes(*pair)).take_while(|unit| *unit != 0);
    for decoded in char::decode_utf16(units) {
        let mut buffer = [0; 4];
        let character = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

pub fn push(out: &mut Vec<u8>, bytes: &[u8], unicode: bool) {
    if unicode {
        push_utf16(out, bytes);
    } else {
        let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        out.extend_from_slice(bytes.get(..end).unwrap_or_default());
    }
}

/// Bytes of the text that begins here, its end sign among them.
pub fn len_with_end(bytes: &[u8], unicode: bool) -> usize {
    if unicode {
        let end = bytes.chunks_exact(2).position(|pair| pair == [0, 0]);
        end.map_or(bytes.len(), |pairs| pairs * 2 + 2)
    } else {
        memchr::memchr(0, bytes).map_or(bytes.len(), |end| end + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_far_as_a_nul() {
        let mut out = Vec::new();
        push(&mut out, b"a\0\xe4\0\0\0z\0", true);
        push(&mut out, b"-b\0c", false);
        assert_eq!(String::from_utf8(out).unwrap(), "a\u{e4}-b");
        assert_eq!((len_with_end(b"a\0\0\0z", true), len_with_end(b"ab\0c", false)), (4, 3));
    }
}
