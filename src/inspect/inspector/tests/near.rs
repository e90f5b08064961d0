//! Patterns near a buffer's begin (`depth`), which have sets of their own, against looking for each by itself.

use super::*;
use std::collections::BTreeSet;

/// A content of such letters that may stand between `offset` and `offset + depth`, or anywhere.
type Asked = (Vec<u8>, usize, Option<usize>);

fn asked() -> impl Strategy<Value = Asked> {
    let pattern = prop::collection::vec(b'a'..b'd', 2..5);
    (pattern, 0usize..70, prop::option::weighted(0.7, prop_oneof![Just(0usize), 0usize..40]))
        .prop_map(|(pattern, offset, more)| (pattern.clone(), offset, more.map(|more| more + pattern.len())))
}

fn rules(header: &str, scope: &str, asked: &[Asked]) -> String {
    let one = |(number, (pattern, offset, depth)): (usize, &Asked)| {
        let text = String::from_utf8_lossy(pattern);
        let depth = depth.map_or(String::new(), |depth| format!("depth:{depth};"));
        format!("alert {header} (content:\"{text}\"; offset:{offset}; {depth} {scope} sid:{};)\n", number + 1)
    };
    asked.iter().enumerate().map(one).collect()
}

/// Rules whose content stands where it may.
fn plain(asked: &[Asked], bytes: &[u8]) -> BTreeSet<u32> {
    let holds = |(pattern, offset, depth): &Asked| {
        let end = depth.map_or(bytes.len(), |depth| bytes.len().min(offset + depth));
        bytes.get(*offset..end).is_some_and(|part| part.windows(pattern.len()).any(|w| w == pattern))
    };
    (1..).zip(asked).filter(|(_, asked)| holds(asked)).map(|(sid, _)| sid).collect()
}

fn roomy(text: &str) -> Inspecting {
    with(text, Settings { packet_alert_max: MAX_ALERTS, ..Settings::default() })
}

proptest! {
    #[test]
    fn packets_are_looked_into_as_far_as_each_content_may_stand(
        asked in prop::collection::vec(asked(), 1..60),
        payload in prop::collection::vec(b'a'..b'e', 1..160),
    ) {
        let mut i = roomy(&rules("tcp any any -> any any", "flow:no_stream;", &asked));
        bare(&mut i, &packet(Dir::ToServer, 2, &payload));
        prop_assert_eq!(sids(&i).into_iter().collect::<BTreeSet<_>>(), plain(&asked, &payload));
    }

    /// However a stream is cut, and wherever the window begins that reaches back.
    #[test]
    fn streams_are_looked_into_as_far_as_each_content_may_stand(
        asked in prop::collection::vec(asked(), 1..60),
        bytes in prop::collection::vec(b'a'..b'e', 1..160),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut i = roomy(&rules("tcp any any -> any any", "flow:only_stream;", &asked));
        let (mut at, mut found) = (0usize, BTreeSet::new());
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let to = at.saturating_add(cut).min(bytes.len());
            if to > at {
                let from = at.saturating_sub(6);
                stream(&mut i, Dir::ToServer, &bytes[from..to], at - from, from as u64);
                found.extend(sids(&i));
            }
            at = to;
        }
        prop_assert_eq!(found, plain(&asked, &bytes));
    }
}

#[test]
fn what_has_no_stream_is_searched_once_for_rules_over_both() {
    let mut i = inspector("alert udp any any -> any any (content:\"|00 01|\"; sid:1;)");
    let mut datagram = packet(Dir::ToServer, 2, b"..\x00\x01");
    datagram.decoded.l4 = L4::Udp;
    bare(&mut i, &datagram);
    assert_eq!(sids(&i), [1]);
    let group = i.rules.engine.groups(Class::Udp, Dir::ToServer, 1000, 80).next().unwrap();
    assert_eq!(group.sets.iter().map(|set| set.place).collect::<Vec<_>>(), [Place::Packet]);
}
