//! A message's header fields: folded lines joined, names and values without the space around them, repeated names linked.

use crate::app::limits::{KEPT, KEPT_AT_WORK, let_go};
use std::ops::Range;

/// Fields of a message at most (`headers-limit`).
pub(super) const MAX_FIELDS: usize = 1024;
/// Fields of one name that are kept.
pub(super) const MAX_REPEATED: u16 = 64;
/// A name longer than this is none that this decoder knows.
const MAX_KNOWN: usize = 32;

/// Fields that this decoder reads itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Other,
    Accept,
    AcceptEncoding,
    AcceptLanguage,
    Authorization,
    Connection,
    ContentDisposition,
    ContentEncoding,
    ContentLength,
    ContentRange,
    ContentType,
    Cookie,
    Host,
    Location,
    Referer,
    Server,
    SetCookie,
    TransferEncoding,
    Upgrade,
    UserAgent,
    ForwardedFor,
}

impl Known {
    /// By the name in lower case.
    fn of(name: &[u8]) -> Known {
        match name {
            b"accept" => Known::Accept,
            b"accept-encoding" => Known::AcceptEncoding,
            b"accept-language" => Known::AcceptLanguage,
            b"authorization" => Known::Authorization,
            b"connection" => Known::Connection,
            b"content-disposition" => Known::ContentDisposition,
            b"content-encoding" => Known::ContentEncoding,
            b"content-length" => Known::ContentLength,
            b"content-range" => Known::ContentRange,
            b"content-type" => Known::ContentType,
            b"cookie" => Known::Cookie,
            b"host" => Known::Host,
            b"location" => Known::Location,
            b"referer" => Known::Referer,
            b"server" => Known::Server,
            b"set-cookie" => Known::SetCookie,
            b"transfer-encoding" => Known::TransferEncoding,
            b"upgrade" => Known::Upgrade,
            b"user-agent" => Known::UserAgent,
            b"x-forwarded-for" => Known::ForwardedFor,
            _ => Known::Other,
        }
    }
}

#[derive(Clone, Debug)]
struct Field {
    name: Range<u32>,
    value: Range<u32>,
    known: Known,
    hash: u32,
    /// The next field of that name, and that this is one of those.
    next: Option<u16>,
    repeats: bool,
    /// Of the first: the last of its name, and how many there are.
    last: u16,
    count: u16,
}

/// What was wrong with a field.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) missing_colon: bool,
    pub(super) invalid_name: bool,
    pub(super) repetition: bool,
    pub(super) too_many: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    text: Vec<u8>,
    list: Vec<Field>,
    /// The field at work, which a folded line may yet continue.
    open: Vec<u8>,
    is_open: bool,
}

impl Fields {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.list.clear();
        self.open.clear();
        self.is_open = false;
    }

    /// Nothing is in it, so that other messages may have its memory.
    pub(super) fn is_idle(&self) -> bool {
        self.text.is_empty() && self.list.is_empty() && self.open.is_empty() && !self.is_open
    }

    pub(super) fn reset(&mut self) {
        self.clear();
        self.text.shrink_to(KEPT);
        self.open.shrink_to(KEPT);
        self.list.shrink_to(KEPT / size_of::<Field>());
    }

    /// Its message is over.
    pub(super) fn let_go(&mut self) {
        self.clear();
        let_go(&mut self.text);
        let_go(&mut self.open);
        if self.list.capacity() > KEPT_AT_WORK / size_of::<Field>() {
            self.list.shrink_to(KEPT / size_of::<Field>());
        }
    }

    /// A line begins a field: the one before is finished.
    pub(super) fn begin(&mut self, line: &[u8]) -> Faults {
        let faults = self.finish();
        self.open.extend_from_slice(line);
        self.is_open = true;
        faults
    }

    /// A folded line; false when there is nothing that it continues.
    pub(super) fn fold(&mut self, line: &[u8]) -> bool {
        if self.is_open {
            let end = self.open.trim_ascii_end().len();
            self.open.truncate(end);
            self.open.push(b' ');
            self.open.extend_from_slice(trimmed(line));
        }
        self.is_open
    }

    pub(super) fn open_has_colon(&self) -> bool {
        self.open.contains(&b':')
    }

    /// The field at work is whole.
    pub(super) fn finish(&mut self) -> Faults {
        let mut faults = Faults::default();
        if !std::mem::replace(&mut self.is_open, false) {
            return faults;
        }
        let line = std::mem::take(&mut self.open);
        let (name, value) = match memchr::memchr(b':', &line) {
            Some(colon) => (&line[..colon], line.get(colon + 1..).unwrap_or_default()),
            None => {
                faults.missing_colon = true;
                (&[][..], line.as_slice())
            }
        };
        let name = trimmed(name);
        faults.invalid_name = !faults.missing_colon && !name.iter().all(|b| is_token(*b));
        self.add(name, trimmed(value), &mut faults);
        self.open = line;
        self.open.clear();
        faults
    }

    fn add(&mut self, name: &[u8], value: &[u8], faults: &mut Faults) {
        if self.list.len() >= MAX_FIELDS {
            faults.too_many = true;
            return;
        }
        let (known, hash) = classify(name);
        let at = self.list.len() as u16;
        let first = self.list.iter().position(|f| f.hash == hash && !f.repeats && self.same(&f.name, name));
        if let Some(first) = first.and_then(|first| self.list.get_mut(first)) {
            if first.count >= MAX_REPEATED {
                faults.repetition = true;
                return;
            }
            first.count += 1;
            let before = std::mem::replace(&mut first.last, at);
            if let Some(before) = self.list.get_mut(usize::from(before)) {
                before.next = Some(at);
            }
        }
        let repeats = first.is_some();
        let (name, value) = (self.keep(name), self.keep(value));
        self.list.push(Field { name, value, known, hash, next: None, repeats, last: at, count: 1 });
    }

    fn same(&self, kept: &Range<u32>, name: &[u8]) -> bool {
        self.slice(kept).eq_ignore_ascii_case(name)
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        start..self.text.len() as u32
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Names in the order of their first fields, each once.
    pub(super) fn iter(&self) -> impl Iterator<Item = Named<'_>> {
        let firsts = self.list.iter().enumerate().filter(|(_, field)| !field.repeats);
        firsts.map(|(at, field)| Named {
            fields: self,
            at,
            name: self.slice(&field.name),
            known: field.known,
        })
    }

    pub(super) fn get(&self, known: Known) -> Option<Named<'_>> {
        self.iter().find(|named| named.known == known)
    }

    /// The first value of that name.
    pub(super) fn first(&self, known: Known) -> Option<&[u8]> {
        self.get(known).and_then(|named| named.values().next())
    }
}

