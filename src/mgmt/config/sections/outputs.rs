//! `[outputs]`, `[rpc]`, `[log]`.

use super::destination::{Destination, SinkKind};
use super::doors::{Listen, RpcTls};
use super::event_type::EventType;
use crate::mgmt::config::Profile;
use crate::mgmt::config::value::{Auto, words};
use crate::mgmt::config::visit::{Item, Section, Visitor};
use std::path::PathBuf;
use std::time::Duration;

/// What an EVE output's records are, wherever they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    pub types: Vec<EventType>,
    pub flush_interval: Duration,
    pub rule_text: bool,
    pub verdict: bool,
}

impl Records {
    fn of(profile: Profile) -> Records {
        Records {
            types: EventType::stock(profile),
            flush_interval: FLUSH_INTERVAL,
            rule_text: false,
            verdict: false,
        }
    }
}

const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

impl Section for Records {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "types",
            "Which records: any of \"alert\", \"anomaly\", \"drop\", \"flow\", \"netflow\" (one a direction of an ended session),\n\
             \"stats\", \"files\" (a fileinfo record a file), or a protocol's name for a record a transaction: \"http\", \"http2\",\n\
             \"dns\", \"tls\", \"smtp\", \"ftp\" (with its data channels), \"smb\", \"dcerpc\", \"krb5\", \"sip\", \"snmp\", \"dhcp\", \"tftp\"\n\
             and whatever else is decoded. Any of these makes workers decode all sessions, whatever the rules ask for; alerts\n\
             on transactions of those protocols then say what was known of them.",
            &mut self.types,
        );
        v.live("flush-interval", "How long a record may wait in memory.", &mut self.flush_interval);
        v.live("rule-text", "Put the rule's text into alerts, as alert.rule.", &mut self.rule_text);
        v.live(
            "verdict",
            "Put what became of the packet into alerts and drop records, as verdict: all its rules together, who was told of a reject, and\n\
             as verdict.would what would have become of it where the mode lets it go on.",
            &mut self.verdict,
        );
    }
}

#[derive(Clone, Debug)]
pub struct Eve {
    pub enabled: bool,
    pub destination: Destination,
    pub records: Records,
    pub stats_interval: Duration,
}

impl Eve {
    pub fn of(profile: Profile) -> Eve {
        Eve {
            enabled: true,
            destination: Destination::file("eve.json"),
            records: Records::of(profile),
            stats_interval: Duration::from_secs(8),
        }
    }
}

impl Section for Eve {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("enabled", "Write this one.", &mut self.enabled);
        self.destination.visit(v);
        self.records.visit(v);
        v.live("stats-interval", "Between two stats records, of all EVE outputs.", &mut self.stats_interval);
    }
}

/// An EVE output beside `[outputs.eve]`.
#[derive(Clone, Debug)]
pub struct FurtherEve {
    pub name: String,
    pub destination: Destination,
    pub records: Records,
}

impl Default for FurtherEve {
    fn default() -> FurtherEve {
        FurtherEve {
            name: String::new(),
            destination: Destination::file("further.json"),
            records: Records::of(Profile::Inline),
        }
    }
}

impl Item for FurtherEve {
    fn sample() -> FurtherEve {
        let mut sample = FurtherEve { name: "siem".into(), ..FurtherEve::default() };
        sample.destination.to = SinkKind::UnixStream;
        sample.destination.socket = "/run/siem/eve.sock".into();
        sample.records.types = vec![EventType::Alert];
        sample
    }
}

impl Section for FurtherEve {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("name", "How logs and counters (output.NAME.lost) call it.", &mut self.name);
        self.destination.visit(v);
        self.records.visit(v);
    }
}

/// `fast.log`.
#[derive(Clone, Debug)]
pub struct Fast {
    pub enabled: bool,
    pub destination: Destination,
    pub flush_interval: Duration,
}

impl Default for Fast {
    fn default() -> Fast {
        Fast { enabled: false, destination: Destination::file("fast.log"), flush_interval: FLUSH_INTERVAL }
    }
}

