//! `[tunnels]`: which packets within packets are looked at.

use crate::base::TunnelKind;
use crate::decode::tunnels::{self, InnerSessions, MAX_TUNNEL_PORTS};
use crate::mgmt::config::Profile;
use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::value::{Within, no_such_word, quoted, words};
use crate::mgmt::config::visit::{Section, Value, Visitor};
use toml::de::DeValue;

words! {
    /// To what an inner session belongs.
    Belong {
        Tunnel = "tunnel",
        Joined = "joined",
    }
}

impl Value for TunnelKind {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let word = match toml {
            DeValue::String(word) => TunnelKind::ALL.into_iter().find(|kind| kind.name() == word),
            _ => None,
        };
        *self = word.ok_or_else(|| no_such_word(toml, &TunnelKind::ALL.map(TunnelKind::name)))?;
        Ok(())
    }

    fn write(&self) -> String {
        quoted(self.name())
    }

    fn kind(&self) -> Kind {
        Kind::Words(TunnelKind::ALL.map(TunnelKind::name).to_vec())
    }
}

/// A UDP port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpPort(pub u16);

impl Value for UdpPort {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        Within(&mut self.0, 1..=u16::MAX).read(toml)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn kind(&self) -> Kind {
        Kind::Number { low: 1, high: u16::MAX.into(), unit: "" }
    }
}

#[derive(Clone, Debug)]
pub struct Tunnels {
    pub decode: Vec<TunnelKind>,
    pub vxlan_ports: Vec<UdpPort>,
    pub geneve_ports: Vec<UdpPort>,
    pub teredo_ports: Vec<UdpPort>,
    pub gtp_u_ports: Vec<UdpPort>,
    pub inner_sessions: Belong,
}

impl Tunnels {
    /// Suricata's stock configuration leaves ERSPAN type I alone, and GTP-U it does not know.
    pub fn of(profile: Profile) -> Tunnels {
        let stock = |kind: &TunnelKind| !matches!(kind, TunnelKind::ErspanI | TunnelKind::GtpU);
        let (decode, inner_sessions) = match profile {
            Profile::Suricata => (TunnelKind::ALL.into_iter().filter(stock).collect(), Belong::Joined),
            Profile::Inline => (TunnelKind::ALL.to_vec(), Belong::Tunnel),
        };
        let one = |port| vec![UdpPort(port)];
        Tunnels {
            decode,
            vxlan_ports: one(tunnels::VXLAN_PORT),
            geneve_ports: one(tunnels::GENEVE_PORT),
            teredo_ports: one(tunnels::TEREDO_PORT),
            gtp_u_ports: one(tunnels::GTP_U_PORT),
            inner_sessions,
        }
    }

    /// The ports of those that have any, with the key that says so.
    pub fn ports(&self) -> [(TunnelKind, &'static str, &[UdpPort]); 4] {
        [
            (TunnelKind::Vxlan, "vxlan-ports", &self.vxlan_ports),
            (TunnelKind::Geneve, "geneve-ports", &self.geneve_ports),
            (TunnelKind::Teredo, "teredo-ports", &self.teredo_ports),
            (TunnelKind::GtpU, "gtp-u-ports", &self.gtp_u_ports),
        ]
    }

    /// What is wrong with them: the key, what, and how to mend it.
    pub fn faults(&self) -> Vec<(String, String, String)> {
        let mut faults = Vec::new();
        let mut seen: Vec<(UdpPort, &str)> = Vec::new();
        for (kind, key, ports) in self.ports() {
            let full_key = format!("tunnels.{key}");
            if ports.len() > MAX_TUNNEL_PORTS {
                let message = format!("{} ports", ports.len());
                faults.push((full_key.clone(), message, format!("at most {MAX_TUNNEL_PORTS}")));
            }
            if ports.is_empty() && self.decode.contains(&kind) {
                let mend = format!("name a port, or take \"{}\" out of tunnels.decode", kind.name());
                faults.push((full_key.clone(), "no port, so none is ever found".into(), mend));
            }
            for port in ports {
                match seen.iter().find(|(other, _)| other == port) {
                    Some((_, other)) => {
                        let message = format!("port {} is named in tunnels.{other} as well", port.0);
                        faults.push((full_key.clone(), message, "name each port once".into()));
                    }
                    None => seen.push((*port, key)),
                }
            }
        }
        faults
    }

    pub fn convert(&self) -> tunnels::Tunnels {
        let sessions = match self.inner_sessions {
            Belong::Tunnel => InnerSessions::OfTunnel,
            Belong::Joined => InnerSessions::Joined,
        };
        let ports_of = |kind: TunnelKind| -> Vec<u16> {
            let ports = self.ports().into_iter().find(|(of, ..)| *of == kind);
            ports.map_or(Vec::new(), |(.., ports)| ports.iter().map(|port| port.0).collect())
        };
        let none = tunnels::Tunnels::none().keeping(sessions);
        self.decode.iter().fold(none, |all, kind| all.with(*kind, &ports_of(*kind)))
    }
}

impl Section for Tunnels {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "decode",
            "Tunnels whose packets are looked at. MPLS, PPPoE and service headers (NSH) always are looked through.",
            &mut self.decode,
        );
        v.value("vxlan-ports", "UDP ports to which VXLAN is sent, at most four.", &mut self.vxlan_ports);
        v.value("geneve-ports", "UDP ports to which Geneve is sent, at most four.", &mut self.geneve_ports);
        v.value(
            "teredo-ports",
            "UDP ports of Teredo's servers and relays, at most four.",
            &mut self.teredo_ports,
        );
        v.value("gtp-u-ports", "UDP ports of GTP-U, at most four.", &mut self.gtp_u_ports);
        v.value(
            "inner-sessions",
            "\"tunnel\": an inner session belongs to the tunnel it came in, so that two tenants with the same addresses never\n\
             mix. \"joined\": to all tunnels of its depth; its two directions may come through different ones, as from mirrors\n\
             of several switches.",
            &mut self.inner_sessions,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_few_and_named_once() {
        let mut section = Tunnels::of(Profile::Inline);
        assert!(section.faults().is_empty());
        section.geneve_ports = vec![UdpPort(4789)];
        section.teredo_ports = (1..=5).map(UdpPort).collect();
        section.gtp_u_ports.clear();
        let keys: Vec<_> = section.faults().into_iter().map(|(key, ..)| key).collect();
        assert_eq!(keys, ["tunnels.geneve-ports", "tunnels.teredo-ports", "tunnels.gtp-u-ports"]);
        section.decode.retain(|kind| *kind != TunnelKind::GtpU);
        assert_eq!(section.faults().len(), 2, "what is not decoded needs no port");
    }

    #[test]
    fn what_is_listed_is_decoded_at_its_ports() {
        let section = Tunnels {
            decode: vec![TunnelKind::Vxlan, TunnelKind::Gre],
            vxlan_ports: vec![UdpPort(8472)],
            ..Tunnels::of(Profile::Suricata)
        };
        let expected = tunnels::Tunnels::none()
            .with(TunnelKind::Gre, &[])
            .with(TunnelKind::Vxlan, &[8472])
            .keeping(InnerSessions::Joined);
        assert_eq!(section.convert(), expected);
        assert_eq!(Tunnels::of(Profile::Inline).convert(), tunnels::Tunnels::default());
    }
}
