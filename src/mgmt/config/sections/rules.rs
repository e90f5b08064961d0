//! `[rules]`, `[vars.address]`, `[vars.port]`.

use crate::mgmt::config::value::{AtLeast, Bytes, Within};
use crate::mgmt::config::visit::{Names, Section, Visitor};
use std::path::PathBuf;

/// Less holds no rules worth a start; and who writes 0 means something else.
const LEAST_MEMORY: Bytes = Bytes::mib(1);

#[derive(Clone, Debug)]
pub struct Rules {
    pub files: Vec<PathBuf>,
    pub classification: PathBuf,
    pub reference: PathBuf,
    pub threshold: Vec<PathBuf>,
    pub disable: Vec<PathBuf>,
    pub enable: Vec<PathBuf>,
    pub drop: Vec<PathBuf>,
    pub modify: Vec<PathBuf>,
    pub cache: PathBuf,
    pub memory: Bytes,
    pub packet_alert_max: u16,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            files: Vec::new(),
            classification: PathBuf::new(),
            reference: PathBuf::new(),
            threshold: Vec::new(),
            disable: Vec::new(),
            enable: Vec::new(),
            drop: Vec::new(),
            modify: Vec::new(),
            cache: PathBuf::new(),
            memory: Bytes::mib(4096),
            packet_alert_max: 15,
        }
    }
}

impl Section for Rules {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "files",
            "Rule files in Suricata's language; wildcards are allowed, and a folder stands for its *.rules. Relative paths\nstart at this file's folder.",
            &mut self.files,
        );
        v.live(
            "classification",
            "classification.config: the names and priorities of classtypes. Empty: every class has priority 3.",
            &mut self.classification,
        );
        v.live(
            "reference",
            "reference.config: the address prefixes of references. Empty: none.",
            &mut self.reference,
        );
        v.live(
            "threshold",
            "Files in the format of Suricata's threshold.config: suppress, threshold and rate_filter (docs/rules.md).",
            &mut self.threshold,
        );
        v.live(
            "disable",
            "Lists in suricata-update's formats, applied in this order: rules that are not loaded (disable.conf),",
            &mut self.disable,
        );
        v.live("enable", "rules that are, though disabled or commented out (enable.conf),", &mut self.enable);
        v.live("drop", "rules whose action becomes drop (drop.conf),", &mut self.drop);
        v.live("modify", "and rules whose text is changed (modify.conf).", &mut self.modify);
        v.live(
            "cache",
            "Folder for the compiled rules, /var/lib/weir/rules say: a start with the same files takes them from there, in a\nfraction of the time. Written by `weir run`. Empty: none.",
            &mut self.cache,
        );
        v.live(
            "memory",
            "Bytes that rules may hold with what is compiled of them: all generations that sessions go by, and those being tried.\n\
             A start, reload, trial or commit whose rules find no room beside them is refused, and the rules in force stay. At\n\
             least 1MiB; there always is a bound, so 0 is refused.",
            &mut AtLeast(&mut self.memory, LEAST_MEMORY),
        );
        v.live(
            "packet-alert-max",
            "Alerts of one packet; what is over it, by rule order, is lost and counted.",
            &mut Within(&mut self.packet_alert_max, 1..=255).of("alerts"),
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
impl Default for Vars {
    fn default() -> Vars {
        let stock = crate::rules::Vars::default();
        Vars { address: stock.addresses, port: stock.ports }
    }
}

impl Section for Vars {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live_names(
            "address",
            "What $NAME means where a rule has addresses. Names given here are added to these or replace them.",
            &mut self.address,
        );
        v.live_names("port", "What $NAME means where a rule has ports.", &mut self.port);
    }
}
