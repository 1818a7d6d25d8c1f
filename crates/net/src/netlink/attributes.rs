//! Attributes that are read: a length, a type, bytes, and again. Whatever the bytes are, reading them ends and stays within
//! them; what is cut off is not there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::Mac;

/// `NLA_TYPE_MASK`: without the bits that say that there are attributes in it, or numbers in network order.
const TYPE: u16 = 0x3fff;

/// Attributes, one after the other; they end at the first that is not whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// What it holds.
    pub(crate) bytes: &'a [u8],
}

/// Those that are still to be read.
#[derive(Debug, Clone)]
pub(crate) struct Each<'a>(&'a [u8]);

impl<'a> IntoIterator for Attributes<'a> {
    type Item = Attribute<'a>;
    type IntoIter = Each<'a>;

    fn into_iter(self) -> Each<'a> {
        Each(self.0)
    }
}

impl<'a> Iterator for Each<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let [l0, l1, k0, k1, ..] = *self.0 else { return None };
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let bytes = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind: u16::from_ne_bytes([k0, k1]) & TYPE, bytes })
    }
}

impl<'a> Attributes<'a> {
    /// The last one of a type, which is the one that the kernel goes by.
    pub(crate) fn get(self, kind: u16) -> Option<Attribute<'a>> {
        self.into_iter().filter(|attribute| attribute.kind == kind).last()
    }

    /// The number in network order of this type.
    pub(crate) fn be32(self, kind: u16) -> Option<u32> {
        self.get(kind).and_then(Attribute::be32)
    }

    /// The number in network order of this type.
    pub(crate) fn be64(self, kind: u16) -> Option<u64> {
        self.get(kind).and_then(Attribute::be64)
    }

    /// The text of this type.
    pub(crate) fn text(self, kind: u16) -> Option<String> {
        self.get(kind).map(Attribute::text)
    }

    /// The attributes in the one of this type; none if it is not there.
    pub(crate) fn nested(self, kind: u16) -> Attributes<'a> {
        self.get(kind).map_or(Attributes(&[]), Attribute::nested)
    }
}

impl<'a> Attribute<'a> {
    /// The attributes in it.
    pub(crate) fn nested(self) -> Attributes<'a> {
        Attributes(self.bytes)
    }

    /// The byte that it is.
    pub(crate) fn u8(self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The number that it is, in the host's order.
    pub(crate) fn u32(self) -> Option<u32> {
        self.bytes.try_into().ok().map(u32::from_ne_bytes)
    }

    /// The number that it is, in network order.
    pub(crate) fn be16(self) -> Option<u16> {
        self.bytes.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// The number that it is, in network order.
    pub(crate) fn be32(self) -> Option<u32> {
        self.bytes.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// The number that it is, in network order.
    pub(crate) fn be64(self) -> Option<u64> {
        self.bytes.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// The number at this place of an array of numbers.
    pub(crate) fn nth_u32(self, index: usize) -> Option<u32> {
        self.bytes.as_chunks().0.get(index).copied().map(u32::from_ne_bytes)
    }

    /// The text that it is, without the zero at its end. Names may hold any bytes; what is not UTF-8 is replaced.
    pub(crate) fn text(self) -> String {
        let text = self.bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// The address that it is.
    pub(crate) fn address(self) -> Option<IpAddr> {
        if let Ok(bytes) = <[u8; 4]>::try_from(self.bytes) {
            return Some(Ipv4Addr::from(bytes).into());
        }
        <[u8; 16]>::try_from(self.bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into())
    }

    /// The hardware address that it is.
    pub(crate) fn mac(self) -> Option<Mac> {
        self.bytes.try_into().ok().map(Mac)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn attributes_are_read_one_after_the_other() {
        let number = u32::to_ne_bytes(7);
        let mut bytes = [&u16::to_ne_bytes(8)[..], &u16::to_ne_bytes(0x8000 | 4), &number].concat();
        bytes.extend([&u16::to_ne_bytes(6)[..], &u16::to_ne_bytes(3), b"a\0", &[0, 0]].concat());
        bytes.extend([&u16::to_ne_bytes(200)[..], &u16::to_ne_bytes(5), b"cut off"].concat());
        let mut attributes = Attributes(&bytes).into_iter();
        let first = attributes.next().expect("there are two");
        assert_eq!((first.kind, first.u32(), first.nth_u32(0), first.nth_u32(1)), (4, Some(7), Some(7), None));
        let second = attributes.next().expect("there are two");
        assert_eq!((second.kind, second.text(), second.u32()), (3, "a".to_owned(), None));
        assert!(attributes.next().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let count = Attributes(&bytes).into_iter().flat_map(Attribute::nested).count();
            assert!(count <= bytes.len());
        }
    }
}
