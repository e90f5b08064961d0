//! Names of numbers, as logs show them (IANA, "Domain Name System (DNS) Parameters").

/// A response code; `None` where the registry has none.
pub(super) fn rcode(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        _ => return None,
    })
}

/// A record's type.
pub(super) fn kind(number: u16) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[rustfmt::skip]
const TYPES: &[(u16, &str)] = &[
    (1, "A"), (28, "AAAA"), (5, "CNAME"), (2, "NS"), (6, "SOA"), (12, "PTR"), (15, "MX"), (16, "TXT"), (33, "SRV"),
    (65, "HTTPS"), (64, "SVCB"), (41, "OPT"), (255, "ANY"),
    (3, "MD"), (4, "MF"), (7, "MB"), (8, "MG"), (9, "MR"), (10, "NULL"), (11, "WKS"), (13, "HINFO"), (14, "MINFO"),
    (17, "RP"), (18, "AFSDB"), (19, "X25"), (20, "ISDN"), (21, "RT"), (22, "NSAP"), (23, "NSAPPTR"), (24, "SIG"),
    (25, "KEY"), (26, "PX"), (27, "GPOS"), (29, "LOC"), (30, "NXT"), (31, "EID"), (32, "NIMLOC"), (34, "ATMA"),
    (35, "NAPTR"), (36, "KX"), (37, "CERT"), (38, "A6"), (39, "DNAME"), (40, "SINK"), (42, "APL"), (43, "DS"),
    (44, "SSHFP"), (45, "IPSECKEY"), (46, "RRSIG"), (47, "NSEC"), (48, "DNSKEY"), (49, "DHCID"), (50, "NSEC3"),
    (51, "NSEC3PARAM"), (52, "TLSA"), (53, "SMIMEA"), (55, "HIP"), (56, "NINFO"), (57, "RKEY"), (58, "TALINK"),
    (59, "CDS"), (60, "CDNSKEY"), (61, "OPENPGPKEY"), (62, "CSYNC"), (63, "ZONEMD"), (99, "SPF"), (100, "UINFO"),
    (101, "UID"), (102, "GID"), (103, "UNSPEC"), (104, "NID"), (105, "L32"), (106, "L64"), (107, "LP"), (108, "EUI48"),
    (109, "EUI64"), (249, "TKEY"), (250, "TSIG"), (251, "IXFR"), (252, "AXFR"), (253, "MAILB"), (254, "MAILA"),
    (256, "URI"), (257, "CAA"), (32768, "TA"), (32769, "DLV"),
];
