//! Packets shown to an operator, management's side: filters in libpcap's language compiled, what workers put into their rings taken
//! out and told in words.

use crate::base::bpf::{Instruction, Program};
use crate::base::{Dir, DropReason, PortId, Time};
use crate::mgmt::eve::proto_name;
use crate::mgmt::rulebook::Sets;
use crate::pipeline::watch::{Fate, FrameFeed, Head, StepFeed, Traced};
use crate::service::outbox::Blame;
use crate::service::trace::{Said, Step};
use std::sync::Arc;

/// Bytes of a filter's text.
const MAX_FILTER: usize = 4096;

/// What is to be shown.
#[derive(Clone, Debug, Default)]
pub struct WatchRequest {
    /// In libpcap's language (pcap-filter(7)); empty takes all.
    pub filter: String,
    /// Only what a verdict drops, or would.
    pub dropped: bool,
    /// The steps instead of the bytes.
    pub steps: bool,
    /// Bytes of each frame.
    pub snaplen: u32,
}

/// One packet shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub time: Time,
    pub packet: u64,
    pub port: u16,
    pub length: u32,
    pub bytes: Vec<u8>,
    /// Its fate, or its steps, a line each.
    pub lines: Vec<String>,
}

/// Packets that watches took, and those for which a ring had no room.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchTotals {
    pub seen: u64,
    pub lost: u64,
}

/// Where shown packets come out.
pub trait Feed: Send {
    /// At most so many packets, oldest first.
    fn take(&mut self, most: usize) -> Vec<Shown>;
    fn totals(&self) -> WatchTotals;
}

/// Compiles a filter for Ethernet; none takes all. May ask for the addresses of host names, so it may take a while.
pub fn filter(text: &str) -> Result<Option<Program>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_FILTER {
        return Err(format!("the filter has {} bytes, {MAX_FILTER} are possible", text.len()));
    }
    let refused =
        |error: pcap::Error| format!("the filter \"{text}\" is no good: {error}; see man 7 pcap-filter");
    let dead = pcap::Capture::dead(pcap::Linktype::ETHERNET).map_err(refused)?;
    let compiled = dead.compile(text, true).map_err(refused)?;
    let program: Option<Vec<_>> =
        compiled.get_instructions().iter().map(|i| instruction(&i.to_string())).collect();
    let program =
        program.ok_or_else(|| format!("the filter \"{text}\" was compiled to something unknown"))?;
    Program::new(&program).map(Some).map_err(|error| error.to_string())
}

