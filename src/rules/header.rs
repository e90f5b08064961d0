//! A rule's header words -> what they mean. Sets that several rules name are read once and shared.

use super::app::{self, Carriers, Protos};
use super::group::{self, Group};
use super::parser::RuleAst;
use super::ruleset::{Action, AddrSet, Endpoint, RejectTo, RuleProtocol};
use super::text::{Fault, Text, nearest};
use super::vars::Vars;
use crate::base::interval::IntervalSet;
use ahash::{AHashMap, AHashSet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const ACTIONS: &[(&str, Action)] = &[
    ("alert", Action::Alert),
    // An alert that is not written.
    ("config", Action::Alert),
    ("pass", Action::Pass),
    ("drop", Action::Drop),
    ("reject", Action::Reject(RejectTo::Source)),
    ("rejectsrc", Action::Reject(RejectTo::Source)),
    ("rejectdst", Action::Reject(RejectTo::Destination)),
    ("rejectboth", Action::Reject(RejectTo::Both)),
    ("close-client", Action::Reject(RejectTo::Client)),
    ("close-server", Action::Reject(RejectTo::Server)),
    ("close-both", Action::Reject(RejectTo::Both)),
];

const PROTOCOLS: &[(&str, RuleProtocol)] = &[
    ("pkthdr", RuleProtocol::Packet),
    ("ether", RuleProtocol::Ethernet),
    ("arp", RuleProtocol::Arp),
    ("ip", RuleProtocol::Ip),
    ("ip4", RuleProtocol::Ipv4),
    ("ipv4", RuleProtocol::Ipv4),
    ("ip6", RuleProtocol::Ipv6),
    ("ipv6", RuleProtocol::Ipv6),
    ("tcp", RuleProtocol::Tcp),
    ("tcp-pkt", RuleProtocol::TcpPacket),
    ("tcp-stream", RuleProtocol::TcpStream),
    ("udp", RuleProtocol::Udp),
    ("icmp", RuleProtocol::Icmp),
    ("icmpv4", RuleProtocol::Icmpv4),
    ("icmpv6", RuleProtocol::Icmpv6),
    ("sctp", RuleProtocol::Sctp),
    ("igmp", RuleProtocol::Igmp),
];

pub fn is_action(word: &[u8]) -> bool {
    ACTIONS.iter().any(|(name, _)| name.as_bytes() == word)
}

pub fn action(word: Text<'_>) -> Result<Action, Fault> {
    if let Some((_, action)) = ACTIONS.iter().find(|(name, _)| word.is(name)) {
        return Ok(*action);
    }
    let fault = if word.is("accept") || word.bytes.starts_with(b"accept:") {
        let fault = word.fault("`accept` is of firewall rules, which Weir has in another form");
        fault.help("the filters of an interface, or `pass` for what rules would drop")
    } else {
        let fault = word.fault(format!("`{}` is no action", word.lossy()));
        match nearest(&word.lossy().to_ascii_lowercase(), ACTIONS.iter().map(|(name, _)| *name)) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help("one of: alert, config, pass, drop, reject, rejectsrc, rejectdst, rejectboth, close-client, close-server, close-both"),
        }
    };
    Err(fault.keyword("action"))
}

/// What a rule's protocol word says.
#[derive(Copy, Clone, Debug)]
pub struct Protocol<'a> {
    pub protocol: RuleProtocol,
    /// Of an application protocol: which.
    pub app: Option<Protos>,
    /// What stands behind a colon: when the rule is looked at.
    pub hook: Option<Text<'a>>,
}

