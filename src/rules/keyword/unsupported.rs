//! What Suricata's language has and this version does not: refused by name, with what is missing. An entry leaves this
//! file when its decoder or its evaluation arrives.

/// Keyword prefixes (up to the dot) and the decoder they need.
const PREFIXES: &[&str] = &[
    "bittorrent_dht",
    "dhcp",
    "dnp3",
    "dns",
    "email",
    "enip",
    "file",
    "ftp",
    "ftpdata",
    "http",
    "http1",
    "http2",
    "ike",
    "imap",
    "ja3",
    "ja3s",
    "ja4",
    "krb5",
    "ldap",
    "llmnr",
    "mdns",
    "modbus",
    "mqtt",
    "mysql",
    "nfs",
    "nfs_procedure",
    "ntp",
    "pgsql",
    "pop3",
    "quic",
    "rdp",
    "rfb",
    "rpc",
    "sdp",
    "sip",
    "smb",
    "smtp",
    "snmp",
    "ssh",
    "ssl",
    "telnet",
    "tftp",
    "tls",
    "websocket",
];

/// Keywords without a dot, by the decoder they need.
const BY_DECODER: &[(&str, &[&str])] = &[
    (
        "http",
        &[
            "uricontent",
            "urilen",
            "http_uri",
            "http_raw_uri",
            "http_method",
            "http_header",
            "http_raw_header",
            "http_header_names",
            "http_cookie",
            "http_user_agent",
            "http_host",
            "http_raw_host",
            "http_client_body",
            "http_server_body",
            "http_stat_code",
            "http_stat_msg",
            "http_request_line",
            "http_response_line",
            "http_protocol",
            "http_start",
            "http_referer",
            "http_accept",
            "http_accept_lang",
            "http_accept_enc",
            "http_connection",
            "http_content_type",
            "http_content_len",
            "file_data",
            "ja3_hash",
            "ja3_string",
        ],
    ),
    (
        "file",
        &["filename", "fileext", "filemagic", "filestore", "filemd5", "filesha1", "filesha256", "filesize"],
    ),
    ("dns", &["dns_query", "dns_opcode"]),
    (
        "tls",
        &[
            "tls_sni",
            "tls_cert_subject",
            "tls_cert_issuer",
            "tls_cert_serial",
            "tls_cert_fingerprint",
            "tls_cert_notbefore",
            "tls_cert_notafter",
            "tls_cert_expired",
            "tls_cert_valid",
            "ssl_state",
            "ssl_version",
            "ja3s_hash",
            "ja3s_string",
        ],
    ),
    ("ssh", &["ssh_proto", "ssh_software", "ssh_protoversion"]),
    ("ftp", &["ftpbounce", "ftpdata_command"]),
    ("smb", &["smb_named_pipe", "smb_share"]),
    ("dcerpc", &["dce_iface", "dce_opnum", "dce_stub_data"]),
    ("krb5", &["krb5_msg_type", "krb5_cname", "krb5_sname", "krb5_err_code"]),
    ("modbus", &["modbus"]),
    ("nfs", &["nfs_procedure", "nfs_version"]),
    ("sip", &["sip_method"]),
    ("cip", &["cip_service", "enip_command"]),
    ("dnp3", &["dnp3_func", "dnp3_ind", "dnp3_obj", "dnp3_data"]),
    (
        "application",
        &["app-layer-protocol", "app-layer-event", "app-layer-state", "absent", "config", "requires"],
    ),
];

/// Not built yet, whatever the protocol.
const NOT_YET: &[&str] = &[
    "dotprefix",
    "to_lowercase",
    "to_uppercase",
    "to_md5",
    "to_sha1",
    "to_sha256",
    "strip_whitespace",
    "compress_whitespace",
    "url_decode",
    "xor",
    "pcrexform",
    "header_lowercase",
    "strip_pseudo_headers",
    "from_base64",
    "luaxform",
    "domain",
    "tld",
    "gunzip",
    "zlib_deflate",
    "subslice",
    "base64_decode",
    "base64_data",
    "flowint",
    "flowvar",
    "pktvar",
    "hostvar",
    "dataset",
    "datarep",
    "iprep",
    "geoip",
    "lua",
    "luajit",
    "asn1",
    "rpc",
    "replace",
    "entropy",
    "l3_proto",
    "nfq_set_mark",
    "frame",
    "igmp.type",
    "igmp.hdr",
    "igmp.csum",
    "decode-layer",
    "cluster",
    "ndpi-protocol",
    "ndpi-risk",
    "bypass_flow",
];

/// Application protocol words of a rule's header.
const PROTOCOLS: &[&str] = &[
    "http",
    "http1",
    "http2",
    "doh2",
    "dns",
    "mdns",
    "llmnr",
    "tls",
    "ssl",
    "ssh",
    "smtp",
    "ftp",
    "ftp-data",
    "smb",
    "dcerpc",
    "dhcp",
    "nfs",
    "ntp",
    "snmp",
    "tftp",
    "telnet",
    "mqtt",
    "sip",
    "rdp",
    "krb5",
    "ike",
    "ikev2",
    "quic",
    "pop3",
    "imap",
    "rfb",
    "modbus",
    "dnp3",
    "enip",
    "websocket",
    "ldap",
    "pgsql",
    "mysql",
    "bittorrent-dht",
    "irc",
    "jabber",
    "sdp",
    "file",
    "template",
    "mpls",
];

/// Why a keyword is refused, when Suricata knows it.
pub fn unsupported_keyword(name: &str) -> Option<String> {
    let needs =
        |decoder: &str| Some(format!("needs the {decoder} decoder, which this version does not have"));
    if NOT_YET.contains(&name) {
        return Some("is not supported by this version".into());
    }
    if let Some((decoder, _)) = BY_DECODER.iter().find(|(_, names)| names.contains(&name)) {
        return needs(decoder);
    }
    let (prefix, _) = name.split_once('.')?;
    needs(PREFIXES.iter().find(|known| **known == prefix)?)
}

/// Which decoder an application protocol's word needs; `None` when there is no such protocol.
pub fn protocol_needs(word: &str) -> Option<&'static str> {
    PROTOCOLS.iter().find(|known| **known == word).copied()
}

/// All names and protocols here, for the nearest word.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BY_DECODER.iter().flat_map(|(_, names)| names.iter().copied()).chain(NOT_YET.iter().copied())
}

pub fn protocol_words() -> &'static [&'static str] {
    PROTOCOLS
}
