//! Points in time as `--since`, `--until` and the filters take them, and the zone that they are in.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The zone of this host: that which TZ names, or else /etc/localtime; UTC where there is neither.
pub fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

/// The time that is meant: RFC 3339 with or without zone, a date, seconds since 1970 with or without a fraction, or a
/// duration such as `10m` or `1h30m`, which means that long before `now`. Without a zone it is this host's, in which times
/// are shown as well.
pub(crate) fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    parse_in(text, now, zone)
}

fn parse_in(text: &str, now: Timestamp, zone: impl FnOnce() -> TimeZone) -> Option<Timestamp> {
    let seconds = |text: &str| -> Option<Timestamp> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let nanoseconds: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        if fraction.len() > 9 {
            return None;
        }
        Timestamp::new(whole.parse().ok()?, nanoseconds.parse().ok()?).ok()
    };
    let without_zone = |text: &str| zone().to_timestamp(text.parse().ok()?).ok();
    seconds(text)
        .or_else(|| text.parse().ok())
        .or_else(|| without_zone(text))
        .or_else(|| now.checked_sub(duration(text)?).ok())
}

/// Go's durations: `1h30m`, `1.5s`, `100ms`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let units = [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let (unit, seconds) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total += number * seconds;
    }
    (!text.is_empty()).then(|| SignedDuration::try_from_secs_f64(total).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time() {
        let now: Timestamp = "2026-08-05T12:00:00Z".parse().expect("is a time");
        let cases = [
            ("2026-08-05T11:00:00Z", Some("2026-08-05T11:00:00Z")),
            ("2026-08-05T13:00:00+02:00", Some("2026-08-05T11:00:00Z")),
            ("2026-08-05T11:00:00", Some("2026-08-05T09:00:00Z")),
            ("2026-01-05T11:00:00", Some("2026-01-05T10:00:00Z")),
            ("2026-08-05", Some("2026-08-04T22:00:00Z")),
            ("10m", Some("2026-08-05T11:50:00Z")),
            ("1h30m", Some("2026-08-05T10:30:00Z")),
            ("1.5s", Some("2026-08-05T11:59:58.5Z")),
            ("0", Some("1970-01-01T00:00:00Z")),
            ("1.5", Some("1970-01-01T00:00:01.5Z")),
            ("", None),
            ("soon", None),
            ("10", Some("1970-01-01T00:00:10Z")),
            ("10x", None),
            ("99999999999999h", None),
        ];
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("is a zone");
        for (text, expected) in cases {
            assert_eq!(
                parse_in(text, now, || berlin.clone()),
                expected.map(|time| time.parse().expect("is a time")),
                "{text}"
            );
        }
    }
}
