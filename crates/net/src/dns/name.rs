//! Names of the domain name system, as they are in messages (RFC 1035, 3.1), and the two trees of addresses (RFC 1035, 3.5;
//! RFC 3596, 2.5). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest name in a message, with the lengths of its labels (RFC 1035, 2.3.4).
const MOST: usize = 255;

/// A name in lower case, its labels separated by dots, without one at the end. No memory is allocated for it.
#[derive(Clone, Copy)]
pub(super) struct Name {
    bytes: [u8; MOST],
    length: usize,
}

impl Name {
    /// Reads the name at the beginning of `message`, which must not refer to other names; how many bytes it takes there.
    pub(super) fn read(message: &[u8]) -> Option<(Name, usize)> {
        let mut name = Name { bytes: [0; MOST], length: 0 };
        let mut at = 0;
        loop {
            let label = usize::from(*message.get(at)?);
            at += 1;
            if label == 0 {
                return Some((name, at));
            }
            // The two high bits say that it is a reference.
            if label > 63 || at + label >= MOST {
                return None;
            }
            if name.length > 0 {
                name.push(b'.');
            }
            for byte in message.get(at..at + label)? {
                // A dot within a label separates nothing; no name of ours has this byte, which is none of UTF-8.
                name.push(if *byte == b'.' { 0xff } else { byte.to_ascii_lowercase() });
            }
            at += label;
        }
    }

    fn push(&mut self, byte: u8) {
        // A name has at most as many bytes here as in a message.
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The address that it asks the name of, if it is in one of the two trees.
    pub(super) fn reverse(&self) -> Option<IpAddr> {
        let text = std::str::from_utf8(self.as_bytes()).ok()?;
        if let Some(labels) = text.strip_suffix(".in-addr.arpa") {
            let mut octets = [0_u8; 4];
            let mut labels = labels.split('.');
            for octet in octets.iter_mut().rev() {
                let label = labels.next()?;
                *octet = label.parse().ok().filter(|number: &u8| number.to_string() == label)?;
            }
            return labels.next().is_none().then(|| Ipv4Addr::from(octets).into());
        }
        let digits = text.strip_suffix(".ip6.arpa")?;
        let mut number = 0_u128;
        let mut count = 0;
        for (place, digit) in digits.split('.').enumerate() {
            let value = u128::from_str_radix(digit, 16).ok().filter(|_| digit.len() == 1 && digit != "+")?;
            number |= value.checked_shl(u32::try_from(place).ok()?.checked_mul(4)?)?;
            count += 1;
        }
        (count == 32).then(|| Ipv6Addr::from(number).into())
    }
}

/// Appends a name to a message; false if it cannot be in one.
pub(super) fn write(text: &str, message: &mut Vec<u8>) -> bool {
    let labels = text.trim_end_matches('.').split('.');
    if text.len() + 2 > MOST || labels.clone().any(|label| label.is_empty() || label.len() > 63) {
        return false;
    }
    for label in labels {
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Name {
        let mut message = Vec::new();
        assert!(write(text, &mut message), "{text}");
        let (name, length) = Name::read(&message).expect("was written");
        assert_eq!(length, message.len());
        name
    }

    #[test]
    fn names_are_lower_case_and_have_no_dot_at_the_end() {
        assert_eq!(read("Web.Front.").as_bytes(), b"web.front");
        assert_eq!(Name::read(b"\0").map(|(name, length)| (name.length, length)), Some((0, 1)));
        assert_eq!(Name::read(b"\x03a.b\0").expect("one label").0.as_bytes(), b"a\xffb");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = [&[63; 64][..], &[63; 64], &[63; 64], &[63; 64], &[0]].concat();
        for message in [&b""[..], b"\x01", b"\x01a", b"\x40a\0", b"\xc0\x0c", &long] {
            assert!(Name::read(message).is_none(), "{message:?}");
        }
        let most = [&[63; 64][..], &[63; 64], &[63; 64], &[61; 62], &[0]].concat();
        assert_eq!(Name::read(&most).expect("is as long as names get").1, MOST);
        let label = "x".repeat(64);
        for text in ["", ".", "a..b", &label, &"abc.".repeat(70)] {
            assert!(!write(text, &mut Vec::new()), "{text}");
        }
    }

    #[test]
    fn names_of_addresses() {
        let nibbles = "1.".to_owned() + &"0.".repeat(29) + "d.f.ip6.arpa";
        for (text, expected) in [
            ("4.3.2.10.in-addr.arpa", Some("10.2.3.4")),
            ("4.3.2.10.IN-ADDR.ARPA", Some("10.2.3.4")),
            ("04.3.2.10.in-addr.arpa", None),
            ("+4.3.2.10.in-addr.arpa", None),
            ("3.2.10.in-addr.arpa", None),
            ("5.4.3.2.10.in-addr.arpa", None),
            ("256.3.2.10.in-addr.arpa", None),
            (&nibbles, Some("fd00::1")),
            (&nibbles.replacen("1.", "+.", 1), None),
            (&nibbles.replacen("1.", "", 1), None),
            (&nibbles.replacen("1.", "1.1.", 1), None),
            ("web", None),
        ] {
            assert_eq!(read(text).reverse(), expected.map(|text| text.parse().expect("is one")), "{text}");
        }
    }
}
