//! What a rule may do to a buffer before it looks into it (docs.suricata.io, "Transformations").

use super::ruleset::Regex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One transformation. Those behind it see what it made.
///
/// To add one: a variant here, its parser in `rules/keyword/transforms.rs`, its meaning in `inspect/transform.rs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Transform {
    /// A dot in front.
    DotPrefix,
    ToLowercase,
    ToUppercase,
    StripWhitespace,
    /// Runs of blanks become one space.
    CompressWhitespace,
    /// `%41` and `+`.
    UrlDecode,
    /// Header names in lower case, values as they are.
    HeaderLowercase,
    /// HTTP/2's `:method` and its like are taken out.
    StripPseudoHeaders,
    ToMd5,
    ToSha1,
    ToSha256,
    /// The domain that somebody registered, by the Public Suffix List: `www.example.co.uk` becomes `example.co.uk`.
    Domain,
    /// The public suffix: `co.uk`.
    PublicSuffix,
    Xor(XorKey),
    FromBase64(Base64),
    Subslice(Subslice),
    Inflate {
        kind: Inflate,
        /// Bytes of output kept.
        max: u32,
    },
    // What is skipped stands last: serde numbers the others without it when it reads.
    /// The first capture of the expression takes the buffer's place.
    #[serde(skip)]
    Capture {
        expression: Arc<str>,
        regex: Arc<Regex>,
    },
}

/// Two that do the same; regular expressions are compared by their text.
impl PartialEq for Transform {
    fn eq(&self, other: &Transform) -> bool {
        use Transform::*;
        match (self, other) {
            (Xor(a), Xor(b)) => a == b,
            (FromBase64(a), FromBase64(b)) => a == b,
            (Capture { expression: a, .. }, Capture { expression: b, .. }) => a == b,
            (Subslice(a), Subslice(b)) => a == b,
            (Inflate { kind: a, max: m }, Inflate { kind: b, max: n }) => a == b && m == n,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XorKey {
    pub key: Key,
    /// Bytes before this one stay as they are.
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    Given(Box<[u8]>),
    /// `length` bytes of the buffer itself, from `at` on.
    Extracted {
        length: u32,
        at: u32,
    },
}

/// How strictly base64 is read.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base64Mode {
    /// Other characters are skipped (RFC 2045).
    Rfc2045,
    /// The first other character ends it (RFC 4648).
    #[default]
    Rfc4648,
    /// Another character, or a group not filled, gives nothing.
    Strict,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base64 {
    /// Bytes of the encoded text; to the buffer's end where not said.
    pub bytes: Option<u32>,
    pub offset: u32,
    pub mode: Base64Mode,
}

/// Negative numbers count from the end.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subslice {
    pub offset: i32,
    pub bytes: Option<i32>,
    /// What reaches past the buffer is cut; else the buffer is left as it was.
    pub truncate: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inflate {
    Gzip,
    Zlib,
}
