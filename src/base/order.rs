//! The order of packets that workers share, for state that several of them touch.

/// When, in a replay by several workers, state that they share may be touched.
pub trait Order: Send {
    /// Comes back when everything that stands before `position` has been done, by whomever.
    fn wait_before(&mut self, position: u64);

    /// The same worker's, for another of its parts.
    fn another(&self) -> Box<dyn Order>;
}

/// A running appliance, or one worker alone: packets are taken as they come.
pub struct AsTheyCome;

impl Order for AsTheyCome {
    #[inline]
    fn wait_before(&mut self, _: u64) {}

    fn another(&self) -> Box<dyn Order> {
        Box::new(AsTheyCome)
    }
}
