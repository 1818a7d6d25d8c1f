//! Durations as Go writes them: `1m30s`, `500ms`, `1.5h`.

use crate::amount::{Decimal, number};

/// A duration in nanoseconds: one or more numbers with units, after a sign or none; None for what is none, and for more than
/// 292 years. `0` needs no unit. What is less than a nanosecond is nothing.
pub fn nanoseconds(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum = None;
    while !rest.is_empty() {
        let (amount, after) = number(rest);
        let unit_end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (part, _even) = Decimal::parse(amount)?.times(nanoseconds_in(unit)?)?;
        sum = Some(sum.unwrap_or(0_i64).checked_add_unsigned(part)?);
        rest = next;
    }
    sum.map(|sum| if is_negative { -sum } else { sum })
}

/// A duration as Go prints it: `1m30s`, `500ms`, `0s`.
pub fn text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let decimal = |unit: u64| {
        let (whole, fraction) = (total / unit, total % unit);
        let digits = format!("{fraction:0width$}", width = unit.ilog10() as usize);
        match digits.trim_end_matches('0') {
            "" => whole.to_string(),
            digits => format!("{whole}.{digits}"),
        }
    };
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let seconds = decimal(1_000_000_000);
            let (whole, fraction) = seconds.split_once('.').unwrap_or((&seconds, ""));
            let whole: u64 = whole.parse().unwrap_or_default();
            let point = if fraction.is_empty() { "" } else { "." };
            let seconds = format!("{}{point}{fraction}s", whole % 60);
            match (whole / 3600, whole / 60 % 60) {
                (0, 0) => format!("{sign}{seconds}"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

fn nanoseconds_in(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{nanoseconds, text};

    #[test]
    fn durations() {
        let cases = [
            ("0", Some(0)),
            ("1s", Some(1_000_000_000)),
            ("+1s", Some(1_000_000_000)),
            ("-1s", Some(-1_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("500ms", Some(500_000_000)),
            ("5m", Some(300_000_000_000)),
            ("2us3ns", Some(2003)),
            ("2000µs", Some(2_000_000)),
            ("0.1ns", Some(0)),
            ("", None),
            ("-", None),
            ("5", None),
            ("s", None),
            ("1x", None),
            ("5s5", None),
            ("5 s", None),
            ("5d", None),
            ("1.2.3s", None),
            ("9999999999h", None),
            ("2562047h2562047h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        let all =
            ["0s", "1ns", "1.5µs", "500ms", "1.001ms", "1s", "30s", "1m30s", "5m0s", "1h0m0s", "-1.5s", "26h4m0.5s"];
        for written in all {
            assert_eq!(nanoseconds(written).map(text).as_deref(), Some(written));
        }
        assert_eq!(text(i64::MIN), "-2562047h47m16.854775808s");
    }
}
