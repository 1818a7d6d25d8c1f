//! Decimal numbers as flags have them ("1.5"), without floating point: a size or a share of a CPU is exact or an error.

/// A number ≥ 0 as digits and the count of those after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u128,
    scale: u32,
}

impl Decimal {
    /// Reads `12`, `1.5`, `.5`, `1.`; no sign, no exponent.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
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
    pub(super) fn times(self, unit: u64) -> Option<(u64, bool)> {
        let product = self.digits.checked_mul(u128::from(unit))?;
        let divisor = 10_u128.checked_pow(self.scale)?;
        Some((u64::try_from(product / divisor).ok()?, product.is_multiple_of(divisor)))
    }
}
