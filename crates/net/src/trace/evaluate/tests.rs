//! Sets and registers.

use proptest::prelude::{ProptestConfig, proptest};

use super::super::super::nft::{DataType, Element, Set};
use super::set::find;

fn border(key: u8, is_end: bool) -> Element {
    Element { flags: if is_end { Element::INTERVAL_END } else { 0 }, ..Element::new(vec![0, key]) }
}

#[test]
fn intervals_end_before_their_borders_and_touch() {
    let mut set = Set::new("s", DataType::INET_SERVICE, "");
    set.flags = Set::INTERVAL;
    set.elements = vec![border(20, true), border(10, false), border(20, false), border(30, true), border(40, false)];
    let has = |key: u8| find(&set, &[0, key]).map(|element| element.key[1]);
    assert_eq!(
        [9, 10, 19, 20, 29, 30, 40, 255].map(has),
        [None, Some(10), Some(10), Some(20), Some(20), None, Some(40), Some(40)]
    );
}

#[test]
fn one_that_stands_for_all_others() {
    let mut set = Set::new("s", DataType::INET_SERVICE, "");
    set.elements = vec![Element { flags: Element::CATCHALL, ..Element::default() }, Element::new(vec![0, 7])];
    assert_eq!(find(&set, &[0, 7]).map(|element| element.key.len()), Some(2));
    assert_eq!(find(&set, &[0, 8]).map(|element| element.key.len()), Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_concatenation_is_looked_up(fields: Vec<u32>, length: u32, low: Vec<u8>, high: Vec<u8>, key: Vec<u8>) {
        let mut set = Set::new("s", DataType::UNKNOWN, "");
        set.flags = Set::INTERVAL;
        set.fields = fields;
        set.key_length = length;
        set.elements = vec![Element { end: Some(high), ..Element::new(low) }];
        find(&set, &key);
    }
}
