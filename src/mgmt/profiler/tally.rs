//! What was seen since the last write, added up in memory.

use super::seen::{Context, Kind, Seen, Service, Session};
use crate::base::Time;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// Rows of a kind that wait to be written at most: what comes beyond while the disk does not take them is lost.
pub(super) const WAITING: usize = 1 << 15;

/// A host: its address, and the VLANs that tell it from another of that address.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub(super) address: IpAddr,
    pub(super) vlans: u64,
}

/// When something was seen, and how often.
#[derive(Copy, Clone, Debug)]
pub(super) struct Times {
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) count: u64,
}

impl Times {
    fn new(first: Time, last: Time) -> Times {
        Times { first, last, count: 0 }
    }

    fn widen(&mut self, first: Time, last: Time) {
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    fn add(&mut self, first: Time, last: Time) {
        self.widen(first, last);
        self.count = self.count.saturating_add(1);
    }
}

#[derive(Debug)]
pub(super) struct HostSum {
    pub(super) times: Times,
    /// Of the sessions, those that it opened.
    pub(super) as_client: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
}

#[derive(Debug)]
pub(super) struct ServiceSum {
    /// Counts sessions.
    pub(super) times: Times,
    pub(super) app: Option<&'static str>,
    pub(super) banner: Option<Box<str>>,
}

/// Owned by the profiler's thread.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) hosts: HashMap<Host, HostSum>,
    pub(super) services: HashMap<(Host, Service), ServiceSum>,
    pub(super) contexts: HashMap<(Host, Kind, Box<str>), Times>,
    /// Observations in it.
    pub(super) observed: u64,
}

/// The sum of a key; none where there is no room for a new one.
fn slot<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
    if map.len() >= WAITING && !map.contains_key(&key) {
        return None;
    }
    Some(map.entry(key).or_insert_with(new))
}

impl Tally {
    /// False where something of it found no room.
    pub(super) fn add(&mut self, seen: Seen) -> bool {
        let taken = match seen {
            Seen::Session(session) => self.session(&session),
            Seen::Context(context) => self.context(context),
        };
        self.observed += u64::from(taken);
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.services.is_empty() && self.contexts.is_empty()
    }

    /// Half of what may wait: to be written before its time.
    pub(super) fn is_heavy(&self) -> bool {
        [self.hosts.len(), self.services.len(), self.contexts.len()].iter().any(|len| *len >= WAITING / 2)
    }

    pub(super) fn clear(&mut self) {
        self.hosts.clear();
        self.services.clear();
        self.contexts.clear();
        self.observed = 0;
    }

    fn session(&mut self, s: &Session) -> bool {
        let [by_client, by_server] = s.bytes;
        let ends = [(s.client, 1, by_client, by_server), (s.server, 0, by_server, by_client)];
        let mut taken = true;
        for (address, as_client, sent, received) in ends {
            let new = || HostSum { times: Times::new(s.first, s.last), as_client: 0, sent: 0, received: 0 };
            let Some(sum) = slot(&mut self.hosts, Host { address, vlans: s.vlans }, new) else {
                taken = false;
                continue;
            };
            sum.times.add(s.first, s.last);
            sum.as_client = sum.as_client.saturating_add(as_client);
            sum.sent = sum.sent.saturating_add(sent);
            sum.received = sum.received.saturating_add(received);
        }
        let Some(service) = s.service else { return taken };
        let host = Host { address: s.server, vlans: s.vlans };
        match self.service(host, service, s.first, s.last) {
            Some(sum) => {
                sum.times.add(s.first, s.last);
                sum.app = s.app.or(sum.app);
                taken
            }
            None => false,
        }
    }

    fn context(&mut self, context: Context) -> bool {
        let Context { at, vlans, host: address, service, kind, text } = context;
        let host = Host { address, vlans };
        let mut taken = true;
        if let Some(service) = service.filter(|_| kind == Kind::ServerBanner) {
            match self.service(host, service, at, at) {
                // Its session is counted when it ends.
                Some(sum) => {
                    sum.times.widen(at, at);
                    sum.banner = Some(text.clone());
                }
                None => taken = false,
            }
        }
        match slot(&mut self.contexts, (host, kind, text), || Times::new(at, at)) {
            Some(times) => {
                times.add(at, at);
                taken
            }
            None => false,
        }
    }

    fn service(&mut self, host: Host, of: Service, first: Time, last: Time) -> Option<&mut ServiceSum> {
        let new = || ServiceSum { times: Times::new(first, last), app: None, banner: None };
        slot(&mut self.services, (host, of), new)
    }
}
