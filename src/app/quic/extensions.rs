//! A hello's extensions in eve.json: `quic.extensions`, with the names that are asked for.

use crate::app::Transaction;
use crate::app::tls::hello::{ClientHello, ServerName, extension};

/// Extensions of a hello that are told; clients send a dozen or two.
const MOST: usize = 64;

pub(super) fn note(tx: &mut Transaction, hello: &ClientHello<'_>) {
    if !tx.wants_notes() {
        return;
    }
    for (number, _) in hello.extensions.take(MOST) {
        tx.note_begin("extensions[]");
        if let Some(name) = name(number) {
            tx.note("extensions[].name", name.as_bytes());
        }
        tx.note_number("extensions[].type", number.into());
        let mut value = |text: &[u8]| tx.note("extensions[].values[]", text);
        match number {
            extension::SERVER_NAME => ServerName::of(hello.extensions).name.into_iter().for_each(&mut value),
            extension::ALPN => hello.protocols().take(MOST).for_each(&mut value),
            _ => {}
        }
    }
}

/// As the registry calls it, but for `alpn`; reserved numbers (GREASE, RFC 8701) have none.
fn name(number: u16) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// IANA, "TLS ExtensionType Values".
#[rustfmt::skip]
const NAMES: &[(u16, &str)] = &[
    (0, "server_name"), (1, "max_fragment_length"), (2, "client_certificate_url"), (3, "trusted_ca_keys"),
    (4, "truncated_hmac"), (5, "status_request"), (6, "user_mapping"), (7, "client_authz"), (8, "server_authz"),
    (9, "cert_type"), (10, "supported_groups"), (11, "ec_point_formats"), (12, "srp"), (13, "signature_algorithms"),
    (14, "use_srtp"), (15, "heartbeat"), (16, "alpn"), (17, "status_request_v2"), (18, "signed_certificate_timestamp"),
    (19, "client_certificate_type"), (20, "server_certificate_type"), (21, "padding"), (22, "encrypt_then_mac"),
    (23, "extended_master_secret"), (24, "token_binding"), (25, "cached_info"), (27, "compress_certificate"),
    (28, "record_size_limit"), (29, "pwd_protect"), (30, "pwd_clear"), (31, "password_salt"), (32, "ticket_pinning"),
    (33, "tls_cert_with_extern_psk"), (34, "delegated_credential"), (35, "session_ticket"), (41, "pre_shared_key"),
    (42, "early_data"), (43, "supported_versions"), (44, "cookie"), (45, "psk_key_exchange_modes"),
    (47, "certificate_authorities"), (48, "oid_filters"), (49, "post_handshake_auth"),
    (50, "signature_algorithms_cert"), (51, "key_share"), (52, "transparency_info"), (54, "connection_id"),
    (55, "external_id_hash"), (56, "external_session_id"), (57, "quic_transport_parameters"), (58, "ticket_request"),
    (59, "dnssec_chain"), (65037, "encrypted_client_hello"), (65281, "renegotiation_info"),
];
