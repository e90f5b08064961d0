//! Tells a file every event that it hears, and misbehaves when its configuration says so: for tests of the host.
//!
//! The configuration is words: `name=N file=PATH`, then any of
//! - `discard`, `hold`, `panic`, `garbage`, `leak`, `spin`, `crash`, `abort`, `overflow`, `edit`, `emit`, `dispatch`, `ask`,
//!   `keep`, `chatter`, `betray`, each with `=TEXT`: done to packets whose payload has the text. What is held is let go at the next packet with
//!   `release` in its payload, or, with `turns`, when the worker's turn comes. `edit` makes the changes of `dscp=`, `source=`,
//!   `destination=`, `source-port=` and `destination-port=`; `emit` sends an ARP request and the packet once more, shouted, out
//!   of port `to=N`; `dispatch` tells the payload to the class of `publishes=`; `ask` asks the plugin `of=NAME`; `keep` takes a
//!   reference to the frame, reads it and gives it back; `chatter` dispatches without end; `betray` crashes in the answer of whom
//!   it asks;
//! - `begin=DEED`: `spin`, `crash`, `abort` or `overflow` in its entry function;
//! - `policy`: its sets need one; attached at `init`, or `late=MILLISECONDS` after it, by a thread of its own;
//! - `ignore`: it ignores both directions after the first packet, with `=forward` or `=reverse` one;
//! - `packet-mode`, `subscribes=CLASS`;
//! - `announce`: it tells of its registration as well.
//!
//! A block of configuration is a new policy: with `drop`, new sessions are refused, with `pass` they are not. Or it names a deed
//! of those that `begin` knows, done at once; `thread` before it (`thread crash`): on a thread of its own.
//!
//! It writes files on the packet path, which no real plugin may. Built with the feature `newer` it says so in each line.

mod deeds;
mod words;

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use weir_plugin::{CloseReason, Control, Desk, Direction, Event, Plugin, Registration, Reply, Worker};
use words::Words;

use deeds::fatal;
/// What `ask` asks for, and with which argument.
const KIND: u32 = 7;
const ARGUMENT: u64 = 40;

struct Probe {
    words: Words,
    file: Arc<Mutex<File>>,
}

/// New sessions are refused.
struct Refuse(bool);

fn line(file: &Mutex<File>, name: &str, text: &str) {
    let newer = if cfg!(feature = "newer") { "newer " } else { "" };
    if let Ok(mut file) = file.lock() {
        let _ = writeln!(file, "{newer}{name} {text}");
    }
}

impl Plugin for Probe {
    type Worker = Half;

    fn register(config: &str, _desk: Desk) -> Result<(Registration, Probe), String> {
        let words = Words::read(config)?;
        fatal(&words.begin);
        let file = File::options().create(true).append(true).open(&words.file);
        let file = file.map_err(|error| format!("probe cannot write {:?}: {error}", words.file))?;
        let about = Registration {
            name: words.name.clone(),
            kind: "probe".into(),
            packet_mode: words.packet_mode,
            needs_policy: words.policy,
            turns: words.turns,
            publishes: words.publishes.iter().cloned().collect(),
            subscribes: words.subscribes.iter().cloned().collect(),
            counters: vec!["packets".into()],
            ..Registration::default()
        };
        let file = Arc::new(Mutex::new(file));
        if words.announce {
            line(&file, &words.name, "registers");
        }
        Ok((about, Probe { words, file }))
    }

    fn worker(&self, worker: u32) -> Half {
        let half = Half { words: self.words.clone(), file: Arc::clone(&self.file), held: Vec::new() };
        half.line(&format!("worker-init {worker}"));
        half
    }

    #[allow(clippy::disallowed_methods)] // being late is what it is told to be
    fn control(&self, event: Control<'_>, desk: Desk) -> Result<(), String> {
        match event {
            Control::Init { set, .. } => match self.words.late {
                Some(late) => drop(std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(late));
                    desk.attach(set, Refuse(false));
                })),
                None if self.words.policy => drop(desk.attach(set, Refuse(false))),
                None => {}
            },
            Control::ConfigBlob { set, delete: true, .. } => drop(desk.detach(set)),
            Control::ConfigBlob { set, bytes: b"drop", .. } => drop(desk.attach(set, Refuse(true))),
            Control::ConfigBlob { set, bytes: b"pass", .. } => drop(desk.attach(set, Refuse(false))),
            Control::ConfigBlob { bytes, .. } => deed(String::from_utf8_lossy(bytes).trim())?,
            Control::HaInfo => {}
        }
        Ok(())
    }
}

/// A deed of a block of configuration, done at once, or on a thread of its own.
fn deed(words: &str) -> Result<(), String> {
    let (threaded, deed) = words.strip_prefix("thread ").map_or((false, words), |deed| (true, deed));
    if !["spin", "crash", "abort", "overflow"].contains(&deed) {
        return Err(format!("probe knows \"drop\" and \"pass\", not {words:?}"));
    }
    let deed = deed.to_owned();
    if threaded {
        drop(std::thread::spawn(move || fatal(&deed)))
    } else {
        fatal(&deed)
    }
    Ok(())
}

