//! Patterns with `*`, `?` and `[…]`, of which `*` and `?` mean no slash, as Go's `path.Match` has them. Pure.

/// Whether the pattern means the whole text. A pattern that is not well formed means nothing.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where the last star was, and where the text was then: a star that took too little takes one more.
    let (mut at, mut position, mut star) = (0, 0, None);
    loop {
        if at == pattern.len() && position == text.len() {
            return true;
        }
        if pattern.get(at) == Some(&'*') {
            star = Some((at, position));
            at += 1;
            continue;
        }
        match text.get(position).and_then(|character| one(&pattern, at, *character)) {
            Some(next) => (at, position) = (next, position + 1),
            None => match star {
                Some((place, taken)) if text.get(taken).is_some_and(|character| *character != '/') => {
                    star = Some((place, taken + 1));
                    (at, position) = (place + 1, taken + 1);
                }
                _ => return false,
            },
        }
    }
}

/// Where the pattern goes on after the character; None if it means another.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => (character != '/').then_some(at + 1),
        '[' => class(pattern, at + 1, character),
        '\\' => (*pattern.get(at + 1)? == character).then_some(at + 2),
        other => (*other == character).then_some(at + 1),
    }
}

/// What stands between brackets: characters and ranges, all others after `^`.
fn class(pattern: &[char], mut at: usize, character: char) -> Option<usize> {
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let (start, mut found) = (at, false);
    while *pattern.get(at)? != ']' || at == start {
        let low = *pattern.get(at)?;
        let (high, length) = if pattern.get(at + 1) == Some(&'-') { (*pattern.get(at + 2)?, 3) } else { (low, 1) };
        found |= (low..=high).contains(&character);
        at += length;
    }
    (found != negated).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let cases = [
            ("alpine", "alpine", true),
            ("alpine", "alpine:3", false),
            ("alp*", "alpine", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("*:lat?st", "alpine:latest", true),
            ("a[l-m]*", "alpine", true),
            ("a[^l]*", "alpine", false),
            ("*a*a*", "banana", true),
            ("*a*a*x", "banana", false),
            ("[", "[", false),
            ("\\*", "*", true),
            ("", "", true),
            ("**", "abc", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
