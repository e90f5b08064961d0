//! The direction of a frame within its session.

use serde::{Deserialize, Serialize};
use std::ops::{Index, IndexMut};

/// Relative to who opened the session.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Dir {
    #[default]
    ToServer = 0,
    ToClient = 1,
}

impl Dir {
    pub const BOTH: [Dir; 2] = [Dir::ToServer, Dir::ToClient];

    pub const fn reversed(self) -> Dir {
        match self {
            Dir::ToServer => Dir::ToClient,
            Dir::ToClient => Dir::ToServer,
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }

    /// As eve.json spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Dir::ToServer => "to_server",
            Dir::ToClient => "to_client",
        }
    }
}

/// One value a direction.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct PerDir<T>(pub [T; 2]);

impl<T> Index<Dir> for PerDir<T> {
    type Output = T;
    fn index(&self, dir: Dir) -> &T {
        &self.0[dir.index()]
    }
}

impl<T> IndexMut<Dir> for PerDir<T> {
    fn index_mut(&mut self, dir: Dir) -> &mut T {
        &mut self.0[dir.index()]
    }
}
