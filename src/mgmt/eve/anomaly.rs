//! `anomaly` objects: of packets, of streams, of transactions.

use super::app::Form;
use crate::base::Anomaly;
use crate::base::anomaly::AnomalyKind;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct AnomalyPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'static str>,
    #[serde(rename = "type")]
    kind: &'static str,
    event: String,
    /// Who said so, of an application's: the decoder, or the protocol's detection.
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'static str>,
}

impl AnomalyPart {
    pub fn of_packet(anomaly: Anomaly) -> AnomalyPart {
        let prefix = match anomaly.kind() {
            AnomalyKind::Decode => "decoder",
            AnomalyKind::Stream => "stream",
        };
        let kind = anomaly.kind().name();
        let event = format!("{prefix}.{}", anomaly.name());
        AnomalyPart { app_proto: None, kind, event, layer: None }
    }

    /// `name` is the whole one that rules ask for; a decoder's is written without the protocol.
    pub fn of_app(name: &str, form: Option<&Form>, tx: Option<u64>) -> AnomalyPart {
        let own = name.split_once('.').map_or(name, |(_, own)| own);
        let shouts = tx.is_none() || form.is_some_and(|form| form.shouts);
        AnomalyPart {
            app_proto: form.map(|form| form.proto.log_name()),
            kind: "applayer",
            event: if shouts { own.to_ascii_uppercase() } else { own.to_owned() },
            layer: Some(if tx.is_some() { "proto_parser" } else { "proto_detect" }),
        }
    }
}
