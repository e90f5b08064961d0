//! The configuration: one TOML file and `--set` over the defaults of a profile.
//!
//! Owes: a [`Config`] that holds together, or every fault with its line and a caret. Each key is described once, in
//! [`sections`]; reading, `weir config show` and `explain`, `conf/weir.toml`, `docs/configuration.md` and what a running
//! appliance takes over come from that description.

pub mod check;
pub mod edit;
pub mod entries;
pub mod explain;
pub mod fault;
pub mod items;
pub mod key_table;
pub mod kind;
pub mod print;
pub mod read;
pub mod sections;
pub mod text;
pub mod value;
pub mod visit;

#[cfg(test)]
mod tests;

pub use check::{Machine, Missing, cpus, missing_interfaces};
pub use fault::{Fault, Faults};
pub use read::Places;
pub use sections::*;

pub use fault::SourceText;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use value::words;
use visit::{Names, Section, Visitor};

words! {
    /// Which defaults the configuration starts from (`docs/profiles.md` has them side by side).
    Profile {
        /// Suricata's stock limits: the default of `weir replay`.
        Suricata = "suricata",
        /// An inline box: the default of `weir run`.
        Inline = "inline",
    }
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    pub profile: Profile,
    pub eal: Eal,
    pub ports: Vec<Port>,
    pub pairs: Vec<Pair>,
    pub lcores: Lcores,
    pub pools: Pools,
    pub sessions: Sessions,
    pub timeouts: Timeouts,
    pub tunnels: Tunnels,
    pub fragments: Fragments,
    pub streams: Streams,
    pub app_layer: AppLayer,
    pub exceptions: Exceptions,
    pub ip_actions: IpActions,
    /// Overlap policy (a word of [`Overlap`]) by destination network.
    pub host_os_policy: Names,
    pub plugins: Vec<PluginEntry>,
    pub service_sets: Vec<ServiceSet>,
    pub services: Services,
    pub rules: Rules,
    pub vars: Vars,
    pub datasets: Datasets,
    pub named_datasets: Vec<Dataset>,
    pub reputation: Reputation,
    pub geoip: Geoip,
    pub outputs: Outputs,
    pub profiler: Profiler,
    pub rpc: Rpc,
    pub suricata_socket: SuricataSocket,
    pub http: Http,
    pub log: Log,
    pub changes: Changes,
}

impl Config {
    pub fn defaults(profile: Profile) -> Config {
        let host_os_policy = match profile {
            Profile::Suricata => [("0.0.0.0/0".to_owned(), "windows".to_owned())].into(),
            Profile::Inline => Names::new(),
        };
        Config {
            profile,
            eal: Eal::default(),
            ports: Vec::new(),
            pairs: Vec::new(),
            lcores: Lcores::default(),
            pools: Pools::default(),
            sessions: Sessions::of(profile),
            timeouts: Timeouts::of(profile),
            tunnels: Tunnels::of(profile),
            fragments: Fragments::of(profile),
            streams: Streams::of(profile),
            app_layer: AppLayer::of(profile),
            exceptions: Exceptions::default(),
            ip_actions: IpActions::default(),
            host_os_policy,
            plugins: Vec::new(),
            service_sets: Vec::new(),
            services: Services::default(),
            rules: Rules::default(),
            vars: Vars::default(),
            datasets: Datasets::default(),
            named_datasets: Vec::new(),
            reputation: Reputation::default(),
            geoip: Geoip::default(),
            outputs: Outputs::of(profile),
            profiler: Profiler::default(),
            rpc: Rpc::default(),
            suricata_socket: SuricataSocket::default(),
            http: Http::default(),
            log: Log::default(),
            changes: Changes::default(),
        }
    }
}

/// `conf/weir.toml`: every key with what it means and its default in the profile.
pub fn documented_defaults(profile: Profile) -> String {
    let head = "# Weir's configuration: every key with its default.\n\
                # Written by `weir config show --defaults`. Times take ms, s, m, h or d; sizes B, KiB, MiB or GiB.\n\n";
    head.to_owned() + &print::print(&mut Config::defaults(profile), &print::Notes::About)
}

