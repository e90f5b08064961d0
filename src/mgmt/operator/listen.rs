//! Clients that are told events, and how much the daemon's own log tells.

use super::Operator;
use crate::mgmt::config::{Config, EventType, LogLevel};
use crate::mgmt::control::ControlError;
use crate::mgmt::listening::{Listener, MOST_LISTENERS, Told};
use crate::mgmt::{convert, daemon_log, outputs};
use crate::rules::app::Protos;

impl Operator {
    pub(super) fn begin_to_listen(&self, types: &[EventType]) -> Result<Listener, ControlError> {
        let loaded = self.loaded();
        let config = &loaded.config;
        if let Some(none) = types.iter().find(|kind| !is_made(config, **kind)) {
            let name = none.name();
            return Err(ControlError::Unanswerable(format!(
                "no output asks for records of the type \"{name}\", so workers make none: add it to outputs.eve.types"
            )));
        }
        let listener = self.listening.begin(outputs::records(config, types, &self.rules));
        listener.ok_or_else(|| {
            ControlError::Unchanged(format!("{MOST_LISTENERS} clients listen to events already: end one"))
        })
    }

    /// For the event log's thread.
    pub fn fresh_listeners(&self) -> Vec<Told> {
        self.listening.take_fresh()
    }

    pub(super) fn change_log_level(&self, level: LogLevel, who: &str) -> Result<(), ControlError> {
        if !daemon_log::set_level(level) {
            let text = "WEIR_LOG in the environment says what the log tells";
            return Err(ControlError::Unchanged(text.into()));
        }
        tracing::warn!("log: {who} sets the level {}", level.name());
        Ok(())
    }
}

/// Whether workers, or management itself, make events of a type.
fn is_made(config: &Config, kind: EventType) -> bool {
    let wanted = convert::wanted(config);
    match kind {
        EventType::Alert | EventType::Stats => true,
        EventType::Flow | EventType::Netflow => wanted.flow,
        EventType::Drop => wanted.drop,
        EventType::Anomaly => wanted.anomaly,
        EventType::Files => wanted.files,
        EventType::App(_) => {
            let asked = EventType::protocols(&[kind]);
            asked.or(wanted.apps) == wanted.apps && asked != Protos::NONE
        }
    }
}
