//! Looking keys up in sets and maps (`net/netfilter/nft_set_*.c`).

use super::super::super::nft::{Element, Set};

/// The element that a key is in: of a set of intervals, the one that begins the interval.
pub(super) fn find<'a>(set: &'a Set, key: &[u8]) -> Option<&'a Element> {
    let found = if !set.is(Set::INTERVAL) {
        set.elements.iter().find(|element| !is_catchall(element) && element.key == key)
    } else if set.fields.len() > 1 || set.elements.iter().any(|element| element.end.is_some()) {
        set.elements.iter().find(|element| !is_catchall(element) && contains_fields(set, element, key))
    } else {
        find_interval(set, key)
    };
    found.or_else(|| set.elements.iter().find(|element| is_catchall(element)))
}

/// How long keys are.
pub(super) fn key_length(set: &Set) -> usize {
    usize::try_from(set.key_length).unwrap_or(usize::MAX)
}

fn is_catchall(element: &Element) -> bool {
    element.flags & Element::CATCHALL != 0
}

/// The highest border that is not above the key: the key is in if that one begins an interval. Where one interval ends and
/// the next begins, the begin counts.
fn find_interval<'a>(set: &'a Set, key: &[u8]) -> Option<&'a Element> {
    let begins = |element: &Element| element.flags & Element::INTERVAL_END == 0;
    set.elements
        .iter()
        .filter(|element| !is_catchall(element) && element.key.as_slice() <= key)
        .max_by(|one, other| one.key.cmp(&other.key).then(begins(one).cmp(&begins(other))))
        .filter(|element| begins(element))
}

/// Of concatenations: whether every part lies between its ends.
fn contains_fields(set: &Set, element: &Element, key: &[u8]) -> bool {
    let last = element.end.as_deref().unwrap_or(&element.key);
    let mut at: usize = 0;
    let lengths = set.fields.iter().map(|length| usize::try_from(*length).unwrap_or(usize::MAX));
    let whole = key_length(set);
    let fields = if set.fields.is_empty() { vec![whole] } else { lengths.collect() };
    for length in fields {
        let part = |bytes: &[u8]| bytes.get(at..at.saturating_add(length)).map(<[u8]>::to_vec);
        match (part(&element.key), part(key), part(last)) {
            (Some(low), Some(own), Some(high)) if low <= own && own <= high => {}
            _ => return false,
        }
        at = at.saturating_add(length).checked_next_multiple_of(4).unwrap_or(usize::MAX);
    }
    true
}
