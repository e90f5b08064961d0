//! Every field, a line each. Names are those of docs.suricata.io, "Suricata Rules"; numbers those of the protocols.

use super::dns::{RCODES as DNS_RCODES, TYPES as DNS_TYPES};
use super::industrial::{DIRECTIONS, DNP3_FUNCTIONS, DNP3_INDICATORS, ENIP_COMMANDS, ENIP_STATUS};
use super::ldap::RESULTS as LDAP_RESULTS;
use super::{Field, FieldKind};
use crate::rules::app::{AppProto, DNS, FILES, Protos};
use FieldKind::{
    AnyFlags, Attribute, CipService, ClosedNames, Date, Encryption, Flags, HexNames, Interface, LowerText,
    Modbus, Names, Number, Pair, Present, Ranges, Setting, SshVersion, Sums, Text, Words,
};

const U8: u64 = 0xff;
const U16: u64 = 0xffff;
const U32: u64 = 0xffff_ffff;
const U64: u64 = u64::MAX;

const fn only(proto: AppProto) -> Protos {
    Protos::of(&[proto])
}

const HTTP2: Protos = Protos::of(&[AppProto::Http2, AppProto::Doh2]);
const TLS: Protos = only(AppProto::Tls);
const SSH: Protos = only(AppProto::Ssh);
const DCERPC: Protos = Protos::of(&[AppProto::Dcerpc, AppProto::Smb]);

const fn field(name: &'static str, protos: Protos, kind: FieldKind, doc: &'static str) -> Field {
    Field { name, aliases: &[], protos, kind, many: false, doc }
}

impl Field {
    const fn also(mut self, aliases: &'static [&'static str]) -> Field {
        self.aliases = aliases;
        self
    }

    const fn many(mut self) -> Field {
        self.many = true;
        self
    }
}

