//! The ports' links: followed, told, and passed on to the other port of a pair where the configuration says so.

/// Two ports, by their places, of which each goes down with the other.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Joined(pub usize, pub usize);

/// What is to be said or done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LinkStep {
    Changed {
        port: usize,
        up: bool,
    },
    /// The other port's link is to follow.
    Set {
        port: usize,
        up: bool,
    },
}

/// What was last seen, and which links are down because of us.
#[derive(Debug, Default)]
pub struct Links {
    seen: Vec<Option<bool>>,
    held_down: Vec<bool>,
    /// Looks for which a link that we gave back may still be down.
    coming: Vec<u32>,
}

/// Looks within which a link that we gave back comes up; one that does not is down by itself.
const PATIENCE: u32 = 50;

impl Links {
    /// By port; `None` where the port does not say. What was not seen before was up.
    pub fn look(&mut self, now: &[Option<bool>], joined: &[Joined]) -> Vec<LinkStep> {
        self.seen.resize(now.len(), None);
        self.held_down.resize(now.len(), false);
        self.coming.resize(now.len(), 0);
        for (coming, now) in self.coming.iter_mut().zip(now) {
            *coming = if *now == Some(true) { 0 } else { coming.saturating_sub(1) };
        }
        let mut steps = Vec::new();
        for (port, (seen, &now)) in self.seen.iter_mut().zip(now).enumerate() {
            if let Some(up) = now
                && seen.unwrap_or(true) != up
            {
                steps.push(LinkStep::Changed { port, up });
            }
            *seen = now.or(*seen);
        }
        for &Joined(a, b) in joined {
            for (from, to) in [(a, b), (b, a)] {
                let is = |list: &[bool], port: usize| list.get(port).copied().unwrap_or_default();
                // One that is down because of us does not take the other along.
                let coming = self.coming.get(from).is_some_and(|looks| *looks > 0);
                let ours = is(&self.held_down, from) || coming;
                let down = self.seen.get(from) == Some(&Some(false)) && !ours;
                if down != is(&self.held_down, to)
                    && let Some(held) = self.held_down.get_mut(to)
                {
                    *held = down;
                    if let Some(coming) = self.coming.get_mut(to) {
                        *coming = if down { 0 } else { PATIENCE };
                    }
                    steps.push(LinkStep::Set { port: to, up: !down });
                }
            }
        }
        steps
    }

    /// At the end: those that are down because of us, to be given back.
    pub fn release(&mut self) -> Vec<usize> {
        let held = std::mem::take(&mut self.held_down);
        held.iter().enumerate().filter(|(_, held)| **held).map(|(port, _)| port).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::LinkStep::{Changed, Set};
    use super::*;

    const UP: Option<bool> = Some(true);
    const DOWN: Option<bool> = Some(false);

    #[test]
    fn a_link_that_goes_down_takes_the_other_along_and_back_again() {
        let (mut links, joined) = (Links::default(), [Joined(0, 1)]);
        assert_eq!(links.look(&[UP, UP, UP], &joined), []);
        let down = [Changed { port: 0, up: false }, Set { port: 1, up: false }];
        assert_eq!(links.look(&[DOWN, UP, UP], &joined), down);
        assert_eq!(links.look(&[DOWN, DOWN, UP], &joined), [Changed { port: 1, up: false }], "no echo");
        assert_eq!(links.look(&[DOWN, DOWN, UP], &joined), []);
        let up = [Changed { port: 0, up: true }, Set { port: 1, up: true }];
        assert_eq!(links.look(&[UP, DOWN, UP], &joined), up);
        assert_eq!(links.look(&[UP, DOWN, UP], &joined), [], "it takes its time");
        assert_eq!(links.look(&[UP, UP, DOWN], &joined).len(), 2, "port 2 is in no such pair");
        assert_eq!(links.release(), [] as [usize; 0]);
    }

    #[test]
    fn one_that_does_not_come_back_is_down_by_itself_and_takes_the_first_along() {
        let (mut links, joined) = (Links::default(), [Joined(0, 1)]);
        links.look(&[DOWN, UP], &joined);
        // Now the other's cable goes, too: nobody can tell it from our doing.
        links.look(&[DOWN, DOWN], &joined);
        assert_eq!(links.look(&[UP, DOWN], &joined).last(), Some(&Set { port: 1, up: true }));
        (1..PATIENCE).for_each(|_| assert_eq!(links.look(&[UP, DOWN], &joined), []));
        assert_eq!(links.look(&[UP, DOWN], &joined), [Set { port: 0, up: false }]);
        assert_eq!(links.look(&[DOWN, UP], &joined).last(), Some(&Set { port: 0, up: true }));
    }

    #[test]
    fn what_is_down_because_of_us_is_given_back_at_the_end() {
        let mut links = Links::default();
        links.look(&[UP, DOWN], &[Joined(0, 1)]);
        assert_eq!((links.release(), links.release()), (vec![0], vec![]));
    }

    #[test]
    fn a_port_that_does_not_say_is_left_alone_and_one_that_starts_down_is_told() {
        let mut links = Links::default();
        assert_eq!(links.look(&[None, DOWN], &[]), [Changed { port: 1, up: false }]);
        assert_eq!(links.look(&[None, DOWN], &[Joined(0, 1)]), [Set { port: 0, up: false }]);
    }
}
