//! Kerberos's kinds of encryption (IANA, kerberos-parameters), and what `krb5.ticket_encryption` asks of one.

use super::FieldTest;
use crate::rules::number::signed;
use crate::rules::text::{Fault, Text, nearest};

const ENCRYPTIONS: &[(i16, &str)] = &[
    (1, "des-cbc-crc"),
    (2, "des-cbc-md4"),
    (3, "des-cbc-md5"),
    (5, "des3-cbc-md5"),
    (7, "des3-cbc-sha1"),
    (9, "dsaWithSHA1-CmsOID"),
    (10, "md5WithRSAEncryption-CmsOID"),
    (11, "sha1WithRSAEncryption-CmsOID"),
    (12, "rc2CBC-EnvOID"),
    (13, "rsaEncryption-EnvOID"),
    (14, "rsaES-OAEP-ENV-OID"),
    (15, "des-ede3-cbc-Env-OID"),
    (16, "des3-cbc-sha1-kd"),
    (17, "aes128-cts-hmac-sha1-96"),
    (18, "aes256-cts-hmac-sha1-96"),
    (19, "aes128-cts-hmac-sha256-128"),
    (20, "aes256-cts-hmac-sha384-192"),
    (23, "rc4-hmac"),
    (24, "rc4-hmac-exp"),
    (25, "camellia128-cts-cmac"),
    (26, "camellia256-cts-cmac"),
    (-128, "rc4-md4"),
    (-133, "rc4-hmac-old"),
    (-135, "rc4-hmac-old-exp"),
];

/// DES, RC4 and their kin.
const WEAK: &[i16] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 23, 24, -128, -133, -135];

pub fn encryption_name(kind: i64) -> &'static str {
    ENCRYPTIONS.iter().find(|(number, _)| i64::from(*number) == kind).map_or("unknown", |(_, name)| name)
}

pub fn is_weak(kind: i64) -> bool {
    WEAK.iter().any(|weak| i64::from(*weak) == kind)
}

/// The field's value of a kind: kinds have 16 bits and a sign, values have none.
pub fn encryption_value(kind: i64) -> u64 {
    i16::try_from(kind).map_or(u64::from(u16::MAX), |kind| u64::from(kind as u16))
}

/// `weak`, names and numbers with commas or spaces between; `!` in front for any other.
pub(super) fn parse(value: Text<'_>) -> Result<FieldTest, Fault> {
    let (negated, list) = value.unquoted().negation();
    let mut kinds = Vec::new();
    for part in list.split(b',').flat_map(|part| part.split(b' ')).filter(|part| !part.is_empty()) {
        let word = part.lossy();
        let known = ENCRYPTIONS.iter().find(|(_, name)| name.eq_ignore_ascii_case(&word));
        match known {
            _ if part.is("weak") => kinds.extend(WEAK.iter().map(|kind| *kind as u16)),
            Some((kind, _)) => kinds.push(*kind as u16),
            None => kinds.push(number(part, &word)?),
        }
    }
    let kinds: Box<[u16]> = kinds.into();
    let none: Box<[u16]> = Box::default();
    let (any, none) = if negated { (none, kinds) } else { (kinds, none) };
    Ok(FieldTest::Words { any, none })
}

fn number(part: Text<'_>, word: &str) -> Result<u16, Fault> {
    let number = signed(part, i64::from(i16::MAX)).map_err(|fault| {
        match nearest(word, ENCRYPTIONS.iter().map(|(_, name)| *name).chain(["weak"])) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help("`weak`, or names and numbers of kinds of encryption"),
        }
    })?;
    Ok(number as i16 as u16)
}
