//! Every application buffer, a line each: name, other names, Snort 2's modifier, protocols, direction, and where they
//! apply `many` (several a transaction) and `file`. Names are those of docs.suricata.io, "Suricata Rules".

use super::{Buffer, Unit};
use crate::base::Dir;
use crate::rules::app::{AppProto, DNS, FILES, HTTP, Protos};

const HTTP2: Protos = Protos::of(&[AppProto::Http2, AppProto::Doh2]);
const MDNS: Protos = Protos::of(&[AppProto::Mdns]);
const LLMNR: Protos = Protos::of(&[AppProto::Llmnr]);
const TLS: Protos = Protos::of(&[AppProto::Tls]);
const TLS_QUIC: Protos = Protos::of(&[AppProto::Tls, AppProto::Quic]);
const QUIC: Protos = Protos::of(&[AppProto::Quic]);
const SSH: Protos = Protos::of(&[AppProto::Ssh]);
const SMTP: Protos = Protos::of(&[AppProto::Smtp]);
const FTP: Protos = Protos::of(&[AppProto::Ftp]);
const SMB: Protos = Protos::of(&[AppProto::Smb]);
const DCERPC_SMB: Protos = Protos::of(&[AppProto::Dcerpc, AppProto::Smb]);
const KRB5: Protos = Protos::of(&[AppProto::Krb5]);
const SNMP: Protos = Protos::of(&[AppProto::Snmp]);
const MQTT: Protos = Protos::of(&[AppProto::Mqtt]);
const SIP: Protos = Protos::of(&[AppProto::Sip]);
const RFB: Protos = Protos::of(&[AppProto::Rfb]);
const IKE: Protos = Protos::of(&[AppProto::Ike]);
const WEBSOCKET: Protos = Protos::of(&[AppProto::Websocket]);
const LDAP: Protos = Protos::of(&[AppProto::Ldap]);
const DNP3: Protos = Protos::of(&[AppProto::Dnp3]);
const ENIP: Protos = Protos::of(&[AppProto::Enip]);
const NTP: Protos = Protos::of(&[AppProto::Ntp]);
const PGSQL: Protos = Protos::of(&[AppProto::Pgsql]);
const HTTP1: Protos = Protos::of(&[AppProto::Http1]);
const TELNET: Protos = Protos::of(&[AppProto::Telnet]);
const NFS: Protos = Protos::of(&[AppProto::Nfs]);
const MODBUS: Protos = Protos::of(&[AppProto::Modbus]);
const DHCP: Protos = Protos::of(&[AppProto::Dhcp]);
const RDP: Protos = Protos::of(&[AppProto::Rdp]);
const IMAP: Protos = Protos::of(&[AppProto::Imap]);
const POP3: Protos = Protos::of(&[AppProto::Pop3]);

const SERVER: Option<Dir> = Some(Dir::ToServer);
const CLIENT: Option<Dir> = Some(Dir::ToClient);
const BOTH: Option<Dir> = None;

const fn one(name: &'static str, protos: Protos, dir: Option<Dir>) -> Buffer {
    Buffer { name, aliases: &[], modifier: None, protos, dir, many: false, unit: Unit::Transaction }
}

impl Buffer {
    const fn also(mut self, aliases: &'static [&'static str]) -> Buffer {
        self.aliases = aliases;
        self
    }

    const fn modifier(mut self, name: &'static str) -> Buffer {
        self.modifier = Some(name);
        self
    }

    const fn many(mut self) -> Buffer {
        self.many = true;
        self
    }

    const fn file(mut self) -> Buffer {
        self.unit = Unit::File;
        self.many = true;
        self
    }

    const fn frame(mut self) -> Buffer {
        self.unit = Unit::Frame;
        self.many = true;
        self
    }
}