#[rustfmt::skip]
pub(super) const TABLE: &[Field] = &[
    field("http2.frametype", HTTP2, Names { max: U8, names: HTTP2_FRAMES }, "type of an HTTP/2 frame").many(),
    field("http2.errorcode", HTTP2, Names { max: U32, names: HTTP2_ERRORS }, "error of a GOAWAY or RST_STREAM frame").many(),
    field("http2.priority", HTTP2, Number { max: U8 }, "weight of a PRIORITY frame").many(),
    field("http2.window", HTTP2, Number { max: U32 }, "increment of a WINDOW_UPDATE frame").many(),
    field("http2.size_update", HTTP2, Number { max: U64 }, "HPACK's dynamic table size update").many(),
    field("http2.settings", HTTP2, Setting, "a setting and its value"),
    field("dns.opcode", DNS, Number { max: U8 }, "operation of the message"),
    field("dns.rcode", DNS, Names { max: U16, names: DNS_RCODES }, "response code"),
    field("dns.rrtype", DNS, Names { max: U16, names: DNS_TYPES }, "type of a record").many(),
    field("tls.version", TLS, HexNames { max: U16, names: TLS_VERSIONS }, "the version that the session uses"),
    field("ssl_version", TLS, Words(&["sslv2", "sslv3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"]), "versions, any of which will do"),
    field("ssl_state", TLS, Words(&["client_hello", "server_hello", "client_keyx", "server_keyx", "unknown"]), "how far the handshake is"),
    field("tls.cert_chain_len", TLS, Number { max: U32 }, "certificates in the chain"),
    field("tls_cert_notbefore", TLS, Date, "when the certificate becomes valid"),
    field("tls_cert_notafter", TLS, Date, "when the certificate ends"),
    field("tls_cert_expired", TLS, Present, "the certificate has ended"),
    field("tls_cert_valid", TLS, Present, "the certificate has not ended"),
    field("tls.subject", TLS, Text, "the certificate's subject, whole"),
    field("tls.issuerdn", TLS, Text, "the certificate's issuer, whole"),
    field("tls.fingerprint", TLS, LowerText, "SHA-1 of the certificate"),
    field("tls.store", TLS, Present, "keeps the certificate"),
    field("ssh.protoversion", SSH, SshVersion, "version of the protocol").also(&["ssh_protoversion"]),
    field("ssh.softwareversion", SSH, Text, "software and its version").also(&["ssh_softwareversion"]),
    field("smb.version", only(AppProto::Smb), Number { max: 2 }, "1 or 2, which is any later one"),
    field("dcerpc.iface", DCERPC, Interface, "the interface that the client bound").also(&["dce_iface"]),
    field("dcerpc.opnum", DCERPC, Ranges { max: U16 }, "number of the operation called").also(&["dce_opnum"]),
    field("krb5_msg_type", only(AppProto::Krb5), Names { max: U8, names: KRB5_MESSAGES }, "type of the message").also(&["krb5.msg_type"]),
    field("krb5_err_code", only(AppProto::Krb5), Number { max: U32 }, "code of an error").also(&["krb5.err_code"]),
    field("krb5.ticket_encryption", only(AppProto::Krb5), Encryption, "encryption of the ticket: weak, or names and numbers"),
    field("nfs_procedure", only(AppProto::Nfs), ClosedNames { max: U32, names: NFS_PROCEDURES }, "procedure called").also(&["nfs.procedure"]),
    field("nfs.version", only(AppProto::Nfs), Number { max: U32 }, "version of the protocol").also(&["nfs_version"]),
    field("snmp.version", only(AppProto::Snmp), Number { max: U32 }, "1, 2 or 3"),
    field("snmp.pdu_type", only(AppProto::Snmp), Names { max: U32, names: SNMP_PDUS }, "type of the message"),
    field("mqtt.type", only(AppProto::Mqtt), Names { max: U8, names: MQTT_TYPES }, "type of the message").many(),
    field("mqtt.flags", only(AppProto::Mqtt), Flags { max: U8, names: &[("dup", 8), ("retain", 1)] }, "flags of the message"),
    field("mqtt.qos", only(AppProto::Mqtt), Number { max: 2 }, "0 to 2"),
    field("mqtt.protocol_version", only(AppProto::Mqtt), Number { max: U8 }, "3, 4 or 5"),
    field("mqtt.reason_code", only(AppProto::Mqtt), Number { max: U8 }, "why, in an answer").also(&["mqtt.connack.return_code"]).many(),
    field("mqtt.connack.session_present", only(AppProto::Mqtt), Names { max: 1, names: YES_NO }, "whether the broker knew the session"),
    field("mqtt.connect.flags", only(AppProto::Mqtt), Flags { max: U8, names: MQTT_CONNECT }, "flags of a CONNECT"),
    field("modbus", only(AppProto::Modbus), Modbus, "function, access, unit of a request"),
    field("dnp3_func", only(AppProto::Dnp3), Names { max: U8, names: DNP3_FUNCTIONS }, "function of the application layer").also(&["dnp3.func"]),
    field("dnp3_ind", only(AppProto::Dnp3), AnyFlags { max: U16, names: DNP3_INDICATORS }, "internal indicators of a response").also(&["dnp3.ind"]),
    field("dnp3_obj", only(AppProto::Dnp3), Pair, "group and variation of an object").also(&["dnp3.obj"]),
    field("enip_command", only(AppProto::Enip), Names { max: U16, names: ENIP_COMMANDS }, "command of the encapsulation").also(&["enip.command"]),
    field("cip_service", only(AppProto::Enip), CipService, "service, class and attribute").also(&["enip.cip_service"]),
    field("enip.status", only(AppProto::Enip), Names { max: U32, names: ENIP_STATUS }, "status of the encapsulation"),
    field("enip.device_type", only(AppProto::Enip), Number { max: U16 }, "device type of an identity"),
    field("enip.vendor_id", only(AppProto::Enip), Number { max: U16 }, "vendor of an identity"),
    field("enip.product_code", only(AppProto::Enip), Number { max: U16 }, "product code of an identity"),
    field("enip.revision", only(AppProto::Enip), Number { max: U16 }, "revision of an identity"),
    field("enip.identity_status", only(AppProto::Enip), Number { max: U16 }, "status of an identity"),
    field("enip.state", only(AppProto::Enip), Number { max: U8 }, "state of an identity"),
    field("enip.serial", only(AppProto::Enip), Number { max: U32 }, "serial number of an identity"),
    field("enip.protocol_version", only(AppProto::Enip), Number { max: U16 }, "version of the encapsulation"),
    field("enip.capabilities", only(AppProto::Enip), Number { max: U16 }, "capabilities of a service"),
    field("enip.cip_attribute", only(AppProto::Enip), Number { max: U32 }, "attribute of a path").many(),
    field("enip.cip_class", only(AppProto::Enip), Number { max: U32 }, "class of a path").many(),
    field("enip.cip_instance", only(AppProto::Enip), Number { max: U32 }, "instance of a path").many(),
    field("enip.cip_status", only(AppProto::Enip), Number { max: U8 }, "status of an answer"),
    field("enip.cip_extendedstatus", only(AppProto::Enip), Number { max: U16 }, "extended status of an answer"),
    field("ike.exchtype", only(AppProto::Ike), Number { max: U8 }, "exchange type"),
    field("ike.key_exchange_payload_length", only(AppProto::Ike), Number { max: U32 }, "bytes of the key exchange"),
    field("ike.nonce_payload_length", only(AppProto::Ike), Number { max: U32 }, "bytes of the nonce"),
    field("ike.chosen_sa_attribute", only(AppProto::Ike), Attribute, "an attribute of the association that the responder chose"),
    field("imap.email.direction", only(AppProto::Imap), Names { max: U8, names: DIRECTIONS }, "which way a mail goes"),
    field("rfb.secresult", only(AppProto::Rfb), Names { max: U32, names: RFB_RESULTS }, "result of the authentication"),
    field("rfb.sectype", only(AppProto::Rfb), Number { max: U32 }, "type of the authentication"),
    field("websocket.opcode", only(AppProto::Websocket), Names { max: U8, names: WEBSOCKET_OPCODES }, "kind of the frame"),
    field("websocket.mask", only(AppProto::Websocket), Number { max: U32 }, "the frame's mask"),
    field("websocket.flags", only(AppProto::Websocket), Flags { max: U8, names: &[("fin", 0x80), ("comp", 0x40)] }, "flags of the frame"),
    field("ldap.request.operation", only(AppProto::Ldap), Names { max: U8, names: LDAP_OPERATIONS }, "operation asked for"),
    field("ldap.responses.operation", only(AppProto::Ldap), Names { max: U8, names: LDAP_OPERATIONS }, "operation of an answer").many(),
    field("ldap.responses.count", only(AppProto::Ldap), Number { max: U32 }, "answers to one request"),
    field("ldap.responses.result_code", only(AppProto::Ldap), Names { max: U32, names: LDAP_RESULTS }, "result of an answer").many(),
    field("ntp.version", only(AppProto::Ntp), Number { max: U8 }, "version of the protocol"),
    field("ntp.stratum", only(AppProto::Ntp), Number { max: U8 }, "distance from a reference clock"),
    field("ntp.mode", only(AppProto::Ntp), Names { max: U8, names: NTP_MODES }, "mode of the association"),
    field("dhcp.leasetime", only(AppProto::Dhcp), Number { max: U64 }, "seconds of the lease"),
    field("dhcp.rebinding_time", only(AppProto::Dhcp), Number { max: U64 }, "seconds until rebinding"),
    field("dhcp.renewal_time", only(AppProto::Dhcp), Number { max: U64 }, "seconds until renewal"),
    field("ftp.dynamic_port", only(AppProto::Ftp), Number { max: U16 }, "port of the data connection"),
    field("ftp.mode", only(AppProto::Ftp), Words(&["active", "passive"]), "active or passive"),
    field("ftp.reply_received", only(AppProto::Ftp), Names { max: 1, names: YES_NO }, "whether a reply has come"),
    field("ftpbounce", only(AppProto::Ftp), Present, "a PORT command names another host than the client"),
    field("ftpdata_command", only(AppProto::FtpData), Words(&["retr", "stor"]), "the command behind a transfer").also(&["ftpdata.command"]),
    field("filesize", FILES, Number { max: U64 }, "bytes of the file").also(&["file.size"]),
    field("filename", FILES, Text, "a part of the file's name"),
    field("fileext", FILES, Text, "extension of the file's name"),
    field("filemagic", FILES, Text, "a part of what libmagic says of the file"),
    field("filemd5", FILES, Sums(16), "MD5 of the file, in a list").also(&["file.md5"]),
    field("filesha1", FILES, Sums(20), "SHA-1 of the file, in a list"),
    field("filesha256", FILES, Sums(32), "SHA-256 of the file, in a list"),
    field("pgsql.query_length", only(AppProto::Pgsql), Number { max: U32 }, "bytes of the query"),
];

