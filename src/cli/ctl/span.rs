//! Times on the command line: so many seconds, or a number with its unit.

use crate::mgmt::config::value::{parse_span, spell_span};
use std::time::Duration;

/// Reads times of more than nothing and at most that; for clap.
pub(super) fn up_to(most: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync {
    move |text| {
        let seconds = text.parse().ok().map(Duration::from_secs);
        let span = seconds.or_else(|| parse_span(text)).filter(|span| !span.is_zero() && *span <= most);
        let told = || format!("write seconds, or a time such as 5m: from 1ms to {}", spell_span(most));
        span.ok_or_else(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_range_are_told_what_the_range_is() {
        let day = up_to(Duration::from_secs(86_400));
        for (text, millis) in [("300", 300_000), ("5m", 300_000), ("1ms", 1), ("1d", 86_400_000)] {
            assert_eq!(day(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        let max = u64::MAX.to_string();
        for text in
            ["0", "0s", "25h", "86401", "99999999999", &max, &format!("{max}d"), "1y", "-5", "", "1.5s"]
        {
            assert!(day(text).is_err_and(|told| told.ends_with("from 1ms to 1 day")), "{text}");
        }
    }
}
