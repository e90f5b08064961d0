//! The built-in plugins, by name: one line here for each.

use super::plugin::Plugin;
use super::{cos, filter, passthru};

/// Makes a built-in plugin by its name; `idp`, which wants more than a name, is made by whoever has the rules.
pub fn make(name: &str) -> Option<Box<dyn Plugin>> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

type Maker = fn() -> Box<dyn Plugin>;

/// (name, maker) of all but `idp`.
pub const BUILT_IN: &[(&str, Maker)] = &[
    (passthru::NAME, passthru::Passthru::plugin),
    (cos::NAME, cos::Cos::plugin),
    (filter::NAME, filter::Filter::plugin),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_plugin_is_made_by_the_name_it_registers() {
        for (name, _) in BUILT_IN {
            assert_eq!(make(name).unwrap().about().name, *name);
        }
        assert!(make("unheard-of").is_none());
    }
}
