//! Small questions about text, for probes.

use super::Probe;

/// Whether `bytes` begin with one of `words`, in any case.
pub fn begins(bytes: &[u8], words: &[&[u8]]) -> Probe {
    let mut open = false;
    for word in words {
        let common = word.len().min(bytes.len());
        let same =
            bytes.get(..common).zip(word.get(..common)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
        if same && common == word.len() {
            return Probe::Yes;
        }
        open |= same;
    }
    if open { Probe::More } else { Probe::No }
}

/// Whether `word`, which is in upper case, is in `bytes` in any case.
pub fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_open_until_they_differ() {
        assert_eq!(begins(b"EH", &[b"EHLO ", b"HELO "]), Probe::More);
        assert_eq!(begins(b"helo x", &[b"EHLO ", b"HELO "]), Probe::Yes);
        assert_eq!(begins(b"EHX", &[b"EHLO "]), Probe::No);
        assert_eq!(begins(b"", &[b"EHLO "]), Probe::More);
        assert!(contains(b"220 x esmtp", b"ESMTP") && !contains(b"220", b"ESMTP"));
    }
}
