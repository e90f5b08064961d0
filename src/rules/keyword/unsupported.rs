//! What Suricata's language has and this version does not: refused by name. An entry leaves this file when its evaluation
//! arrives.

const NOT_YET: &[&str] = &[
    "luaxform",
    "domain",
    "tld",
    "flowvar",
    "pktvar",
    "hostvar",
    "lua",
    "luajit",
    "rpc",
    "replace",
    "l3_proto",
    "nfq_set_mark",
    "igmp.type",
    "igmp.hdr",
    "igmp.csum",
    "decode-layer",
    "cluster",
    "ndpi-protocol",
    "ndpi-risk",
    "bypass_flow",
    "vxlan_vni",
    "config",
];

/// Why a keyword is refused, when Suricata knows it.
pub fn unsupported_keyword(name: &str) -> Option<String> {
    NOT_YET.contains(&name).then(|| "is not supported by this version".into())
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NOT_YET.iter().copied()
}
