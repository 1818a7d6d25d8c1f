//! Container ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{decode_hex, encode_hex};
use crate::{Error, ErrorKind, Result};

/// A container's id: 64 lower-case hex digits, so always safe as a file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId([u8; 32]);

impl ContainerId {
    /// A new random id. Its short form is never all decimal digits: it becomes the host name, and programs take such a
    /// host name for an address or a number.
    ///
    /// # Errors
    /// Those of `getrandom(2)`.
    pub fn generate() -> Result<ContainerId> {
        loop {
            let id = ContainerId(random_bytes()?);
            if !id.short().bytes().all(|digit| digit.is_ascii_digit()) {
                return Ok(id);
            }
        }
    }

    /// All 64 digits.
    pub fn hex(&self) -> String {
        encode_hex(&self.0)
    }

    /// The first 12 digits, as people see it.
    pub fn short(&self) -> String {
        encode_hex(&self.0[..6])
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.hex())
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for ContainerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<ContainerId> {
        decode_hex(text).map(ContainerId).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("container id {text:?} is not 64 lower-case hex digits"))
        })
    }
}

impl TryFrom<String> for ContainerId {
    type Error = Error;

    fn try_from(text: String) -> Result<ContainerId> {
        text.parse()
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> String {
        id.hex()
    }
}

/// Bytes from the kernel's random number generator.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // Up to 256 bytes come whole and uninterrupted: getrandom(2).
    rustix::rand::getrandom(bytes.as_mut_slice(), rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::new(ErrorKind::Io, format!("random bytes: getrandom: {errno}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_survive_text() {
        let first = ContainerId::generate().expect("the kernel has random bytes");
        let second = ContainerId::generate().expect("the kernel has random bytes");
        assert_ne!(first, second);
        assert_eq!(first.to_string().parse::<ContainerId>().expect("parses"), first);
        assert_eq!(first.short().len(), 12);
        for text in ["", "abc", "../../../etc", &first.hex().to_uppercase(), &format!("{first}0")] {
            assert_eq!(text.parse::<ContainerId>().expect_err(text).kind(), ErrorKind::Invalid);
        }
    }
}
