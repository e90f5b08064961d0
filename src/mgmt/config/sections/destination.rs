//! Where an output writes: keys that `[outputs.eve]`, `[[outputs.further-eve]]` and `[outputs.fast]` share.

use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::value::{Bytes, Within, quoted, words};
use crate::mgmt::config::visit::{Section, Value, Visitor};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

words! {
    SinkKind {
        File = "file",
        UnixStream = "unix-stream",
        UnixDatagram = "unix-dgram",
        Syslog = "syslog",
    }
}

words! {
    /// RFC 5424, section 6.2.1, in its order.
    Facility {
        Kern = "kern",
        User = "user",
        Mail = "mail",
        Daemon = "daemon",
        Auth = "auth",
        Syslog = "syslog",
        Lpr = "lpr",
        News = "news",
        Uucp = "uucp",
        Cron = "cron",
        Authpriv = "authpriv",
        Ftp = "ftp",
        Ntp = "ntp",
        Audit = "audit",
        Alert = "alert",
        Clock = "clock",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }
}

words! {
    /// RFC 5424, section 6.2.1, in its order.
    Severity {
        Emergency = "emerg",
        Alert = "alert",
        Critical = "crit",
        Error = "err",
        Warning = "warning",
        Notice = "notice",
        Info = "info",
        Debug = "debug",
    }
}

/// Who takes syslog messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogServer {
    /// A datagram socket.
    Unix(PathBuf),
    Udp(SocketAddr),
    /// Octet counting (RFC 6587).
    Tcp(SocketAddr),
    /// RFC 5425.
    Tls(SocketAddr),
}

