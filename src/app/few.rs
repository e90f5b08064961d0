//! Lists that mostly hold one or two large things.

/// Adds to such a list. Its room is doubled from one on; `Vec` would begin with room for four, of which three stay empty in
/// most of many thousand sessions.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_for_one_then_two_then_four() {
        let mut list = Vec::new();
        let rooms: Vec<_> = (0..5_u64)
            .map(|item| {
                push(&mut list, item);
                list.capacity()
            })
            .collect();
        assert_eq!((rooms, list), (vec![1, 2, 4, 4, 8], vec![0, 1, 2, 3, 4]));
    }
}