struct Half {
    words: Words,
    file: Arc<Mutex<File>>,
    held: Vec<u64>,
}

impl Half {
    fn line(&self, text: &str) {
        line(&self.file, &self.words.name, text);
    }

    fn told(&self, what: &str, event: &Event<'_>, more: &str) {
        let dir = if event.direction() == Direction::ToServer { "forward" } else { "reverse" };
        // The client's port names the session: its id differs from run to run.
        let session = event.session().map_or_else(|| "-".into(), |session| session.source().1.to_string());
        self.line(format!("{what} {} {dir} {session} {more}", event.set()).trim_end());
    }

    fn act(&mut self, event: &mut Event<'_>) -> Reply {
        event.count(0, 1);
        let payload = event.packet().map(|packet| packet.payload().to_vec()).unwrap_or_default();
        let has = |text: &str| !text.is_empty() && payload.windows(text.len()).any(|w| w == text.as_bytes());
        if has("release") {
            self.let_go(event);
        }
        match self.words.deed(has) {
            Some("discard") => return Reply::Discard,
            Some("hold") => {
                self.held.extend(event.ticket());
                return Reply::Hold;
            }
            Some("panic") => panic!("as the configuration says"),
            Some("garbage") => return Reply::Raw(4711),
            Some("leak") => while event.share().is_some() {},
            Some("edit") => {
                let done = self.words.edits.iter().filter(|edit| event.edit(**edit)).count();
                self.line(&format!("edits {done}"));
            }
            Some("emit") => self.emit(event),
            Some("dispatch") => {
                let class = self.words.publishes.as_deref().and_then(|class| event.class_named(class));
                let told = class.map(|class| event.dispatch(class, &payload));
                self.line(&format!("dispatched to {told:?}"));
            }
            Some("ask") => self.ask(event),
            Some("chatter") => loop {
                event.dispatch(0, b"again");
            },
            Some("betray") => {
                let asked = event.plugin_named(&self.words.of);
                asked.map(|plugin| event.ask(plugin, KIND, ARGUMENT, |_, _| fatal("crash")));
            }
            Some("keep") => {
                let share = event.share();
                let kept = share.as_ref().and_then(|share| event.shared(share, 0)).map(<[u8]>::len);
                share.into_iter().for_each(|share| event.release_share(share));
                self.line(&format!("kept {kept:?}"));
            }
            Some(deed) => fatal(deed),
            None => {}
        }
        Reply::Forward
    }

    fn let_go(&mut self, event: &mut Event<'_>) {
        for ticket in self.held.drain(..) {
            event.release(ticket, true);
        }
    }

    /// An ARP request, and the packet that is there in capitals; a UDP checksum of 0 says that there is none (RFC 768).
    fn emit(&mut self, event: &mut Event<'_>) {
        let Some(packet) = event.packet() else { return };
        let mut shouted = packet.bytes().to_vec();
        let payload = shouted.len() - packet.payload().len();
        shouted[payload..].make_ascii_uppercase();
        shouted[payload - 2..payload].fill(0);
        let mut arp = vec![0xff; 6];
        arp.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        arp.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        let sent = [arp, shouted].iter().filter(|frame| event.emit(frame, self.words.to)).count();
        self.line(&format!("emitted {sent}"));
    }

    fn ask(&mut self, event: &mut Event<'_>) {
        let mut answer = None;
        if let Some(plugin) = event.plugin_named(&self.words.of) {
            event.ask(plugin, KIND, ARGUMENT, |bytes, code| {
                answer = Some((String::from_utf8_lossy(bytes).into_owned(), code));
            });
        }
        self.line(&format!("answer {answer:?}"));
    }
}

impl Worker for Half {
    fn init(&mut self, set: u32) {
        self.line(&format!("init {set}"));
    }

    fn first_packet(&mut self, event: &mut Event<'_>) -> Reply {
        self.told("first-packet", event, "");
        if event.policy::<Refuse>().is_some_and(|policy| policy.0) {
            return Reply::Discard;
        }
        self.words.ignore.iter().for_each(|direction| event.ignore(*direction));
        self.act(event)
    }

    fn packet(&mut self, event: &mut Event<'_>) -> Reply {
        self.told("packet", event, "");
        self.act(event)
    }

    fn session_open(&mut self, event: &mut Event<'_>) {
        self.told("session-open", event, "");
    }

    fn session_close(&mut self, event: &mut Event<'_>, reason: CloseReason) {
        self.told("session-close", event, reason.name());
    }

    fn session_destroy(&mut self, event: &mut Event<'_>) {
        self.told("session-destroy", event, "");
    }

    fn user(&mut self, event: &mut Event<'_>, _class: u32, data: &[u8]) -> Reply {
        self.told("user", event, &String::from_utf8_lossy(data));
        Reply::Ok
    }

    fn public_data(&mut self, kind: u32, argument: u64) -> Option<(&[u8], i64)> {
        (kind == KIND).then(|| (self.words.name.as_bytes(), argument as i64 + 2))
    }

    fn turn(&mut self, event: &mut Event<'_>) {
        if !self.held.is_empty() {
            self.line("lets go at a turn");
            self.let_go(event);
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.line("worker-exit");
    }
}

weir_plugin::export!(Probe);
