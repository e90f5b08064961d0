//! Changes of a configuration's text, which keep its comments and its order.

use super::Profile;
use super::key_table::{Form, Row, table};
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// One change. `key` is dotted; items of a list by number (`port.0.mtu`), the number behind the last makes a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// `value` as TOML; what is none is taken as text.
    Set { key: String, value: String },
    /// Out of the text: the default holds, or the item is gone.
    Unset { key: String },
}

impl Edit {
    pub fn key(&self) -> &str {
        match self {
            Edit::Set { key, .. } | Edit::Unset { key } => key,
        }
    }
}

/// The text with the changes, one after the other; or why one cannot be made, and then none is.
pub fn edit(text: &str, edits: &[Edit]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("this is not TOML: {error}"))?;
    for edit in edits {
        let path = path(edit.key())?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let root = document.as_table_mut();
        let done = match edit {
            Edit::Set { value, .. } => set(root, &path, parse(value)),
            Edit::Unset { .. } => unset(root, &path),
        };
        done.map_err(|why| format!("`{}`: {why}", edit.key()))?;
    }
    Ok(document.to_string())
}

/// The parts of a dotted key. What follows a section of free names is one name, dots and all.
fn path(key: &str) -> Result<Vec<String>, String> {
    let sections = table(Profile::Inline);
    let names = sections.iter().filter_map(|row| match row {
        Row::Section(doc) if doc.form == Form::Names => Some(format!("{}.", doc.key)),
        _ => None,
    });
    let (head, name) = names
        .filter_map(|head| key.strip_prefix(&head).map(|name| (head.trim_end_matches('.').to_owned(), name)))
        .next()
        .map_or((key.to_owned(), None), |(head, name)| (head, Some(name)));
    let parts = toml_edit::Key::parse(&head);
    let parts =
        parts.map_err(|_| format!("`{key}` is no key: write it as section.key, such as lcores.workers"))?;
    let mut path: Vec<String> = parts.iter().map(|part| part.get().to_owned()).collect();
    path.extend(name.map(|name| name.trim_matches('"').to_owned()));
    Ok(path)
}

fn parse(text: &str) -> Value {
    text.trim().parse().unwrap_or_else(|_| Value::from(text.trim()))
}

fn index(part: &str) -> Option<usize> {
    part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
}

fn set(table: &mut dyn TableLike, path: &[&str], value: Value) -> Result<(), String> {
    match path {
        [] => Err("no key is named".into()),
        [last] => replace(table, last, value),
        [list, number, rest @ ..] if index(number).is_some() => {
            let number = index(number).unwrap_or_default();
            let fresh = || Item::ArrayOfTables(ArrayOfTables::new());
            set_in_list(table.entry(list).or_insert_with(fresh), list, number, rest, value)
        }
        [name, rest @ ..] => {
            let fresh = || {
                let mut table = Table::new();
                table.set_implicit(rest.len() > 1 && index(rest[0]).is_none());
                table.decor_mut().set_prefix("\n");
                Item::Table(table)
            };
            match table.entry(name).or_insert_with(fresh).as_table_like_mut() {
                Some(inner) => set(inner, rest, value),
                None => Err(format!("`{name}` is no section here")),
            }
        }
    }
}

/// A value in place of another takes over its place and the comment behind it.
fn replace(table: &mut dyn TableLike, key: &str, mut value: Value) -> Result<(), String> {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
            Ok(())
        }
        Some(Item::None) | None => {
            table.insert(key, Item::Value(value));
            Ok(())
        }
        Some(_) => Err("this is a section: name a key in it".into()),
    }
}

fn set_in_list(
    item: &mut Item,
    list: &str,
    number: usize,
    rest: &[&str],
    value: Value,
) -> Result<(), String> {
    if rest.is_empty() {
        return Err(format!("name a key of the item: {list}.{number}.KEY"));
    }
    let beyond = |there: usize| format!("there are {there} items: the next new one is {list}.{there}");
    match item {
        Item::ArrayOfTables(tables) => {
            let there = tables.len();
            if number == there {
                let mut table = Table::new();
                table.decor_mut().set_prefix("\n");
                tables.push(table);
            }
            tables.get_mut(number).ok_or_else(|| beyond(there)).and_then(|table| set(table, rest, value))
        }
        Item::Value(Value::Array(array)) => {
            let there = array.len();
            if number == there {
                array.push(InlineTable::new());
            }
            let item = array.get_mut(number).ok_or_else(|| beyond(there))?;
            let table = item.as_inline_table_mut();
            table
                .ok_or_else(|| "set the whole list, [ ... ]".to_owned())
                .and_then(|table| set(table, rest, value))
        }
        _ => Err(format!("`{list}` is no list of sections")),
    }
}

fn unset(table: &mut dyn TableLike, path: &[&str]) -> Result<(), String> {
    const ABSENT: &str = "it is not set here, so that its default holds already";
    let absent = || ABSENT.to_owned();
    match path {
        [] => Err("no key is named".into()),
        [last] => table.remove(last).map(drop).ok_or_else(absent),
        [list, number, rest @ ..] if index(number).is_some() => {
            let number = index(number).unwrap_or_default();
            match table.get_mut(list) {
                Some(Item::ArrayOfTables(tables)) if number < tables.len() => match tables.get_mut(number) {
                    Some(table) if !rest.is_empty() => unset(table, rest),
                    _ => {
                        tables.remove(number);
                        Ok(())
                    }
                },
                Some(Item::Value(Value::Array(array))) if number < array.len() => {
                    match array.get_mut(number).and_then(Value::as_inline_table_mut) {
                        Some(table) if !rest.is_empty() => unset(table, rest),
                        _ => {
                            array.remove(number);
                            Ok(())
                        }
                    }
                }
                _ => Err("there is no such item".into()),
            }
        }
        [name, rest @ ..] => {
            let inner = table.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(absent)?;
            unset(inner, rest)
        }
    }
}

#[cfg(test)]
mod tests;
