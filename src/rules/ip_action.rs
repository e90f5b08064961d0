//! IP actions as rules ask for them: `metadata: ip_action block, ip_action_target source, ip_action_timeout 300`. A key of
//! `metadata` leaves a rule what it is for everyone else who reads it, and a `modify.conf` can add it.

use crate::base::ip_action::{IpAction, IpDeed, IpTarget};
use std::time::Duration;

const DEED: &str = "ip_action";
const TARGET: &str = "ip_action_target";
const TIMEOUT: &str = "ip_action_timeout";

/// Where a rule says nothing.
const DEFAULT_TARGET: IpTarget = IpTarget::Source;
const DEFAULT_SECONDS: u64 = 300;

/// A year.
const LONGEST: u64 = 365 * 86_400;

/// What the pairs ask for, if anything; or what is wrong with them.
pub fn of<'a>(metadata: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Option<IpAction>, String> {
    let (mut deed, mut target, mut seconds) = (None, None, None);
    for (key, value) in metadata {
        let value = value.trim();
        match key {
            DEED => deed = Some(word(key, value, IpDeed::ALL.map(|deed| (deed.name(), deed)))?),
            TARGET => target = Some(word(key, value, IpTarget::ALL.map(|target| (target.name(), target)))?),
            TIMEOUT => {
                let known = value.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
                let told =
                    || format!("`{TIMEOUT}` is a number of seconds from 1 to {LONGEST}, not `{value}`");
                seconds = Some(known.ok_or_else(told)?);
            }
            _ => {}
        }
    }
    match deed {
        Some(deed) => Ok(Some(IpAction {
            deed,
            target: target.unwrap_or(DEFAULT_TARGET),
            timeout: Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS)),
        })),
        None if target.is_some() || seconds.is_some() => {
            Err(format!("`{TARGET}` and `{TIMEOUT}` belong to an action: add `{DEED} block`"))
        }
        None => Ok(None),
    }
}

fn word<T: Copy, const N: usize>(key: &str, value: &str, words: [(&str, T); N]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == value);
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("`{key}` is one of {}, not `{value}`", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Option<IpAction>, String> {
        of(pairs.iter().copied())
    }

    #[test]
    fn a_rule_names_the_deed_and_may_leave_the_rest() {
        assert_eq!(asked(&[("created_at", "2010_07_30")]), Ok(None));
        let timeout = Duration::from_secs(300);
        let block = IpAction { deed: IpDeed::Block, target: IpTarget::Source, timeout };
        assert_eq!(asked(&[("ip_action", "block")]), Ok(Some(block)));
        let all = [("ip_action_timeout", "60"), ("ip_action_target", "service"), ("ip_action", "close")];
        let timeout = Duration::from_secs(60);
        assert_eq!(
            asked(&all),
            Ok(Some(IpAction { deed: IpDeed::Close, target: IpTarget::Service, timeout }))
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (pairs, said) in [
            (&[("ip_action", "blok")][..], "one of notify, block, close, not `blok`"),
            (&[("ip_action", "block"), ("ip_action_target", "host")], "source, destination, zone, service"),
            (&[("ip_action", "block"), ("ip_action_timeout", "0")], "seconds from 1"),
            (&[("ip_action_timeout", "9")], "add `ip_action block`"),
        ] {
            let fault = asked(pairs).unwrap_err();
            assert!(fault.contains(said), "{fault}");
        }
    }
}
