//! What a rule can see of IPv4 options: the list is walked once, an option that breaks the list or its own form makes
//! the packet invalid, all else is remarked on.

use super::Decoded;
use crate::base::Anomaly;
use crate::base::anomaly::Effect;
use crate::wire::ipv4::Options;

/// `Err` when the packet cannot be believed.
#[cold]
pub(super) fn check(options: &[u8], out: &mut Decoded) -> Result<(), Anomaly> {
    // One bit an option type.
    let mut seen = [0u64; 4];
    for option in Options(options) {
        let anomaly = match option {
            Ok(option) => {
                let (word, bit) = (usize::from(option.kind >> 6), 1u64 << (option.kind & 63));
                let duplicate = seen[word] & bit != 0;
                seen[word] |= bit;
                if duplicate { Some(Anomaly::Ipv4OptDuplicate) } else { option.anomaly() }
            }
            Err(anomaly) => Some(anomaly),
        };
        match anomaly {
            Some(fatal) if fatal.effect() == Effect::Invalid => return Err(fatal),
            Some(note) => out.raise(note),
            None => {}
        }
    }
    Ok(())
}
