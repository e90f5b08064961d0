//! Whether a page keeps to Prometheus's text format (0.0.4), for tests of the library and through the binary.

use std::collections::{HashMap, HashSet};

/// Holds a page to what the format demands, and to our own rules for names; the samples by name and labels.
pub fn check(page: &str) -> HashMap<String, String> {
    assert!(page.ends_with('\n') && !page.contains("\n\n"));
    let (mut samples, mut done) = (HashMap::new(), HashSet::new());
    let (mut help, mut family) = (None, None);
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').unwrap();
            assert!(!text.trim().is_empty() && !text.contains('\\'), "{line}");
            assert!(done.insert(name), "{name} comes twice");
            help = Some(name);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(help, Some(name), "TYPE follows HELP");
            assert!(["counter", "gauge", "untyped"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            family = Some(name);
        } else {
            let end = name_end(line);
            let (name, rest) = line.split_at(end);
            assert_eq!(Some(name), family, "{line}");
            let (labels, value) = labels(rest);
            let value = value.strip_prefix(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            assert!(
                samples.insert(format!("{name}{labels}"), value.to_owned()).is_none(),
                "{line} comes twice"
            );
        }
    }
    samples
}

fn name_end(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    assert!(end > 0 && !text.starts_with(|c: char| c.is_ascii_digit()), "{text}");
    end
}

/// The labels in their braces, and what follows.
fn labels(text: &str) -> (&str, &str) {
    if !text.starts_with('{') {
        return ("", text);
    }
    let mut at = 1;
    loop {
        at += name_end(&text[at..]);
        assert!(text[at..].starts_with("=\""), "{text}");
        at += 2;
        loop {
            let c = text[at..].chars().next().unwrap();
            at += c.len_utf8();
            match c {
                '"' => break,
                '\\' => {
                    assert!(text[at..].starts_with(['\\', '"', 'n']), "{text}");
                    at += 1;
                }
                _ => {}
            }
        }
        match &text[at..=at] {
            "," => at += 1,
            "}" => return text.split_at(at + 1),
            other => panic!("{other} in {text}"),
        }
    }
}
