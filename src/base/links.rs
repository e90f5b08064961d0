//! Circular doubly linked lists over slot numbers: constant-time removal, no allocation after start.
//!
//! One node belongs to at most one list of a set. Memory is reserved whole at start and touched as slots come into use.

#[derive(Copy, Clone)]
struct Link {
    previous: u32,
    next: u32,
}

/// `lists` lists over nodes `0..capacity`.
pub struct LinkSet {
    /// The sentinels of the lists, then one link a node.
    links: Vec<Link>,
    lists: u32,
}

impl LinkSet {
    pub fn new(lists: u32, capacity: u32) -> LinkSet {
        let mut links = Vec::with_capacity(lists as usize + capacity as usize);
        links.extend((0..lists).map(|i| Link { previous: i, next: i }));
        LinkSet { links, lists }
    }

    /// Appends `node` to `list`, taking it out of where it was.
    pub fn push_back(&mut self, list: u32, node: u32) {
        self.remove(node);
        let at = self.lists + node;
        let last = self.links[list as usize].previous;
        self.links[at as usize] = Link { previous: last, next: list };
        self.links[last as usize].next = at;
        self.links[list as usize].previous = at;
    }

    /// Takes `node` out of its list, if it is in one.
    pub fn remove(&mut self, node: u32) {
        let at = self.lists + node;
        // A node seen for the first time points at itself: in no list.
        while self.links.len() <= at as usize {
            let own = self.links.len() as u32;
            self.links.push(Link { previous: own, next: own });
        }
        let Link { previous, next } = self.links[at as usize];
        self.links[previous as usize].next = next;
        self.links[next as usize].previous = previous;
        self.links[at as usize] = Link { previous: at, next: at };
    }

    pub fn front(&self, list: u32) -> Option<u32> {
        self.links[list as usize].next.checked_sub(self.lists)
    }

    /// The node behind one that is in a list.
    pub fn after(&self, node: u32) -> Option<u32> {
        self.links.get((self.lists + node) as usize)?.next.checked_sub(self.lists)
    }

    pub fn is_empty(&self, list: u32) -> bool {
        self.links[list as usize].next == list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_like_plain_vectors(steps in prop::collection::vec((0u32..3, 0u32..20), 0..200)) {
            let mut set = LinkSet::new(2, 20);
            let mut model = [Vec::new(), Vec::new()];
            for (what, node) in steps {
                model.iter_mut().for_each(|list| list.retain(|&n| n != node));
                match what {
                    2 => set.remove(node),
                    list => {
                        set.push_back(list, node);
                        model[list as usize].push(node);
                    }
                }
                for list in 0..2u32 {
                    prop_assert_eq!(set.front(list), model[list as usize].first().copied());
                    prop_assert_eq!(set.is_empty(list), model[list as usize].is_empty());
                }
            }
            for list in 0..2u32 {
                let walked = std::iter::successors(set.front(list), |node| set.after(*node));
                prop_assert_eq!(&walked.collect::<Vec<_>>(), &model[list as usize]);
                for &node in &model[list as usize] {
                    prop_assert_eq!(set.front(list), Some(node));
                    set.remove(node);
                }
                prop_assert!(set.is_empty(list));
            }
        }
    }
}
