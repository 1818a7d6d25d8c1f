//! Lists of processors and memory nodes as the kernel writes them (`cpuset(7)`, "List format"), to bit masks.

use crate::error::{Error, ErrorKind, Result};

/// No kernel is built for more processors (`CONFIG_NR_CPUS`) than this.
const MOST: usize = 8192;

/// The mask of a list such as `0-3,7`, as long as it must be.
pub(super) fn mask(list: &str, field: &str) -> Result<Vec<u64>> {
    let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("{field} {list:?}: {why}"));
    let mut mask = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| invalid("is no list such as 0-3,7"));
        let (from, to) = (number(from)?, number(to)?);
        if from > to {
            return Err(invalid("has a range that ends before it begins"));
        }
        if to >= MOST {
            return Err(invalid(&format!("goes beyond {}", MOST - 1)));
        }
        mask.resize(mask.len().max(to / 64 + 1), 0_u64);
        (from..=to).for_each(|number| mask[number / 64] |= 1 << (number % 64));
    }
    Ok(mask)
}

/// The mask of everything.
pub(super) fn all() -> Vec<u64> {
    vec![u64::MAX; MOST / 64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_masks() {
        for (list, expected) in
            [("0", vec![1]), ("0-3,7", vec![0x8f]), ("63,64", vec![1 << 63, 1]), ("128-129", vec![0, 0, 3])]
        {
            assert_eq!(mask(list, "f").expect("a list"), expected, "{list}");
        }
        for list in ["", ",", "1-", "-1", "3-1", "x", "0,,1", "8192", "0-18446744073709551615"] {
            let error = mask(list, "some.field").expect_err("no list").to_string();
            assert!(error.starts_with(&format!("some.field {list:?}: ")), "{error}");
        }
        assert_eq!(all().len(), 128);
    }
}
