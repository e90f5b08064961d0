//! Google's QUIC, versions Q039 to Q046: a client hello of tags in the clear ("QUIC Crypto", Langley and Chang, 2016),
//! and its fingerprint CYU (Salesforce, "GQUIC Protocol Analysis and Fingerprinting in Zeek", 2018).

use crate::app::tls::reader::Reader;

const SNI: &[u8; 4] = b"SNI\0";
const UAID: &[u8; 4] = b"UAID";
const CHLO: &[u8; 4] = b"CHLO";
/// Sum over the packet, in front of its frames.
const SUM: usize = 12;

/// A packet that says its version.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Public<'a> {
    pub(super) version: u32,
    /// Behind the packet number.
    pub(super) sealed: &'a [u8],
}

impl<'a> Public<'a> {
    /// The public header of versions up to Q043, or the long one of Q046.
    pub(super) fn read(datagram: &'a [u8]) -> Option<Public<'a>> {
        let mut rest = Reader(datagram);
        let first = rest.u8()?;
        if first & 0x80 != 0 {
            let version = google_version(rest.u32()?)?;
            let lengths = rest.u8()?;
            for nibble in [lengths >> 4, lengths & 15] {
                rest.take(if nibble == 0 { 0 } else { usize::from(nibble) + 3 })?;
            }
            rest.take(usize::from(first & 3) + 1)?;
            return Some(Public { version, sealed: rest.0 });
        }
        // Version and connection are there; it is no reset.
        if first & 0x0b != 0x09 {
            return None;
        }
        rest.take(8)?;
        let version = google_version(rest.u32()?)?;
        let number = [1, 2, 4, 6].get(usize::from(first >> 4 & 3)).copied()?;
        rest.take(number)?;
        Some(Public { version, sealed: rest.0 })
    }

    /// The hello of its first stream frame.
    pub(super) fn hello(&self) -> Option<Hello<'a>> {
        let mut rest = Reader(self.sealed);
        rest.take(SUM)?;
        let kind = rest.u8()?;
        if kind & 0x80 == 0 {
            return None;
        }
        // Stream's number, offset and length have as many bytes as the type says.
        rest.take(usize::from(kind & 3) + 1)?;
        let offset = usize::from(kind >> 2 & 7);
        rest.take(if offset == 0 { 0 } else { offset + 1 })?;
        if kind & 0x20 != 0 {
            rest.u16()?;
        }
        if rest.take(4)? != CHLO {
            return None;
        }
        // Numbers of this message have their lowest byte first.
        let count = u16::from_be_bytes(rest.u16()?.to_le_bytes());
        rest.u16()?;
        let tags = rest.take(usize::from(count) * 8)?;
        Some(Hello { tags, values: rest.0 })
    }
}

/// `Q039` to `Q046` have hellos in the clear.
fn google_version(version: u32) -> Option<u32> {
    let [q, zero, tens, ones] = version.to_be_bytes();
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    (q == b'Q' && zero == b'0' && digits && (b"39"..=b"46").contains(&&[tens, ones])).then_some(version)
}

/// A client hello's tags, each with where its value ends.
#[derive(Copy, Clone, Debug)]
pub(super) struct Hello<'a> {
    tags: &'a [u8],
    values: &'a [u8],
}

impl<'a> Hello<'a> {
    fn each(&self) -> impl Iterator<Item = (&'a [u8; 4], &'a [u8])> {
        let (values, mut from) = (self.values, 0);
        self.tags.as_chunks::<8>().0.iter().filter_map(move |entry| {
            let (tag, end) = entry.split_first_chunk::<4>()?;
            let end = u32::from_le_bytes(*end.first_chunk()?) as usize;
            let value = values.get(from..end).unwrap_or_default();
            from = end;
            Some((tag, value))
        })
    }

    fn value(&self, tag: &[u8; 4]) -> Option<&'a [u8]> {
        self.each().find(|(found, _)| *found == tag).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    pub(super) fn server_name(&self) -> Option<&'a [u8]> {
        self.value(SNI)
    }

    pub(super) fn user_agent(&self) -> Option<&'a [u8]> {
        self.value(UAID)
    }

    /// `46,PAD-SNI-VER`: the version's number and the tags in their order.
    pub(super) fn write_cyu(&self, version: u32, out: &mut Vec<u8>) {
        let [_, _, tens, ones] = version.to_be_bytes();
        out.extend([tens, ones]);
        for (nth, (tag, _)) in self.each().enumerate() {
            out.push(if nth == 0 { b',' } else { b'-' });
            out.extend(tag.iter().copied().filter(|byte| *byte != 0));
        }
    }
}
