//! SHA-256 digests as the OCI image specification writes them (descriptor.md, "Digests"). Other algorithms are refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

const PREFIX: &str = "sha256:";

/// The SHA-256 of some content. Written `sha256:` and 64 lower-case hex digits; nothing else can be parsed into one, so
/// that a digest is always safe as a file name (CVE-2024-3727 was a digest that was not).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest with this value.
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The digest whose 64 lower-case hex digits these are.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for anything else.
    pub fn from_hex(hex: &str) -> Result<Digest, Error> {
        decode_hex(hex)
            .map(Digest)
            .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("digest {hex:?} is not 64 lower-case hex digits")))
    }

    /// The value itself.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits, without the algorithm.
    pub fn hex(&self) -> String {
        encode_hex(&self.0)
    }

    /// The first 12 hex digits, as people see it.
    pub fn short(&self) -> String {
        encode_hex(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest, Error> {
        text.strip_prefix(PREFIX).and_then(decode_hex).map(Digest).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("digest {text:?} is not sha256: and 64 lower-case hex digits"))
        })
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Digest, Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Computes a [`Digest`] piece by piece.
#[derive(Clone)]
pub struct Hasher(ring::digest::Context);

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Hasher {
        Hasher(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything that was seen.
    pub fn finish(self) -> Digest {
        let value = self.0.finish();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(value.as_ref());
        Digest(bytes)
    }
}

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hasher(sha256)")
    }
}

/// So that a reader can be copied into it.
impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lower-case hex digits of these bytes.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The 32 bytes that 64 lower-case hex digits mean.
pub(crate) fn decode_hex(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_digest_of_abc_is_the_standards() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
        let mut hasher = Hasher::new();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish().to_string(), ABC);
        assert_eq!(Digest::of(b"abc").short(), "ba7816bf8f01");
    }

    #[test]
    fn only_the_canonical_form_is_parsed() {
        let hex = &ABC[PREFIX.len()..];
        let refused = [
            String::new(),
            hex.to_owned(),
            ABC.to_uppercase(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("{ABC}0"),
            ABC[..ABC.len() - 1].to_owned(),
            format!("sha512:{hex}"),
            format!(" {ABC}"),
            format!("{ABC}\n"),
            format!("sha256:{}", "../".repeat(22)),
            format!("sha256:{}é", &hex[..62]),
        ];
        for text in refused {
            let error = text.parse::<Digest>().expect_err(&text);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
            assert!(serde_json::from_value::<Digest>(serde_json::Value::String(text)).is_err());
        }
    }

    proptest! {
        #[test]
        fn text_and_value_are_one(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>().expect("parses"), digest);
            prop_assert_eq!(Digest::from_hex(&digest.hex()).expect("parses"), digest);
            prop_assert!(digest.hex().starts_with(&digest.short()));
            let json = serde_json::to_string(&digest).expect("is JSON");
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).expect("is JSON"), digest);
        }

        #[test]
        fn what_parses_prints_the_same(text in "(sha256:)?[0-9a-fA-F/.]{60,66}") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