/// All fields of one name.
#[derive(Copy, Clone)]
pub(super) struct Named<'a> {
    fields: &'a Fields,
    at: usize,
    pub(super) name: &'a [u8],
    pub(super) known: Known,
}

impl<'a> Named<'a> {
    pub(super) fn values(self) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.fields;
        let first = fields.list.get(self.at);
        std::iter::successors(first, |field| fields.list.get(usize::from(field.next?)))
            .map(|field| fields.slice(&field.value))
    }

    /// The values, joined as one list; of lengths the first, which is the one that counts.
    pub(super) fn append_joined(self, out: &mut Vec<u8>) {
        let most = if self.known == Known::ContentLength { 1 } else { usize::MAX };
        for (at, value) in self.values().take(most).enumerate() {
            if at > 0 {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(value);
        }
    }
}

/// Without the space that may stand around a name or a value. NULs at the ends are none of it for readers that stop or
/// jump at them.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c);
    let start = text.iter().take_while(|b| is_space(b)).count();
    let text = text.get(start..).unwrap_or_default();
    let end = text.iter().rev().take_while(|b| is_space(b)).count();
    text.get(..text.len() - end).unwrap_or_default()
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Which known field a name is, as readers see it that jump over NULs, and a hash of it.
fn classify(name: &[u8]) -> (Known, u32) {
    let mut lower = [0; MAX_KNOWN];
    let (mut len, mut hash) = (0, 0x811c_9dc5_u32);
    for byte in name.iter().map(u8::to_ascii_lowercase) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        if byte != 0 {
            if let Some(slot) = lower.get_mut(len) {
                *slot = byte;
            }
            len += 1;
        }
    }
    (lower.get(..len).map_or(Known::Other, Known::of), hash)
}

/// Whether `needle`, in lower case, is in the text for a reader that jumps over NULs.
pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    let starts = text.iter().enumerate().filter(|(_, b)| **b != 0);
    starts.map(|(at, _)| text.get(at..).unwrap_or_default()).any(|rest| {
        let rest = rest.iter().filter(|b| **b != 0).map(u8::to_ascii_lowercase);
        let mut rest = rest.peekable();
        needle.iter().all(|wanted| rest.next_if_eq(wanted).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> (Fields, Faults) {
        let mut fields = Fields::default();
        let mut all = Faults::default();
        for line in lines {
            let faults = if line.starts_with(' ') {
                fields.fold(line.as_bytes());
                Faults::default()
            } else {
                fields.begin(line.as_bytes())
            };
            all.missing_colon |= faults.missing_colon;
        }
        all.missing_colon |= fields.finish().missing_colon;
        (fields, all)
    }

    fn joined(fields: &Fields) -> Vec<String> {
        let line = |n: Named<'_>| {
            let mut out = n.name.to_vec();
            out.push(b'=');
            n.append_joined(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        fields.iter().map(line).collect()
    }

    #[test]
    fn fields_are_unfolded_trimmed_and_joined() {
        let (fields, faults) =
            parsed(&["Host:  a ", "X-A", "  : 1", " 2", "host:b", "junk", "Transfer\0-encoding\t: chunked"]);
        assert_eq!(joined(&fields), ["Host=a, b", "X-A=1 2", "=junk", "Transfer\0-encoding=chunked"]);
        assert!(faults.missing_colon);
        assert_eq!(fields.first(Known::TransferEncoding), Some(b"chunked".as_slice()));
    }

    #[test]
    fn too_many_fields_are_told_and_left_out() {
        let mut fields = Fields::default();
        for at in 0..=MAX_REPEATED {
            let faults = fields.begin(b"a: 1");
            assert!(!faults.repetition, "{at}");
        }
        assert!(fields.finish().repetition);
        assert_eq!(fields.iter().next().unwrap().values().count(), usize::from(MAX_REPEATED));
        let mut fields = Fields::default();
        for at in 0..=MAX_FIELDS {
            fields.begin(format!("n{at}: x").as_bytes());
        }
        assert!(fields.finish().too_many);
    }

    #[test]
    fn words_are_found_as_a_reader_finds_them_that_jumps_over_nuls() {
        assert!(contains(b"x\0Chu\0nked", b"chunked"));
        assert!(!contains(b"chunk ed", b"chunked"));
    }
}
