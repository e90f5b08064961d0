//! The categories file (`number,short name[,description]` a line) and reputation files (`address[/bits],category,score`).

use super::MAX_SCORE;
use super::scores::{Scored, Scores, of_v4};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The highest number of a category.
const MAX_CATEGORY: u8 = 60;

/// What is wrong with a file, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    pub line: usize,
    pub what: String,
}

/// Categories by number, with their names.
pub type Categories = BTreeMap<u8, Box<str>>;

/// What is listed so far, by category.
#[derive(Debug, Default)]
pub struct Lists(BTreeMap<u8, Vec<Scored>>);

impl Lists {
    /// As they are looked into, by the category's name. A category of which nothing is listed is there too.
    pub fn finish(mut self, categories: &Categories) -> BTreeMap<Box<str>, Arc<Scores>> {
        let mut one = |number| Arc::new(Scores::new(self.0.remove(number).unwrap_or_default()));
        categories.iter().map(|(number, name)| (name.clone(), one(number))).collect()
    }

    /// Adds what a reputation file lists.
    pub fn read(&mut self, text: &str, categories: &Categories) -> Result<(), BadLine> {
        each_line(text, |line| {
            let parts: Vec<&str> = line.split(',').map(str::trim).collect();
            let [network, category, score] = parts[..] else {
                return Err("expected `address[/bits],category,score`".to_owned());
            };
            let (first, bits) = read_network(network)?;
            let known = category.parse::<u8>().ok().filter(|number| categories.contains_key(number));
            let category: u8 =
                known.ok_or_else(|| format!("`{category}` is no number of the categories file"))?;
            let score = score.parse::<u8>().ok().filter(|score| u64::from(*score) <= MAX_SCORE);
            let score = score.ok_or_else(|| format!("a score is a number from 0 to {MAX_SCORE}"))?;
            // 0 says that nothing is known.
            if score > 0 {
                self.0.entry(category).or_default().push(Scored { first, bits, score });
            }
            Ok(())
        })
    }
}

pub fn read_categories(text: &str) -> Result<Categories, BadLine> {
    let mut categories = Categories::new();
    each_line(text, |line| {
        let mut parts = line.splitn(3, ',').map(str::trim);
        let number = parts.next().and_then(|number| number.parse::<u8>().ok());
        let number = number
            .filter(|number| (1..=MAX_CATEGORY).contains(number))
            .ok_or_else(|| format!("a category's number is from 1 to {MAX_CATEGORY}"))?;
        let name = parts.next().filter(|name| !name.is_empty());
        let name = name.ok_or("expected `number,short name,description`")?;
        if categories.values().any(|known| **known == *name) {
            return Err(format!("the category `{name}` is there twice"));
        }
        match categories.insert(number, name.into()) {
            Some(known) => Err(format!("{number} is the category `{known}` already")),
            None => Ok(()),
        }
    })?;
    Ok(categories)
}

fn each_line(text: &str, mut with: impl FnMut(&str) -> Result<(), String>) -> Result<(), BadLine> {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            with(line).map_err(|what| BadLine { line: number + 1, what })?;
        }
    }
    Ok(())
}

/// The first address, and how many bits of 128 all share.
fn read_network(text: &str) -> Result<(u128, u8), String> {
    let wrong = || format!("`{text}` is no address and no network");
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let (address, longest) = match address.parse().map_err(|_| wrong())? {
        IpAddr::V4(ip) => (of_v4(ip.into()), 32),
        IpAddr::V6(ip) => (ip.into(), 128),
    };
    let bits = match bits.map(str::parse::<u8>) {
        None => longest,
        Some(Ok(bits)) if bits <= longest => bits,
        Some(_) => return Err(wrong()),
    };
    let bits = 128 - longest + bits;
    let mask = !u128::MAX.checked_shr(bits.into()).unwrap_or(0);
    Ok((address & mask, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_documented() {
        let categories =
            read_categories("# mine\n1,BadHosts,Known bad hosts\n2, Google ,a, b\n\n9,Spam\r\n").unwrap();
        let names: Vec<_> = categories.iter().map(|(number, name)| (*number, &**name)).collect();
        assert_eq!(names, [(1, "BadHosts"), (2, "Google"), (9, "Spam")]);
        let mut lists = Lists::default();
        lists.read("1.2.3.4,1,101\n1.1.1.9/24,2,88\n2001:db8::/32,1,5\n1.2.3.4,2,0\n", &categories).unwrap();
        let scores = lists.finish(&categories);
        let of = |name: &str, ip: &str| scores[name].of(read_network(ip).unwrap().0);
        assert_eq!((of("BadHosts", "1.2.3.4"), of("Google", "1.2.3.4")), (Some(101), None));
        assert_eq!((of("Google", "1.1.1.255"), of("Google", "1.1.2.0")), (Some(88), None));
        assert_eq!((of("BadHosts", "2001:db8::1"), of("Spam", "1.2.3.4")), (Some(5), None));
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_wrong() {
        for (text, line, what) in [
            ("61,x,y", 1, "from 1 to 60"),
            ("1,a\n2", 2, "expected `number"),
            ("1,a\n1,b", 2, "`a` already"),
            ("1,a\n2,a", 2, "there twice"),
        ] {
            let bad = read_categories(text).unwrap_err();
            assert!(bad.line == line && bad.what.contains(what), "{text}: {bad}");
        }
        let categories = read_categories("1,a").unwrap();
        for (text, what) in [
            ("1.2.3.4,1", "expected `address"),
            ("1.2.3,1,1", "`1.2.3` is no address"),
            ("1.2.3.4/33,1,1", "no network"),
            ("1.2.3.4,2,1", "`2` is no number of the categories file"),
            ("1.2.3.4,1,128", "from 0 to 127"),
        ] {
            let bad = Lists::default().read(text, &categories).unwrap_err();
            assert!(bad.line == 1 && bad.what.contains(what), "{text}: {bad}");
        }
    }
}
