//! Tables of a worker that few streams need at a time: taken when one does, given back when it is empty.

const NONE: u32 = u32::MAX;

/// A stream's table, if it has one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct TableId(u32);

impl Default for TableId {
    fn default() -> TableId {
        TableId(NONE)
    }
}

/// What a table is of.
pub(super) trait Table: Default {
    /// As when it was new.
    fn clear(&mut self);
}

/// Room for them is taken at start; memory, for as many as there ever were at once.
pub(super) struct Tables<T> {
    tables: Vec<T>,
    free: Vec<u32>,
    capacity: u32,
}

impl<T: Table> Tables<T> {
    pub(super) fn new(capacity: u32) -> Tables<T> {
        let room = capacity as usize;
        Tables { tables: Vec::with_capacity(room), free: Vec::with_capacity(room), capacity }
    }

    #[inline]
    pub(super) fn get(&self, id: TableId) -> Option<&T> {
        self.tables.get(id.0 as usize)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: TableId) -> Option<&mut T> {
        self.tables.get_mut(id.0 as usize)
    }

    /// The stream's table; a new one if it has none and there is one.
    pub(super) fn get_or_take(&mut self, id: &mut TableId) -> Option<&mut T> {
        if id.0 == NONE {
            id.0 = match self.free.pop() {
                Some(free) => free,
                None if (self.tables.len() as u32) < self.capacity => {
                    self.tables.push(T::default());
                    self.tables.len() as u32 - 1
                }
                None => NONE,
            };
        }
        self.get_mut(*id)
    }

    pub(super) fn give_back(&mut self, id: &mut TableId) {
        if let Some(table) = self.tables.get_mut(id.0 as usize) {
            table.clear();
            self.free.push(id.0);
        }
        *id = TableId::default();
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.tables.len() - self.free.len()
    }
}
