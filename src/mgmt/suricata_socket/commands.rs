//! The commands: their names, what they want, and how they are carried out.

use super::{answers, datasets};
use crate::mgmt::build;
use crate::mgmt::control::Control;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Done(Value),
    Refused(Value),
}

impl Reply {
    pub fn json(self) -> Value {
        match self {
            Reply::Done(message) => json!({ "message": message, "return": "OK" }),
            Reply::Refused(message) => json!({ "message": message, "return": "NOK" }),
        }
    }
}

pub(super) type Arguments = Map<String, Value>;
type Run = fn(&Commands, &Arguments) -> Result<Value, String>;

/// By name, in the order in which `command-list` has them.
const COMMANDS: &[(&str, Run)] = &[
    ("command-list", |_, _| Ok(list("commands", COMMANDS.iter().map(|(name, _)| (*name).into()).collect()))),
    ("help", |_, _| Ok(list("commands", COMMANDS.iter().map(|(name, _)| (*name).into()).collect()))),
    ("shutdown", |it, _| {
        it.control.stop();
        Ok("the appliance is stopping".into())
    }),
    ("version", |_, _| Ok(format!("{} RELEASE (Weir {})", build::VERSION, build::COMMIT).into())),
    ("uptime", |it, _| Ok(answers::uptime(&it.control.status()).into())),
    ("running-mode", |it, _| Ok(if it.control.status().workers > 0 { "workers" } else { "single" }.into())),
    ("capture-mode", |_, _| Ok("DPDK".into())),
    ("iface-list", |it, _| Ok(list("ifaces", it.control.ports().into_iter().map(Value::from).collect()))),
    ("iface-stat", |it, arguments| answers::iface(&*it.control, text(arguments, "iface")?)),
    ("dump-counters", |it, _| Ok(answers::counters(&it.control.status(), &it.control.counters()))),
    ("reload-rules", Commands::reload),
    ("ruleset-reload-rules", Commands::reload),
    ("ruleset-reload-nonblocking", Commands::reload_beside),
    ("ruleset-reload-time", |it, _| Ok(answers::reload_time(&it.control.ruleset()))),
    ("ruleset-stats", |it, _| Ok(answers::ruleset(&it.control.ruleset()))),
    ("ruleset-failed-rules", |it, _| Ok(answers::failed(&it.control.ruleset()))),
    ("reopen-log-files", |it, _| {
        it.control.reopen_outputs();
        Ok("done".into())
    }),
    ("dataset-add", |it, arguments| datasets::add(&*it.control, arguments)),
    ("dataset-remove", |it, arguments| datasets::remove(&*it.control, arguments)),
    ("dataset-lookup", |it, arguments| datasets::lookup(&*it.control, arguments)),
    ("dataset-clear", |it, arguments| datasets::clear(&*it.control, arguments)),
    ("dataset-dump", |it, _| datasets::dump(&*it.control)),
    ("get-flow-stats-by-id", |it, arguments| {
        let id = arguments.get("flow_id").and_then(Value::as_u64);
        answers::flow(&*it.control, id.ok_or("the argument flow_id is missing, a number")?)
    }),
];

/// Carries out commands of all clients.
pub(super) struct Commands {
    control: Arc<dyn Control>,
    /// A reload is under way: another would read the same files again, and each takes a thread.
    reloading: Arc<AtomicBool>,
}

impl Commands {
    pub fn new(control: Arc<dyn Control>) -> Commands {
        Commands { control, reloading: Arc::default() }
    }

    pub fn answer(&self, message: &Value) -> Reply {
        let Some(name) = message.get("command").and_then(Value::as_str) else {
            return Reply::Refused("this message has no \"command\"".into());
        };
        let none = Map::new();
        let arguments = match message.get("arguments") {
            None => &none,
            Some(Value::Object(arguments)) => arguments,
            Some(_) => return Reply::Refused("\"arguments\" is not an object".into()),
        };
        match COMMANDS.iter().find(|(known, _)| *known == name) {
            Some((_, run)) => run(self, arguments).map_or_else(|why| Reply::Refused(why.into()), Reply::Done),
            None => {
                let text =
                    "this command is unknown here: command-list names those there are, `weir ctl` does more";
                Reply::Refused(text.into())
            }
        }
    }

    fn reload(&self, _: &Arguments) -> Result<Value, String> {
        let _one = Reloading::begin(&self.reloading)?;
        self.control.reload_rules().map(|_| "done".into()).map_err(|error| error.to_string())
    }

    fn reload_beside(&self, _: &Arguments) -> Result<Value, String> {
        let one = Reloading::begin(&self.reloading)?;
        let control = Arc::clone(&self.control);
        let work = move || {
            let _one = one;
            if let Err(error) = control.reload_rules() {
                tracing::error!("rules not reloaded: {error}");
            }
        };
        // Of the runtime that commands run on, so that the appliance's end waits for it.
        tokio::runtime::Handle::try_current().map_err(|error| error.to_string())?.spawn_blocking(work);
        Ok("reload begun".into())
    }
}

/// The one reload that is under way.
struct Reloading(Arc<AtomicBool>);

impl Reloading {
    fn begin(flag: &Arc<AtomicBool>) -> Result<Reloading, String> {
        match flag.swap(true, Ordering::AcqRel) {
            false => Ok(Reloading(Arc::clone(flag))),
            true => Err("a reload is under way already".into()),
        }
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn list(name: &str, items: Vec<Value>) -> Value {
    json!({ "count": items.len(), name: items })
}

pub(super) fn text<'a>(arguments: &'a Arguments, name: &str) -> Result<&'a str, String> {
    let text = arguments.get(name).and_then(Value::as_str);
    text.ok_or_else(|| format!("the argument {name} is missing, a text"))
}