impl Section for Config {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "profile",
            "Which defaults to start from: \"inline\" (a box between two networks) or \"suricata\" (Suricata's stock limits).",
            &mut self.profile,
        );
        v.section("eal", "DPDK's environment.", &mut self.eal);
        v.list("port", "Ports: one [[port]] each.", &mut self.ports);
        v.list("pair", "Pairs: a frame that enters one port leaves by the other.", &mut self.pairs);
        v.section("lcores", "CPUs and what runs on them.", &mut self.lcores);
        v.section("pools", "Buffers for frames.", &mut self.pools);
        v.section("sessions", "The session table of each worker.", &mut self.sessions);
        v.section("timeouts", "How long a session may be idle before it ends.", &mut self.timeouts);
        v.section("tunnels", "Packets within packets.", &mut self.tunnels);
        v.section("fragments", "IP reassembly on each worker.", &mut self.fragments);
        v.section("streams", "TCP stream reassembly on each worker.", &mut self.streams);
        v.section("app-layer", "Bounds of what decoders keep and rules look into.", &mut self.app_layer);
        v.section(
            "exception-policy",
            "What is done when something cannot be done as it should, by its cause: Suricata's exception policies.",
            &mut self.exceptions,
        );
        v.section(
            "ip-actions",
            "What rules ask for beyond the packets that they match (docs/operating.md).",
            &mut self.ip_actions,
        );
        v.live_names(
            "host-os-policy",
            "Overlap policy by destination network, for fragments and streams; the longest prefix wins. Example:\n\
             \"10.1.0.0/16\" = \"linux\"",
            &mut self.host_os_policy,
        );
        v.live_list(
            "plugin",
            "Plugins beside the built-in ones (idp, passthru, cos, filter), and settings of those: one [[plugin]] each.",
            &mut self.plugins,
        );
        v.live_list(
            "service-set",
            "Service sets: which traffic passes which plugins. Without any, everything inspected passes idp.",
            &mut self.service_sets,
        );
        v.section("services", "Bounds of plugins and service sets.", &mut self.services);
        v.section("rules", "Detection rules.", &mut self.rules);
        v.section("vars", "Variables of the rules.", &mut self.vars);
        v.section("datasets", "Lists of values that rules ask for and change.", &mut self.datasets);
        v.live_list(
            "dataset",
            "Sets that the rules know by name alone: one [[dataset]] each.",
            &mut self.named_datasets,
        );
        v.section("reputation", "What is said of addresses (`iprep`).", &mut self.reputation);
        v.section("geoip", "Countries of addresses (`geoip`).", &mut self.geoip);
        v.section("outputs", "Files written.", &mut self.outputs);
        v.section(
            "profiler",
            "Which hosts, services and application contexts were seen, for `weir ctl profile` (docs/operating.md).",
            &mut self.profiler,
        );
        v.section("rpc", "The control socket.", &mut self.rpc);
        v.section(
            "suricata-socket",
            "Suricata's unix-socket protocol, for scripts that know it.",
            &mut self.suricata_socket,
        );
        v.section("http", "/metrics (Prometheus), /healthz and /readyz over HTTP.", &mut self.http);
        v.section("log", "The daemon's own log, on stderr.", &mut self.log);
        v.section(
            "config",
            "Changes of this configuration while weir runs (`weir ctl config`).",
            &mut self.changes,
        );
    }
}

/// A configuration with where its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub places: Places,
    /// Folder that relative paths of the configuration start from.
    pub base: PathBuf,
    /// What it was read from, to be read again.
    pub file: Option<PathBuf>,
    /// The file's text.
    pub text: Arc<SourceText>,
    pub sets: Vec<String>,
}

/// A text in the place of the file's.
#[derive(Debug)]
pub struct Candidate {
    pub loaded: Loaded,
    /// Keys that are unknown or have values that they cannot have.
    pub unreadable: Vec<Fault>,
    /// What does not hold together.
    pub uneven: Vec<Fault>,
}

