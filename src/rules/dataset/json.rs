//! Lists of JSON objects: each has the value under a key, and the object goes with the alerts of rules that ask for it.

use super::Kind;
use super::file::{Values, value_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a list is written, and where its values stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// An object a line; else one document.
    pub lines: bool,
    /// Path of the value in each object, its keys joined by dots.
    pub value_key: Box<str>,
    /// Path of the array in the document; none where the document is the array.
    pub array_key: Option<Box<str>>,
    /// The value itself is not among what goes with alerts.
    pub remove_key: bool,
}

/// What goes with each value: the object's text. The number that the set keeps with a value is one more than the place here.
pub type Records = Box<[Box<str>]>;

/// Reads a list. Objects without the value are passed over; a list in which none has it is a fault.
pub fn read(text: &[u8], kind: Kind, form: &Form) -> Result<(Values, Records), String> {
    let mut values = Values::default();
    let mut records = Vec::new();
    let mut take = |mut object: Value| -> Result<(), String> {
        let Some(found) = at(&object, &form.value_key) else { return Ok(()) };
        let word = match found {
            Value::String(word) => word.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(format!("what stands at `{}` is no text", form.value_key)),
        };
        let bytes = match kind {
            // As it stands, where the list of lines has base64.
            Kind::Text => word.into_bytes(),
            kind => value_of(word.as_bytes(), kind)?,
        };
        if form.remove_key {
            remove(&mut object, &form.value_key);
        }
        records.push(object.to_string().into_boxed_str());
        let number = u32::try_from(records.len()).map_err(|_| "too many values".to_owned())?;
        values.push(&bytes, number);
        Ok(())
    };
    let bad = |why: serde_json::Error| format!("no JSON: {why}");
    if form.lines {
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() {
                let object = serde_json::from_slice(line).map_err(bad);
                object.and_then(&mut take).map_err(|why| format!("line {}: {why}", number + 1))?;
            }
        }
    } else {
        let mut document: Value = serde_json::from_slice(text).map_err(bad)?;
        let array = match &form.array_key {
            Some(path) => at_mut(&mut document, path).ok_or_else(|| format!("nothing stands at `{path}`"))?,
            None => &mut document,
        };
        let Value::Array(objects) = array.take() else {
            let place =
                form.array_key.as_deref().map_or("the document".to_owned(), |path| format!("`{path}`"));
            return Err(format!("{place} is no array: say where that is with `array_key`"));
        };
        for (number, object) in objects.into_iter().enumerate() {
            take(object).map_err(|why| format!("element {number}: {why}"))?;
        }
    }
    if values.is_empty() {
        return Err(format!("no object has `{}`", form.value_key));
    }
    Ok((values, records.into()))
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

fn at_mut<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    path.split('.').try_fold(value, |value, key| value.get_mut(key))
}

fn remove(object: &mut Value, path: &str) {
    let (below, last) = path.rsplit_once('.').unwrap_or(("", path));
    let holder = if below.is_empty() { Some(object) } else { at_mut(object, below) };
    if let Some(Value::Object(members)) = holder {
        members.remove(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(lines: bool, value_key: &str, array_key: Option<&str>) -> Form {
        Form { lines, value_key: value_key.into(), array_key: array_key.map(Into::into), remove_key: false }
    }

    fn values(read: &(Values, Records)) -> Vec<(Vec<u8>, &str)> {
        let (values, records) = read;
        values.each().map(|(value, n)| (value.to_vec(), &*records[n as usize - 1])).collect()
    }

    #[test]
    fn documents_and_lines_are_read() {
        let document = br#"{"time": "x", "response": {"threats": [
            {"host": "toto.com", "origin": "japan"}, {"no": 1}, {"host": "grenouille.com", "origin": "french"}]}}"#;
        let found = read(document, Kind::Text, &form(false, "host", Some("response.threats"))).unwrap();
        let toto = (b"toto.com".to_vec(), r#"{"host":"toto.com","origin":"japan"}"#);
        let frog = (b"grenouille.com".to_vec(), r#"{"host":"grenouille.com","origin":"french"}"#);
        assert_eq!(values(&found), [toto, frog]);
        let lines = b"{\"ip\": \"10.0.0.1\", \"a\": {\"b\": 1}}\n\n{\"ip\": \"::1\"}\r\n";
        let found = read(lines, Kind::Ip, &form(true, "ip", None)).unwrap();
        assert_eq!(found.0.each().next().unwrap(), (&[10, 0, 0, 1][..], 1));
        let removed = Form { remove_key: true, ..form(true, "a.b", None) };
        let found = read(b"{\"a\": {\"b\": \"x\", \"c\": 2}}", Kind::Text, &removed).unwrap();
        assert_eq!(values(&found), [(b"x".to_vec(), r#"{"a":{"c":2}}"#)]);
        assert_eq!(values(&read(b"[{\"n\": 7}]", Kind::Text, &form(false, "n", None)).unwrap())[0].0, b"7");
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said() {
        for (text, kind, form, part) in [
            ("{", Kind::Text, form(false, "a", None), "no JSON: EOF"),
            ("{\"a\": 1}", Kind::Text, form(false, "a", None), "the document is no array"),
            ("{\"b\": {}}", Kind::Text, form(false, "a", Some("b")), "`b` is no array"),
            ("{}", Kind::Text, form(false, "a", Some("b.c")), "nothing stands at `b.c`"),
            ("[{\"b\": 1}]", Kind::Text, form(false, "a", None), "no object has `a`"),
            ("[{\"a\": []}]", Kind::Text, form(false, "a", None), "element 0: what stands at `a` is no text"),
            (
                "{\"a\": \"1\"}\n{\"a\": \"x\"}",
                Kind::Ip,
                form(true, "a", None),
                "line 1: `1` is no IP address",
            ),
            ("\n{", Kind::Ip, form(true, "a", None), "line 2: no JSON"),
        ] {
            let why = read(text.as_bytes(), kind, &form).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
