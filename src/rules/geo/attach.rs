//! Gives every rule the countries of the configuration's database.

use super::{Countries, GeoTest};
use crate::rules::compile::Loading;
use crate::rules::refuse::{Refusal, refuse};
use crate::rules::ruleset::{Check, Rule};
use std::io;
use std::path::Path;
use std::sync::Arc;

fn tests(rule: &mut Rule) -> impl Iterator<Item = &mut GeoTest> {
    rule.checks.iter_mut().filter_map(|check| match check {
        Check::Country(test) => Some(&mut **test),
        _ => None,
    })
}

/// Without a database that can be read, rules that ask for countries are refused. Nothing is read where no rule asks.
pub fn attach(
    loading: &mut Loading,
    database: Option<&Path>,
    open: impl FnMut(&Path) -> io::Result<Vec<u8>>,
) {
    if !loading.rules.rules.iter_mut().any(|rule| tests(rule).next().is_some()) {
        return;
    }
    let countries = read(database, open).map(Arc::new);
    let mut refused = Vec::new();
    for (at, rule) in loading.rules.rules.iter_mut().enumerate() {
        for test in tests(rule) {
            match &countries {
                Ok(countries) => test.known = Some(Arc::clone(countries)),
                Err((why, help)) => refused.push(Refusal {
                    at,
                    keyword: "geoip",
                    word: "geoip".into(),
                    why: why.clone(),
                    help: Some(help.clone()),
                }),
            }
        }
    }
    refuse(loading, &refused);
}

/// The countries, or why there are none and what to do.
fn read(
    database: Option<&Path>,
    mut open: impl FnMut(&Path) -> io::Result<Vec<u8>>,
) -> Result<Countries, (String, String)> {
    const DATABASE: &str = "a GeoIP2 or GeoLite2 Country or City database (.mmdb)";
    let Some(path) = database else {
        let why = "`geoip` needs a database of countries, and none is configured";
        return Err((why.into(), format!("name {DATABASE} in `geoip.database`")));
    };
    let name = path.display();
    let bytes = open(path).map_err(|why| {
        (format!("cannot read {name}: {why}"), "correct `geoip.database`, or the file's permissions".into())
    })?;
    let countries = Countries::read(bytes)
        .map_err(|why| (format!("{name} is no database of countries: {why}"), format!("name {DATABASE}")))?;
    match countries.is_empty() {
        true => Err((format!("{name} says no country of any address"), format!("name {DATABASE}"))),
        false => Ok(countries),
    }
}
