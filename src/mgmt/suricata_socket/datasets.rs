//! `dataset-add`, `-remove`, `-lookup`, `-clear`, `-dump`: sets of the rules in force, changed at once for all workers.

use super::commands::{Arguments, text};
use crate::mgmt::control::Control;
use crate::rules::dataset::{Added, Kind, Set, file};
use serde_json::Value;
use std::sync::Arc;

/// The set of this name and type.
fn named(control: &dyn Control, arguments: &Arguments) -> Result<Arc<Set>, String> {
    let (name, word) = (text(arguments, "setname")?, text(arguments, "settype")?);
    let sets = control.datasets();
    let set = sets.iter().find(|set| set.name() == name).ok_or_else(|| format!("there is no set {name}"))?;
    match Kind::WORDS.iter().find(|(known, _)| *known == word) {
        Some((_, kind)) if *kind == set.kind() => Ok(Arc::clone(set)),
        Some(_) => Err(format!("the set {name} is of type {}", set.kind().word())),
        None => Err(format!("there is no type {word}: string, md5, sha256, ipv4, ip")),
    }
}

/// As [`named`], of those that may be changed.
fn changing(control: &dyn Control, arguments: &Arguments) -> Result<Arc<Set>, String> {
    let set = named(control, arguments)?;
    match set.changes() {
        true => Ok(set),
        false => Err(format!("no rule changes the set {}: change its file and reload the rules", set.name())),
    }
}

/// One value as a file has it: base64 of a text, hexadecimal digits, an address.
fn value(set: &Set, arguments: &Arguments) -> Result<Vec<u8>, String> {
    let written = text(arguments, "datavalue")?;
    let read = file::read(written.as_bytes(), set.kind()).map_err(|bad| bad.what)?;
    let mut values = read.each().map(|(value, _)| value.to_vec());
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err("datavalue is not one value".into()),
    }
}

pub(super) fn add(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let set = changing(control, arguments)?;
    match set.add(&value(&set, arguments)?) {
        Added::New => Ok("data added".into()),
        Added::Known => Ok("data already in set".into()),
        Added::Refused => Err(format!("the set {} has no room: raise its memcap", set.name())),
    }
}

pub(super) fn remove(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let set = changing(control, arguments)?;
    match set.remove(&value(&set, arguments)?) {
        true => Ok("data removed".into()),
        false => Err(format!("the set {} does not have it", set.name())),
    }
}

pub(super) fn lookup(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let set = named(control, arguments)?;
    match set.contains(&value(&set, arguments)?) {
        true => Ok("item found in set".into()),
        false => Err(format!("the set {} does not have it", set.name())),
    }
}

pub(super) fn clear(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let set = changing(control, arguments)?;
    let mut values = Vec::with_capacity(set.len());
    set.each(|value, _| values.push(value.to_vec()));
    values.iter().for_each(|value| _ = set.remove(value));
    Ok("dataset cleared".into())
}

/// Writes all sets that have files and were changed.
pub(super) fn dump(control: &dyn Control) -> Result<Value, String> {
    control.save_datasets().map(|_| "datasets dump done".into()).map_err(|faults| faults.join("; "))
}
