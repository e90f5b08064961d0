//! Moments as eve.json writes them: `2026-11-21T01:39:33.123456+0000`, always UTC.

use crate::base::Time;
use crate::io::clock::wall;
use serde::{Serialize, Serializer};

/// Serialises as text.
#[derive(Copy, Clone, Debug)]
pub struct Stamp(pub Time);

impl Stamp {
    /// In UTC. A time past the calendar's end is no real one: a broken capture's, shown as the last that can be.
    pub fn datetime(self) -> jiff::civil::DateTime {
        let micros = i64::try_from(wall(self.0).micros()).unwrap_or(i64::MAX);
        let moment = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
        moment.to_zoned(jiff::tz::TimeZone::UTC).datetime()
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.datetime();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+0000",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.subsec_nanosecond() / 1000,
        )
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_and_the_zone_are_always_written() {
        let stamp = |micros| Stamp(Time::from_micros(micros)).to_string();
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000000+0000");
        assert_eq!(stamp(1_795_225_173_000_456), "2026-11-21T01:39:33.000456+0000");
        assert_eq!(stamp(u64::MAX), "9999-12-30T22:00:00.999999+0000");
    }
}
