//! The built-in plugins, by name: one line here for each.

use super::plugin::Plugin;

/// Makes a built-in plugin by its name; `idp`, which wants more than a name, is made by whoever has the rules.
pub fn make(name: &str) -> Option<Box<dyn Plugin>> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// (name, maker) of all but `idp`.
pub const BUILT_IN: &[(&str, fn() -> Box<dyn Plugin>)] = &[];
