//! Names of decoders' events, for protocols whose list is settled; a decoder that arrives brings its own. Of other protocols
//! any name is taken.

/// docs.suricata.io and the `*-events.rules` that users have.
const LISTS: &[(&str, &[&str])] = &[
    (
        "dns",
        &[
            "malformed_data",
            "not_request",
            "not_response",
            "z_flag_set",
            "invalid_opcode",
            "name_too_long",
            "infinite_loop",
            "too_many_labels",
            "invalid_additionals",
            "invalid_authorities",
        ],
    ),
    ("quic", &["failed_decrypt", "error_on_data", "crypto_frag_too_long"]),
    ("ssh", &["invalid_banner", "long_banner", "invalid_record"]),
    (
        "tls",
        &[
            "invalid_sslv2_header",
            "invalid_tls_header",
            "invalid_record_version",
            "invalid_record_type",
            "invalid_record_length",
            "invalid_handshake_message",
            "heartbeat_message",
            "invalid_heartbeat_message",
            "overflow_heartbeat_message",
            "dataleak_heartbeat_mismatch",
            "handshake_invalid_length",
            "multiple_sni_extensions",
            "invalid_sni_type",
            "invalid_sni_length",
            "too_many_records_in_packet",
            "invalid_alert_message",
            "invalid_certificate",
            "certificate_invalid_length",
            "certificate_invalid_version",
            "certificate_invalid_serial",
            "certificate_invalid_algorithmidentifier",
            "certificate_invalid_x509name",
            "certificate_invalid_date",
            "certificate_invalid_extensions",
            "certificate_invalid_der",
            "certificate_invalid_subject",
            "certificate_invalid_issuer",
            "certificate_invalid_validity",
            "error_message_encountered",
            "invalid_ssl_record",
        ],
    ),
];

/// The events of a protocol, where they are all known.
pub fn of(protocol: &str) -> Option<&'static [&'static str]> {
    LISTS.iter().find(|(name, _)| *name == protocol).map(|(_, events)| *events)
}
