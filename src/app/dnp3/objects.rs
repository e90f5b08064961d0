//! A fragment's objects (IEEE 1815, 11): headers, and how far what follows each goes.

use crate::app::cursor::Cursor;

/// The octets that an object of a group and variation has.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Size {
    Octets(usize),
    /// Packed: so many bits each, padded to octets at the end.
    Bits(usize),
}

/// A header.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    pub group: u8,
    pub variation: u8,
    pub qualifier: u8,
    pub start: u32,
    pub stop: u32,
    pub count: u32,
}

impl Object {
    pub fn prefix_code(&self) -> u8 {
        self.qualifier >> 4 & 7
    }

    pub fn range_code(&self) -> u8 {
        self.qualifier & 15
    }
}

/// Why not all objects could be told.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Unknown,
    TooManyObjects,
    TooManyPoints,
    /// It ends in the middle.
    Short,
}

/// Bounds of one fragment (Suricata's `max-objects` and `max-points`).
pub const MAX_OBJECTS: usize = 2048;
const MAX_POINTS: u64 = 16_384;

/// Shows each header of a fragment with that function, whose objects these are.
pub fn walk(function: u8, objects: &[u8], mut show: impl FnMut(&Object)) -> Result<(), Fault> {
    let mut cursor = Cursor::little(objects);
    let (mut seen, mut points) = (0, 0_u64);
    while !cursor.is_empty() {
        if seen >= MAX_OBJECTS {
            return Err(Fault::TooManyObjects);
        }
        seen += 1;
        let object = header(&mut cursor).ok_or(Fault::Short)?;
        show(&object);
        points = points.saturating_add(u64::from(object.count));
        // What stands in its place is known though there are many: bits, and nothing at all.
        if points > MAX_POINTS {
            return Err(Fault::TooManyPoints);
        }
        step(function, &object, &mut cursor)?;
    }
    Ok(())
}

fn header(cursor: &mut Cursor<'_>) -> Option<Object> {
    let (group, variation, qualifier) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
    let mut number = |octets: u8| match octets {
        1 => cursor.u8().map(u32::from),
        2 => cursor.u16().map(u32::from),
        _ => cursor.u32(),
    };
    let (start, stop, count) = match qualifier & 15 {
        code @ (0..=5) => {
            let octets = [1, 2, 4].get(usize::from(code % 3)).copied().unwrap_or(4);
            let (start, stop) = (number(octets)?, number(octets)?);
            (start, stop, stop.checked_sub(start).map_or(0, |more| more.saturating_add(1)))
        }
        7 => (0, 0, number(1)?),
        8 => (0, 0, number(2)?),
        9 => (0, 0, number(4)?),
        11 => (0, 0, number(1)?),
        _ => (0, 0, 0),
    };
    Some(Object { group, variation, qualifier, start, stop, count })
}

/// Over the object's data.
fn step(function: u8, object: &Object, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let (prefix, sized) = match object.prefix_code() {
        0 => (0, false),
        code @ (1..=3) => (1 << (code - 1), false),
        code @ (4..=6) => (1 << (code - 4), true),
        _ => return Err(Fault::Unknown),
    };
    if object.count == 0 {
        return Ok(());
    }
    let count = object.count as usize;
    if sized {
        for _ in 0..count {
            let len = match prefix {
                1 => cursor.u8().map(usize::from),
                2 => cursor.u16().map(usize::from),
                _ => cursor.u32().map(|len| len as usize),
            };
            len.and_then(|len| cursor.skip(len)).ok_or(Fault::Short)?;
        }
        return Ok(());
    }
    let size = if carries_data(function, object.group) {
        size(object.group, object.variation).ok_or(Fault::Unknown)?
    } else {
        Size::Octets(0)
    };
    let len = match size {
        Size::Octets(octets) => (octets + prefix).saturating_mul(count),
        Size::Bits(bits) if prefix == 0 => bits.saturating_mul(count).div_ceil(8),
        Size::Bits(_) => (1 + prefix).saturating_mul(count),
    };
    cursor.skip(len).ok_or(Fault::Short)
}

/// Whether objects follow their headers: they do not where a request only names them.
fn carries_data(function: u8, group: u8) -> bool {
    match function {
        1 | 7..=10 | 20..=22 => false,
        // When to freeze; what is frozen is only named.
        11 | 12 => group == 50,
        _ => true,
    }
}

/// IEEE 1815, annex A.
fn size(group: u8, variation: u8) -> Option<Size> {
    use Size::{Bits, Octets};
    Some(match (group, variation) {
        (1 | 10, 1) | (12, 3) | (80, 1) => Bits(1),
        (3, 1) => Bits(2),
        (1 | 3 | 10, 2) | (2 | 4 | 11 | 13, 1) | (102, 1) => Octets(1),
        (2 | 4 | 11 | 13, 2) => Octets(7),
        (2 | 4, 3) => Octets(3),
        (12, 1 | 2) => Octets(11),
        (20, 1 | 3) | (21..=23, 1 | 3) => Octets(5),
        (20, 2 | 4 | 7) | (21..=23, 2 | 4) => Octets(3),
        (20, 5) | (21, 9 | 11) => Octets(4),
        (20, 6 | 8) | (21, 10 | 12) => Octets(2),
        (21..=23, 5 | 7) => Octets(11),
        (21..=23, 6 | 8) => Octets(9),
        (30, 1 | 5) => Octets(5),
        (30, 2) => Octets(3),
        (30, 3) => Octets(4),
        (30, 4) => Octets(2),
        (30, 6) => Octets(9),
        (31, 1 | 7) => Octets(5),
        (31, 2) => Octets(3),
        (31, 3) => Octets(11),
        (31, 4 | 8) => Octets(9),
        (31, 5) => Octets(4),
        (31, 6) => Octets(2),
        (32 | 33 | 42 | 43, 1 | 5) => Octets(5),
        (32 | 33 | 42 | 43, 2) => Octets(3),
        (32 | 33 | 42 | 43, 3 | 7) => Octets(11),
        (32 | 33 | 42 | 43, 4 | 6) => Octets(9),
        (32 | 33 | 42 | 43, 8) => Octets(15),
        (34, 1) | (52, 1 | 2) | (101, 1) => Octets(2),
        (34, 2 | 3) | (101, 2) => Octets(4),
        (40 | 41, 1 | 3) => Octets(5),
        (40 | 41, 2) => Octets(3),
        (40 | 41, 4) => Octets(9),
        (50, 1 | 3) | (51, 1 | 2) => Octets(6),
        (50, 2) => Octets(10),
        (50, 4) => Octets(11),
        (60, 1..=4) => Octets(0),
        (101, 3) => Octets(8),
        // Octet strings: the variation is the length.
        (110..=113, len) => Octets(len.into()),
        (120, 3) => Octets(6),
        (120, 4) => Octets(2),
        (121, 1) | (122, 1) => Octets(7),
        (122, 2) => Octets(13),
        _ => return None,
    })
}