const YES_NO: &[(&str, u64)] = &[("yes", 1), ("no", 0), ("true", 1), ("false", 0), ("on", 1), ("off", 0)];

const HTTP2_FRAMES: &[(&str, u64)] = &[
    ("data", 0),
    ("headers", 1),
    ("priority", 2),
    ("rst_stream", 3),
    ("rststream", 3),
    ("settings", 4),
    ("push_promise", 5),
    ("pushpromise", 5),
    ("ping", 6),
    ("goaway", 7),
    ("window_update", 8),
    ("windowupdate", 8),
    ("continuation", 9),
];

const HTTP2_ERRORS: &[(&str, u64)] = &[
    ("no_error", 0),
    ("protocol_error", 1),
    ("internal_error", 2),
    ("flow_control_error", 3),
    ("settings_timeout", 4),
    ("stream_closed", 5),
    ("frame_size_error", 6),
    ("refused_stream", 7),
    ("cancel", 8),
    ("compression_error", 9),
    ("connect_error", 10),
    ("enhance_your_calm", 11),
    ("inadequate_security", 12),
    ("http_1_1_required", 13),
];

const TLS_VERSIONS: &[(&str, u64)] = &[("1.0", 0x0301), ("1.1", 0x0302), ("1.2", 0x0303), ("1.3", 0x0304)];

