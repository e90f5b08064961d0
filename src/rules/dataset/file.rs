//! Files of datasets: one value a line, base64 for text, hexadecimal digits for sums, addresses as they are written; of
//! `datarep`, a comma and a number from 0 to 65535 behind it. Empty lines and lines that begin with `#` are passed over.

use super::Kind;
use super::set::{MAX_VALUE, Set, words_of};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Padding may be left out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The values of a file, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    bytes: Vec<u8>,
    /// End of each in `bytes`, and what is said of it.
    list: Vec<(usize, u32)>,
    /// Words that all of them take in a set.
    pub words: usize,
}

impl Values {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn each(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let mut start = 0;
        self.list.iter().map(move |&(end, said)| {
            let value = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            (value, said)
        })
    }

    pub(super) fn push(&mut self, value: &[u8], said: u32) {
        self.bytes.extend_from_slice(value);
        self.list.push((self.bytes.len(), said));
        // An IPv4 address may be kept as one of IPv6.
        self.words += words_of(value.len().max(16));
    }
}

/// What is wrong with a file, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    pub line: usize,
    pub what: String,
}

pub fn read(text: &[u8], kind: Kind) -> Result<Values, BadLine> {
    let mut values = Values::default();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (value, said) = read_line(line, kind).map_err(|what| BadLine { line: number + 1, what })?;
        values.push(&value, said);
    }
    Ok(values)
}

fn read_line(line: &[u8], kind: Kind) -> Result<(Vec<u8>, u32), String> {
    let mut parts = line.splitn(2, |byte| *byte == b',').map(<[u8]>::trim_ascii);
    let (value, said) = (parts.next().unwrap_or_default(), parts.next());
    let value = value_of(value, kind)?;
    let number = |said| std::str::from_utf8(said).ok().and_then(|said| said.parse::<u16>().ok());
    let said = match said.map(number) {
        None => 0,
        Some(Some(said)) => said.into(),
        Some(None) => return Err("behind the comma stands no number from 0 to 65535".into()),
    };
    Ok((value, said))
}

/// A value as lists write it -> its bytes.
pub fn value_of(value: &[u8], kind: Kind) -> Result<Vec<u8>, String> {
    let shown = || String::from_utf8_lossy(value).into_owned();
    Ok(match kind {
        Kind::Text => {
            let decoded = LENIENT.decode(value).map_err(|_| format!("`{}` is no base64", shown()))?;
            if decoded.len() > MAX_VALUE {
                return Err(format!("{} bytes: a value has at most {MAX_VALUE}", decoded.len()));
            }
            decoded
        }
        Kind::Md5 => {
            digits(value, 16).ok_or_else(|| format!("`{}` is not 32 hexadecimal digits", shown()))?
        }
        Kind::Sha256 => {
            digits(value, 32).ok_or_else(|| format!("`{}` is not 64 hexadecimal digits", shown()))?
        }
        Kind::Ipv4 => match shown().parse::<Ipv4Addr>() {
            Ok(ip) => ip.octets().to_vec(),
            Err(_) => return Err(format!("`{}` is no IPv4 address", shown())),
        },
        Kind::Ip => match shown().parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.octets().to_vec(),
            Ok(IpAddr::V6(ip)) => ip.octets().to_vec(),
            Err(_) => return Err(format!("`{}` is no IP address", shown())),
        },
    })
}

fn digits(text: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.chunks_exact(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    let read: Vec<u8> = pairs.collect::<Option<_>>()?;
    (text.len() == 2 * bytes).then_some(read)
}

/// The set as a file, its lines in order.
pub fn write(set: &Set) -> String {
    let mut lines = Vec::with_capacity(set.len());
    set.each(|value, said| {
        let mut line = written(value, set.kind());
        if said != 0 {
            let _ = write!(line, ",{said}");
        }
        lines.push(line);
    });
    lines.sort_unstable();
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

fn written(value: &[u8], kind: Kind) -> String {
    match (kind, value) {
        (Kind::Text, value) => STANDARD.encode(value),
        (Kind::Ipv4, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
        (Kind::Ip, value) => match <[u8; 16]>::try_from(value).map(Ipv6Addr::from) {
            Ok(ip) => ip.to_canonical().to_string(),
            Err(_) => String::new(),
        },
        (_, value) => value.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::set::Size;
    use super::*;

    fn values(text: &str, kind: Kind) -> Vec<(Vec<u8>, u32)> {
        read(text.as_bytes(), kind).unwrap().each().map(|(value, said)| (value.to_vec(), said)).collect()
    }

    #[test]
    fn every_kind_is_read_and_written_back() {
        let sum = "0123456789abcdef".repeat(2);
        for (kind, text) in [
            (Kind::Text, "TW96aWxsYS80LjAgKGNvbXBhdGlibGU7ICk=\nYQ==,7\n".to_owned()),
            (Kind::Md5, format!("{sum}\n")),
            (Kind::Sha256, format!("{sum}{sum}\n")),
            (Kind::Ipv4, "10.0.0.1\n192.0.2.7,65535\n".to_owned()),
            (Kind::Ip, "10.0.0.1\n2001:db8::1\n".to_owned()),
        ] {
            let read = read(text.as_bytes(), kind).unwrap();
            let set = Set::new("s", kind, true, None, Size::exact(read.len(), read.words));
            read.each().for_each(|(value, said)| assert_eq!(set.put(value, said), super::super::Added::New));
            assert_eq!(write(&set), text, "{kind:?}");
        }
    }

    #[test]
    fn comments_blanks_carriage_returns_and_missing_padding_are_no_faults() {
        let all = values("# a list\r\n\r\n YQ==\r\nYWE\nYWE=, 9\n", Kind::Text);
        assert_eq!(all, [(b"a".to_vec(), 0), (b"aa".to_vec(), 0), (b"aa".to_vec(), 9)]);
        assert_eq!(values("::ffff:10.0.0.1", Kind::Ip).len(), 1);
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_wrong() {
        for (kind, text, line, part) in [
            (Kind::Text, "YQ==\nwww.example.com\n", 2, "`www.example.com` is no base64"),
            (Kind::Md5, "\n0123\n", 2, "32 hexadecimal digits"),
            (Kind::Sha256, &"0g".repeat(32), 1, "64 hexadecimal digits"),
            (Kind::Ipv4, "::1", 1, "no IPv4 address"),
            (Kind::Ip, "1.2.3.4/8", 1, "no IP address"),
            (Kind::Text, "YQ==,70000", 1, "from 0 to 65535"),
            (Kind::Text, "YQ==,", 1, "from 0 to 65535"),
        ] {
            let bad = read(text.as_bytes(), kind).unwrap_err();
            assert!(bad.line == line && bad.what.contains(part), "{text}: {bad}");
        }
    }
}
