//! `[outputs]`, `[rpc]`, `[log]`.

use super::event_type::EventType;
use crate::mgmt::config::Profile;
use crate::mgmt::config::value::{Auto, words};
use crate::mgmt::config::visit::{Section, Visitor};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Eve {
    pub enabled: bool,
    pub file: PathBuf,
    pub types: Vec<EventType>,
    pub flush_interval: Duration,
    pub stats_interval: Duration,
    pub rule_text: bool,
    pub verdict: bool,
}

impl Eve {
    pub fn of(profile: Profile) -> Eve {
        Eve {
            enabled: true,
            file: "eve.json".into(),
            types: EventType::stock(profile),
            flush_interval: Duration::from_secs(1),
            stats_interval: Duration::from_secs(8),
            rule_text: false,
            verdict: false,
        }
    }
}

impl Section for Eve {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("enabled", "Write events at all.", &mut self.enabled);
        v.value("file", "Name in the directory of [outputs], or an absolute path.", &mut self.file);
        v.value(
            "types",
            "Which records: any of \"alert\", \"anomaly\", \"drop\", \"flow\", \"stats\", \"files\" (a fileinfo record a file), or a\n\
             protocol's name for a record a transaction: \"http\", \"http2\", \"dns\", \"tls\", \"smtp\", \"ftp\" (with its data channels),\n\
             \"smb\", \"dcerpc\", \"krb5\", \"sip\", \"snmp\", \"dhcp\", \"tftp\" and whatever else is decoded. Any of these makes workers\n\
             decode all sessions, whatever the rules ask for; alerts on transactions of those protocols then say what was\n\
             known of them.",
            &mut self.types,
        );
        v.value("flush-interval", "How long a record may wait in memory.", &mut self.flush_interval);
        v.value("stats-interval", "Between two stats records.", &mut self.stats_interval);
        v.value("rule-text", "Put the rule's text into alerts, as alert.rule.", &mut self.rule_text);
        v.value(
            "verdict",
            "Put what became of the packet into alerts, as verdict: all its rules together, and who was told of a reject.",
            &mut self.verdict,
        );
    }
}

#[derive(Clone, Debug)]
pub struct Outputs {
    pub directory: PathBuf,
    pub eve: Eve,
}

impl Outputs {
    pub fn of(profile: Profile) -> Outputs {
        Outputs { directory: "/var/log/weir".into(), eve: Eve::of(profile) }
    }
}

impl Section for Outputs {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("directory", "Where output files go; it is made when missing.", &mut self.directory);
        v.section("eve", "Events as one JSON object a line, in Suricata's field names.", &mut self.eve);
    }
}

#[derive(Clone, Debug)]
pub struct Rpc {
    pub enabled: bool,
    pub socket: Auto<PathBuf>,
    pub group_access: bool,
}

impl Default for Rpc {
    fn default() -> Rpc {
        Rpc { enabled: true, socket: Auto::Auto, group_access: false }
    }
}

impl Section for Rpc {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("enabled", "Answer `weir ctl`.", &mut self.enabled);
        v.value(
            "socket",
            "Path of the unix socket. \"auto\": /run/weir/weir.sock for root, else $XDG_RUNTIME_DIR/weir/weir.sock,\n\
             or /tmp/weir-UID/weir.sock without that variable.",
            &mut self.socket,
        );
        v.value(
            "group-access",
            "Let the socket's group use it (mode 0660 instead of 0600).",
            &mut self.group_access,
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
        v.value(
            "level",
            "\"error\", \"warn\", \"info\", \"debug\" or \"trace\". WEIR_LOG in the environment wins.",
            &mut self.level,
        );
        v.value("format", "\"text\" or \"json\".", &mut self.format);
    }
}