impl Value for SyslogServer {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let text = if let DeValue::String(text) = toml { text.as_ref() } else { "" };
        let server = match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Some(SyslogServer::Unix(path.into())),
            Some(("udp", address)) => address.parse().ok().map(SyslogServer::Udp),
            Some(("tcp", address)) => address.parse().ok().map(SyslogServer::Tcp),
            Some(("tls", address)) => address.parse().ok().map(SyslogServer::Tls),
            _ => None,
        };
        let expected = "expected \"unix:/dev/log\" (a full path), \"udp:192.0.2.1:514\", \"tcp:192.0.2.1:601\" or \
                        \"tls:[2001:db8::1]:6514\" (an address, not a name)";
        *self = server.ok_or(expected)?;
        Ok(())
    }

    fn write(&self) -> String {
        match self {
            SyslogServer::Unix(path) => quoted(&format!("unix:{}", path.display())),
            SyslogServer::Udp(to) => quoted(&format!("udp:{to}")),
            SyslogServer::Tcp(to) => quoted(&format!("tcp:{to}")),
            SyslogServer::Tls(to) => quoted(&format!("tls:{to}")),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Form("\"unix:PATH\", or \"udp:\", \"tcp:\" or \"tls:\" with ADDRESS:PORT")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub to: SinkKind,
    pub file: PathBuf,
    pub rotate_size: Bytes,
    pub rotate_interval: Duration,
    pub keep_files: u32,
    pub socket: PathBuf,
    pub syslog_server: SyslogServer,
    pub syslog_facility: Facility,
    pub syslog_severity: Severity,
    pub syslog_name: String,
    pub syslog_ca: PathBuf,
    pub syslog_server_name: String,
    pub syslog_certificate: PathBuf,
    pub syslog_key: PathBuf,
}

impl Destination {
    /// A file, with names for the others from its own.
    pub fn file(name: &str) -> Destination {
        Destination {
            to: SinkKind::File,
            file: name.into(),
            rotate_size: Bytes(0),
            rotate_interval: Duration::ZERO,
            keep_files: 0,
            socket: format!("{}.sock", name.split('.').next().unwrap_or(name)).into(),
            syslog_server: SyslogServer::Unix("/dev/log".into()),
            syslog_facility: Facility::Local5,
            syslog_severity: Severity::Info,
            syslog_name: "weir".into(),
            syslog_ca: PathBuf::new(),
            syslog_server_name: String::new(),
            syslog_certificate: PathBuf::new(),
            syslog_key: PathBuf::new(),
        }
    }

    /// The key that says where, and its value.
    pub fn place(&self) -> (&'static str, String) {
        match self.to {
            SinkKind::File => ("file", self.file.display().to_string()),
            SinkKind::UnixStream | SinkKind::UnixDatagram => ("socket", self.socket.display().to_string()),
            SinkKind::Syslog => ("syslog-server", self.syslog_server.write()),
        }
    }
}

impl Section for Destination {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "to",
            "\"file\"; \"unix-stream\" or \"unix-dgram\", a socket that somebody listens at (a line a datagram); or \"syslog\",\n\
             messages of RFC 5424. Nobody need be there: lines wait (4 MiB of them), then are lost and counted.",
            &mut self.to,
        );
        v.live("file", "Name in the directory of [outputs], or an absolute path.", &mut self.file);
        v.live(
            "rotate-size",
            "Bytes after which the file is set aside as FILE.20261129T100815Z (UTC); 0 for never. SIGHUP opens anew, for\n\
             logrotate.",
            &mut self.rotate_size,
        );
        v.live(
            "rotate-interval",
            "The same by time, at its multiples in UTC (\"1h\": each full hour, \"1d\": midnight); \"0s\" for never.",
            &mut self.rotate_interval,
        );
        v.live(
            "keep-files",
            "Files set aside that stay; the oldest are deleted. 0 keeps all.",
            &mut Within(&mut self.keep_files, 0..=100_000).of("files"),
        );
        v.live(
            "socket",
            "Path of the unix socket, in the directory of [outputs] or absolute.",
            &mut self.socket,
        );
        v.live(
            "syslog-server",
            "\"unix:PATH\" (a datagram socket), \"udp:ADDRESS:PORT\", \"tcp:ADDRESS:PORT\" (each message behind its length, RFC 6587)\n\
             or \"tls:ADDRESS:PORT\" (RFC 5425).",
            &mut self.syslog_server,
        );
        v.live("syslog-facility", "\"local5\" or another of RFC 5424's.", &mut self.syslog_facility);
        v.live("syslog-severity", "\"info\" or another of RFC 5424's.", &mut self.syslog_severity);
        v.live("syslog-name", "APP-NAME of the messages.", &mut self.syslog_name);
        v.live(
            "syslog-ca",
            "With tls: PEM file with the CA of the server's certificate; a full path, as are the next two.",
            &mut self.syslog_ca,
        );
        v.live(
            "syslog-server-name",
            "With tls: the name in the server's certificate; \"\": its address.",
            &mut self.syslog_server_name,
        );
        v.live(
            "syslog-certificate",
            "With tls, for a server that wants one: PEM file with this appliance's certificate.",
            &mut self.syslog_certificate,
        );
        v.live("syslog-key", "Its key.", &mut self.syslog_key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Result<SyslogServer, String> {
        let parsed = DeValue::parse(text).map_err(|e| e.to_string())?;
        let mut server = SyslogServer::Unix("/old".into());
        server.read(parsed.get_ref()).map(|()| server)
    }

    #[test]
    fn servers_are_read_and_printed_back() {
        for text in [
            "\"unix:/dev/log\"",
            "\"udp:192.0.2.1:514\"",
            "\"udp:[2001:db8::1]:514\"",
            "\"tcp:192.0.2.1:601\"",
            "\"tls:[2001:db8::1]:6514\"",
        ] {
            assert_eq!(server(text).unwrap().write(), text);
        }
        for wrong in ["\"udp:loghost:514\"", "\"udp:192.0.2.1\"", "\"unix:log\"", "\"/dev/log\"", "514"] {
            assert!(server(wrong).unwrap_err().contains("udp:192.0.2.1:514"), "{wrong}");
        }
    }

    #[test]
    fn facilities_and_severities_have_the_numbers_of_the_rfc() {
        assert_eq!((Facility::WORDS.len(), Facility::Local5 as u8, Facility::Clock as u8), (24, 21, 15));
        assert_eq!((Severity::WORDS.len(), Severity::Info as u8, Severity::Emergency as u8), (8, 6, 0));
    }
}
