//! Countries of addresses, from a database in MaxMind's format, and what `geoip` asks of them (docs.suricata.io, "geoip").
//!
//! Owned here: the countries as they are looked into, immutable and shared. A rule keeps the names of countries; the database
//! is read at each start and reload.

pub mod attach;
pub mod countries;

use super::keyword::choice;
use super::reputation::{Who, scores};
use super::text::{Fault, Text};
use crate::base::{Family, FlowTuple};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub use countries::{Countries, Country};

/// `geoip:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoTest {
    pub who: Who,
    pub countries: Box<[Country]>,
    /// Another country than these. Of an address whose country nobody knows neither holds.
    pub negated: bool,
    /// None until [`attach`](attach::attach) has been there. Such a test holds for nothing.
    #[serde(skip)]
    pub known: Option<Arc<Countries>>,
}

const SIDES: &[(&str, Who)] = &[
    ("any", Who::Any),
    ("src", Who::Source),
    ("dst", Who::Destination),
    ("dest", Who::Destination),
    ("both", Who::Both),
];

impl GeoTest {
    /// `any|src|dst|both, country[, country...]`, each country behind `!` or none.
    pub fn parse(value: Text<'_>) -> Result<GeoTest, Fault> {
        let Some((who, list)) = value.split_once(b',') else {
            let fault = value.fault("expected `side, country[, country...]`");
            return Err(fault.help("for example `geoip:src,CN,RU`, or `geoip:any,!US`"));
        };
        let who = choice(who, SIDES)?;
        let (mut countries, mut negated) = (Vec::new(), None);
        for part in list.split(b',') {
            let (not, word) = part.negation();
            let country = Country::new(word.bytes).ok_or_else(|| {
                let fault = word.fault(format!("`{}` is no country", word.lossy()));
                fault.help("two letters of ISO 3166, for example DE")
            })?;
            if *negated.get_or_insert(not) != not {
                let fault = part.fault("either all countries stand behind `!`, or none");
                return Err(fault.help("countries without `!` are enough: an address has one country"));
            }
            countries.push(country);
        }
        let negated = negated.unwrap_or_default();
        Ok(GeoTest { who, countries: countries.into(), negated, known: None })
    }

    /// Of a packet between two addresses.
    pub fn holds(&self, tuple: &FlowTuple, family: Family) -> bool {
        let Some(known) = &self.known else { return false };
        let one = |address| {
            let country = known.of_address(scores::of(address, family));
            country.is_some_and(|country| self.countries.contains(&country) != self.negated)
        };
        match self.who {
            Who::Any => one(tuple.src) || one(tuple.dst),
            Who::Source => one(tuple.src),
            Who::Destination => one(tuple.dst),
            Who::Both => one(tuple.src) && one(tuple.dst),
        }
    }
}

#[cfg(test)]
mod tests;
