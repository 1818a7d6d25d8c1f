//! Columns, line breaks and colour of the report.

/// No line is longer than this, in characters.
const WIDTH: usize = 80;

/// Indentation of rows below a heading.
const INDENT: usize = 2;

/// Whether the reader's terminal shows colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    None,
    Some,
}

/// What a coloured word says. The word says it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tint {
    Plain,
    /// A title.
    Strong,
    /// Isolated from the host.
    Closed,
    /// Shared with the host, or open to it.
    Open,
}

/// A cell at the left of a row, filled up to `width`.
pub(crate) struct Cell<'a> {
    pub(crate) text: &'a str,
    pub(crate) width: usize,
    pub(crate) tint: Tint,
}

/// The report while it is written.
pub(crate) struct Page {
    text: String,
    colour: Colour,
}

impl Page {
    pub(crate) fn new(colour: Colour) -> Page {
        Page { text: String::new(), colour }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// A line of its own that stands out.
    pub(crate) fn title(&mut self, title: &str) {
        self.push(title, Tint::Strong);
        self.text.push('\n');
    }

    /// A title after an empty line.
    pub(crate) fn heading(&mut self, title: &str) {
        self.text.push('\n');
        self.title(title);
    }

    /// Running text, after an empty line.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.text.push('\n');
        self.flow(text, 0);
    }

    /// Cells, then text that may take more than one line and stays in its column.
    pub(crate) fn row(&mut self, cells: &[Cell<'_>], text: &str) {
        self.text.push_str(&" ".repeat(INDENT));
        for cell in cells {
            let shown = printable(cell.text);
            let fill = cell.width.saturating_sub(shown.chars().count());
            self.push(&shown, cell.tint);
            self.text.push_str(&" ".repeat(fill));
        }
        let column = INDENT + cells.iter().map(|cell| cell.width).sum::<usize>();
        self.flow(text, column);
    }

    /// A line as it is, for commands to copy.
    pub(crate) fn verbatim(&mut self, line: &str) {
        self.text.push_str(&" ".repeat(INDENT * 2));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Words from `column` on, which the current line has reached already.
    fn flow(&mut self, text: &str, column: usize) {
        let text = printable(text);
        let mut at = column;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if at > column && at + 1 + length > WIDTH {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(column));
                at = column;
            }
            if at > column {
                self.text.push(' ');
                at += 1;
            }
            self.text.push_str(word);
            at += length;
        }
        // A row without text ends with the fill of its last cell.
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn push(&mut self, text: &str, tint: Tint) {
        let code = match (self.colour, tint) {
            (Colour::None, _) | (_, Tint::Plain) => return self.text.push_str(text),
            (Colour::Some, Tint::Strong) => "1",
            (Colour::Some, Tint::Closed) => "32",
            (Colour::Some, Tint::Open) => "33",
        };
        for part in ["\x1b[", code, "m", text, "\x1b[0m"] {
            self.text.push_str(part);
        }
    }
}

/// `text` with control characters written out: names of files and hosts are not trusted with a terminal.
pub(crate) fn printable(text: &str) -> String {
    let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::{Cell, Colour, Page, Tint, printable};

    fn row(colour: Colour, text: &str) -> String {
        let mut page = Page::new(colour);
        page.row(&[Cell { text: "name", width: 8, tint: Tint::Closed }], text);
        page.finish()
    }

    #[test]
    fn words_stay_in_their_column() {
        let long = "word ".repeat(20);
        let got = row(Colour::None, &long);
        assert_eq!(
            got,
            format!("  name    {}\n          {}\n", "word ".repeat(14).trim_end(), "word ".repeat(6).trim_end())
        );
        assert!(got.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_word_longer_than_a_line_stays_whole() {
        let word = "x".repeat(100);
        assert_eq!(row(Colour::None, &word), format!("  name    {word}\n"));
    }

    #[test]
    fn nothing_ends_with_a_blank() {
        assert_eq!(row(Colour::None, ""), "  name\n");
    }

    #[test]
    fn colour_does_not_move_columns() {
        assert_eq!(row(Colour::Some, "text"), "  \x1b[32mname\x1b[0m    text\n");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(printable("a\x1b[31mb\u{9b}é"), "a\\u{1b}[31mb\\u{9b}é");
    }
}
