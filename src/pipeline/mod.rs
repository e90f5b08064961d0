//! (owned by a part that is being written)
