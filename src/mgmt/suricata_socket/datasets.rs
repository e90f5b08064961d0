//! `dataset-add`, `-remove`, `-lookup`, `-clear`, `-dump` in Suricata's words; [`dataset_commands`](crate::mgmt::dataset_commands)
//! does them.

use super::commands::{Arguments, text};
use crate::mgmt::control::Control;
use crate::mgmt::dataset_commands::{Answer, Command, Named};
use serde_json::Value;

fn named(arguments: &Arguments) -> Result<Named, String> {
    let word = |key| text(arguments, key).map(str::to_owned);
    Ok(Named { name: word("setname")?, kind: word("settype")? })
}

/// The command made of a set and a value.
fn with_value(
    control: &dyn Control,
    arguments: &Arguments,
    command: fn(Named, String) -> Command,
) -> Result<Answer, String> {
    let value = text(arguments, "datavalue")?.to_owned();
    control.dataset(&command(named(arguments)?, value)).map_err(|error| error.to_string())
}

pub(super) fn add(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let answer = with_value(control, arguments, Command::Add)?;
    Ok(if answer.holds { "data added" } else { "data already in set" }.into())
}

pub(super) fn remove(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let answer = with_value(control, arguments, Command::Remove)?;
    if answer.holds { Ok("data removed".into()) } else { Err(answer.said) }
}

pub(super) fn lookup(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    let answer = with_value(control, arguments, Command::Lookup)?;
    if answer.holds { Ok("item found in set".into()) } else { Err(answer.said) }
}

pub(super) fn clear(control: &dyn Control, arguments: &Arguments) -> Result<Value, String> {
    control.dataset(&Command::Clear(named(arguments)?)).map_err(|error| error.to_string())?;
    Ok("dataset cleared".into())
}

/// Writes all sets that have files and were changed.
pub(super) fn dump(control: &dyn Control) -> Result<Value, String> {
    control.dataset(&Command::Dump).map_err(|error| error.to_string())?;
    Ok("datasets dump done".into())
}
