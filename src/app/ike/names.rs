//! Names of numbers, for eve.json.

use super::super::digits::push_number;
use crate::rules::field::ike;

/// RFC 2408, 3.1; RFC 3947.
pub(super) fn payload_v1(kind: u8) -> &'static str {
    match kind {
        1 => "SecurityAssociation",
        2 => "Proposal",
        3 => "Transform",
        4 => "KeyExchange",
        5 => "Identification",
        6 => "Certificate",
        7 => "CertificateRequest",
        8 => "Hash",
        9 => "Signature",
        10 => "Nonce",
        11 => "Notification",
        12 => "Delete",
        13 => "VendorID",
        15 => "SaKekPayload",
        16 => "SaTekPayload",
        17 => "KeyDownload",
        18 => "SequenceNumber",
        19 => "ProofOfPossession",
        20 => "NatDiscovery",
        21 => "NatOriginalAddress",
        22 => "GroupAssociatedPolicy",
        _ => "Unknown",
    }
}

/// RFC 7296, 3.2.
pub(super) fn payload_v2(kind: u8) -> &'static str {
    match kind {
        33 => "SecurityAssociation",
        34 => "KeyExchange",
        35 => "IdentInitiator",
        36 => "IdentResponder",
        37 => "Certificate",
        38 => "CertificateRequest",
        39 => "Authentication",
        40 => "Nonce",
        41 => "Notify",
        42 => "Delete",
        43 => "VendorID",
        44 => "TrafficSelectorInitiator",
        45 => "TrafficSelectorResponder",
        46 => "EncryptedAndAuthenticated",
        47 => "Configuration",
        48 => "ExtensibleAuthentication",
        49 => "GenericSecurePasswordMethod",
        53 => "EncryptedAndAuthenticatedFragment",
        _ => "Unknown",
    }
}

/// A notification (IANA, ikev2-parameters), or its number.
pub(super) fn push_notify(out: &mut Vec<u8>, kind: u16) {
    match NOTIFICATIONS.binary_search_by_key(&kind, |(number, _)| *number) {
        Ok(at) => out.extend(NOTIFICATIONS.get(at).map(|(_, name)| name.as_bytes()).unwrap_or_default()),
        Err(_) => push_number(out, kind.into()),
    }
}

const NOTIFICATIONS: &[(u16, &str)] = &[
    (1, "UNSUPPORTED_CRITICAL_PAYLOAD"),
    (4, "INVALID_IKE_SPI"),
    (5, "INVALID_MAJOR_VERSION"),
    (7, "INVALID_SYNTAX"),
    (9, "INVALID_MESSAGE_ID"),
    (11, "INVALID_SPI"),
    (14, "NO_PROPOSAL_CHOSEN"),
    (17, "INVALID_KE_PAYLOAD"),
    (24, "AUTHENTICATION_FAILED"),
    (34, "SINGLE_PAIR_REQUIRED"),
    (35, "NO_ADDITIONAL_SAS"),
    (36, "INTERNAL_ADDRESS_FAILURE"),
    (37, "FAILED_CP_REQUIRED"),
    (38, "TS_UNACCEPTABLE"),
    (39, "INVALID_SELECTORS"),
    (43, "TEMPORARY_FAILURE"),
    (44, "CHILD_SA_NOT_FOUND"),
    (16384, "INITIAL_CONTACT"),
    (16385, "SET_WINDOW_SIZE"),
    (16386, "ADDITIONAL_TS_POSSIBLE"),
    (16387, "IPCOMP_SUPPORTED"),
    (16388, "NAT_DETECTION_SOURCE_IP"),
    (16389, "NAT_DETECTION_DESTINATION_IP"),
    (16390, "COOKIE"),
    (16391, "USE_TRANSPORT_MODE"),
    (16392, "HTTP_CERT_LOOKUP_SUPPORTED"),
    (16393, "REKEY_SA"),
    (16394, "ESP_TFC_PADDING_NOT_SUPPORTED"),
    (16395, "NON_FIRST_FRAGMENTS_ALSO"),
    (16396, "MOBIKE_SUPPORTED"),
    (16404, "MULTIPLE_AUTH_SUPPORTED"),
    (16405, "ANOTHER_AUTH_FOLLOWS"),
    (16406, "REDIRECT_SUPPORTED"),
    (16407, "REDIRECT"),
    (16408, "REDIRECTED_FROM"),
    (16418, "CHILDLESS_IKEV2_SUPPORTED"),
    (16430, "IKEV2_FRAGMENTATION_SUPPORTED"),
    (16431, "SIGNATURE_HASH_ALGORITHMS"),
    (16435, "USE_PPK"),
    (16438, "INTERMEDIATE_EXCHANGE_SUPPORTED"),
    (16441, "ADDITIONAL_KEY_EXCHANGE"),
];

