//! How far a transaction is, by the names that hooks (`http1:request_line`) and `app-layer-state` ask for
//! (docs.suricata.io, "Firewall Mode Design", "Explicit rule hook", and "SSH Keywords"). Which stage of a decoder a name
//! is says the decoder's entry in `app`; a test there holds the two to each other.

use super::app::{AppProto, Protos};
use super::text::{Fault, Text, nearest};
use crate::base::Dir;
use serde::{Deserialize, Serialize};

/// What is asked of a state.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateTest {
    /// The transaction came to it, and may be past it: a hook.
    Reached,
    /// It is not there yet (`<`), in it, or past it (`>`) when it is looked at.
    Before,
    In,
    Past,
}

type Names = &'static [&'static str];

/// Those that every protocol has.
pub const STARTED: [&str; 2] = ["request_started", "response_started"];
pub const COMPLETED: [&str; 2] = ["request_complete", "response_complete"];

const HTTP1: [Names; 2] = [
    &["request_line", "request_headers", "request_body", "request_trailer"],
    &["response_line", "response_headers", "response_body", "response_trailer"],
];
const TLS: [Names; 2] = [
    &[
        "client_in_progress",
        "client_hello_done",
        "client_cert_done",
        "client_handshake_done",
        "client_finished",
    ],
    &[
        "server_in_progress",
        "server_hello",
        "server_cert_done",
        "server_hello_done",
        "server_handshake_done",
        "server_finished",
    ],
];
const SSH: [Names; 2] = [
    &["request_in_progress", "request_banner_wait_eol", "request_banner_done", "request_finished"],
    &["response_in_progress", "response_banner_wait_eol", "response_banner_done", "response_finished"],
];

/// The protocol's own names, to the server and to the client.
pub fn own(proto: AppProto) -> [Names; 2] {
    match proto {
        AppProto::Http1 => HTTP1,
        AppProto::Tls => TLS,
        AppProto::Ssh => SSH,
        _ => [&[], &[]],
    }
}

fn names(proto: AppProto, dir: Dir) -> impl Iterator<Item = &'static str> {
    let at = dir.index();
    let every = [STARTED, COMPLETED].into_iter().filter_map(move |pair| pair.get(at).copied());
    every.chain(own(proto).get(at).copied().unwrap_or_default().iter().copied())
}

/// The direction whose state it is, in any of these protocols.
pub fn direction(protos: Protos, name: &str) -> Option<Dir> {
    let known = |dir: &Dir| protos.iter().any(|proto| names(proto, *dir).any(|known| known == name));
    Dir::BOTH.into_iter().find(known)
}

/// Those of the protocols that have a state of that name; a fault if none has.
pub fn find(protos: Protos, text: Text<'_>) -> Result<Protos, Fault> {
    let name = text.lossy();
    let of = |proto: &AppProto| direction(Protos::of(&[*proto]), &name).is_some();
    let having = protos.iter().filter(of).fold(Protos::NONE, |all, proto| all.or(Protos::of(&[proto])));
    if !having.is_empty() {
        return Ok(having);
    }
    let fault = match text.is_empty() {
        true => text.fault("the name of a state is missing here"),
        false => text.fault(format!("{} has no state `{name}`", protos.label())),
    };
    let mut known: Vec<_> = protos
        .iter()
        .flat_map(|proto| Dir::BOTH.into_iter().flat_map(move |dir| names(proto, dir)))
        .collect();
    known.sort_unstable();
    known.dedup();
    Err(match nearest(&name.to_ascii_lowercase(), known.iter().copied()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("one of: {}", known.join(", "))),
    })
}
