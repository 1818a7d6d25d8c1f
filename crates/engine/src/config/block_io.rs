//! `--blkio-weight`, `--blkio-weight-device`, `--device-read-bps` and its three sisters: shares and limits of disks.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::size::parse_size;
use crate::error::{Error, Result};

/// What one disk of the host gives: a weight, bytes or operations per second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfDisk {
    /// The disk's device file.
    pub path: PathBuf,
    /// How much.
    pub amount: u64,
}

/// Shares and limits of disks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockIo {
    /// `--blkio-weight`, 10 to 1000.
    pub weight: Option<u16>,
    /// `--blkio-weight-device`.
    pub weight_devices: Vec<OfDisk>,
    /// `--device-read-bps`.
    pub read_bps: Vec<OfDisk>,
    /// `--device-write-bps`.
    pub write_bps: Vec<OfDisk>,
    /// `--device-read-iops`.
    pub read_iops: Vec<OfDisk>,
    /// `--device-write-iops`.
    pub write_iops: Vec<OfDisk>,
}

/// Parses `--blkio-weight`: 0 is none, else 10 to 1000.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_weight(text: &str) -> Result<Option<u16>> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(weight) if is_weight(weight) => Ok(Some(weight)),
        _ => Err(Error::invalid(format!("--blkio-weight {text}: not a weight between 10 and 1000"))),
    }
}

fn is_weight(weight: u16) -> bool {
    (10..=1000).contains(&weight)
}

impl OfDisk {
    /// Parses `--blkio-weight-device PATH:WEIGHT`.
    ///
    /// # Errors
    /// `Invalid` for what is not below /dev, and a weight out of range.
    pub fn parse_weight(text: &str) -> Result<OfDisk> {
        let flag = "--blkio-weight-device";
        let (path, weight) = split(flag, text)?;
        let weight: u16 =
            weight.parse().ok().filter(|weight| is_weight(*weight)).ok_or_else(|| {
                Error::invalid(format!("{flag} {text}: '{weight}' is not a weight between 10 and 1000"))
            })?;
        Ok(OfDisk { path, amount: weight.into() })
    }

    /// Parses `PATH:SIZE` of `--device-read-bps` and `--device-write-bps`.
    ///
    /// # Errors
    /// `Invalid` for what is not below /dev, and what is not a size.
    pub fn parse_bytes(flag: &str, text: &str) -> Result<OfDisk> {
        let (path, size) = split(flag, text)?;
        let amount = parse_size(flag, size)
            .map_err(|_| Error::invalid(format!("{flag} {text}: '{size}' is not a size such as 512k or 1m")))?;
        Ok(OfDisk { path, amount })
    }

    /// Parses `PATH:NUMBER` of `--device-read-iops` and `--device-write-iops`.
    ///
    /// # Errors
    /// `Invalid` for what is not below /dev, and what is not a number.
    pub fn parse_operations(flag: &str, text: &str) -> Result<OfDisk> {
        let (path, number) = split(flag, text)?;
        let amount =
            number.parse().map_err(|_| Error::invalid(format!("{flag} {text}: '{number}' is not a number")))?;
        Ok(OfDisk { path, amount })
    }
}

fn split<'a>(flag: &str, text: &'a str) -> Result<(PathBuf, &'a str)> {
    let invalid = |why: &str| Error::invalid(format!("{flag} {text}: {why}"));
    let (path, amount) = text.split_once(':').ok_or_else(|| invalid("not PATH:AMOUNT"))?;
    if !path.starts_with("/dev/") {
        return Err(invalid("the path of the device is not below /dev"));
    }
    Ok((path.into(), amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let amount = |found: Result<OfDisk>| found.ok().map(|disk| disk.amount);
        for (text, expected) in
            [("/dev/sda:1m", Some(1 << 20)), ("/dev/sda:x", None), ("sda:1m", None), ("/dev/sda", None)]
        {
            assert_eq!(amount(OfDisk::parse_bytes("--device-read-bps", text)), expected, "{text}");
        }
        for (text, expected) in [("/dev/sda:100", Some(100)), ("/dev/sda:1m", None), ("/dev/sda:-1", None)] {
            assert_eq!(amount(OfDisk::parse_operations("--device-read-iops", text)), expected, "{text}");
        }
        for (text, expected) in [("/dev/sda:10", Some(10)), ("/dev/sda:9", None), ("/dev/sda:1001", None)] {
            assert_eq!(amount(OfDisk::parse_weight(text)), expected, "{text}");
        }
        for (text, expected) in [("0", Some(None)), ("10", Some(Some(10))), ("5", None), ("1001", None), ("x", None)] {
            assert_eq!(parse_weight(text).ok(), expected, "{text}");
        }
    }
}
