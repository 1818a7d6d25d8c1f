//! Numbers and times as docker writes them for people.

use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};

/// A size in bytes with three digits and units of 1000: `5.2MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    scaled(bytes, 1000, 3, &UNITS)
}

/// A size in bytes with four digits and units of 1024: `7.656GiB`.
pub(crate) fn binary_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    scaled(bytes, 1024, 4, &UNITS)
}

fn scaled(bytes: u64, base: u64, digits: usize, units: &[&str]) -> String {
    let (mut unit, mut divisor) = (0, 1);
    while bytes / divisor >= base && unit + 1 < units.len() {
        divisor *= base;
        unit += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let number = bytes as f64 / divisor as f64;
    let whole = if number < 10.0 {
        1
    } else if number < 100.0 {
        2
    } else if number < 1000.0 {
        3
    } else {
        4
    };
    let text = format!("{number:.*}", digits.saturating_sub(whole));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", units[unit])
}

/// `text` cut to `most` characters, the last of which then is `…`.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A time (RFC 3339) as docker's columns have it, where the host is: `2026-08-05 14:00:00 +0200 CEST`. What is no time
/// stays as it is.
pub(crate) fn time(text: &str) -> String {
    time_in(text, engine::zone())
}

fn time_in(text: &str, zone: TimeZone) -> String {
    let words = |time: Timestamp| ZonedDateTime::new(time, zone).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string();
    text.parse().map_or_else(|_| harmless(text), words)
}

/// RFC 3339 where the host is: with its offset, or `Z` where that is none, and so many digits of a second.
pub(crate) fn timestamp(time: Timestamp, digits: u8) -> String {
    timestamp_in(time, digits, &engine::zone())
}

fn timestamp_in(time: Timestamp, digits: u8, zone: &TimeZone) -> String {
    let offset = zone.to_offset(time);
    let printer = DateTimePrinter::new().precision(Some(digits));
    if offset == Offset::UTC {
        return printer.timestamp_to_string(&time);
    }
    printer.timestamp_with_offset_to_string(&time, offset)
}

/// Text of a stranger in one line and without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The same of several lines.
pub(crate) fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_stranger_reaches_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{9b}");
        assert_eq!(harmless_lines("a\x1b[2J\r\nb"), "a\\u{1b}[2J\\r\nb");
    }

    #[test]
    fn sizes() {
        let cases = [
            (0, "0B", "0B"),
            (999, "999B", "999B"),
            (1000, "1kB", "1000B"),
            (1024, "1.02kB", "1KiB"),
            (5_200_000, "5.2MB", "4.959MiB"),
            (13_370_000, "13.4MB", "12.75MiB"),
            (187_600_000, "188MB", "178.9MiB"),
            (8_220_000_000, "8.22GB", "7.655GiB"),
            (u64::MAX, "18.4EB", "16EiB"),
        ];
        for (bytes, decimal, binary) in cases {
            assert_eq!((size(bytes).as_str(), binary_size(bytes).as_str()), (decimal, binary), "{bytes}");
        }
    }

    #[test]
    fn texts() {
        for (text, expected) in [("sleep 100", "sleep 100"), ("/docker-entrypoint.sh nginx", "/docker-entrypoint.…")]
        {
            assert_eq!(shortened(text, 20), expected);
        }
        assert_eq!(harmless("a\x1b[31m\nb…"), "a\\u{1b}[31m\\nb…");
    }

    #[test]
    fn times() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("is a zone");
        let instant: Timestamp = "2026-08-05T12:00:00.5Z".parse().expect("is a time");
        for (zone, words, exact, whole) in [
            (TimeZone::UTC, "+0000 UTC", "2026-08-05T12:00:00.500000000Z", "2026-08-05T12:00:00Z"),
            (berlin, "+0200 CEST", "2026-08-05T14:00:00.500000000+02:00", "2026-08-05T14:00:00+02:00"),
        ] {
            assert_eq!(timestamp_in(instant, 9, &zone), exact);
            assert_eq!(timestamp_in(instant, 0, &zone), whole);
            let shown = time_in("2026-08-05T14:00:00.5+02:00", zone);
            assert_eq!(shown, format!("{} {words}", &exact[..19].replace('T', " ")));
        }
        assert_eq!(time("soon\n"), "soon\\n");
    }
}
