//! Numbers and length-prefixed vectors off the front of a message (RFC 8446, section 3.4).

/// What is left of a message. Each read takes its bytes, or `None` and leaves them when there are too few.
#[derive(Copy, Clone, Debug)]
pub(in crate::app) struct Reader<'a>(pub(in crate::app) &'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::app) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::app) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(in crate::app) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(in crate::app) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(in crate::app) fn u24(&mut self) -> Option<usize> {
        self.array().map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    pub(in crate::app) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A vector with a length of one, two or three bytes in front.
    pub(in crate::app) fn vec8(&mut self) -> Option<&'a [u8]> {
        self.prefixed(|reader| reader.u8().map(usize::from))
    }

    pub(in crate::app) fn vec16(&mut self) -> Option<&'a [u8]> {
        self.prefixed(|reader| reader.u16().map(usize::from))
    }

    pub(in crate::app) fn vec24(&mut self) -> Option<&'a [u8]> {
        self.prefixed(Reader::u24)
    }

    fn prefixed(&mut self, length: impl FnOnce(&mut Reader<'a>) -> Option<usize>) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = length(&mut ahead)?;
        let taken = ahead.take(len)?;
        *self = ahead;
        Some(taken)
    }
}

/// The 16-bit numbers of a list; an odd byte at its end is left out.
pub(in crate::app) fn numbers(list: &[u8]) -> impl Iterator<Item = u16> + Clone {
    list.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}
