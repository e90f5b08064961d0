//! Names of decoders' events, for `app-layer-event`. `docs/events.md` says of each when it is raised, or why it never is; a test holds
//! the two together. A decoder that arrives brings its own; of protocols without a decoder any name is taken.

#[cfg(test)]
mod tests;

/// Of those that share DNS's messages.
const DNS: &[&str] = &[
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
];

/// The names are those of docs.suricata.io and of the `*-events.rules` that users have.
#[rustfmt::skip]
const LISTS: &[(&str, &[&str])] = &[
    ("http", &[
        "unknown_error", "gzip_decompression_failed", "request_field_missing_colon", "response_field_missing_colon",
        "invalid_request_chunk_len", "invalid_response_chunk_len", "invalid_transfer_encoding_value_in_request",
        "invalid_transfer_encoding_value_in_response", "invalid_content_length_field_in_request",
        "invalid_content_length_field_in_response", "duplicate_content_length_field_in_request",
        "duplicate_content_length_field_in_response", "100_continue_already_seen",
        "unable_to_match_response_to_request", "invalid_server_port_in_request", "invalid_authority_port",
        "request_header_invalid", "response_header_invalid", "missing_host_header", "host_header_ambiguous",
        "invalid_request_field_folding", "invalid_response_field_folding", "request_field_too_long",
        "response_field_too_long", "request_server_port_tcp_port_mismatch", "request_uri_host_invalid",
        "request_header_host_invalid", "method_delim_non_compliant", "uri_delim_non_compliant",
        "request_line_leading_whitespace", "too_many_encoding_layers", "request_auth_unrecognized",
        "request_header_repetition", "response_header_repetition", "response_multipart_byteranges",
        "response_abnormal_transfer_encoding", "response_chunked_old_proto", "response_invalid_protocol",
        "response_invalid_status", "request_line_incomplete", "request_line_missing_protocol", "double_encoded_uri",
        "request_line_invalid", "request_body_unexpected", "request_too_many_headers", "response_too_many_headers",
        "lzma_memlimit_reached", "compression_bomb", "abnormal_ce_header", "request_chunk_extension",
        "response_chunk_extension", "multipart_generic_error", "multipart_no_filedata", "multipart_invalid_header",
        "too_many_warnings", "range_invalid", "file_name_too_long", "failed_protocol_change",
        "too_many_transactions",
    ]),
    ("dns", DNS),
    ("quic", &[
        "failed_decrypt", "error_on_data", "crypto_frag_too_long",
    ]),
    ("ssh", &[
        "invalid_banner", "long_banner", "invalid_record",
    ]),
    ("tls", &[
        "invalid_sslv2_header", "invalid_tls_header", "invalid_record_version", "invalid_record_type",
        "invalid_record_length", "invalid_handshake_message", "heartbeat_message", "invalid_heartbeat_message",
        "overflow_heartbeat_message", "dataleak_heartbeat_mismatch", "handshake_invalid_length",
        "multiple_sni_extensions", "invalid_sni_type", "invalid_sni_length", "too_many_records_in_packet",
        "invalid_alert_message", "invalid_certificate", "certificate_invalid_length", "certificate_invalid_version",
        "certificate_invalid_serial", "certificate_invalid_algorithmidentifier", "certificate_invalid_x509name",
        "certificate_invalid_date", "certificate_invalid_extensions", "certificate_invalid_der",
        "certificate_invalid_subject", "certificate_invalid_issuer", "certificate_invalid_validity",
        "error_message_encountered", "invalid_ssl_record",
    ]),
    ("smb", &[
        "internal_error", "malformed_data", "record_overflow", "malformed_ntlmssp_request",
        "negotiate_malformed_dialects", "file_overlap", "response_to_server", "request_to_client",
        "read_request_too_large", "read_response_too_large", "write_request_too_large",
        "negotiate_max_read_size_too_large", "negotiate_max_write_size_too_large", "write_queue_size_exceeded",
        "write_queue_cnt_exceeded", "read_queue_size_exceeded", "read_queue_cnt_exceeded", "unusual_ntlmssp_order",
        "duplicate_negotiate", "too_many_transactions",
    ]),
    ("http2", &[
        "invalid_frame_header", "invalid_client_magic", "invalid_frame_data", "invalid_header",
        "invalid_frame_length", "extra_header_data", "long_frame_data", "stream_id_reuse", "invalid_http1_settings",
        "failed_decompression", "invalid_range", "header_integer_overflow", "too_many_streams", "too_many_frames",
        "authority_host_mismatch", "userinfo_in_uri", "reassembly_limit_reached", "data_stream_zero",
        "dns_request_too_long", "dns_response_too_long",
    ]),
    ("modbus", &[
        "invalid_protocol_id", "unsolicited_response", "invalid_length", "invalid_unit_identifier",
        "invalid_function_code", "invalid_value", "invalid_exception_code", "value_mismatch", "flooded",
    ]),
    ("dnp3", &[
        "flooded", "len_too_small", "bad_link_crc", "bad_transport_crc", "unknown_object", "too_many_points",
        "too_many_objects", "too_long_reassembly",
    ]),
    ("smtp", &[
        "invalid_reply", "unable_to_match_reply_with_request", "max_command_line_len_exceeded",
        "max_reply_line_len_exceeded", "invalid_pipelined_sequence", "bdat_chunk_len_exceeded",
        "no_server_welcome_message", "tls_rejected", "data_command_rejected", "failed_protocol_change",
        "mime_parse_failed", "mime_malformed_msg", "mime_invalid_base64", "mime_invalid_qp", "mime_long_line",
        "mime_long_enc_line", "mime_long_header_name", "mime_long_header_value", "mime_long_boundary",
        "mime_long_filename", "duplicate_fields", "unparsable_content", "truncated_line", "too_many_transactions",
    ]),
    ("ftp", &[
        "request_command_too_long", "response_command_too_long", "too_many_transactions",
    ]),
    ("mqtt", &[
        "missing_connect", "missing_publish", "missing_subscribe", "missing_unsubscribe", "double_connect",
        "unintroduced_message", "invalid_qos_level", "missing_msg_id", "unassigned_msg_type",
        "too_many_transactions", "malformed_traffic",
    ]),
    ("sip", &[
        "incomplete_data", "invalid_data",
    ]),
    ("enip", &[
        "too_many_transactions", "invalid_pdu",
    ]),
    ("pop3", &[
        "too_many_transactions", "request_too_long", "incorrect_argument_count", "unknown_command",
        "response_too_long",
    ]),
    ("krb5", &[
        "malformed_data", "weak_encryption",
    ]),
    ("pgsql", &[
        "too_many_transactions", "malformed_request", "malformed_response", "invalid_length", "too_many_responses",
    ]),
    ("ike", &[
        "malformed_data", "weak_crypto_enc", "weak_crypto_prf", "weak_crypto_auth", "weak_crypto_dh",
        "weak_crypto_nodh", "weak_crypto_noauth", "no_encryption", "invalid_proposal", "unknown_proposal",
        "payload_extra_data", "multiple_server_proposal",
    ]),
    ("nfs", &[
        "malformed_data", "non_existing_version", "unsupported_version", "too_many_transactions",
    ]),
    ("dcerpc", &[
        "too_many_transactions",
    ]),
    ("dhcp", &[
        "malformed_options", "truncated_options",
    ]),
    ("snmp", &[
        "malformed_data", "unknown_security_model", "version_mismatch",
    ]),
    ("ntp", &[
        "malformed_data",
    ]),
    ("rfb", &[
        "malformed_message", "unimplemented_security_type", "unknown_security_result",
    ]),
    ("websocket", &[
        "skip_end_of_payload", "reassembly_limit_reached",
    ]),
    ("imap", &[
        "too_many_transactions", "invalid_data", "request_not_found", "too_many_headers",
    ]),
    ("ldap", &[
        "too_many_transactions", "invalid_data", "request_not_found",
    ]),
    ("mdns", DNS),
    ("llmnr", DNS),
    ("bittorrent-dht", &[
        "malformed_packet",
    ]),
    ("file", &[
        "NO_MEMORY", "INVALID_SWF_LENGTH", "INVALID_SWF_VERSION", "Z_DATA_ERROR", "Z_STREAM_ERROR", "Z_BUF_ERROR",
        "Z_UNKNOWN_ERROR", "LZMA_IO_ERROR", "LZMA_HEADER_TOO_SHORT_ERROR", "LZMA_DECODER_ERROR",
        "LZMA_MEMLIMIT_ERROR", "LZMA_XZ_ERROR", "LZMA_UNKNOWN_ERROR",
    ]),
    ("telnet", &[]),
    ("tftp", &[]),
    ("rdp", &[]),
    ("ftp-data", &[]),
];

/// The events of a protocol, where they are all known.
pub fn of(protocol: &str) -> Option<&'static [&'static str]> {
    LISTS.iter().find(|(name, _)| *name == protocol).map(|(_, events)| *events)
}

/// Every protocol whose events are known, with them.
pub fn all() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    LISTS.iter().copied()
}