/// The value of an attribute of version 1 (RFC 2409, appendix A); those that are quantities have no names.
pub(super) fn attribute_v1(kind: u16, number: Option<u32>) -> &'static str {
    const ENCRYPTION: &[&str] = &[
        "EncDesCbc",
        "EncIdeaCbc",
        "EncBlowfishCbc",
        "EncRc5R16B64Cbc",
        "EncTripleDesCbc",
        "EncCastCbc",
        "EncAesCbc",
        "EncCamelliaCbc",
    ];
    const HASH: &[&str] =
        &["HashMd5", "HashSha", "HashTiger", "HashSha2_256", "HashSha2_384", "HashSha2_512"];
    const AUTHENTICATION: &[&str] = &[
        "AuthPreSharedKey",
        "AuthDssSignatures",
        "AuthRsaSignatures",
        "AuthEncryptionWithRsa",
        "AuthRevisedEncryptionWithRsa",
    ];
    const LIFE: &[&str] = &["LifeTypeSeconds", "LifeTypeKilobytes"];
    let number = number.unwrap_or(0);
    match kind {
        ike::ENCRYPTION => nth(ENCRYPTION, number),
        ike::HASH => nth(HASH, number),
        ike::AUTHENTICATION => nth(AUTHENTICATION, number),
        ike::GROUP => group(number),
        ike::LIFE_TYPE => nth(LIFE, number),
        _ => UNKNOWN,
    }
}

const UNKNOWN: &str = "Unknown";

/// Counted from 1.
fn nth(list: &'static [&'static str], number: u32) -> &'static str {
    let at = (number as usize).checked_sub(1);
    at.and_then(|at| list.get(at)).copied().unwrap_or(UNKNOWN)
}

fn group(number: u32) -> &'static str {
    match number {
        1 => "GroupDefault768BitModpGroup",
        2 => "GroupAlternate1024BitModpGroup",
        3 => "GroupEc2nOnGp2p155",
        4 => "GroupEc2nOnGp2p185",
        5 => "GroupModp1536Bit",
        14 => "GroupModp2048Bit",
        15 => "GroupModp3072Bit",
        16 => "GroupModp4096Bit",
        17 => "GroupModp6144Bit",
        18 => "GroupModp8192Bit",
        19 => "GroupRandomEcp256Bit",
        20 => "GroupRandomEcp384Bit",
        21 => "GroupRandomEcp521Bit",
        22 => "GroupModp1024BitWith160BitSubgroup",
        23 => "GroupModp2048BitWith224BitSubgroup",
        24 => "GroupModp2048BitWith256BitSubgroup",
        31 => "GroupCurve25519",
        32 => "GroupCurve448",
        _ => UNKNOWN,
    }
}

/// A transform of version 2 (IANA, ikev2-parameters).
pub(super) fn transform_v2(kind: u8, id: u16) -> &'static str {
    match (kind, id) {
        (1, 1) => "ENCR_DES_IV64",
        (1, 2) => "ENCR_DES",
        (1, 3) => "ENCR_3DES",
        (1, 4) => "ENCR_RC5",
        (1, 5) => "ENCR_IDEA",
        (1, 6) => "ENCR_CAST",
        (1, 7) => "ENCR_BLOWFISH",
        (1, 8) => "ENCR_3IDEA",
        (1, 9) => "ENCR_DES_IV32",
        (1, 11) => "ENCR_NULL",
        (1, 12) => "ENCR_AES_CBC",
        (1, 13) => "ENCR_AES_CTR",
        (1, 14) => "ENCR_AES_CCM_8",
        (1, 15) => "ENCR_AES_CCM_12",
        (1, 16) => "ENCR_AES_CCM_16",
        (1, 18) => "ENCR_AES_GCM_8",
        (1, 19) => "ENCR_AES_GCM_12",
        (1, 20) => "ENCR_AES_GCM_16",
        (1, 21) => "ENCR_NULL_AUTH_AES_GMAC",
        (1, 23) => "ENCR_CAMELLIA_CBC",
        (1, 28) => "ENCR_CHACHA20_POLY1305",
        (2, 1) => "PRF_HMAC_MD5",
        (2, 2) => "PRF_HMAC_SHA1",
        (2, 3) => "PRF_HMAC_TIGER",
        (2, 4) => "PRF_AES128_XCBC",
        (2, 5) => "PRF_HMAC_SHA2_256",
        (2, 6) => "PRF_HMAC_SHA2_384",
        (2, 7) => "PRF_HMAC_SHA2_512",
        (2, 8) => "PRF_AES128_CMAC",
        (3, 0) => "NONE",
        (3, 1) => "AUTH_HMAC_MD5_96",
        (3, 2) => "AUTH_HMAC_SHA1_96",
        (3, 3) => "AUTH_DES_MAC",
        (3, 4) => "AUTH_KPDK_MD5",
        (3, 5) => "AUTH_AES_XCBC_96",
        (3, 6) => "AUTH_HMAC_MD5_128",
        (3, 7) => "AUTH_HMAC_SHA1_160",
        (3, 8) => "AUTH_AES_CMAC_96",
        (3, 12) => "AUTH_HMAC_SHA2_256_128",
        (3, 13) => "AUTH_HMAC_SHA2_384_192",
        (3, 14) => "AUTH_HMAC_SHA2_512_256",
        (4, id) => group(id.into()),
        _ => UNKNOWN,
    }
}
