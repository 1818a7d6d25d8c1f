//! Text split into words, of which each keeps its quotes and escapes: they are read when variables are replaced.

/// What stands between words of a line.
const BLANKS: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// The first word, and what follows the blanks after it.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    text.split_once(BLANKS).map_or((text, ""), |(word, rest)| (word, rest.trim_start_matches(BLANKS)))
}

/// Words between blanks, whatever quotes they have.
pub(super) fn at_blanks(text: &str) -> Vec<String> {
    text.split(BLANKS).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
}

/// Words of which each may have blanks inside of quotes or after an escape, all of which stay.
pub(super) fn with_quotes(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == escape && quote != Some('\'') {
            // One that is the last of all is nothing.
            if let Some(escaped) = characters.next() {
                word.extend([escape, escaped]);
            }
            continue;
        }
        if quote.is_none() && character.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        quote = after(quote, character);
        word.push(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Words that begin with `--`, without their quotes, and what follows them or `--` alone.
pub(super) fn flags(text: &str, escape: char) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let (flag, after) = flag(rest, escape);
        rest = after;
        if flag == "--" {
            break;
        }
        flags.push(flag);
        rest = rest.trim_start();
    }
    (flags, rest)
}

fn flag(text: &str, escape: char) -> (String, &str) {
    let mut flag = String::new();
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == escape {
            flag.extend(characters.next().map(|(_, escaped)| escaped));
            continue;
        }
        if quote.is_none() && character.is_whitespace() {
            return (flag, &text[at..]);
        }
        let before = quote;
        quote = after(quote, character);
        if before == quote {
            flag.push(character);
        }
    }
    (flag, "")
}

/// Which quotes are open after a character.
fn after(quote: Option<char>, character: char) -> Option<char> {
    match quote {
        None if character == '\'' || character == '"' => Some(character),
        Some(open) if open == character => None,
        unchanged => unchanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_is_said_of_them() {
        let cases: [(&str, &[&str]); 5] = [
            (r#"a="b c" d=e\ f"#, &[r#"a="b c""#, r"d=e\ f"]),
            (r"a='b\' c", &[r"a='b\'", "c"]),
            (r#"a="b\" c" d"#, &[r#"a="b\" c""#, "d"]),
            (r"a\", &["a"]),
            ("  ", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(with_quotes(text, '\\'), expected, "{text}");
        }
    }

    #[test]
    fn flags_end_where_something_else_begins() {
        let cases: [(&str, &[&str], &str); 7] = [
            ("--a --b=c d --e", &["--a", "--b=c"], "d --e"),
            ("--a='b c' d", &["--a=b c"], "d"),
            (r"--a=b\ c d", &["--a=b c"], "d"),
            ("--a -- --b", &["--a"], " --b"),
            ("-- a", &[], " a"),
            ("-a", &[], "-a"),
            ("--한=국", &["--한=국"], ""),
        ];
        for (text, expected, rest) in cases {
            let (flags, after) = flags(text, '\\');
            assert_eq!(
                (&flags[..], after),
                (&expected.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>()[..], rest)
            );
        }
    }
}