/// The library shows an instruction only as text: code, two jumps and a constant.
fn instruction(text: &str) -> Option<Instruction> {
    let mut numbers = text.split_whitespace();
    let instruction = Instruction {
        code: numbers.next()?.parse().ok()?,
        jump_true: numbers.next()?.parse().ok()?,
        jump_false: numbers.next()?.parse().ok()?,
        k: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(instruction)
}

/// Names of what the rings have numbers for.
pub struct Names {
    pub ports: Vec<String>,
    pub plugins: Vec<(u32, String)>,
    pub rules: Arc<dyn Fn() -> Arc<Sets> + Send + Sync>,
}

impl Names {
    fn port(&self, port: PortId) -> &str {
        self.ports.get(port.index()).map_or("?", String::as_str)
    }

    fn to(&self, port: Option<PortId>) -> String {
        port.map_or_else(
            || "nowhere: the port has no other side".to_owned(),
            |port| format!("to {}", self.port(port)),
        )
    }

    fn plugin(&self, id: crate::base::PluginId) -> String {
        let named = self.plugins.iter().find(|(number, _)| *number as usize == id.index());
        named.map_or_else(|| format!("plugin {id}"), |(_, name)| name.clone())
    }

    fn blame(&self, blame: Blame) -> String {
        match (blame.rule, blame.plugin) {
            (Some((generation, index)), _) => format!(" by {}", self.rule(generation, index)),
            (None, Some(plugin)) => format!(" by plugin {}", self.plugin(plugin)),
            (None, None) => String::new(),
        }
    }

    fn rule(&self, generation: crate::base::Generation, index: crate::base::RuleIndex) -> String {
        let sets = (self.rules)();
        match sets.rule(generation, index) {
            Some(rule) => format!("sid {} rev {} of generation {generation}", rule.sid, rule.rev),
            None => format!("a rule of generation {generation}"),
        }
    }

    fn fate(&self, head: &Head) -> String {
        let reason =
            |reason: DropReason| format!("{} ({}){}", reason.name(), reason.help(), self.blame(head.blame));
        match head.fate {
            Fate::Sent(to) => format!("sent {}", self.to(to)),
            Fate::Dropped(why) => format!("dropped: {}", reason(why)),
            Fate::Spared(why) => format!("would be dropped: {}", reason(why)),
            Fate::Held => "held by a plugin".to_owned(),
            Fate::Copied => "a copy, inspected".to_owned(),
            Fate::Piece => "a fragment, goes into reassembly".to_owned(),
            Fate::Passed(to) => format!("not inspected, sent {}", self.to(to)),
        }
    }

    fn step(&self, step: &Step) -> String {
        match *step {
            Step::Rebuilt => "a datagram put together of fragments".into(),
            Step::Released => "held until now".into(),
            Step::Invalid(reason) => format!("decode: invalid: {} ({})", reason.name(), reason.help()),
            Step::Session { flow_id, dir, opened, related } => {
                let dir = if dir == Dir::ToServer { "to server" } else { "to client" };
                let how = if related {
                    "an ICMP error about it"
                } else if opened {
                    "opened"
                } else {
                    "found"
                };
                format!("session: {flow_id} {how}, {dir}")
            }
            Step::NoSession => "session: none is kept for such packets".into(),
            Step::Refused(reason) => format!("session: refused: {}", reason.name()),
            Step::Segment(fit) => format!("tcp: segment {fit}"),
            Step::Settled(reason) => format!("session: settled as dropped ({})", reason.name()),
            Step::Unwanted => "services: no plugin wants packets of this direction any more".into(),
            Step::Plugin { plugin, said } => {
                let said = match said {
                    Said::Forward => "forward".to_owned(),
                    Said::Hold => "hold".to_owned(),
                    Said::Drop(reason) => format!("drop ({})", reason.name()),
                    Said::Nothing => "nothing: it was taken out".to_owned(),
                };
                format!("plugin {}: {said}", self.plugin(plugin))
            }
            Step::Alert { generation, rule } => format!("rules: {} matches", self.rule(generation, rule)),
            Step::Inner => "tunnel: what it carries".into(),
            Step::Piece => "reassembly: a fragment".into(),
            Step::Sent(to) => format!("verdict: forward, {}", self.to(to)),
            Step::Dropped(reason) => format!("verdict: drop, {} ({})", reason.name(), reason.help()),
            Step::Spared(reason) => {
                format!(
                    "verdict: drop, {} ({}); the pair\'s mode lets it go on",
                    reason.name(),
                    reason.help()
                )
            }
            Step::Held => "verdict: hold".into(),
            Step::Consumed => "end: a copy, not forwarded (mode ids)".into(),
        }
    }

    fn traced(&self, row: &Traced) -> Vec<String> {
        let t = &row.tuple;
        let end = |address: std::net::IpAddr, port: u16| match address {
            _ if port == 0 => address.to_string(),
            address => std::net::SocketAddr::from((address, port)).to_string(),
        };
        let packet = match t.proto {
            0 => "not IP".to_owned(),
            proto => {
                format!("{} {} -> {}", proto_name(proto), end(t.src_ip(), t.sport), end(t.dst_ip(), t.dport))
            }
        };
        let received = format!("received: port {}, {} bytes, {packet}", self.port(row.port), row.length);
        std::iter::once(received).chain(row.steps.iter().map(|step| self.step(step))).collect()
    }
}

/// The workers' rings of one watch.
pub struct Frames {
    pub feeds: Vec<FrameFeed>,
    pub names: Names,
}

impl Feed for Frames {
    fn take(&mut self, most: usize) -> Vec<Shown> {
        let mut shown = Vec::new();
        for feed in &mut self.feeds {
            let mut bytes = Vec::new();
            while shown.len() < most
                && let Some(head) = feed.take(&mut bytes)
            {
                let lines = vec![self.names.fate(&head)];
                let (port, bytes) = (head.port.0, std::mem::take(&mut bytes));
                shown.push(Shown {
                    time: head.time,
                    packet: head.packet,
                    port,
                    length: head.length,
                    bytes,
                    lines,
                });
            }
        }
        shown.sort_by_key(|shown| (shown.time, shown.packet));
        shown
    }

    fn totals(&self) -> WatchTotals {
        totals(self.feeds.iter().map(|feed| (feed.counts.seen.get(), feed.counts.lost.get())))
    }
}

/// The workers' rings of one watch.
pub struct Steps {
    pub feeds: Vec<StepFeed>,
    pub names: Names,
}

impl Feed for Steps {
    fn take(&mut self, most: usize) -> Vec<Shown> {
        let mut shown = Vec::new();
        for feed in &mut self.feeds {
            while shown.len() < most
                && let Ok(row) = feed.ring.pop()
            {
                let lines = self.names.traced(&row);
                let (time, packet, port, length) = (row.time, row.packet, row.port.0, row.length);
                shown.push(Shown { time, packet, port, length, bytes: Vec::new(), lines });
            }
        }
        shown.sort_by_key(|shown| (shown.time, shown.packet));
        shown
    }

    fn totals(&self) -> WatchTotals {
        totals(self.feeds.iter().map(|feed| (feed.counts.seen.get(), feed.counts.lost.get())))
    }
}

fn totals(counts: impl Iterator<Item = (u64, u64)>) -> WatchTotals {
    counts.fold(WatchTotals::default(), |sum, (seen, lost)| WatchTotals {
        seen: sum.seen + seen,
        lost: sum.lost + lost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILTERS: &[&str] = &[
        "host 10.0.0.5",
        "tcp port 80",
        "ip6 and udp",
        "vlan 5 and icmp",
        "net 10.0.0.0/8 and not port 22",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "ip[2:2] > 100 or len < 64",
        "ip[0] & 0xf = 5 and ip[6:2] & 0x1fff = 0 and udp[4:2] / 3 % 7 = 2",
        "ip protochain 6",
        "icmp[icmptype] = icmp-echo",
        "ether src 02:00:00:00:00:01",
        "portrange 1000-2000 and greater 70",
        "-ip[8] + 300 < 250 << 1",
    ];

    #[test]
    fn a_wrong_filter_is_refused_with_what_is_wrong() {
        assert!(filter("").unwrap().is_none() && filter("  ").unwrap().is_none());
        let error = filter("hots 10.0.0.5").unwrap_err();
        assert!(error.contains("hots 10.0.0.5") && error.contains("syntax error"), "{error}");
        assert!(filter(&"a".repeat(5000)).unwrap_err().contains("5000 bytes"));
    }

    proptest! {
        /// Our machine says of any frame what the library's own says.
        #[test]
        fn filters_take_what_libpcaps_own_machine_takes(
            at in 0..FILTERS.len(),
            kind in prop::sample::select(vec![0x0800u16, 0x86dd, 0x8100, 0x0806]),
            mut rest in prop::collection::vec(any::<u8>(), 0..90),
            proto in prop::sample::select(vec![1u8, 6, 17, 58]),
            port in prop::sample::select(vec![22u16, 80, 1500]),
        ) {
            rest.first_mut().into_iter().for_each(|byte| *byte = 0x45);
            if let Some(byte) = rest.get_mut(9) { *byte = proto; }
            if let Some(bytes) = rest.get_mut(12..16) { bytes.copy_from_slice(&[10, 0, 0, 5]); }
            if let Some(bytes) = rest.get_mut(22..24) { bytes.copy_from_slice(&port.to_be_bytes()); }
            let frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), &rest].concat();
            let dead = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap();
            // `protochain` makes loops, which the machine of old has not.
            match filter(FILTERS[at]) {
                Err(error) => prop_assert!(FILTERS[at].contains("protochain"), "{}: {}", FILTERS[at], error),
                Ok(ours) => {
                    let theirs = dead.compile(FILTERS[at], true).unwrap();
                    prop_assert_eq!(ours.unwrap().matches(&frame), theirs.filter(&frame), "{}", FILTERS[at]);
                }
            }
        }
    }
}
