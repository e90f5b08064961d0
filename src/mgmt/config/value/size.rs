//! Numbers of bytes.

use super::{expected, integer, quoted};
use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::visit::Value;
use toml::de::DeValue;

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("gb", 1 << 30),
    ("mb", 1 << 20),
    ("kb", 1 << 10),
    ("B", 1),
];

/// A number of bytes: `"64MiB"`, `4096`. Suricata's `64mb` means the same powers of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Bytes {
    pub const fn mib(n: u64) -> Bytes {
        Bytes(n << 20)
    }

    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Value for Bytes {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let size = match toml {
            DeValue::String(s) => SIZES.iter().find_map(|(unit, bytes)| {
                let number = s.strip_suffix(unit)?.trim_end();
                number.parse::<u64>().ok()?.checked_mul(*bytes)
            }),
            other => integer(other).and_then(|n| u64::try_from(n).ok()),
        };
        match size {
            Some(size) => *self = Bytes(size),
            None => return expected("a size with its unit, such as \"64MiB\", or a number of bytes", toml),
        }
        Ok(())
    }

    fn write(&self) -> String {
        let round = |(_, bytes): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*bytes);
        match SIZES[..3].iter().find(round) {
            Some((unit, bytes)) => quoted(&format!("{}{unit}", self.0 / bytes)),
            None => self.0.to_string(),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Size
    }
}

/// A number of bytes that may not be smaller.
pub struct AtLeast<'a>(pub &'a mut Bytes, pub Bytes);

impl Value for AtLeast<'_> {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let mut size = Bytes(0);
        size.read(toml)?;
        if size < self.1 {
            return expected(&format!("a size of {} or more", self.1.write()), toml);
        }
        *self.0 = size;
        Ok(())
    }

    fn write(&self) -> String {
        self.0.write()
    }

    fn kind(&self) -> Kind {
        self.0.kind()
    }
}
