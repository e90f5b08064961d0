//! Domain names as they stand in messages (RFC 1035, 3.1 and 4.1.4): labels, and pointers back to earlier ones.

use arrayvec::ArrayVec;

/// Bytes of a name as text that are kept, as Suricata has it.
pub(super) const MOST_TEXT: usize = 1025;
/// Labels and pointers of one name.
const MOST_STEPS: usize = 255;
/// Bytes of names read for one message: pointers let a short message name much more than it holds.
pub(super) const MOST_WORK: usize = 256 << 10;

/// What was wrong with names of a message.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flaws {
    pub(super) too_long: bool,
    pub(super) endless: bool,
    pub(super) too_many_labels: bool,
}

/// A name as text: labels with dots between, no dot at the end, bytes as they came. The root is empty.
#[derive(Clone, Debug, Default)]
pub struct Name {
    text: ArrayVec<u8, MOST_TEXT>,
}

impl Name {
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Reads the name at `at`, as far as it is sound, and says where what follows begins. `None` when it does not end
    /// within the message, or `work` is spent.
    pub(super) fn read(
        &mut self,
        message: &[u8],
        at: usize,
        flaws: &mut Flaws,
        work: &mut usize,
    ) -> Option<usize> {
        self.text.clear();
        let (mut at, mut after) = (at, None);
        for _ in 0..MOST_STEPS {
            *work = work.checked_sub(1)?;
            // Behind the first pointer the way on is known, whatever the rest of the name is like.
            let Some(&lead) = message.get(at) else { return after };
            match lead {
                0 => return after.or(Some(at + 1)),
                1..=63 => {
                    let label = at + 1..at + 1 + usize::from(lead);
                    at = label.end;
                    let Some(label) = message.get(label) else { return after };
                    *work = work.saturating_sub(label.len());
                    flaws.too_long |= !self.push(label);
                }
                0xc0.. => {
                    let Some(&low) = message.get(at + 1) else { return after };
                    after = after.or(Some(at + 2));
                    let target = usize::from(lead & 0x3f) << 8 | usize::from(low);
                    if target == at {
                        flaws.endless = true;
                        return after;
                    }
                    at = target;
                }
                // Extended and reserved kinds of label (RFC 6891, 5) are of no use to anyone.
                64..=191 => return after,
            }
        }
        flaws.too_many_labels = true;
        after
    }

    /// Whether all of it had room.
    fn push(&mut self, label: &[u8]) -> bool {
        if !self.text.is_empty() && self.text.try_push(b'.').is_err() {
            return false;
        }
        let room = self.text.remaining_capacity().min(label.len());
        let fits = label.get(..room).unwrap_or_default();
        self.text.try_extend_from_slice(fits).is_ok() && fits.len() == label.len()
    }
}
