//! Lets everything pass, and logs each fragment that it sees as "source -> destination". After reassembly that is none: with
//! the configuration `all` it logs every packet instead, to show that it works.
//!
//! The text is built on a session's first packet and kept with the session, as the number of its place in a table.

use weir_plugin::{Desk, Direction, Event, LogLevel, Plugin, Registration, Reply, Worker};

struct Passthru {
    all: bool,
}

impl Plugin for Passthru {
    type Worker = Half;

    fn register(config: &str, _desk: Desk) -> Result<(Registration, Passthru), String> {
        let all = match config.trim() {
            "" => false,
            "all" => true,
            other => return Err(format!("passthru knows no configuration but \"all\", not {other:?}")),
        };
        let about = Registration {
            name: "passthru".into(),
            kind: "sample".into(),
            counters: vec!["packets".into(), "fragments".into()],
            ..Registration::default()
        };
        Ok((about, Passthru { all }))
    }

    fn worker(&self, _worker: u32) -> Half {
        Half { all: self.all, texts: Vec::new(), free: Vec::new() }
    }
}

struct Half {
    all: bool,
    /// A session's action is its place here, plus one.
    texts: Vec<String>,
    free: Vec<u64>,
}

impl Worker for Half {
    fn first_packet(&mut self, event: &mut Event<'_>) -> Reply {
        if let Some(session) = event.session() {
            let text = format!("{} -> {}", session.source().0, session.destination().0);
            let place = match self.free.pop() {
                Some(place) => {
                    self.texts[place as usize] = text;
                    place
                }
                None => {
                    self.texts.push(text);
                    self.texts.len() as u64 - 1
                }
            };
            Direction::BOTH.into_iter().for_each(|direction| event.attach(direction, place + 1));
        }
        self.packet(event)
    }

    fn packet(&mut self, event: &mut Event<'_>) -> Reply {
        let fragment = event.packet().is_some_and(|packet| packet.is_fragment());
        event.count(0, 1);
        event.count(1, u64::from(fragment));
        if fragment || self.all {
            let text = event.action().checked_sub(1).and_then(|place| self.texts.get(place as usize));
            if let Some(text) = text {
                event.log(LogLevel::Info, text);
            }
        }
        Reply::Forward
    }

    fn session_destroy(&mut self, event: &mut Event<'_>) {
        self.free.extend(event.action().checked_sub(1));
    }
}

weir_plugin::export!(Passthru);
