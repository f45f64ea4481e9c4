//! Points in time as texts (RFC 3339), read and written without a calendar crate.

use std::fmt;

use super::Timestamp;

impl Timestamp {
    /// Reads a text such as `2026-03-01T12:00:00Z`, `2026-03-01T12:00:00.25+01:00` or, as some servers write it, one without an
    /// offset, which is UTC then (RFC 3339 section 5.6). `None` for anything else, and for what lies before 1970.
    ///
    /// ```
    /// use lumoauth::time::Timestamp;
    /// assert_eq!(Timestamp::from_rfc3339("1970-01-01T01:00:30+01:00"), Some(Timestamp::from_unix(30)));
    /// assert_eq!(Timestamp::from_rfc3339("tomorrow"), None);
    /// ```
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, time) = text.split_at_checked(10)?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let time = time.strip_prefix(['T', 't', ' '])?;
        let (clock, rest) = time.split_at_checked(8)?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        // A leap second is the last one of its minute.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (millis, offset) = fraction(rest)?;
        let days = days_since_1970(year, month, day)?;
        let seconds = days.checked_mul(24)?.checked_add(hour)?.checked_mul(60)?.checked_add(minute)?;
        let seconds =
            seconds.checked_mul(60)?.checked_add(second.min(59))?.checked_sub(seconds_ahead(offset)?)?;
        let millis = seconds.checked_mul(1000)?.checked_add(millis)?;
        u64::try_from(millis).ok().map(Timestamp::from_unix_millis)
    }

    /// The date and time in UTC, with milliseconds.
    ///
    /// ```
    /// use lumoauth::time::Timestamp;
    /// assert_eq!(Timestamp::from_unix(1_750_000_000).to_rfc3339(), "2025-06-15T15:06:40.000Z");
    /// ```
    pub fn to_rfc3339(self) -> String {
        Utc(self).to_string()
    }
}

/// A point in time as a text in UTC, with milliseconds.
pub(super) struct Utc(pub(super) Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.unix_millis();
        let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
        let (year, month, day) = date(days);
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, milli) = (rest / 1000 % 60, rest % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Year, month and day of a number of days since 1970, counted in years that begin with March, so that a leap day is a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    // The first of March of the year 0 is 719,468 days before 1970. 400 years have 146,097 days.
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let leaps = (of_era / 1_460).saturating_add(of_era / 146_096).saturating_sub(of_era / 36_524);
    let year = of_era.saturating_sub(leaps) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let of_year = of_era.saturating_sub(before);
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = of_year.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let year = era.saturating_mul(400).saturating_add(year);
    if month < 10 {
        (year, month.saturating_add(3), day)
    } else {
        (year.saturating_add(1), month.saturating_sub(9), day)
    }
}

/// Three numbers of so many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut found = [0; 3];
    for (place, digits) in found.iter_mut().zip(digits) {
        *place = number(parts.next()?, digits)?;
    }
    parts.next().is_none().then_some(found)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The milliseconds of a fraction if there is one, and what stands behind it.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, offset) = rest.split_at_checked(end)?;
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let millis: String = digits.chars().chain("00".chars()).take(3).collect();
    Some((millis.parse().ok()?, offset))
}

fn seconds_ahead(offset: &str) -> Option<i64> {
    if matches!(offset, "" | "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_mul(sign)
}

/// Days since the first of January 1970, by the calendar of ISO 8601.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const LENGTH: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let place = usize::try_from(month.checked_sub(1)?).ok()?;
    let (before, length) = (BEFORE.get(place)?, LENGTH.get(place)?);
    let length = length.checked_add(i64::from(is_leap && month == 2))?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let past = year.checked_sub(1)?;
    let leaps = (past / 4).checked_sub(past / 100)?.checked_add(past / 400)?;
    let days = past.checked_mul(365)?.checked_add(leaps)?.checked_add(*before)?.checked_add(day)?;
    // The first of January 1970 is day 719,163 of this count.
    days.checked_add(i64::from(is_leap && month > 2))?.checked_sub(719_163)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        // Every day of 1970 to 2400, and a time of the day that differs with each.
        for day in 0..157_000_u64 {
            let time = Timestamp::from_unix_millis(day * 86_400_000 + day * 7_919 % 86_400_000);
            assert_eq!(Timestamp::from_rfc3339(&Utc(time).to_string()), Some(time), "{day}");
        }
        assert!(Utc(Timestamp::from_unix_millis(u64::MAX)).to_string().ends_with('Z'));
    }

    #[test]
    fn texts_and_their_seconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2025-06-15T15:06:40Z", 1_750_000_000),
            ("2025-06-15T17:06:40+02:00", 1_750_000_000),
            ("2025-06-15t09:36:40-05:30", 1_750_000_000),
            ("2025-06-15 15:06:40", 1_750_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2000-03-01T00:00:00+00:00", 951_868_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("2016-12-31T23:59:60Z", 1_483_228_799),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), Some(Timestamp::from_unix(seconds)), "{text}");
        }
        let millis = Timestamp::from_rfc3339("1970-01-01T00:00:01.2345678Z").map(Timestamp::unix_millis);
        assert_eq!(millis, Some(1234));
        assert_eq!(Timestamp::from_rfc3339("1970-01-01T00:00:01.5").map(Timestamp::unix_millis), Some(1500));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "now",
            "1750000000",
            "2025-06-15",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-06-31T00:00:00Z",
            "2025-06-15T24:00:00Z",
            "2025-06-15T15:60:00Z",
            "2025-06-15T15:06:61Z",
            "2025-06-15T15:06:40.Z",
            "2025-06-15T15:06:40+2:00",
            "2025-06-15T15:06:40+0200",
            "2025-06-15T15:06:40+24:00",
            "2025-06-15T15:06:40Zulu",
            "2025-06-15X15:06:40Z",
            "+025-06-15T15:06:40Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "２025-06-15T15:06:40Z",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }
}
