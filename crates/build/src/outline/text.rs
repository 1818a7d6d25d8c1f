//! Tables of targets and of what a target takes, as docker prints them.

use super::{Need, Outline, Targets};

/// Spaces between columns.
const GAP: usize = 3;

impl Targets {
    /// A line for each.
    pub fn text(&self) -> String {
        let name = |name: &str, is_default: bool| match (name, is_default) {
            ("", true) => "(default)".to_owned(),
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        };
        let rows = self.targets.iter().enumerate().map(|(number, target)| {
            // One without a name can be asked for by its number.
            let known =
                if target.name.is_empty() && !target.is_default { number.to_string() } else { target.name.clone() };
            vec![name(&known, target.is_default), target.base.clone(), target.description.clone()]
        });
        table(&["TARGET", "BASE", "DESCRIPTION"], rows)
    }
}

impl Outline {
    /// A table for each kind of thing that can be given.
    pub fn text(&self) -> String {
        let name = if self.name.is_empty() { "(default)" } else { &self.name };
        let description = match self.description.as_str() {
            "" => String::new(),
            text => format!("DESCRIPTION: {}\n", clean(text)),
        };
        let mut parts = vec![format!("TARGET:      {}\n{description}", clean(name))];
        let needs = |all: &[Need]| -> Vec<Vec<String>> {
            let required = |need: &Need| if need.required { "true" } else { "" }.to_owned();
            all.iter().map(|need| vec![need.name.clone(), required(need)]).collect()
        };
        let args = self.args.iter().map(|arg| vec![arg.name.clone(), arg.value.clone(), arg.description.clone()]);
        let caches = self.cache.iter().map(|cache| vec![cache.id.clone()]);
        let tables: [(&[&str], Vec<Vec<String>>); 4] = [
            (&["BUILD ARG", "VALUE", "DESCRIPTION"], args.collect()),
            (&["SECRET", "REQUIRED"], needs(&self.secrets)),
            (&["SSH", "REQUIRED"], needs(&self.ssh)),
            (&["CACHE"], caches.collect()),
        ];
        parts.extend(
            tables.into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(headings, rows)| table(headings, rows)),
        );
        parts.join("\n")
    }
}

fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut all: Vec<Vec<String>> = vec![headings.iter().map(ToString::to_string).collect()];
    all.extend(rows.into_iter().map(|row| row.iter().map(|cell| clean(cell)).collect()));
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or_default() + GAP;
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}

/// A stranger's text without what a terminal would obey.
fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
