//! `phial top`.

use std::process::ExitCode;

use clap::Args;
use engine::Processes;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::{human, print};

/// Docker's layout of this table alone: columns at least this wide, three spaces apart.
const NARROWEST: usize = 20;
const GAP: usize = 3;

const EXAMPLES: &str = "\
Examples:
  phial top web
  phial top web -o pid,rss,args     the columns of the host's ps";

/// What `phial top` takes.
#[derive(Debug, Args)]
#[command(override_usage = "phial top CONTAINER [PS OPTIONS]", after_help = EXAMPLES)]
pub(crate) struct Top {
    /// The container, then options of ps
    #[arg(
        value_name = "CONTAINER",
        required = true,
        num_args = 1..,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        hide = true
    )]
    words: Vec<String>,
}

impl Execute for Top {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let (name, options) = self.words.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
        let doing = || format!("show the processes of {name}");
        let engine = context.engine()?;
        let container = engine.container(name).cannot(doing)?;
        print(&layout(&engine.top(&container, options).cannot(doing)?))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The table. What processes are called is their own choice: a terminal obeys nothing of it.
fn layout(processes: &Processes) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(&processes.titles)
        .chain(&processes.rows)
        .map(|row| row.iter().map(|cell| human::harmless(cell)).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count() + GAP).max().unwrap_or(0).max(NARROWEST)
    };
    let widths: Vec<usize> = (0..processes.titles.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths).take(row.len() - 1) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
        }
        text.push_str(row.last().map_or("", String::as_str));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_dockers() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let processes = Processes {
            titles: row(["UID", "PID", "CMD"]),
            rows: vec![row(["root", "1", "sh -c \x1b[2J"]), row(["a-name-longer-than-twenty", "2", "x"])],
        };
        let expected = "\
UID                         PID                 CMD
root                        1                   sh -c \\u{1b}[2J
a-name-longer-than-twenty   2                   x
";
        assert_eq!(layout(&processes), expected);
    }
}
