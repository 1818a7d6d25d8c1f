//! Verdicts as a table: for the terminal, and for `docs/breakouts.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use end_to_end::{Context, Result};
use serde_json::Value;

/// Between these lines of the document stands what is generated.
const BEGIN: &str = "<!-- begin: cargo xtask breakout --markdown -->";
const END: &str = "<!-- end -->";

const HELD: &str = "held";
const NOT_APPLICABLE: &str = "not applicable";

/// What one runtime did.
#[derive(Debug)]
pub(super) struct Column {
    /// What it says of itself.
    pub(super) version: String,
    /// Whether it is Phial's.
    pub(super) ours: bool,
    pub(super) rows: Vec<Row>,
}

/// One attack on it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The numbers of the CVEs.
    name: String,
    /// What was tried.
    attack: String,
    verdict: String,
    /// How that showed.
    why: String,
}

impl Row {
    /// As a test reports it.
    pub(super) fn of(report: &Value) -> Row {
        let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        Row { name: text("row"), attack: text("attack"), verdict: text("verdict"), why: text("why") }
    }

    /// Whether its reason tells something: not that a runtime has no part to attack.
    fn has_a_story(&self) -> bool {
        ![HELD, NOT_APPLICABLE].contains(&self.verdict.as_str())
    }

    /// By year and number; those without a number come last.
    fn key(&self) -> (u32, u32, String, String) {
        let number = self.name.split("CVE-").nth(1).unwrap_or_default();
        let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(u32::MAX));
        let (year, number) = (parts.next().unwrap_or(u32::MAX), parts.next().unwrap_or(u32::MAX));
        (year, number, self.name.clone(), self.attack.clone())
    }
}

impl Column {
    /// Names of the rows that did not end well.
    pub(super) fn not_held(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.verdict != HELD).map(|row| row.name.as_str())
    }

    /// `runc` of `runc version 1.1.5+ds1`.
    fn name(&self) -> String {
        self.version.replace(" version", "")
    }
}

/// All rows in their order, each with what every runtime did, if it was tried.
fn rows(columns: &[Column]) -> Vec<(Row, Vec<Option<Row>>)> {
    let mut all: BTreeMap<_, (Row, Vec<Option<Row>>)> = BTreeMap::new();
    for (number, column) in columns.iter().enumerate() {
        for row in &column.rows {
            let entry = all.entry(row.key()).or_insert_with(|| (row.clone(), vec![None; columns.len()]));
            entry.1[number] = Some(row.clone());
        }
    }
    all.into_values().collect()
}

/// For the terminal: a line for each row, and below it how each runtime was broken.
pub(super) fn text(columns: &[Column]) -> String {
    const NAME: usize = 24;
    const ATTACK: usize = 66;
    let mut text = format!("{:NAME$}{:ATTACK$}", "row", "attack");
    for column in columns {
        let _ = write!(text, "{:26}", short(&column.name(), 24));
    }
    text.push('\n');
    for (row, verdicts) in rows(columns) {
        let _ = write!(text, "{:NAME$}{:ATTACK$}", short(first(&row.name), NAME - 2), short(&row.attack, ATTACK - 2));
        for verdict in &verdicts {
            let _ = write!(text, "{:26}", verdict.as_ref().map_or("not tried", |row| row.verdict.as_str()));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for (column, row) in columns.iter().zip(verdicts.iter().flatten()).filter(|(_, row)| row.has_a_story()) {
            let _ = writeln!(text, "  {}: {}", short(&column.name(), 24), short(&row.why, 200));
        }
    }
    text
}

/// The document with the table of these verdicts in the place of the old one.
///
/// # Errors
/// It has no place for one.
pub(super) fn into_document(old: &str, columns: &[Column]) -> Result<String> {
    let (before, rest) = old.split_once(BEGIN).context(format!("docs/breakouts.md has no line `{BEGIN}`"))?;
    let (_, after) = rest.split_once(END).context(format!("docs/breakouts.md has no line `{END}`"))?;
    Ok(format!("{before}{BEGIN}\n{}{END}{after}", markdown(columns)))
}

fn markdown(columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(Column::name).collect();
    let mut text = format!("\n| row | attack | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    let mut notes = Vec::new();
    for (row, verdicts) in rows(columns) {
        let _ = write!(text, "| {} | {} |", row.name, row.attack);
        for (column, verdict) in columns.iter().zip(&verdicts) {
            let Some(row) = verdict else {
                text += " not tried |";
                continue;
            };
            if !row.has_a_story() {
                let _ = write!(text, " {} |", row.verdict);
                continue;
            }
            notes.push(format!("{}, {}: {}", column.name(), first(&row.name), plain(&row.why)));
            let _ = write!(text, " **{}** ({}) |", row.verdict, notes.len());
        }
        text.push('\n');
    }
    text.push('\n');
    for (number, note) in notes.iter().enumerate() {
        let _ = writeln!(text, "{}. {note}", number + 1);
    }
    text.push('\n');
    text
}

/// The first number of several.
fn first(names: &str) -> &str {
    names.split(',').next().unwrap_or_default()
}

/// One line of bounded length that Markdown leaves alone.
fn plain(text: &str) -> String {
    short(&text.replace(['\n', '|', '*', '<', '`'], " "), 160)
}

fn short(text: &str, length: usize) -> String {
    let line = text.replace('\n', " ");
    if line.chars().count() <= length {
        return line;
    }
    line.chars().take(length - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(version: &str, verdicts: &[(&str, &str)]) -> Column {
        let row = |(name, verdict): &(&str, &str)| {
            Row::of(&json!({"row": name, "attack": "x", "verdict": verdict, "why": "because | of"}))
        };
        Column { version: version.to_owned(), ours: false, rows: verdicts.iter().map(row).collect() }
    }

    #[test]
    fn verdicts_become_a_table() {
        let ours = [("(no CVE) a", "held"), ("CVE-2024-5", "held"), ("CVE-2016-10, CVE-2017-1", "held")];
        let columns =
            [column("phial-runtime version 1", &ours), column("runc version 2", &[("CVE-2024-5", "broken through")])];
        let document =
            into_document(&format!("before\n{BEGIN}\nold\n{END}\nafter\n"), &columns).expect("it has a place");
        let expected = "\
before
<!-- begin: cargo xtask breakout --markdown -->

| row | attack | phial-runtime 1 | runc 2 |
|---|---|---|---|
| CVE-2016-10, CVE-2017-1 | x | held | not tried |
| CVE-2024-5 | x | held | **broken through** (1) |
| (no CVE) a | x | held | not tried |

1. runc 2, CVE-2024-5: because   of

<!-- end -->
after
";
        assert_eq!(document, expected);
        assert!(into_document("nothing", &columns).is_err());
        assert!(text(&columns).contains("broken through\n  runc 2: because | of\n"));
    }
}
