//! Times as people read them: "2 minutes ago", docker's wording. Pure.

use jiff::Timestamp;

/// How long ago `time` (RFC 3339) was at `now`, such as `3 seconds`; empty for what is no time.
pub(crate) fn since(time: &str, now: Timestamp) -> String {
    time.parse::<Timestamp>().map_or_else(|_| String::new(), |time| words(now.as_second() - time.as_second()))
}

/// How long ago `time` (RFC 3339) was, such as `3 seconds ago`; empty for what is no time.
pub fn ago(time: &str) -> String {
    match since(time, Timestamp::now()) {
        words if words.is_empty() => words,
        words => format!("{words} ago"),
    }
}

/// A duration in words, as docker rounds it.
fn words(seconds: i64) -> String {
    const HOUR: i64 = 3600;
    let hours = (seconds + HOUR / 2) / HOUR;
    match seconds {
        ..=0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..HOUR => format!("{} minutes", seconds / 60),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// The current time in RFC 3339 with nanoseconds, as docker writes it.
pub(crate) fn now() -> String {
    format!("{:.9}", Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        const DAY: i64 = 24 * 3600;
        let cases = [
            (-5, "Less than a second"),
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5399, "About an hour"),
            (5400, "2 hours"),
            (2 * DAY - 1801, "47 hours"),
            (2 * DAY, "2 days"),
            (14 * DAY, "2 weeks"),
            (60 * DAY, "2 months"),
            (730 * DAY, "2 years"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(words(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        let now: Timestamp = "2026-08-05T12:00:00Z".parse().expect("is a time");
        assert_eq!(since("2026-08-05T11:58:00.123456789Z", now), "2 minutes");
        assert_eq!(since("2026-08-05T13:00:00+02:00", now), "About an hour");
        assert_eq!(since("soon", now), "");
        assert_eq!(super::now().len(), "2026-08-05T12:00:00.123456789Z".len());
    }
}
