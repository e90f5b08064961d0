//! MPLS label stacks (RFC 3032, RFC 5462) and what stands behind them: IP, or Ethernet of a pseudowire (RFC 4448).

use crate::base::Anomaly;

/// Labels looked through.
pub const MAX_LABELS: usize = 32;
/// A pseudowire's control word (RFC 4385).
pub const CONTROL_WORD_LEN: usize = 4;

const ENTRY_LEN: usize = 4;
const BOTTOM: u32 = 0x100;

/// Labels with a meaning of their own (RFC 3032, section 2.1).
mod label {
    pub const IPV4_EXPLICIT_NULL: u32 = 0;
    pub const ROUTER_ALERT: u32 = 1;
    pub const IPV6_EXPLICIT_NULL: u32 = 2;
    pub const IMPLICIT_NULL: u32 = 3;
    /// The label behind it only spreads the load (RFC 6790, section 4.2).
    pub const ENTROPY_INDICATOR: u32 = 7;
    pub const LAST_RESERVED: u32 = 15;
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    Ipv4,
    Ipv6,
    Ethernet,
}

/// What the stack at the front of `bytes` carries, and where: behind the labels, and behind the control word of a pseudowire.
/// The labels do not tell what follows; unless the last one is reserved for it, the first nibble behind them does, as
/// routers guess it too (RFC 4928).
pub fn parse(bytes: &[u8]) -> Result<(Carried, usize), Anomaly> {
    let (label, at) = bottom(bytes)?;
    match label {
        label::IPV4_EXPLICIT_NULL => return Ok((Carried::Ipv4, at)),
        label::IPV6_EXPLICIT_NULL => return Ok((Carried::Ipv6, at)),
        label::ROUTER_ALERT => return Err(Anomaly::MplsBadLabelRouterAlert),
        label::IMPLICIT_NULL => return Err(Anomaly::MplsBadLabelImplicitNull),
        reserved if reserved <= label::LAST_RESERVED => return Err(Anomaly::MplsBadLabelReserved),
        _ => {}
    }
    let payload = bytes.get(at..).filter(|payload| payload.len() >= CONTROL_WORD_LEN);
    match payload.and_then(<[u8]>::first).ok_or(Anomaly::MplsPktTooSmall)? >> 4 {
        4 => Ok((Carried::Ipv4, at)),
        6 => Ok((Carried::Ipv6, at)),
        0 => Ok((Carried::Ethernet, at + CONTROL_WORD_LEN)),
        _ => Err(Anomaly::MplsUnknownPayloadType),
    }
}

/// The labels of the stack at the front of `bytes`, but for entropy: that is as the sender likes for each flow (RFC 6790).
pub fn labels(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (mut ended, mut entropy) = (false, false);
    let entries = bytes.chunks_exact(ENTRY_LEN).take(MAX_LABELS).map_while(move |entry| {
        let entry = entry.first_chunk().filter(|_| !ended).map(|entry| u32::from_be_bytes(*entry))?;
        ended = entry & BOTTOM != 0;
        let skipped = std::mem::replace(&mut entropy, entry >> 12 == label::ENTROPY_INDICATOR);
        Some((entry >> 12, skipped))
    });
    entries.filter(|(_, skipped)| !skipped).map(|(label, _)| label)
}

/// The last label, and where the stack ends.
fn bottom(bytes: &[u8]) -> Result<(u32, usize), Anomaly> {
    for n in 0..MAX_LABELS {
        let entry = bytes.get(n * ENTRY_LEN..).and_then(|rest| rest.first_chunk());
        let entry = u32::from_be_bytes(*entry.ok_or(Anomaly::MplsHeaderTooSmall)?);
        if entry & BOTTOM != 0 {
            return Ok((entry >> 12, (n + 1) * ENTRY_LEN));
        }
    }
    Err(Anomaly::TooManyLayers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(label: u32, last: bool) -> [u8; 4] {
        (label << 12 | u32::from(last) << 8 | 64).to_be_bytes()
    }

    fn of(labels: &[u32], payload: &[u8]) -> Result<(Carried, usize), Anomaly> {
        let last = labels.len() - 1;
        let mut bytes: Vec<u8> = labels.iter().enumerate().flat_map(|(n, l)| entry(*l, n == last)).collect();
        bytes.extend(payload);
        parse(&bytes)
    }

    #[test]
    fn the_last_label_or_the_first_nibble_tells_what_follows() {
        assert_eq!(of(&[100], &[0x45, 0, 0, 0]), Ok((Carried::Ipv4, 4)));
        assert_eq!(of(&[100, 16], &[0x60, 0, 0, 0]), Ok((Carried::Ipv6, 8)));
        assert_eq!(of(&[100, 0], &[]), Ok((Carried::Ipv4, 8)));
        assert_eq!(of(&[2], &[]), Ok((Carried::Ipv6, 4)));
        assert_eq!(of(&[100, 200, 300], &[0; 4]), Ok((Carried::Ethernet, 16)));
    }

    #[test]
    fn labels_are_told_up_to_the_last_one_without_entropy() {
        let stack = |labels: &[u32]| -> Vec<u8> {
            let last = labels.len() - 1;
            labels.iter().enumerate().flat_map(|(n, label)| entry(*label, n == last)).collect()
        };
        let told = |bytes: &[u8]| labels(bytes).collect::<Vec<_>>();
        assert_eq!(told(&[stack(&[100, 200]), vec![0x45; 20]].concat()), [100, 200]);
        assert_eq!(told(&stack(&[100, 7, 555, 200])), [100, 7, 200]);
        assert_eq!(told(&stack(&[100, 200])[..7]), [100], "cut short");
        assert!(told(&[]).is_empty());
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        assert_eq!(parse(&[0, 1, 0]), Err(Anomaly::MplsHeaderTooSmall));
        assert_eq!(parse(&entry(9, false)), Err(Anomaly::MplsHeaderTooSmall));
        assert_eq!(of(&[1], &[0x45; 20]), Err(Anomaly::MplsBadLabelRouterAlert));
        assert_eq!(of(&[3], &[0x45; 20]), Err(Anomaly::MplsBadLabelImplicitNull));
        assert_eq!(of(&[14], &[0x45; 20]), Err(Anomaly::MplsBadLabelReserved));
        assert_eq!(of(&[16], &[0x45, 0, 0]), Err(Anomaly::MplsPktTooSmall));
        assert_eq!(of(&[16], &[0x95, 0, 0, 0]), Err(Anomaly::MplsUnknownPayloadType));
        assert_eq!(of(&[99; MAX_LABELS + 1], &[0x45; 20]), Err(Anomaly::TooManyLayers));
    }
}
