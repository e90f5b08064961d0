//! Rule variables. Suricata's stock ones are the default, so that rule sets find the names they use.

use std::collections::BTreeMap;

/// Names (without `$`) and the expressions they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vars {
    pub addresses: BTreeMap<String, String>,
    pub ports: BTreeMap<String, String>,
}

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

impl Default for Vars {
    fn default() -> Vars {
        let owned = |list: &[(&str, &str)]| list.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Vars { addresses: owned(ADDRESSES), ports: owned(PORTS) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::group;
    use super::super::ruleset::AddrSet;
    use super::super::text::Text;
    use super::*;
    use crate::base::interval::IntervalSet;

    #[test]
    fn every_stock_variable_is_an_expression_that_reads() {
        let vars = Vars::default();
        for value in vars.addresses.values() {
            group::parse::<AddrSet>(Text::new(value.as_bytes(), 0), &vars.addresses).unwrap();
        }
        for value in vars.ports.values() {
            group::parse::<IntervalSet<u16>>(Text::new(value.as_bytes(), 0), &vars.ports).unwrap();
        }
    }
}
