//! Times of certificates as seconds since 1970, and seconds as eve.json writes them.

use super::der::{Tlv, tag};

const DAY: i64 = 86_400;

/// Of a UTCTime (years 1950 to 2049) or a GeneralizedTime, with or without seconds, in UTC or with an offset.
pub(super) fn seconds(time: Tlv<'_>) -> Option<i64> {
    let mut rest = time.value;
    let year = match time.tag {
        tag::UTC_TIME => match two_digits(&mut rest)? {
            year @ 50.. => 1900 + year,
            year => 2000 + year,
        },
        tag::GENERALIZED_TIME => two_digits(&mut rest)? * 100 + two_digits(&mut rest)?,
        _ => return None,
    };
    let (month, day) = (two_digits(&mut rest)?, two_digits(&mut rest)?);
    let (hour, minute) = (two_digits(&mut rest)?, two_digits(&mut rest)?);
    let second = two_digits(&mut rest).unwrap_or(0);
    let fits =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let local = days_before(year, month, day) * DAY + hour * 3_600 + minute * 60 + second;
    fits.then(|| local - offset(rest))
}

fn two_digits(rest: &mut &[u8]) -> Option<i64> {
    let (digits, behind) = rest.split_first_chunk::<2>()?;
    let [tens, ones] = digits.map(|digit| i64::from(digit.wrapping_sub(b'0')));
    if tens > 9 || ones > 9 {
        return None;
    }
    *rest = behind;
    Some(tens * 10 + ones)
}

/// Seconds that local time is ahead by `+hhmm`; fractions of a second in front are passed over.
fn offset(rest: &[u8]) -> i64 {
    let Some(at) = rest.iter().position(|byte| matches!(byte, b'+' | b'-')) else { return 0 };
    let mut digits = rest.get(at + 1..).unwrap_or_default();
    let (Some(hours), Some(minutes)) = (two_digits(&mut digits), two_digits(&mut digits)) else { return 0 };
    let ahead = hours * 3_600 + minutes * 60;
    if rest.get(at) == Some(&b'-') { -ahead } else { ahead }
}

/// Days from 1970 to a day of the Gregorian calendar, with years that begin in March.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// `2016-04-27T12:42:00`, in UTC.
pub(in super::super) fn write(seconds: i64, out: &mut Vec<u8>) {
    use std::io::Write;
    let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // The inverse of the above: whole 400-year cycles, then the year within, then the month.
    let (cycle, day) = ((days + 719_468).div_euclid(146_097), (days + 719_468).rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carried) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = cycle * 400 + year + carried;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    let _ = write!(out, "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}");
}