impl Section for Fast {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("enabled", "Write it.", &mut self.enabled);
        self.destination.visit(v);
        v.live("flush-interval", "How long a line may wait in memory.", &mut self.flush_interval);
    }
}

#[derive(Clone, Debug)]
pub struct Outputs {
    pub directory: PathBuf,
    pub eve: Eve,
    pub further_eve: Vec<FurtherEve>,
    pub fast: Fast,
}

/// Names of the outputs that are always there.
pub const EVE: &str = "eve";
pub const FAST: &str = "fast";

impl Outputs {
    pub fn of(profile: Profile) -> Outputs {
        Outputs {
            directory: "/var/log/weir".into(),
            eve: Eve::of(profile),
            further_eve: Vec::new(),
            fast: Fast::default(),
        }
    }

    /// Whether some output wants records of this type.
    pub fn want(&self, kind: EventType) -> bool {
        self.all_records().any(|records| records.types.contains(&kind))
    }

    /// All types that some output wants; some twice.
    pub fn types(&self) -> Vec<EventType> {
        self.all_records().flat_map(|records| records.types.iter().copied()).collect()
    }

    fn all_records(&self) -> impl Iterator<Item = &Records> {
        let first = self.eve.enabled.then_some(&self.eve.records);
        first.into_iter().chain(self.further_eve.iter().map(|eve| &eve.records))
    }
}

impl Section for Outputs {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "directory",
            "Where output files go; it is made when missing. A relative path starts at the working directory.",
            &mut self.directory,
        );
        v.section("eve", "Events as one JSON object a line, in Suricata's field names.", &mut self.eve);
        v.live_list(
            "further-eve",
            "The same to other places, each with types of its own: one [[outputs.further-eve]] each.",
            &mut self.further_eve,
        );
        v.section(
            "fast",
            "Alerts as one line of text each, in the form of Suricata's fast.log.",
            &mut self.fast,
        );
    }
}

#[derive(Clone, Debug)]
pub struct Rpc {
    pub enabled: bool,
    pub socket: Auto<PathBuf>,
    pub group_access: bool,
    pub listen: Listen,
    pub tls: RpcTls,
}

impl Default for Rpc {
    fn default() -> Rpc {
        Rpc {
            enabled: true,
            socket: Auto::Auto,
            group_access: false,
            listen: Listen(None),
            tls: RpcTls::default(),
        }
    }
}

impl Section for Rpc {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("enabled", "Answer `weir ctl`.", &mut self.enabled);
        v.value(
            "socket",
            "Path of the unix socket. \"auto\": /run/weir/weir.sock for root, else $XDG_RUNTIME_DIR/weir/weir.sock,\n\
             or /tmp/weir-UID/weir.sock without that variable. A relative path starts at the working directory.",
            &mut self.socket,
        );
        v.value(
            "group-access",
            "Let the socket's group use it (mode 0660 instead of 0600).",
            &mut self.group_access,
        );
        v.value(
            "listen",
            "Address and port where gRPC is to be had over TCP as well; \"\": nowhere. Without [rpc.tls] only a loopback address,\n\
             and then every user of this machine may do all that `weir ctl` can.",
            &mut self.listen,
        );
        v.section(
            "tls",
            "Mutual TLS (1.3) for rpc.listen: PEM files, read again when they change. A client without a certificate is refused.",
            &mut self.tls,
        );
    }
}

words! {
    LogLevel {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
        Trace = "trace",
    }
}

words! {
    LogFormat {
        Text = "text",
        Json = "json",
    }
}

/// The daemon's own log, on stderr.
#[derive(Clone, Debug)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Log {
        Log { level: LogLevel::Info, format: LogFormat::Text }
    }
}

impl Section for Log {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "level",
            "\"error\", \"warn\", \"info\", \"debug\" or \"trace\" (which alone has gRPC's frames). WEIR_LOG in the environment wins.",
            &mut self.level,
        );
        v.value("format", "\"text\" or \"json\".", &mut self.format);
    }
}
