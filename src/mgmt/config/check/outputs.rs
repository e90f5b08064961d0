//! What must hold between outputs: names of their own, and places of their own.

use super::Checker;
use crate::mgmt::config::sections::outputs::{EVE, FAST};
use crate::mgmt::config::{Destination, SinkKind};

pub(super) fn check(checker: &mut Checker<'_>) {
    names(checker);
    places(checker);
}

fn names(checker: &mut Checker<'_>) {
    let further = &checker.config.outputs.further_eve;
    for (i, eve) in further.iter().enumerate() {
        let key = format!("outputs.further-eve.{i}.name");
        let name = eve.name.as_str();
        let taken = [EVE, FAST].contains(&name) || further.iter().take(i).any(|other| other.name == name);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            let message = "this output has no name of letters, digits, - and _".into();
            checker.fault(&key, message, "add name = \"siem\"");
        } else if taken {
            let message = format!("two outputs are named \"{name}\"");
            checker.fault(&key, message, "give this one another name: counters go by it");
        }
    }
}

/// Two that write one file would mix their lines and set it aside under each other's hands. A server may have many clients.
fn places(checker: &mut Checker<'_>) {
    let outputs = &checker.config.outputs;
    let mut used: Vec<(String, &Destination)> = Vec::new();
    if outputs.eve.enabled {
        used.push(("outputs.eve".into(), &outputs.eve.destination));
    }
    let further = outputs.further_eve.iter().enumerate();
    used.extend(further.map(|(i, eve)| (format!("outputs.further-eve.{i}"), &eve.destination)));
    if outputs.fast.enabled {
        used.push(("outputs.fast".into(), &outputs.fast.destination));
    }
    used.retain(|(_, destination)| destination.to == SinkKind::File);
    for (n, (key, destination)) in used.iter().enumerate() {
        let path = outputs.directory.join(&destination.file);
        let same = |(_, other): &&(String, &Destination)| outputs.directory.join(&other.file) == path;
        if let Some((other, _)) = used.iter().take(n).find(same) {
            let message = format!("[{other}] writes {}, too", path.display());
            checker.fault(&format!("{key}.file"), message, "give this one another file");
        }
    }
}
