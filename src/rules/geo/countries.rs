//! The country of each address: ranges that do not overlap, looked into by halves. Packets never meet the database's own form.

use crate::rules::reputation::scores;
use ahash::AHashMap;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Two letters of ISO 3166, in upper case.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Country([u8; 2]);

impl Country {
    pub fn new(letters: &[u8]) -> Option<Country> {
        match letters {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Country([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Country {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|letter| write!(out, "{}", char::from(*letter)))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries {
    /// First address of each range, ascending, and its country. Each goes to the next.
    starts: Box<[u128]>,
    countries: Box<[Option<Country>]>,
}

/// Where the country stands in a record of GeoIP2 and GeoLite2.
const PATH: [PathElement<'static>; 2] = [PathElement::Key("country"), PathElement::Key("iso_code")];

impl Countries {
    /// Reads a database in MaxMind's format (Country, City or Enterprise). Takes all of it: not on an lcore that forwards.
    pub fn read(database: Vec<u8>) -> Result<Countries, MaxMindDbError> {
        let reader = Reader::from_source(database)?;
        // Many networks share a record.
        let mut records: AHashMap<usize, Option<Country>> = AHashMap::new();
        let mut list = Vec::new();
        for network in reader.networks(Default::default())? {
            let network = network?;
            let Some(offset) = network.offset() else { continue };
            let known = records.get(&offset).copied();
            let country = match known {
                Some(country) => country,
                None => {
                    let code: Option<&str> = network.decode_path(&PATH)?;
                    code.and_then(|code| Country::new(code.as_bytes()))
                }
            };
            records.insert(offset, country);
            if let Some(country) = country {
                let network = network.network()?;
                let (first, last) = (place(network.network()), place(network.broadcast()));
                list.push((first, last, country));
            }
        }
        Ok(Countries::of(list))
    }

    /// Of ranges by first and last address, which do not overlap.
    fn of(mut list: Vec<(u128, u128, Country)>) -> Countries {
        list.sort_unstable_by_key(|(first, ..)| *first);
        let mut ranges: Vec<(u128, Option<Country>)> = Vec::with_capacity(list.len());
        for (first, last, country) in list {
            match ranges.last_mut() {
                Some((start, open)) if *start == first => *open = Some(country),
                _ => ranges.push((first, Some(country))),
            }
            if let Some(next) = last.checked_add(1) {
                ranges.push((next, None));
            }
        }
        ranges.dedup_by_key(|(_, country)| *country);
        let (starts, countries): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
        Countries { starts: starts.into(), countries: countries.into() }
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// An IPv4 address is one of `::ffff:0:0/96`.
    pub fn of_address(&self, address: u128) -> Option<Country> {
        let behind = self.starts.partition_point(|start| *start <= address);
        self.countries.get(behind.checked_sub(1)?).copied()?
    }
}

fn place(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => scores::of_v4(v4.into()),
        IpAddr::V6(v6) => v6.into(),
    }
}
