//! `[suricata-socket]`, `[http]`, and how `[rpc]` is had over TCP.

use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::visit::{Section, Value, Visitor};
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::de::DeValue;

/// An address to listen at, or `""` for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

const WANTED: &str = "an address with its port, such as \"127.0.0.1:9690\" or \"[::1]:9690\", or \"\"";

impl Value for Listen {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let mut text = String::new();
        text.read(toml).map_err(|found| found.replacen("a text in quotes", WANTED, 1))?;
        *self = match text.as_str() {
            "" => Listen(None),
            text => Listen(Some(text.parse().map_err(|_| format!("expected {WANTED}, found \"{text}\""))?)),
        };
        Ok(())
    }

    fn write(&self) -> String {
        crate::mgmt::config::value::quoted(&self.0.map(|address| address.to_string()).unwrap_or_default())
    }

    fn kind(&self) -> Kind {
        Kind::Form(WANTED)
    }
}

/// The files of TLS; all of them or none. Relative paths start at the configuration's folder.
#[derive(Clone, Debug, Default)]
pub struct RpcTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub client_ca: PathBuf,
}

impl RpcTls {
    /// Each key's last part, and its file.
    pub fn files(&self) -> [(&'static str, &PathBuf); 3] {
        [("certificate", &self.certificate), ("key", &self.key), ("client-ca", &self.client_ca)]
    }

    pub fn is_set(&self) -> bool {
        self.files().iter().any(|(_, path)| !path.as_os_str().is_empty())
    }
}

impl Section for RpcTls {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "certificate",
            "This appliance's certificate, and those that lead to its CA.",
            &mut self.certificate,
        );
        v.value("key", "Its private key.", &mut self.key);
        v.value(
            "client-ca",
            "CAs that clients' certificates must lead to. Whoever has such a certificate may do all that `weir ctl` can.",
            &mut self.client_ca,
        );
    }
}

/// Suricata's own control protocol.
#[derive(Clone, Debug)]
pub struct SuricataSocket {
    pub enabled: bool,
    pub path: Auto<PathBuf>,
}

impl Default for SuricataSocket {
    fn default() -> SuricataSocket {
        SuricataSocket { enabled: true, path: Auto::Auto }
    }
}

impl Section for SuricataSocket {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("enabled", "Answer `suricatasc`, for those whom rpc.socket answers.", &mut self.enabled);
        v.value(
            "path",
            "Path of the unix socket. \"auto\": suricata-command.socket in the folder of rpc.socket.\n\
             A relative path starts at the working directory.",
            &mut self.path,
        );
    }
}

/// Metrics and health over HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    pub listen: Listen,
}

impl Default for Http {
    fn default() -> Http {
        Http { listen: Listen(Some(SocketAddr::from(([127, 0, 0, 1], 9690)))) }
    }
}

impl Section for Http {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "listen",
            "Address and port; \"\": no HTTP. There is no password: whoever reaches it reads counters, and can change nothing.\n\
             Unless the key is written, a port that somebody else has is no fault: there is no HTTP then.",
            &mut self.listen,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Listen, String> {
        let mut listen = Listen::default();
        listen.read(DeValue::parse(text).unwrap().get_ref()).map(|()| listen)
    }

    #[test]
    fn addresses_are_read_with_their_ports_and_printed_back() {
        for text in ["\"127.0.0.1:9690\"", "\"[::1]:1\"", "\"\""] {
            assert_eq!(read(text).unwrap().write(), text);
        }
        for text in ["\"localhost\"", "\"127.0.0.1\"", "9690", "\"::1:80\""] {
            let fault = read(text).unwrap_err();
            assert!(fault.contains("127.0.0.1:9690") && fault.contains("found"), "{fault}");
        }
    }
}