#[rustfmt::skip]
pub(super) const TABLE: &[Buffer] = &[
    one("http.uri", HTTP, SERVER).modifier("http_uri"),
    one("http.uri.raw", HTTP, SERVER).modifier("http_raw_uri"),
    one("http.method", HTTP, SERVER).modifier("http_method"),
    one("http.request_line", HTTP, SERVER).also(&["http_request_line"]),
    one("http.request_body", HTTP, SERVER).modifier("http_client_body"),
    one("http.request_header", HTTP, SERVER).many(),
    one("http.user_agent", HTTP, SERVER).modifier("http_user_agent"),
    one("http.host", HTTP, SERVER).modifier("http_host"),
    one("http.host.raw", HTTP, SERVER).modifier("http_raw_host"),
    one("http.accept", HTTP, SERVER).also(&["http_accept"]),
    one("http.accept_enc", HTTP, SERVER).also(&["http_accept_enc"]),
    one("http.accept_lang", HTTP, SERVER).also(&["http_accept_lang"]),
    one("http.referer", HTTP, SERVER).also(&["http_referer"]),
    one("http.header", HTTP, BOTH).modifier("http_header"),
    one("http.header.raw", HTTP, BOTH).modifier("http_raw_header"),
    one("http.header_names", HTTP, BOTH).also(&["http_header_names"]),
    one("http.cookie", HTTP, BOTH).modifier("http_cookie"),
    one("http.connection", HTTP, BOTH).also(&["http_connection"]),
    one("http.content_type", HTTP, BOTH).also(&["http_content_type"]),
    one("http.content_len", HTTP, BOTH).also(&["http_content_len"]),
    one("http.protocol", HTTP, BOTH).also(&["http_protocol"]),
    one("http.start", HTTP, BOTH).also(&["http_start"]),
    one("http.response_line", HTTP, CLIENT).also(&["http_response_line"]),
    one("http.response_body", HTTP, CLIENT),
    one("http.response_header", HTTP, CLIENT).many(),
    one("http.server", HTTP, CLIENT).also(&["http_server"]),
    one("http.location", HTTP, CLIENT).also(&["http_location"]),
    one("http.stat_code", HTTP, CLIENT).modifier("http_stat_code"),
    one("http.stat_msg", HTTP, CLIENT).modifier("http_stat_msg"),
    one("http2.header_name", HTTP2, BOTH).many(),
    one("http2.header", HTTP2, BOTH).many(),
    one("file.data", FILES, BOTH).also(&["file_data"]).modifier("http_server_body").file(),
    one("file.name", FILES, BOTH).file(),
    one("file.magic", FILES, BOTH).file(),
    one("dns.query", DNS, BOTH).also(&["dns_query"]).many(),
    one("dns.queries.rrname", DNS, BOTH).many(),
    one("dns.answers.rrname", DNS, BOTH).many(),
    one("dns.authorities.rrname", DNS, BOTH).many(),
    one("dns.additionals.rrname", DNS, BOTH).many(),
    one("dns.response.rrname", DNS, BOTH).many(),
    one("mdns.queries.rrname", MDNS, BOTH).many(),
    one("mdns.answers.rrname", MDNS, BOTH).many(),
    one("mdns.authorities.rrname", MDNS, BOTH).many(),
    one("mdns.additionals.rrname", MDNS, BOTH).many(),
    one("mdns.response.rrname", MDNS, BOTH).many(),
    one("llmnr.queries.rrname", LLMNR, BOTH).many(),
    one("llmnr.answers.rrname", LLMNR, BOTH).many(),
    one("llmnr.authorities.rrname", LLMNR, BOTH).many(),
    one("llmnr.additionals.rrname", LLMNR, BOTH).many(),
    one("llmnr.response.rrname", LLMNR, BOTH).many(),
    one("tls.sni", TLS, SERVER).also(&["tls_sni"]),
    one("tls.alpn", TLS, BOTH).many(),
    one("tls.certs", TLS, BOTH).many(),
    one("tls.cert_subject", TLS, BOTH).also(&["tls_cert_subject"]),
    one("tls.cert_issuer", TLS, BOTH).also(&["tls_cert_issuer"]),
    one("tls.cert_serial", TLS, BOTH).also(&["tls_cert_serial"]),
    one("tls.cert_fingerprint", TLS, BOTH).also(&["tls_cert_fingerprint"]),
    one("tls.subjectaltname", TLS, BOTH).many(),
    one("tls.random", TLS, BOTH),
    one("tls.random_time", TLS, BOTH),
    one("tls.random_bytes", TLS, BOTH),
    one("ja3.hash", TLS_QUIC, SERVER).also(&["ja3_hash"]),
    one("ja3.string", TLS_QUIC, SERVER).also(&["ja3_string"]),
    one("ja3s.hash", TLS_QUIC, CLIENT),
    one("ja3s.string", TLS_QUIC, CLIENT),
    one("ja4.hash", TLS_QUIC, SERVER).also(&["ja4_hash"]),
    one("quic.sni", QUIC, SERVER),
    one("quic.ua", QUIC, SERVER),
    one("quic.version", QUIC, BOTH),
    one("quic.cyu.hash", QUIC, SERVER).many(),
    one("quic.cyu.string", QUIC, SERVER).many(),
    one("ssh.proto", SSH, BOTH).also(&["ssh_proto"]),
    one("ssh.software", SSH, BOTH).also(&["ssh_software"]),
    one("ssh.hassh", SSH, SERVER),
    one("ssh.hassh.string", SSH, SERVER),
    one("ssh.hassh.server", SSH, CLIENT),
    one("ssh.hassh.server.string", SSH, CLIENT),
    one("smtp.helo", SMTP, SERVER),
    one("smtp.mail_from", SMTP, SERVER),
    one("smtp.rcpt_to", SMTP, SERVER).many(),
    one("email.from", SMTP, SERVER),
    one("email.to", SMTP, SERVER),
    one("email.cc", SMTP, SERVER),
    one("email.subject", SMTP, SERVER),
    one("email.date", SMTP, SERVER),
    one("email.message_id", SMTP, SERVER),
    one("email.x_mailer", SMTP, SERVER),
    one("email.url", SMTP, SERVER).many(),
    one("email.received", SMTP, SERVER).many(),
    one("email.body_md5", SMTP, SERVER),
    one("ftp.command", FTP, SERVER),
    one("ftp.command_data", FTP, SERVER),
    one("ftp.reply", FTP, CLIENT).many(),
    one("ftp.completion_code", FTP, CLIENT).many(),
    one("smb.named_pipe", SMB, BOTH).also(&["smb_named_pipe"]),
    one("smb.share", SMB, BOTH).also(&["smb_share"]),
    one("smb.ntlmssp_user", SMB, SERVER),
    one("smb.ntlmssp_domain", SMB, SERVER),
    one("dcerpc.stub_data", DCERPC_SMB, BOTH).also(&["dce_stub_data"]),
    one("krb5.cname", KRB5, BOTH).also(&["krb5_cname"]).many(),
    one("krb5.sname", KRB5, BOTH).also(&["krb5_sname"]).many(),
    one("snmp.usm", SNMP, BOTH),
    one("snmp.community", SNMP, BOTH),
    one("snmp.trap_oid", SNMP, BOTH),
    one("snmp.trap_address", SNMP, BOTH),
    one("mqtt.connect.clientid", MQTT, SERVER),
    one("mqtt.connect.username", MQTT, SERVER),
    one("mqtt.connect.password", MQTT, SERVER),
    one("mqtt.connect.willtopic", MQTT, SERVER),
    one("mqtt.connect.willmessage", MQTT, SERVER),
    one("mqtt.connect.protocol_string", MQTT, SERVER).also(&["mqtt.connect.protocolstring"]),
    one("mqtt.publish.topic", MQTT, BOTH),
    one("mqtt.publish.message", MQTT, BOTH),
    one("mqtt.subscribe.topic", MQTT, SERVER).many(),
    one("mqtt.unsubscribe.topic", MQTT, SERVER).many(),
    one("sip.method", SIP, SERVER),
    one("sip.uri", SIP, SERVER),
    one("sip.request_line", SIP, SERVER),
    one("sip.protocol", SIP, BOTH),
    one("sip.stat_code", SIP, CLIENT),
    one("sip.stat_msg", SIP, CLIENT),
    one("sip.response_line", SIP, CLIENT),
    one("sip.from", SIP, BOTH).many(),
    one("sip.to", SIP, BOTH).many(),
    one("sip.via", SIP, BOTH).many(),
    one("sip.user_agent", SIP, BOTH).many(),
    one("sip.content_type", SIP, BOTH).many(),
    one("sip.content_length", SIP, BOTH).many(),
    one("sdp.session_name", SIP, BOTH),
    one("sdp.session_info", SIP, BOTH),
    one("sdp.origin", SIP, BOTH),
    one("sdp.uri", SIP, BOTH),
    one("sdp.email", SIP, BOTH),
    one("sdp.phone_number", SIP, BOTH),
    one("sdp.connection_data", SIP, BOTH),
    one("sdp.bandwidth", SIP, BOTH).many(),
    one("sdp.time", SIP, BOTH).many(),
    one("sdp.repeat_time", SIP, BOTH).many(),
    one("sdp.timezone", SIP, BOTH),
    one("sdp.encryption_key", SIP, BOTH),
    one("sdp.attribute", SIP, BOTH).many(),
    one("sdp.media.media", SIP, BOTH).many(),
    one("sdp.media.media_info", SIP, BOTH).many(),
    one("sdp.media.connection_data", SIP, BOTH).many(),
    one("sdp.media.encryption_key", SIP, BOTH).many(),
    one("rfb.name", RFB, BOTH),
    one("ike.init_spi", IKE, SERVER),
    one("ike.resp_spi", IKE, CLIENT),
    one("ike.vendor", IKE, SERVER).many(),
    one("ike.key_exchange_payload", IKE, BOTH),
    one("ike.nonce_payload", IKE, BOTH),
    one("websocket.payload", WEBSOCKET, BOTH),
    one("imap.request", IMAP, SERVER).many(),
    one("imap.response", IMAP, CLIENT).many(),
    one("imap.email.body", IMAP, BOTH),
    one("imap.email.header", IMAP, BOTH).many(),
    one("imap.email.header.name", IMAP, BOTH).many(),
    one("imap.email.header.value", IMAP, BOTH).many(),
    one("ldap.request.dn", LDAP, SERVER),
    one("ldap.request.attribute_type", LDAP, SERVER).many(),
    one("ldap.responses.dn", LDAP, CLIENT).many(),
    one("ldap.responses.message", LDAP, CLIENT).many(),
    one("ldap.responses.attribute_type", LDAP, CLIENT).many(),
    one("dnp3.data", DNP3, BOTH).also(&["dnp3_data"]),
    one("enip.product_name", ENIP, CLIENT),
    one("enip.service_name", ENIP, CLIENT),
    one("ntp.reference_id", NTP, BOTH),
    one("pgsql.query", PGSQL, SERVER),
    // Frames, by the names that `frame:` gives them.
    one("http1.request", HTTP1, SERVER).frame(),
    one("http1.response", HTTP1, CLIENT).frame(),
    one("http1.stream", HTTP1, BOTH).frame(),
    one("http2.hdr", HTTP2, BOTH).frame(),
    one("http2.data", HTTP2, BOTH).frame(),
    one("http2.pdu", HTTP2, BOTH).frame(),
    one("dns.pdu", DNS, BOTH).frame(),
    one("tls.pdu", TLS, BOTH).frame(),
    one("tls.hdr", TLS, BOTH).frame(),
    one("tls.data", TLS, BOTH).frame(),
    one("tls.alert", TLS, BOTH).frame(),
    one("tls.heartbeat", TLS, BOTH).frame(),
    one("tls.ssl2.hdr", TLS, BOTH).frame(),
    one("tls.ssl2.pdu", TLS, BOTH).frame(),
    one("ssh.record.hdr", SSH, BOTH).frame(),
    one("ssh.record.data", SSH, BOTH).frame(),
    one("ssh.record.pdu", SSH, BOTH).frame(),
    one("smtp.command_line", SMTP, SERVER).frame(),
    one("smtp.data", SMTP, SERVER).frame(),
    one("smtp.response_line", SMTP, CLIENT).frame(),
    one("ftp.command_line", FTP, SERVER).frame(),
    one("ftp.response_line", FTP, CLIENT).frame(),
    one("telnet.pdu", TELNET, BOTH).frame(),
    one("telnet.ctl", TELNET, BOTH).frame(),
    one("telnet.data", TELNET, BOTH).frame(),
    one("smb.nbss.pdu", SMB, BOTH).frame(),
    one("smb.nbss.hdr", SMB, BOTH).frame(),
    one("smb.nbss.data", SMB, BOTH).frame(),
    one("smb1.pdu", SMB, BOTH).frame(),
    one("smb1.hdr", SMB, BOTH).frame(),
    one("smb1.data", SMB, BOTH).frame(),
    one("smb2.pdu", SMB, BOTH).frame(),
    one("smb2.hdr", SMB, BOTH).frame(),
    one("smb2.data", SMB, BOTH).frame(),
    one("smb3.pdu", SMB, BOTH).frame(),
    one("smb3.hdr", SMB, BOTH).frame(),
    one("smb3.data", SMB, BOTH).frame(),
    one("dcerpc.pdu", DCERPC_SMB, BOTH).frame(),
    one("dcerpc.hdr", DCERPC_SMB, BOTH).frame(),
    one("dcerpc.data", DCERPC_SMB, BOTH).frame(),
    one("nfs.rpc.pdu", NFS, BOTH).frame(),
    one("nfs.rpc.hdr", NFS, BOTH).frame(),
    one("nfs.rpc.data", NFS, BOTH).frame(),
    one("nfs.pdu", NFS, BOTH).frame(),
    one("nfs.status", NFS, BOTH).frame(),
    one("mqtt.pdu", MQTT, BOTH).frame(),
    one("mqtt.header", MQTT, BOTH).frame(),
    one("mqtt.data", MQTT, BOTH).frame(),
    one("sip.pdu", SIP, BOTH).frame(),
    one("sip.request.line", SIP, SERVER).frame(),
    one("sip.request.headers", SIP, SERVER).frame(),
    one("sip.request.body", SIP, SERVER).frame(),
    one("sip.response.line", SIP, CLIENT).frame(),
    one("sip.response.headers", SIP, CLIENT).frame(),
    one("sip.response.body", SIP, CLIENT).frame(),
    one("rfb.pdu", RFB, BOTH).frame(),
    one("quic.pdu", QUIC, BOTH).frame(),
    one("modbus.pdu", MODBUS, BOTH).frame(),
    one("dnp3.pdu", DNP3, BOTH).frame(),
    one("enip.pdu", ENIP, BOTH).frame(),
    one("krb5.pdu", KRB5, BOTH).frame(),
    one("ldap.pdu", LDAP, BOTH).frame(),
    one("pgsql.pdu", PGSQL, BOTH).frame(),
    one("snmp.pdu", SNMP, BOTH).frame(),
    one("ike.pdu", IKE, BOTH).frame(),
    one("dhcp.pdu", DHCP, BOTH).frame(),
    one("ntp.pdu", NTP, BOTH).frame(),
    one("websocket.pdu", WEBSOCKET, BOTH).frame(),
    one("websocket.header", WEBSOCKET, BOTH).frame(),
    one("websocket.data", WEBSOCKET, BOTH).frame(),
    one("rdp.pdu", RDP, BOTH).frame(),
    one("imap.pdu", IMAP, BOTH).frame(),
    one("imap.headers", IMAP, BOTH).frame(),
    one("imap.body", IMAP, BOTH).frame(),
    one("pop3.pdu", POP3, BOTH).frame(),
];