impl Loaded {
    /// The same sources with another text in the place of the file's. `name`: as faults call it.
    pub fn with_text(&self, name: &str, text: &str) -> Candidate {
        let text = Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() });
        let sets = self.sets.iter().map(|set| Arc::new(set_as_toml(set)));
        let texts: Vec<_> = std::iter::once(Arc::clone(&text)).chain(sets).collect();
        let mut unreadable = Vec::new();
        let (config, places) = read_texts(&texts, Profile::Inline, &mut unreadable);
        let mut uneven = Vec::new();
        check::check(&config, &places, &mut uneven);
        Candidate { loaded: Loaded { config, places, text, ..self.clone() }, unreadable, uneven }
    }

    /// The `--set` that a key has its value from, if it has one: that wins over the file.
    pub fn overridden(&self, key: &str) -> Option<&str> {
        let place = self.places.get(&key.replace('"', ""))?;
        Some(place.source.name.as_str()).filter(|name| name.starts_with(SET))
    }

    /// Whether the CPUs that are named are there, and no two lcores share one unasked.
    pub fn check_cpus(&self, machine: &Machine) -> Result<(), Faults> {
        let mut faults = Vec::new();
        check::check_cpus(&self.config, &self.places, machine, &mut faults);
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }

    /// Whether the interfaces that ports work through are there, which another machine may have.
    pub fn check_interfaces(&self, machine: &Machine) -> Result<(), Faults> {
        let mut faults = Vec::new();
        check::check_interfaces(&self.config, &self.places, machine, &mut faults);
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }
}

/// What a configuration is made from; later sources win.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    pub file: Option<&'a Path>,
    /// `key=value`, as `--set` takes them.
    pub sets: &'a [String],
    /// Where the file names none.
    pub profile: Profile,
}

impl Sources<'_> {
    /// Reads and checks everything; all faults at once.
    pub fn load(&self) -> Result<Loaded, Faults> {
        let file = self.file.map(read_file).transpose()?;
        self.load_texts(file)
    }

    /// The same with another text in the place of the file's.
    pub fn load_as(&self, text: &str) -> Result<Loaded, Faults> {
        let name = |path: &Path| SourceText { name: path.display().to_string(), text: text.to_owned() };
        self.load_texts(self.file.map(name))
    }

    fn load_texts(&self, file: Option<SourceText>) -> Result<Loaded, Faults> {
        let mut texts = Vec::from_iter(file);
        texts.extend(self.sets.iter().map(|set| set_as_toml(set)));
        let base = self.file.and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let texts: Vec<_> = texts.into_iter().map(Arc::new).collect();
        let loaded = load_texts(&texts, self.profile, base)?;
        Ok(Loaded { file: self.file.map(Path::to_owned), sets: self.sets.to_vec(), ..loaded })
    }
}

fn read_file(path: &Path) -> Result<SourceText, Faults> {
    let name = path.display().to_string();
    text::read(path).map(|text| SourceText { name, text }).map_err(|unread| {
        let (message, mend) = (unread.to_string(), unread.mend().to_owned());
        Faults(vec![Fault { place: None, key: String::new(), message, mend }])
    })
}

/// As sources call what the command line said.
const SET: &str = "--set ";

/// `a.b=text` is TOML once the value is; a value that is not is taken as text.
fn set_as_toml(set: &str) -> SourceText {
    let (key, value) = set.split_once('=').unwrap_or((set, ""));
    let (key, value) = (key.trim(), value.trim());
    let plain = toml::de::DeValue::parse(value).is_ok();
    let value = if plain { value.to_owned() } else { value::quoted(value) };
    SourceText { name: format!("{SET}{set}"), text: format!("{key} = {value}") }
}

/// Only the profile, before the defaults are known.
struct ProfileOnly(Profile);

impl Section for ProfileOnly {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value("profile", "", &mut self.0);
    }
}

fn load_texts(texts: &[Arc<SourceText>], profile: Profile, base: PathBuf) -> Result<Loaded, Faults> {
    let mut faults = Vec::new();
    let (config, places) = read_texts(texts, profile, &mut faults);
    check::check(&config, &places, &mut faults);
    let text = texts.first().cloned().unwrap_or_else(|| Arc::new(SourceText::default()));
    if faults.is_empty() {
        Ok(Loaded { config, places, base, file: None, text, sets: Vec::new() })
    } else {
        Err(Faults(faults))
    }
}

/// `profile`: where no text names one.
fn read_texts(texts: &[Arc<SourceText>], profile: Profile, faults: &mut Vec<Fault>) -> (Config, Places) {
    let mut chosen = ProfileOnly(profile);
    for text in texts {
        read::read(text, &mut chosen, &mut Places::new(), &mut Vec::new());
    }
    let mut config = Config::defaults(chosen.0);
    let mut places = Places::new();
    for text in texts {
        read::read(text, &mut config, &mut places, faults);
    }
    (config, places)
}
