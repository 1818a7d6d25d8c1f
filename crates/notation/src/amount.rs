//! Decimal numbers ("1.5"), and sizes in docker's units. Without floating point: an amount is exact, or it is none.

/// A number ≥ 0 as digits and the count of those after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    digits: u128,
    scale: u32,
}

impl Decimal {
    /// Reads `12`, `1.5`, `.5`, `1.`; no sign, no exponent.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("0{whole}{fraction}").parse().ok()?;
        Some(Decimal { digits, scale: u32::try_from(fraction.len()).ok()? })
    }

    /// The number times `unit`, and whether that came out even; None if it does not fit.
    pub fn times(self, unit: u64) -> Option<(u64, bool)> {
        let product = self.digits.checked_mul(u128::from(unit))?;
        let divisor = 10_u128.checked_pow(self.scale)?;
        Some((u64::try_from(product / divisor).ok()?, product.is_multiple_of(divisor)))
    }
}

/// The number at the beginning of a text, and what follows it.
pub(crate) fn number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len()))
}

/// Bytes: a number, which may have a fraction, and one of b, k, m, g, t, p, which may be followed by `b` or `ib`. Units are
/// powers of 1024.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = number(text);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let shift = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return None,
    };
    Decimal::parse(number)?.times(1 << shift).map(|(size, _even)| size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("0", Some(0)),
            ("32", Some(32)),
            ("32b", Some(32)),
            ("32 kb", Some(32 << 10)),
            ("32KiB", Some(32 << 10)),
            ("32m", Some(32 << 20)),
            ("1.5g", Some(3 << 29)),
            (".5M", Some(1 << 19)),
            ("0.3k", Some(307)),
            ("2T", Some(2 << 40)),
            ("3pib", Some(3 << 50)),
            ("", None),
            ("m", None),
            (".", None),
            ("-1m", None),
            ("+1m", None),
            ("1mm", None),
            ("1bb", None),
            ("1e3", None),
            ("1.2.3", None),
            ("32  mb", None),
            ("32 m b", None),
            ("20000p", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
