//! The one place where a status is made. A status travels in a header, which clients take no more than some KiB of (8 by
//! gRPC's default): a longer one would end the connection with a protocol error instead of saying anything.
#![allow(clippy::disallowed_methods)] // nobody else makes one

use std::fmt::Write as _;
use tonic::{Code, Status};

/// Bytes of a message as it is sent, %-encoded.
const MOST: usize = 6 << 10;

/// Faults that one message tells of.
const MOST_ITEMS: usize = 20;

/// The request makes no sense.
pub(super) fn invalid(text: impl AsRef<str>) -> Status {
    fault(Code::InvalidArgument, text)
}

/// What is asked for is not there.
pub(super) fn missing(text: impl AsRef<str>) -> Status {
    fault(Code::NotFound, text)
}

/// It cannot be done as things are.
pub(super) fn refused(text: impl AsRef<str>) -> Status {
    fault(Code::FailedPrecondition, text)
}

pub(super) fn fault(code: Code, text: impl AsRef<str>) -> Status {
    Status::new(code, bounded(text.as_ref()))
}

/// A long list of faults as its first ones, each cut where it must be, and how many more there are.
fn bounded(text: &str) -> String {
    let parting = if text.contains("\n\n") { "\n\n" } else { "\n" };
    // What stands before the faults is one item more.
    let items: Vec<&str> = text.split(parting).collect();
    if encoded(text) <= MOST && items.len() <= MOST_ITEMS + 1 {
        return text.to_owned();
    }
    let kept = items.len().min(MOST_ITEMS + 1);
    // What the short ones leave is the long ones'.
    let mut lengths: Vec<usize> = items.iter().take(kept).map(|item| encoded(item)).collect();
    lengths.sort_unstable();
    let mut left = MOST - 100 - kept * encoded(parting);
    let mut share = left;
    for (n, length) in lengths.iter().enumerate() {
        share = left / (kept - n);
        if *length > share {
            break;
        }
        left -= length;
    }
    let mut short: Vec<String> = items.iter().take(kept).map(|item| cut(item, share)).collect();
    if items.len() > kept {
        short.push(format!("and {} more", items.len() - kept));
    }
    short.join(parting)
}

/// Bytes of a character as tonic sends it, at most.
fn encoded_char(c: char) -> usize {
    if c.is_ascii_alphanumeric() { 1 } else { 3 * c.len_utf8() }
}

fn encoded(text: &str) -> usize {
    text.chars().map(encoded_char).sum()
}

fn cut(item: &str, most: usize) -> String {
    if encoded(item) <= most {
        return item.to_owned();
    }
    let mut left = most.saturating_sub(9);
    let mut short = String::new();
    for c in item.chars() {
        match left.checked_sub(encoded_char(c)) {
            Some(rest) => left = rest,
            None => break,
        }
        short.push(c);
    }
    // Into memory: cannot fail.
    let _ = write!(short, "...");
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_message_stays_as_it_is() {
        let text = "nothing was changed: the candidate has faults\n\nerror: a\n --> f:1:1\n\nerror: b";
        assert_eq!((refused(text).message(), refused("").message()), (text, ""));
    }

    #[test]
    fn of_many_faults_the_first_are_told_and_how_many_more_there_are() {
        let faults: String =
            (0..500).map(|n| format!("\n\nerror: there is no key `k{n}`\n --> f:{n}:1")).collect();
        let said = bounded(&format!("the candidate has faults{faults}"));
        assert!(said.starts_with("the candidate has faults\n\nerror: there is no key `k0`"), "{said}");
        assert!(
            said.contains("`k19`") && !said.contains("`k20`") && said.ends_with("\n\nand 480 more"),
            "{said}"
        );
    }

    #[test]
    fn a_long_fault_is_cut_and_does_not_cut_the_others() {
        let said = bounded(&format!("faults\n\nfirst {}\n\nsecond\n\nthird", "x".repeat(1 << 20)));
        assert!(said.contains("xxx...\n\nsecond\n\nthird") && said.len() > 4000, "{}", said.len());
        let said = bounded(&"ä\u{1}".repeat(100_000));
        assert!(said.ends_with("..."), "{said}");
    }

    proptest! {
        #[test]
        fn every_message_fits_a_header(parts in prop::collection::vec(("\\PC{0,40}", 0usize..400), 0..60)) {
            let text: Vec<String> = parts.iter().map(|(part, times)| part.repeat(*times)).collect();
            for text in [text.join("\n\n"), text.join("\n"), text.concat()] {
                prop_assert!(encoded(&bounded(&text)) <= MOST);
            }
        }
    }
}
