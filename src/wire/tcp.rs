//! TCP (RFC 9293) and its options (RFC 7323, 2018, 7413, 2385).

use crate::base::Anomaly;

pub const MIN_HEADER_LEN: usize = 20;

pub mod flag {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;
}

/// Option kinds (IANA tcp-parameters).
pub mod option {
    pub const END: u8 = 0;
    pub const NOP: u8 = 1;
    pub const MSS: u8 = 2;
    pub const WINDOW_SCALE: u8 = 3;
    pub const SACK_PERMITTED: u8 = 4;
    pub const SACK: u8 = 5;
    pub const TIMESTAMPS: u8 = 8;
    pub const MD5: u8 = 19;
    pub const FAST_OPEN: u8 = 34;
    pub const EXPERIMENT: u8 = 254;
    /// The experiment id under which Fast Open ran before it got a number (RFC 7413, section 4.1.1).
    pub const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xf9, 0x89];
}

#[derive(Copy, Clone, Debug)]
pub struct Tcp<'a> {
    header: &'a [u8; MIN_HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Tcp<'a> {
    /// `bytes` are what IP carries.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Tcp<'a>, Anomaly> {
        let header: &[u8; MIN_HEADER_LEN] = bytes.first_chunk().ok_or(Anomaly::TcpPktTooSmall)?;
        let header_len = usize::from(header[12] >> 4) * 4;
        if header_len < MIN_HEADER_LEN {
            return Err(Anomaly::TcpHlenTooSmall);
        }
        let (header_bytes, payload) = bytes.split_at_checked(header_len).ok_or(Anomaly::TcpInvalidOptlen)?;
        let options = header_bytes.get(MIN_HEADER_LEN..).unwrap_or_default();
        Ok(Tcp { header, options, payload })
    }

    #[inline]
    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    #[inline]
    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    #[inline]
    pub fn seq(&self) -> u32 {
        u32::from_be_bytes([self.header[4], self.header[5], self.header[6], self.header[7]])
    }

    #[inline]
    pub fn ack(&self) -> u32 {
        u32::from_be_bytes([self.header[8], self.header[9], self.header[10], self.header[11]])
    }

    #[inline]
    pub fn flags(&self) -> u8 {
        self.header[13]
    }

    #[inline]
    pub fn window(&self) -> u16 {
        u16::from_be_bytes([self.header[14], self.header[15]])
    }

    #[inline]
    pub fn urgent(&self) -> u16 {
        u16::from_be_bytes([self.header[18], self.header[19]])
    }

    #[inline]
    pub fn header_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    #[inline]
    pub fn options(&self) -> &'a [u8] {
        self.options
    }

    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// One option that is as long as its kind must be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    /// Blocks of (left edge, right edge), 8 bytes each; may be empty.
    Sack(&'a [[u8; 8]]),
    Timestamps {
        value: u32,
        echo: u32,
    },
    /// The cookie; empty asks for one.
    FastOpen(&'a [u8]),
    Md5,
    Other(u8),
}

impl TcpOption<'_> {
    /// The kind's number on the wire, Fast Open's own even when it came as an experiment.
    pub fn kind(&self) -> u8 {
        match self {
            TcpOption::Mss(_) => option::MSS,
            TcpOption::WindowScale(_) => option::WINDOW_SCALE,
            TcpOption::SackPermitted => option::SACK_PERMITTED,
            TcpOption::Sack(_) => option::SACK,
            TcpOption::Timestamps { .. } => option::TIMESTAMPS,
            TcpOption::FastOpen(_) => option::FAST_OPEN,
            TcpOption::Md5 => option::MD5,
            TcpOption::Other(kind) => *kind,
        }
    }
}

/// The options up to the end of the list; NOPs are skipped, an impossible length ends the walk.
#[derive(Clone, Debug)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Result<TcpOption<'a>, Anomaly>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, rest) = self.0.split_first()?;
            self.0 = rest;
            match kind {
                option::NOP => continue,
                option::END => {
                    self.0 = &[];
                    return None;
                }
                _ => return Some(self.sized(kind, rest)),
            }
        }
    }
}

