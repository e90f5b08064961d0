//! Header compression (RFC 7541): a block of header fields, given what came before in its direction.

mod huffman;
mod table;

use crate::app::limits::let_go;
use table::Table;

/// Bytes of all names and values of one block; a block that would be longer is a bomb, and cut.
const MAX_FIELDS_LEN: usize = 128 << 10;
/// Fields of one block.
const MAX_FIELDS: usize = 1024;

/// What is wrong with a block.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An index that no table has, or an end within a field.
    Invalid,
    /// A number of more bits than there are.
    Overflow,
    /// More fields than are kept.
    TooLong,
}

/// A block's fields, as they came.
#[derive(Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    /// Where each name begins, its value begins, and it ends.
    places: Vec<(usize, usize, usize)>,
}

impl Fields {
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.places.iter().filter_map(|(name, value, end)| {
            Some((self.text.get(*name..*value)?, self.text.get(*value..*end)?))
        })
    }

    /// The value of the first of that name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn clear(&mut self) {
        let_go(&mut self.text);
        self.places.clear();
    }
}

/// Of one direction.
#[derive(Debug, Default)]
pub struct Decoder {
    table: Table,
}

impl Decoder {
    pub fn reset(&mut self) {
        self.table.reset();
    }

    /// A whole block: its fields to `fields`, whose old ones go. `resized` gets each change of the table's size.
    pub fn block(&mut self, block: &[u8], fields: &mut Fields, mut resized: impl FnMut(u64)) -> Option<Flaw> {
        fields.clear();
        let mut rest = block;
        while !rest.is_empty() {
            if fields.places.len() >= MAX_FIELDS || fields.text.len() >= MAX_FIELDS_LEN {
                return Some(Flaw::TooLong);
            }
            if let Err(flaw) = self.field(&mut rest, fields, &mut resized) {
                return Some(flaw);
            }
        }
        None
    }

    fn field(
        &mut self,
        rest: &mut &[u8],
        fields: &mut Fields,
        resized: &mut impl FnMut(u64),
    ) -> Result<(), Flaw> {
        let first = *rest.first().ok_or(Flaw::Invalid)?;
        if first & 0x80 != 0 {
            let index = integer(rest, 7)?;
            let (name, value) = self.table.get(index).ok_or(Flaw::Invalid)?;
            push(fields, name, value);
            return Ok(());
        }
        if first & 0xe0 == 0x20 {
            let size = integer(rest, 5)?;
            self.table.set_limit(size);
            resized(size);
            return Ok(());
        }
        let is_kept = first & 0x40 != 0;
        let index = integer(rest, if is_kept { 6 } else { 4 })?;
        let start = fields.text.len();
        if index == 0 {
            text(rest, &mut fields.text)?;
        } else {
            let (name, _) = self.table.get(index).ok_or(Flaw::Invalid)?;
            fields.text.extend_from_slice(name);
        }
        let middle = fields.text.len();
        text(rest, &mut fields.text)?;
        fields.places.push((start, middle, fields.text.len()));
        if is_kept {
            let name = fields.text.get(start..middle).unwrap_or_default();
            self.table.add(name, fields.text.get(middle..).unwrap_or_default());
        }
        Ok(())
    }
}

fn push(fields: &mut Fields, name: &[u8], value: &[u8]) {
    let start = fields.text.len();
    fields.text.extend_from_slice(name);
    fields.text.extend_from_slice(value);
    fields.places.push((start, start + name.len(), fields.text.len()));
}

/// A number of which the first byte has `bits` (RFC 7541, 5.1).
fn integer(rest: &mut &[u8], bits: u32) -> Result<u64, Flaw> {
    let mut take = || {
        let (first, after) = rest.split_first().ok_or(Flaw::Invalid)?;
        *rest = after;
        Ok(*first)
    };
    let most = (1u64 << bits) - 1;
    let mut number = u64::from(take()?) & most;
    if number < most {
        return Ok(number);
    }
    for shift in (0..35).step_by(7) {
        let byte = take()?;
        number += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Flaw::Overflow)
}

/// A text, coded or not (RFC 7541, 5.2).
fn text(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
    let is_coded = rest.first().ok_or(Flaw::Invalid)? & 0x80 != 0;
    let len = usize::try_from(integer(rest, 7)?).map_err(|_| Flaw::Invalid)?;
    let (coded, after) = rest.split_at_checked(len).ok_or(Flaw::Invalid)?;
    *rest = after;
    let room = MAX_FIELDS_LEN.saturating_sub(out.len());
    if !is_coded {
        out.extend_from_slice(coded.get(..room).unwrap_or(coded));
        return Ok(());
    }
    if huffman::decode(coded, out, room) { Ok(()) } else { Err(Flaw::Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fields: &Fields) -> Vec<String> {
        let tell = |(name, value): (&[u8], &[u8])| {
            format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        fields.iter().map(tell).collect()
    }

    /// RFC 7541, C.4: three requests of one connection.
    #[test]
    fn blocks_of_the_standard_are_decoded() {
        let blocks: [(&[u8], &[&str]); 3] = [
            (
                &[
                    0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90,
                    0xf4, 0xff,
                ],
                &[":method=GET", ":scheme=http", ":path=/", ":authority=www.example.com"],
            ),
            (
                &[0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf],
                &[
                    ":method=GET",
                    ":scheme=http",
                    ":path=/",
                    ":authority=www.example.com",
                    "cache-control=no-cache",
                ],
            ),
            (
                &[
                    0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89,
                    0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf,
                ],
                &[
                    ":method=GET",
                    ":scheme=https",
                    ":path=/index.html",
                    ":authority=www.example.com",
                    "custom-key=custom-value",
                ],
            ),
        ];
        let (mut decoder, mut fields) = (Decoder::default(), Fields::default());
        for (block, expected) in blocks {
            assert_eq!(decoder.block(block, &mut fields, |_| {}), None);
            assert_eq!(told(&fields), expected);
        }
        assert_eq!(fields.get(b"Custom-Key"), Some(&b"custom-value"[..]));
    }

    #[test]
    fn sizes_and_flaws_are_told() {
        let (mut decoder, mut fields) = (Decoder::default(), Fields::default());
        let mut sizes = Vec::new();
        assert_eq!(decoder.block(&[0x3f, 0xe1, 0x1f, 0x20], &mut fields, |size| sizes.push(size)), None);
        assert_eq!(sizes, [4096, 0]);
        for (block, flaw) in [
            (&[0xfe][..], Flaw::Invalid),
            (&[0x80], Flaw::Invalid),
            (&[0x40, 5, b'a'], Flaw::Invalid),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Flaw::Overflow),
        ] {
            assert_eq!(decoder.block(block, &mut fields, |_| {}), Some(flaw), "{block:x?}");
        }
        assert_eq!(decoder.block(&[0x82; 5000], &mut fields, |_| {}), Some(Flaw::TooLong));
    }
}
