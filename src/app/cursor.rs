//! Reading a message's fields one after the other, in either byte order. What is not there is `None`, never a panic.

/// How a message writes its numbers.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    Big,
    #[default]
    Little,
}

impl Order {
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Big => u16::from_be_bytes(bytes),
            Order::Little => u16::from_le_bytes(bytes),
        }
    }

    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        }
    }

    pub fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Order::Big => u64::from_be_bytes(bytes),
            Order::Little => u64::from_le_bytes(bytes),
        }
    }
}

/// A place in a message.
#[derive(Copy, Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    order: Order,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], order: Order) -> Cursor<'a> {
        Cursor { bytes, at: 0, order }
    }

    pub fn little(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor::new(bytes, Order::Little)
    }

    pub fn big(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor::new(bytes, Order::Big)
    }

    /// Bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn order(&self) -> Order {
        self.order
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..len)?;
        self.at += len;
        Some(taken)
    }

    /// As many as there are, at most `len`.
    pub fn take_some(&mut self, len: usize) -> &'a [u8] {
        let rest = self.rest();
        let taken = rest.get(..len.min(rest.len())).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    pub fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    /// On to the next multiple of `unit` from the message's first byte.
    pub fn align(&mut self, unit: usize) -> Option<()> {
        let over = self.at.checked_rem(unit)?;
        if over == 0 { Some(()) } else { self.skip(unit - over) }
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(|bytes| self.order.u16(bytes))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(|bytes| self.order.u32(bytes))
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(|bytes| self.order.u64(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_end_with_the_bytes() {
        let mut little = Cursor::little(&[1, 2, 0, 3, 0, 0, 0, 9]);
        assert_eq!((little.u8(), little.u16(), little.u32()), (Some(1), Some(2), Some(3)));
        assert_eq!((little.u16(), little.u8(), little.u8()), (None, Some(9), None));
        assert!(little.is_empty() && little.rest().is_empty());
        let mut big = Cursor::big(&[0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!((big.u16(), big.skip(1), big.u64()), (Some(1), Some(()), Some(7)));
        let mut aligned = Cursor::big(&[0; 6]);
        assert_eq!((aligned.skip(1), aligned.align(4), aligned.at()), (Some(()), Some(()), 4));
        assert_eq!((aligned.align(4), aligned.skip(1), aligned.align(8)), (Some(()), Some(()), None));
        assert_eq!(aligned.take_some(9), [0]);
    }
}
