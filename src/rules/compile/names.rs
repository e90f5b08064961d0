//! Numbers for the names that rules share: flowbits, counters, host bits.

use ahash::AHashMap;

/// Names numbered in the order of their first use.
#[derive(Default)]
pub(super) struct Names {
    numbers: AHashMap<String, u32>,
    pub(super) names: Vec<String>,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

#[derive(Default)]
pub(super) struct AllNames {
    pub(super) flowbits: Names,
    pub(super) flowints: Names,
    pub(super) host_bits: Names,
}
