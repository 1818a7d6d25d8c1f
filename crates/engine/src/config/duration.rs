//! Durations as Go writes them: `1m30s`, `500ms`, `1.5h`.

/// A duration in nanoseconds; None for what is none, and for more than 292 years. `0` needs no unit.
pub fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] =
        [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        // The longest unit that fits: `ms` before `m`.
        let fits = UNITS.iter().filter(|(unit, _)| rest.starts_with(unit)).max_by_key(|(unit, _)| unit.len())?;
        total += number * fits.1;
        rest = &rest[fits.0.len()..];
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in the range, and less than a nanosecond is nothing")]
    (total < 9.2e18).then_some((sign * total) as i64)
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn durations() {
        let cases = [
            ("0", Some(0)),
            ("1s", Some(1_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("500ms", Some(500_000_000)),
            ("5m", Some(300_000_000_000)),
            ("2us3ns", Some(2003)),
            ("-1s", Some(-1_000_000_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("1x", None),
            ("1.2.3s", None),
            ("9999999999h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }
}
