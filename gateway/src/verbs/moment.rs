//! Times for people. All are UTC, as in the records; stored as microseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// `2026-11-25 23:38:12`
#[must_use]
pub fn date_and_time(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// `23:38:12.123`
#[must_use]
pub fn time_of_day(us: u64) -> String {
    let ms = us / 1000 % 86_400_000;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// `+12.034` seconds after `start`.
#[must_use]
pub fn offset(start: u64, us: u64) -> String {
    let after = us.saturating_sub(start) / 1000;
    format!("+{}.{:03}", after / 1000, after % 1000)
}

/// `0:07`, `1:02:03`
#[must_use]
pub fn length(us: u64) -> String {
    let s = us / 1_000_000;
    if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// The Gregorian date of a day since 1970 (Hinnant's algorithm: years begin in March, so that the leap
/// day is the last).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_ends_of_years_are_right() {
        assert_eq!(date_and_time(0), "1970-01-01 00:00:00");
        assert_eq!(date_and_time(1_709_210_096_000_000), "2024-02-29 12:34:56");
        assert_eq!(date_and_time(1_798_761_599_000_000), "2026-12-31 23:59:59");
    }
}