const KRB5_MESSAGES: &[(&str, u64)] = &[
    ("as_req", 10),
    ("as_rep", 11),
    ("tgs_req", 12),
    ("tgs_rep", 13),
    ("ap_req", 14),
    ("ap_rep", 15),
    ("safe", 20),
    ("priv", 21),
    ("cred", 22),
    ("error", 30),
];

const NFS_PROCEDURES: &[(&str, u64)] = &[
    ("null", 0),
    ("getattr", 1),
    ("setattr", 2),
    ("lookup", 3),
    ("access", 4),
    ("readlink", 5),
    ("read", 6),
    ("write", 7),
    ("create", 8),
    ("mkdir", 9),
    ("symlink", 10),
    ("mknod", 11),
    ("remove", 12),
    ("rmdir", 13),
    ("rename", 14),
    ("link", 15),
    ("readdir", 16),
    ("readdirplus", 17),
    ("fsstat", 18),
    ("statfs", 17),
    ("fsinfo", 19),
    ("pathconf", 20),
    ("commit", 21),
];

const SNMP_PDUS: &[(&str, u64)] = &[
    ("get_request", 0),
    ("get_next_request", 1),
    ("response", 2),
    ("set_request", 3),
    ("trap_v1", 4),
    ("get_bulk_request", 5),
    ("inform_request", 6),
    ("trap_v2", 7),
    ("report", 8),
];

const MQTT_TYPES: &[(&str, u64)] = &[
    ("unassigned", 0),
    ("connect", 1),
    ("connack", 2),
    ("publish", 3),
    ("puback", 4),
    ("pubrec", 5),
    ("pubrel", 6),
    ("pubcomp", 7),
    ("subscribe", 8),
    ("suback", 9),
    ("unsubscribe", 10),
    ("unsuback", 11),
    ("pingreq", 12),
    ("pingresp", 13),
    ("disconnect", 14),
    ("auth", 15),
];

const MQTT_CONNECT: &[(&str, u64)] =
    &[("username", 0x80), ("password", 0x40), ("will_retain", 0x20), ("will", 4), ("clean_session", 2)];

const RFB_RESULTS: &[(&str, u64)] = &[("ok", 0), ("fail", 1), ("toomany", 2), ("unknown", U32)];

const WEBSOCKET_OPCODES: &[(&str, u64)] =
    &[("continuation", 0), ("text", 1), ("binary", 2), ("connection_close", 8), ("ping", 9), ("pong", 10)];

const LDAP_OPERATIONS: &[(&str, u64)] = &[
    ("bind_request", 0),
    ("bind_response", 1),
    ("unbind_request", 2),
    ("search_request", 3),
    ("search_result_entry", 4),
    ("search_result_done", 5),
    ("modify_request", 6),
    ("modify_response", 7),
    ("add_request", 8),
    ("add_response", 9),
    ("del_request", 10),
    ("del_response", 11),
    ("mod_dn_request", 12),
    ("mod_dn_response", 13),
    ("compare_request", 14),
    ("compare_response", 15),
    ("abandon_request", 16),
    ("search_result_reference", 19),
    ("extended_request", 23),
    ("extended_response", 24),
    ("intermediate_response", 25),
];

const NTP_MODES: &[(&str, u64)] = &[
    ("reserved", 0),
    ("symmetric_active", 1),
    ("symmetric_passive", 2),
    ("client", 3),
    ("server", 4),
    ("broadcast", 5),
    ("control", 6),
    ("private", 7),
];
