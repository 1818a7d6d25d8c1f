//! Which name somebody may have meant who typed another one. Pure.

/// Names longer than this are not compared: nobody mistypes them, they are copied.
const LONGEST: usize = 64;

/// The one of `names` that is most like `typed`, if any is so like it that it may have been meant: one slip in three
/// letters, where two letters in the wrong order are one slip.
pub fn similar<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = typed.chars().collect();
    let most = (wanted.len().div_ceil(3)).min(3);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    let measured = names.into_iter().filter_map(|name| {
        let letters: Vec<char> = name.chars().collect();
        let is_near = letters.len() <= LONGEST && letters.len().abs_diff(wanted.len()) <= most;
        is_near.then(|| (slips(&wanted, &letters), name)).filter(|(slips, _)| *slips <= most)
    });
    measured.min_by_key(|(slips, name)| (*slips, name.len())).map(|(_, name)| name)
}

/// Letters that are missing, superfluous, others, or changed places with their neighbours.
fn slips(left: &[char], right: &[char]) -> usize {
    // The last three rows of the table of distances between beginnings.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let changed = last[column] + usize::from(a != b);
            let mut best = changed.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn what_was_meant() {
        let names = ["run", "rm", "rmi", "images", "inspect", "web", "database"];
        let cases = [
            ("rnu", Some("run")),
            ("imges", Some("images")),
            ("imgaes", Some("images")),
            ("wbe", Some("web")),
            ("insepct", Some("inspect")),
            ("databsae", Some("database")),
            ("x", None),
            ("build", None),
            ("", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(similar(typed, names), expected, "{typed}");
        }
        assert_eq!(similar(&"a".repeat(1000), [&*"a".repeat(1001)]), None);
    }
}
