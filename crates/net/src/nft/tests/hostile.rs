//! Bytes that nobody meant.

use proptest::prelude::{any, proptest};

use crate::nft::attribute::{Attributes, Messages};
use crate::nft::decode;
use crate::nft::model::Family;

proptest! {
    #[test]
    fn any_bytes_are_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let attributes = Attributes(&bytes);
        let table = decode::table(Family::Inet, attributes);
        let chain = decode::chain(Family::Inet, attributes);
        let (rule, set, element) = (decode::rule(attributes), decode::set(attributes), decode::element(attributes));
        let _ = (table, chain, rule, set, element, Messages(&bytes).count());
    }
}
