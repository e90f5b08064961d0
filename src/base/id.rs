//! Newtypes for the small numbers that must not be mixed up.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A port: a DPDK ethdev, or one of the memory backend's.
    PortId(u16);
    /// A worker, counted from 0. The main lcore is worker 0 when it runs to completion.
    WorkerId(u8);
    /// Number of a published policy; 0 is "none yet".
    Generation(u32);
    /// A plugin, counted from 0 in order of registration: one number in the whole appliance.
    PluginId(u8);
    /// A service set, counted from 0 in the configuration's order; a set keeps its number while its name lives.
    SetId(u8);
    /// A class of user events, published by a plugin.
    ClassId(u16);
    /// A rule's place in its [`RuleSet`](crate::rules::RuleSet), in order of priority.
    RuleIndex(u32);
}
