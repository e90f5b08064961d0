//! IP actions in force: told, and ended.

use super::Operator;
use crate::base::Addr;
use crate::base::ip_action::IpTarget;
use crate::mgmt::control::IpActionInfo;
use crate::service::ip_actions::Row;
use std::net::IpAddr;

impl Operator {
    pub(super) fn list_ip_actions(&self, address: Option<IpAddr>) -> Vec<IpActionInfo> {
        let table = std::sync::Arc::clone(&self.handle().ip_actions);
        let mut rows = table.rows(self.now());
        rows.retain(|row| is_against(row, address));
        rows.sort_by_key(|row| std::cmp::Reverse(row.until));
        rows.iter().map(|row| self.ip_action(row)).collect()
    }

    pub(super) fn end_ip_actions(&self, address: Option<IpAddr>) -> usize {
        let table = std::sync::Arc::clone(&self.handle().ip_actions);
        let ended = table.clear(|row| is_against(row, address), self.now());
        tracing::warn!("{ended} IP actions ended by an operator");
        ended
    }

    fn ip_action(&self, row: &Row) -> IpActionInfo {
        let key = &row.key;
        let has = |targets: &[IpTarget]| targets.contains(&key.target);
        let address = |addr: Addr, there: bool| there.then(|| addr.to_ip(key.family));
        let loaded = self.loaded();
        let port = loaded.config.ports.get(usize::from(key.port)).filter(|_| has(&[IpTarget::Zone]));
        IpActionInfo {
            deed: row.deed.name().into(),
            target: key.target.name().into(),
            source: address(key.src, has(&[IpTarget::Source, IpTarget::Service])),
            destination: address(key.dst, has(&[IpTarget::Destination, IpTarget::Service])),
            proto: key.proto,
            port: key.dport,
            ingress: port.map(|port| port.name.clone()).unwrap_or_default(),
            rule: Some(self.rule_story(row.rule)),
            since: row.since,
            until: row.until,
            packets: row.packets,
        }
    }
}

fn is_against(row: &Row, address: Option<IpAddr>) -> bool {
    address.is_none_or(|address| {
        let (addr, family) = Addr::from_ip(address);
        let named = row.key.target != IpTarget::Zone && row.key.family == family;
        named && (row.key.src == addr || row.key.dst == addr)
    })
}
