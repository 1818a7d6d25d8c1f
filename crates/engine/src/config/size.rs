//! Amounts: memory sizes in docker's units, and shares of CPUs.

use notation::amount::{self, Decimal};

use crate::error::{Error, Result};

/// Smallest memory limit that is taken: docker's.
pub const MIN_MEMORY: u64 = 6 * 1024 * 1024;

/// Billionths in one CPU.
pub const NANO: u64 = 1_000_000_000;

/// Parses a size as docker does: a number, which may have a fraction, and one of b, k, m, g, t, p, which may be followed
/// by `b` or `ib`. Units are powers of 1024. `flag` is named in the error.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_size(flag: &str, text: &str) -> Result<u64> {
    amount::bytes(text).ok_or_else(|| {
        Error::invalid(format!("{flag} {text}: not a size"))
            .with_hint("give a number with a unit, such as 512k, 64m or 1.5g")
    })
}

/// Parses `-m`: 0 is no limit.
///
/// # Errors
/// `Invalid` for what is not a size or below [`MIN_MEMORY`].
pub fn parse_memory(text: &str) -> Result<Option<u64>> {
    match parse_size("--memory", text)? {
        0 => Ok(None),
        small if small < MIN_MEMORY => Err(Error::invalid(format!("--memory {text}: below the smallest limit, 6m"))),
        limit if i64::try_from(limit / 2).is_err() || limit > i64::MAX.unsigned_abs() / 2 => {
            Err(Error::invalid(format!("--memory {text}: too large")))
        }
        limit => Ok(Some(limit)),
    }
}

/// Parses `--memory-reservation`: 0 is none.
///
/// # Errors
/// `Invalid` for what is not a size or below [`MIN_MEMORY`].
pub fn parse_memory_reservation(text: &str) -> Result<Option<u64>> {
    let flag = "--memory-reservation";
    match parse_size(flag, text)? {
        0 => Ok(None),
        small if small < MIN_MEMORY => Err(Error::invalid(format!("{flag} {text}: below the smallest limit, 6m"))),
        size if i64::try_from(size).is_err() => Err(Error::invalid(format!("{flag} {text}: too large"))),
        size => Ok(Some(size)),
    }
}

/// Parses `--cpus` into billionths of a CPU; 0 is no limit.
///
/// # Errors
/// `Invalid` for what is not a number, finer than a billionth, or below 0.01: the kernel gives no less than 1 ms in a
/// period of 100 ms.
pub fn parse_cpus(text: &str) -> Result<Option<u64>> {
    let invalid =
        |why: &str| Error::invalid(format!("--cpus {text}: {why}")).with_hint("give a number such as 0.5 or 2");
    let number = Decimal::parse(text).ok_or_else(|| invalid("not a number"))?;
    match number.times(NANO) {
        None => Err(invalid("too large")),
        Some((_, false)) => Err(invalid("too precise")),
        Some((0, true)) => Ok(None),
        Some((nano, true)) if nano < NANO / 100 => Err(invalid("below the smallest share, 0.01")),
        Some((nano, true)) => Ok(Some(nano)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_size_is_named() {
        assert_eq!(parse_size("--shm-size", "32 kb").ok(), Some(32 << 10));
        let error = parse_size("--shm-size", "much").expect_err("not a size");
        assert_eq!(error.to_string(), "--shm-size much: not a size");
    }

    #[test]
    fn memory_limits() {
        let cases = [("0", Some(None)), ("6291455", None), ("6m", Some(Some(6 << 20))), ("8191p", None), ("x", None)];
        for (text, expected) in cases {
            assert_eq!(parse_memory(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn cpus() {
        let cases = [
            ("0", Some(None)),
            ("1", Some(Some(NANO))),
            ("1.5", Some(Some(NANO + NANO / 2))),
            (".01", Some(Some(10_000_000))),
            ("0.100000000000", Some(Some(100_000_000))),
            ("0.009", None),
            ("0.1234567891", None),
            ("-1", None),
            ("99999999999", None),
            ("two", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_cpus(text).ok(), expected, "{text}");
        }
    }
}
