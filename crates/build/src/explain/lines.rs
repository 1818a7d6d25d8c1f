//! Where two texts are not the same. Pure.

/// As much of a line is shown.
const MOST_SHOWN: usize = 80;

/// Where the second text begins to be another one, as a part of a sentence; None if one of them is no text, or they are the same.
pub(crate) fn first_difference(before: &[u8], now: &[u8]) -> Option<String> {
    let (before, now) = (lines(before)?, lines(now)?);
    let same = before.iter().zip(&now).take_while(|(one, other)| one == other).count();
    let (before, now) = (&before[same..], &now[same..]);
    let below = before.iter().rev().zip(now.iter().rev()).take_while(|(one, other)| one == other).count();
    let (before, now) = (&before[..before.len() - below], &now[..now.len() - below]);
    let line = same + 1;
    let said = match (before.first(), now.first()) {
        (Some(old), Some(new)) if content(old) == content(new) => {
            let end = if new.ends_with('\n') { "an end now" } else { "no end any more" };
            format!("line {line} has {end}")
        }
        (Some(old), Some(new)) => format!("line {line} was {} and is {}", shown(old), shown(new)),
        (None, Some(new)) => format!("line {line} is new: {}", shown(new)),
        (Some(old), None) => format!("line {line} is gone: {}", shown(old)),
        (None, None) => return None,
    };
    let more = before.len().max(now.len()).saturating_sub(1);
    Some(if more > 0 { format!("{said} (and {more} below it)") } else { said })
}

/// With their ends, which are a part of what is compared.
fn lines(text: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0'))?;
    Some(text.split_inclusive('\n').collect())
}

fn content(line: &str) -> &str {
    line.strip_suffix('\n').unwrap_or(line)
}

/// With escapes: nothing in a file may steer a terminal.
fn shown(line: &str) -> String {
    let line = content(line);
    match line.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{:?}…", &line[..end]),
        None => format!("{line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, now: &str, expected: Option<&str>) {
        assert_eq!(first_difference(before.as_bytes(), now.as_bytes()).as_deref(), expected, "{before:?} {now:?}");
    }

    #[test]
    fn the_first_line_that_is_not_the_same() {
        check("a\nb\nc\n", "a\nB\nc\n", Some("line 2 was \"b\" and is \"B\""));
        check("a\nb\nc\n", "a\nB\nC\n", Some("line 2 was \"b\" and is \"B\" (and 1 below it)"));
        check("a\nc\n", "a\nb\nc\n", Some("line 2 is new: \"b\""));
        check("a\na\na\n", "a\na\n", Some("line 3 is gone: \"a\""));
        check("", "a\nb\n", Some("line 1 is new: \"a\" (and 1 below it)"));
        check("a\n", "", Some("line 1 is gone: \"a\""));
        check("a", "a\n", Some("line 1 has an end now"));
        check("a\r\nb\n", "a\nb\n", Some("line 1 was \"a\\r\" and is \"a\""));
        check("a\n", "a\n", None);
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        let long = "ä".repeat(MOST_SHOWN + 1);
        let said = first_difference(b"x", long.as_bytes()).expect("it is text");
        assert_eq!(said, format!("line 1 was \"x\" and is \"{}\"…", "ä".repeat(MOST_SHOWN)));
        check("x", "\u{1b}[2J", Some("line 1 was \"x\" and is \"\\u{1b}[2J\""));
    }

    #[test]
    fn what_is_no_text_is_not_compared() {
        assert_eq!(first_difference(b"a\0", b"b"), None);
        assert_eq!(first_difference(b"a", b"\xff"), None);
    }
}
