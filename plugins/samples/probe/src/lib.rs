//! Tells a file every event that it hears, and misbehaves when its configuration says so: for tests of the host.
//!
//! The configuration is words: `name=N file=PATH`, then any of
//! - `discard`, `hold`, `panic`, `garbage`, `leak`, `spin`, `crash`, `abort`, `overflow`, each with `=TEXT`: done to packets whose
//!   payload has the text (of `hold`, the frame is let go at the next packet with `release` in its payload);
//! - `begin=DEED`: `spin`, `crash`, `abort` or `overflow` in its entry function;
//! - `policy`: its sets need one; attached at `init`, or `late=MILLISECONDS` after it, by a thread of its own;
//! - `ignore`: it ignores both directions after the first packet.
//!
//! A block of configuration names a deed of those that `begin` knows, done at once; `thread` before it (`thread crash`): on a
//! thread of its own. It writes files on the packet path, which no real plugin may.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use weir_plugin::{CloseReason, Control, Desk, Direction, Event, Plugin, Registration, Reply, Worker};

#[derive(Clone, Default)]
struct Words {
    name: String,
    file: String,
    policy: bool,
    late: Option<u64>,
    ignore: bool,
    begin: String,
    deeds: Vec<(String, String)>,
}

const DEEDS: [&str; 9] =
    ["discard", "hold", "panic", "garbage", "leak", "spin", "crash", "abort", "overflow"];

/// What no process survives. Comes back from other words.
fn fatal(deed: &str) {
    match deed {
        "spin" => loop {
            std::hint::spin_loop();
        },
        // SAFETY: none at all; it is what is asked for.
        "crash" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "abort" => std::process::abort(),
        "overflow" => {
            std::hint::black_box(deeper(1));
        }
        _ => {}
    }
}

/// Until the stack is used up.
#[allow(unconditional_recursion)]
fn deeper(level: u64) -> u64 {
    let room = std::hint::black_box([level; 64]);
    deeper(level + 1) + room[7]
}

fn words(config: &str) -> Result<Words, String> {
    let mut words = Words { name: "probe".into(), ..Words::default() };
    for word in config.split_whitespace() {
        match word.split_once('=') {
            Some(("name", name)) => words.name = name.into(),
            Some(("file", file)) => words.file = file.into(),
            Some(("late", late)) => words.late = Some(late.parse().map_err(|_| format!("late={late}"))?),
            Some(("begin", deed)) => words.begin = deed.into(),
            Some((deed, text)) if DEEDS.contains(&deed) => words.deeds.push((deed.into(), text.into())),
            None if word == "policy" => words.policy = true,
            None if word == "ignore" => words.ignore = true,
            _ => return Err(format!("probe does not know {word:?}")),
        }
    }
    words.policy |= words.late.is_some();
    Ok(words)
}

struct Probe {
    words: Words,
    file: Arc<Mutex<File>>,
}

impl Plugin for Probe {
    type Worker = Half;

    fn register(config: &str, _desk: Desk) -> Result<(Registration, Probe), String> {
        let words = words(config)?;
        fatal(&words.begin);
        let file = File::options().create(true).append(true).open(&words.file);
        let file = file.map_err(|error| format!("probe cannot write {:?}: {error}", words.file))?;
        let about = Registration {
            name: words.name.clone(),
            kind: "probe".into(),
            needs_policy: words.policy,
            ..Registration::default()
        };
        Ok((about, Probe { words, file: Arc::new(Mutex::new(file)) }))
    }

    fn worker(&self, worker: u32) -> Half {
        let half = Half { words: self.words.clone(), file: Arc::clone(&self.file), held: Vec::new() };
        half.line(&format!("worker-init {worker}"));
        half
    }

    #[allow(clippy::disallowed_methods)] // being late is what it is told to be
    fn control(&self, event: Control<'_>, desk: Desk) -> Result<(), String> {
        if let Control::Init { set, .. } = event {
            match self.words.late {
                Some(late) => drop(std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(late));
                    desk.attach(set, 1u64);
                })),
                None if self.words.policy => drop(desk.attach(set, 1u64)),
                None => {}
            }
        }
        if let Control::ConfigBlob { bytes, .. } = event {
            let words = String::from_utf8_lossy(bytes).trim().to_owned();
            match words.strip_prefix("thread ") {
                Some(deed) => {
                    let deed = deed.to_owned();
                    std::thread::spawn(move || fatal(&deed));
                }
                None => fatal(&words),
            }
        }
        Ok(())
    }
}

struct Half {
    words: Words,
    file: Arc<Mutex<File>>,
    held: Vec<u64>,
}

impl Half {
    fn line(&self, text: &str) {
        if let Ok(mut file) = self.file.lock() {
            let _ = writeln!(file, "{} {text}", self.words.name);
        }
    }

    fn told(&self, what: &str, event: &Event<'_>, more: &str) {
        let dir = if event.direction() == Direction::ToServer { "forward" } else { "reverse" };
        // The client's port names the session: its id differs from run to run.
        let session = event.session().map_or_else(|| "-".into(), |session| session.source().1.to_string());
        self.line(format!("{what} {} {dir} {session} {more}", event.set()).trim_end());
    }

    fn act(&mut self, event: &mut Event<'_>) -> Reply {
        let payload = event.packet().map(|packet| packet.payload().to_vec()).unwrap_or_default();
        let has = |text: &str| !text.is_empty() && payload.windows(text.len()).any(|w| w == text.as_bytes());
        if has("release") {
            for ticket in self.held.drain(..) {
                event.release(ticket, true);
            }
        }
        let deed = self.words.deeds.iter().find(|(_, text)| has(text)).map(|(deed, _)| deed.as_str());
        match deed {
            Some("discard") => return Reply::Discard,
            Some("hold") => {
                self.held.extend(event.ticket());
                return Reply::Hold;
            }
            Some("panic") => panic!("as the configuration says"),
            Some("garbage") => return Reply::Raw(4711),
            Some("leak") => while event.share().is_some() {},
            Some(deed) => fatal(deed),
            None => {}
        }
        Reply::Forward
    }
}

impl Worker for Half {
    fn init(&mut self, set: u32) {
        self.line(&format!("init {set}"));
    }

    fn first_packet(&mut self, event: &mut Event<'_>) -> Reply {
        self.told("first-packet", event, "");
        if self.words.ignore {
            Direction::BOTH.into_iter().for_each(|direction| event.ignore(direction));
        }
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
}

impl Drop for Half {
    fn drop(&mut self) {
        self.line("worker-exit");
    }
}

weir_plugin::export!(Probe);
