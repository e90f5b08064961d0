//! `[ip-actions]`.

use crate::mgmt::config::value::{Within, words};
use crate::mgmt::config::visit::{Section, Visitor};

words! {
    /// What becomes of a new one for which there is no room.
    WhenCrowded {
        /// One that ends soon gives way.
        Evict = "evict",
        Keep = "keep",
    }
}

#[derive(Clone, Debug)]
pub struct IpActions {
    pub size: u32,
    pub when_full: WhenCrowded,
}

impl Default for IpActions {
    fn default() -> IpActions {
        IpActions { size: 65_536, when_full: WhenCrowded::Evict }
    }
}

impl Section for IpActions {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "size",
            "IP actions in force at once, for all workers together; a power of two, 96 bytes each.",
            &mut Within(&mut self.size, 64..=1 << 24).of("IP actions"),
        );
        v.value(
            "when-full",
            "A new one that finds no room among its neighbours: \"evict\", the one of them that ends soonest gives way; \"keep\", it is\n\
             not made. Either is counted (ip_actions.evicted, ip_actions.refused).",
            &mut self.when_full,
        );
    }
}