pub fn protocol(word: Text<'_>) -> Result<Protocol<'_>, Fault> {
    let (name, hook) = match word.split_once(b':') {
        Some((name, hook)) => (name, Some(hook)),
        None => (word, None),
    };
    let lower = name.lossy().to_ascii_lowercase();
    if let Some((_, protocol)) = PROTOCOLS.iter().find(|(known, _)| *known == lower) {
        return Ok(Protocol { protocol: *protocol, app: None, hook });
    }
    if let Some(protos) = app::named(&lower) {
        let protocol = match protos.carriers() {
            Carriers { tcp: true, udp: true } => RuleProtocol::TcpOrUdp,
            Carriers { udp: true, .. } => RuleProtocol::Udp,
            _ => RuleProtocol::Tcp,
        };
        return Ok(Protocol { protocol, app: Some(protos), hook });
    }
    let known = PROTOCOLS.iter().map(|(name, _)| *name).chain(app::words());
    let fault = name.fault(format!("`{}` is no protocol", name.lossy())).keyword("protocol");
    Err(match nearest(&lower, known) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    })
}

/// What the arrow says.
#[derive(Copy, Clone, Debug, Default)]
pub struct Direction {
    /// `<>`
    pub both_ways: bool,
    /// `=>`
    pub whole_transaction: bool,
}

pub fn direction(word: Text<'_>) -> Result<Direction, Fault> {
    let fault = match word.bytes {
        b"->" => return Ok(Direction::default()),
        b"<>" => return Ok(Direction { both_ways: true, ..Direction::default() }),
        b"=>" => return Ok(Direction { whole_transaction: true, ..Direction::default() }),
        b"<-" => word.fault("a rule is read from left to right").help("swap the two sides and write `->`"),
        _ => word.fault(format!("`{}` is no direction", word.lossy())).help("`->`, `<>` or `=>`"),
    };
    Err(fault.keyword("direction"))
}

/// Sets that rules of all parts name, each once.
#[derive(Default)]
pub struct Pool {
    addresses: Mutex<AHashSet<Arc<AddrSet>>>,
    ports: Mutex<AHashSet<Arc<IntervalSet<u16>>>>,
}

/// Address and port expressions already read, by their text.
pub struct Endpoints<'v> {
    vars: &'v Vars,
    pool: &'v Pool,
    addresses: Interned<AddrSet>,
    ports: Interned<IntervalSet<u16>>,
}

impl<'v> Endpoints<'v> {
    pub fn new(vars: &'v Vars, pool: &'v Pool) -> Endpoints<'v> {
        Endpoints { vars, pool, addresses: Interned::default(), ports: Interned::default() }
    }

    pub fn source(&mut self, ast: &RuleAst<'_>) -> Result<Endpoint, Fault> {
        self.endpoint(ast.src, ast.src_ports)
    }

    pub fn destination(&mut self, ast: &RuleAst<'_>) -> Result<Endpoint, Fault> {
        self.endpoint(ast.dst, ast.dst_ports)
    }

    fn endpoint(&mut self, addresses: Text<'_>, ports: Text<'_>) -> Result<Endpoint, Fault> {
        Ok(Endpoint {
            addresses: self.addresses.read(addresses, &self.vars.addresses, &self.pool.addresses)?,
            ports: self.ports.read(ports, &self.vars.ports, &self.pool.ports)?,
        })
    }
}

/// Sets by text; by value they are in the pool: two rules that say the same share one.
struct Interned<G> {
    by_text: AHashMap<Box<[u8]>, Option<Arc<G>>>,
}

impl<G> Default for Interned<G> {
    fn default() -> Self {
        Interned { by_text: AHashMap::new() }
    }
}

impl<G: Group + Eq + std::hash::Hash> Interned<G> {
    /// `None` is `any`.
    fn read(
        &mut self,
        text: Text<'_>,
        vars: &BTreeMap<String, String>,
        pool: &Mutex<AHashSet<Arc<G>>>,
    ) -> Result<Option<Arc<G>>, Fault> {
        if let Some(known) = self.by_text.get(text.bytes) {
            return Ok(known.clone());
        }
        let set = group::parse::<G>(text, vars)?;
        let shared = (!set.is_full()).then(|| {
            let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
            let shared = pool.get(&set).map_or_else(|| Arc::new(set), Arc::clone);
            pool.insert(Arc::clone(&shared));
            shared
        });
        self.by_text.insert(text.bytes.into(), shared.clone());
        Ok(shared)
    }
}