impl<'a> Options<'a> {
    fn sized(&mut self, kind: u8, rest: &'a [u8]) -> Result<TcpOption<'a>, Anomaly> {
        self.0 = &[];
        let length = usize::from(*rest.first().ok_or(Anomaly::TcpOptInvalidLen)?);
        let value = rest.get(1..length.wrapping_sub(1)).ok_or(Anomaly::TcpOptInvalidLen)?;
        self.0 = rest.get(length - 1..).unwrap_or_default();
        read(kind, value)
    }
}

fn read(kind: u8, value: &[u8]) -> Result<TcpOption<'_>, Anomaly> {
    const WRONG: Anomaly = Anomaly::TcpOptInvalidLen;
    match (kind, value) {
        (option::MSS, &[a, b]) => Ok(TcpOption::Mss(u16::from_be_bytes([a, b]))),
        (option::WINDOW_SCALE, &[shift]) => Ok(TcpOption::WindowScale(shift)),
        (option::SACK_PERMITTED, []) => Ok(TcpOption::SackPermitted),
        (option::SACK, blocks) => match blocks.as_chunks::<8>() {
            (blocks, []) if blocks.len() <= 4 => Ok(TcpOption::Sack(blocks)),
            _ => Err(WRONG),
        },
        (option::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => Ok(TcpOption::Timestamps {
            value: u32::from_be_bytes([a, b, c, d]),
            echo: u32::from_be_bytes([e, f, g, h]),
        }),
        (option::MD5, md5) if md5.len() == 16 => Ok(TcpOption::Md5),
        (option::FAST_OPEN, cookie) => fast_open(cookie),
        (option::EXPERIMENT, [a, b, cookie @ ..]) if [*a, *b] == option::FAST_OPEN_EXPERIMENT => {
            fast_open(cookie)
        }
        (
            option::MSS | option::WINDOW_SCALE | option::SACK_PERMITTED | option::TIMESTAMPS | option::MD5,
            _,
        ) => Err(WRONG),
        _ => Ok(TcpOption::Other(kind)),
    }
}

/// RFC 7413, section 4.1.1: no cookie, or 4 to 16 bytes of it.
fn fast_open(cookie: &[u8]) -> Result<TcpOption<'_>, Anomaly> {
    match cookie.len() {
        0 | 4..=16 => Ok(TcpOption::FastOpen(cookie)),
        _ => Err(Anomaly::TcpOptInvalidLen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Vec<Result<TcpOption<'_>, Anomaly>> {
        Options(bytes).collect()
    }

    #[test]
    fn a_usual_syn_brings_its_options() {
        let bytes = [2, 4, 5, 180, 1, 3, 3, 7, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 4, 2, 0, 0];
        let options: Result<Vec<_>, _> = Options(&bytes).collect();
        assert_eq!(
            options.unwrap(),
            [
                TcpOption::Mss(1460),
                TcpOption::WindowScale(7),
                TcpOption::Timestamps { value: 1, echo: 2 },
                TcpOption::SackPermitted,
            ]
        );
    }

    #[test]
    fn an_empty_sack_is_no_fault_but_half_a_block_is() {
        assert_eq!(walk(&[5, 2]), [Ok(TcpOption::Sack(&[]))]);
        assert_eq!(walk(&[5, 6, 0, 0, 0, 0]), [Err(Anomaly::TcpOptInvalidLen)]);
        assert_eq!(
            walk(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2]),
            [Ok(TcpOption::Sack(&[[0, 0, 0, 1, 0, 0, 0, 2]]))]
        );
    }

    #[test]
    fn fast_open_comes_under_two_numbers() {
        assert_eq!(walk(&[34, 2]), [Ok(TcpOption::FastOpen(&[]))]);
        assert_eq!(walk(&[254, 8, 0xf9, 0x89, 1, 2, 3, 4]), [Ok(TcpOption::FastOpen(&[1, 2, 3, 4]))]);
        assert_eq!(walk(&[254, 4, 1, 2]), [Ok(TcpOption::Other(254))]);
    }

    #[test]
    fn lengths_that_cannot_be_end_the_walk() {
        for bytes in [&[2, 3, 5][..], &[2, 0, 1, 1], &[8, 10, 0, 0], &[99], &[99, 1, 1], &[3, 4, 1, 1]] {
            assert_eq!(walk(bytes), [Err(Anomaly::TcpOptInvalidLen)], "{bytes:?}");
        }
    }
}
