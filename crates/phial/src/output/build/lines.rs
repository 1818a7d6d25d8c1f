//! Bytes that a program writes, as lines that a terminal can show: whole, as they look in the end, and harmless. Pure.

/// A line that has not ended after so many bytes is shown in parts, so that memory is bounded.
const LONGEST: usize = 1 << 20;

/// What is there of the line that a program writes.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    line: Vec<u8>,
    /// The program has gone back to the line's beginning: what it writes next stands in its place.
    has_returned: bool,
}

impl Splitter {
    /// Takes further bytes, and gives the lines that are whole now.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => whole.push(self.take()),
                b'\r' => self.has_returned = true,
                other => {
                    if std::mem::take(&mut self.has_returned) {
                        self.line.clear();
                    }
                    self.line.push(*other);
                    if self.line.len() >= LONGEST {
                        whole.push(self.take());
                    }
                }
            }
        }
        whole
    }

    /// What is left of a line that will not end, if anything is.
    pub(super) fn rest(&mut self) -> Option<String> {
        if self.line.is_empty() { None } else { Some(self.take()) }
    }

    /// How the line looks now.
    pub(super) fn current(&self) -> Option<String> {
        // Only its end can be seen, and it is asked for ten times a second.
        let from = self.line.len().saturating_sub(1024);
        if self.line.is_empty() { None } else { Some(cleaned(&String::from_utf8_lossy(&self.line[from..]))) }
    }

    fn take(&mut self) -> String {
        self.has_returned = false;
        cleaned(&String::from_utf8_lossy(&std::mem::take(&mut self.line)))
    }
}

/// A stranger's line without what a terminal would obey: sequences for colours and the cursor are left out (ECMA-48, 5.4), titles
/// and links too, and any other control character is shown as what it is.
pub(super) fn cleaned(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                // Parameters, and the letter that says what they are for.
                while letters.next_if(|next| matches!(next, ' '..='?')).is_some() {}
                letters.next_if(|next| matches!(next, '@'..='~'));
            }
            '\u{1b}' if letters.next_if_eq(&']').is_some() => {
                // To the bell, or to the string terminator, whose second half is not shown either.
                while let Some(next) = letters.next_if(|next| *next != '\u{1b}') {
                    if next == '\u{7}' {
                        break;
                    }
                }
                if letters.next_if_eq(&'\u{1b}').is_some() {
                    letters.next_if_eq(&'\\');
                }
            }
            '\t' => clean.push('\t'),
            other if other.is_control() => clean.extend(other.escape_default()),
            other => clean.push(other),
        }
    }
    clean
}

/// How many columns a letter takes on a terminal: 2 for the wide ones of East Asia and pictures, 0 for what stands above another.
pub(super) fn columns(letter: char) -> usize {
    match u32::from(letter) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A text cut to so many columns, the last of which then is `…`; how many it takes. Tabs are one space.
pub(super) fn clipped(text: &str, most: usize) -> (String, usize) {
    let (mut cut, mut width) = (String::new(), 0);
    let mut letters = text.chars().map(|letter| if letter == '\t' { ' ' } else { letter }).peekable();
    while let Some(letter) = letters.next() {
        let wide = columns(letter);
        let is_last = letters.peek().is_none();
        if width + wide > most || (!is_last && width + wide == most) {
            if width < most {
                cut.push('…');
                width += 1;
            }
            break;
        }
        cut.push(letter);
        width += wide;
    }
    (cut, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_program() {
        let cases: [(&[&str], &[&str]); 7] = [
            (&["a\nb"], &["a", "b"]),
            (&["a", "b\n", "\n"], &["ab", ""]),
            (&["a\r\nb\r", "\n"], &["a", "b"]),
            (&["10%\r", "50%\r100%", "\n"], &["100%"]),
            (&["10%\r"], &["10%"]),
            (&["\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}!\u{1b}]8;;x\u{1b}\\\n"], &["red!"]),
            (&["a\u{7}\u{1b}c\tb"], &["a\\u{7}\\u{1b}c\tb"]),
        ];
        for (written, expected) in cases {
            let mut splitter = Splitter::default();
            let mut lines: Vec<String> = written.iter().flat_map(|bytes| splitter.add(bytes.as_bytes())).collect();
            lines.extend(splitter.rest());
            assert_eq!(lines, expected, "{written:?}");
        }
        let mut splitter = Splitter::default();
        assert_eq!(splitter.add(b"\xff\xfe\n"), ["\u{fffd}\u{fffd}"]);
        assert_eq!(splitter.add(&vec![b'x'; LONGEST + 1]).len(), 1);
        assert_eq!(splitter.current().as_deref(), Some("x"));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        for (text, most, expected) in
            [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…"), ("a\tb", 9, "a b"), ("ab", 0, "")]
        {
            let (cut, width) = clipped(text, most);
            assert_eq!((cut.as_str(), width), (expected, expected.chars().map(columns).sum()), "{text} {most}");
        }
    }
}
