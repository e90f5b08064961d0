//! `[rules]`, `[vars.address]`, `[vars.port]`.

use crate::mgmt::config::value::Within;
use crate::mgmt::config::visit::{Names, Section, Visitor};
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Rules {
    pub files: Vec<PathBuf>,
    pub classification: PathBuf,
    pub reference: PathBuf,
    pub packet_alert_max: u16,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            files: Vec::new(),
            classification: PathBuf::new(),
            reference: PathBuf::new(),
            packet_alert_max: 15,
        }
    }
}

impl Section for Rules {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "files",
            "Rule files in Suricata's language; wildcards are allowed. Relative paths start at this file's folder.",
            &mut self.files,
        );
        v.value(
            "classification",
            "classification.config: the names and priorities of classtypes. Empty: every class has priority 3.",
            &mut self.classification,
        );
        v.value(
            "reference",
            "reference.config: the address prefixes of references. Empty: none.",
            &mut self.reference,
        );
        v.value(
            "packet-alert-max",
            "Alerts of one packet; what is over it, by rule order, is lost and counted.",
            &mut Within(&mut self.packet_alert_max, 1..=255),
        );
    }
}

/// What `$NAME` means in rules.
#[derive(Clone, Debug)]
pub struct Vars {
    pub address: Names,
    pub port: Names,
}

/// Suricata's stock groups, so that rule sets written for it load.
const ADDRESSES: &[(&str, &str)] = &[
    ("HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"),
    ("EXTERNAL_NET", "!$HOME_NET"),
    ("HTTP_SERVERS", "$HOME_NET"),
    ("SMTP_SERVERS", "$HOME_NET"),
    ("SQL_SERVERS", "$HOME_NET"),
    ("DNS_SERVERS", "$HOME_NET"),
    ("TELNET_SERVERS", "$HOME_NET"),
    ("AIM_SERVERS", "$EXTERNAL_NET"),
    ("DC_SERVERS", "$HOME_NET"),
    ("DNP3_SERVER", "$HOME_NET"),
    ("DNP3_CLIENT", "$HOME_NET"),
    ("MODBUS_CLIENT", "$HOME_NET"),
    ("MODBUS_SERVER", "$HOME_NET"),
    ("ENIP_CLIENT", "$HOME_NET"),
    ("ENIP_SERVER", "$HOME_NET"),
];

const PORTS: &[(&str, &str)] = &[
    ("HTTP_PORTS", "80"),
    ("SHELLCODE_PORTS", "!80"),
    ("ORACLE_PORTS", "1521"),
    ("SSH_PORTS", "22"),
    ("DNP3_PORTS", "20000"),
    ("MODBUS_PORTS", "502"),
    ("FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"),
    ("FTP_PORTS", "21"),
    ("GENEVE_PORTS", "6081"),
    ("VXLAN_PORTS", "4789"),
    ("TEREDO_PORTS", "3544"),
    ("SIP_PORTS", "[5060,5061]"),
];

fn names(pairs: &[(&str, &str)]) -> Names {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Default for Vars {
    fn default() -> Vars {
        Vars { address: names(ADDRESSES), port: names(PORTS) }
    }
}

impl Section for Vars {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.names(
            "address",
            "What $NAME means where a rule has addresses. Names given here are added to these or replace them.",
            &mut self.address,
        );
        v.names("port", "What $NAME means where a rule has ports.", &mut self.port);
    }
}
