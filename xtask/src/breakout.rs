//! `cargo xtask breakout`: every known way out of a container, tried on one or several runtimes, side by side. Prints a
//! table, row × runtime; with `--markdown` it becomes the table of `docs/breakouts.md`.
//!
//! The attacks are the tests of `tests/breakout`; here they are only started, and what they report is put together.

/// Verdicts as a table.
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use end_to_end::leftovers::{self, Snapshot};
use end_to_end::process::{find, run};
use end_to_end::{Context, Failure, Result};
use serde_json::Value;

use self::table::{Column, Row};
use crate::{programs, say, setup};

/// What `breakout --help` prints.
pub(crate) const HELP: &str = "\
usage: cargo xtask breakout [OPTION…]

  --runtime P        an OCI runtime by name or path; can be given several times (the phial-runtime that is built)
  --without CALLS    openat2, fsopen, clone3, with commas: the runtime has to do without them
  --markdown         writes the table into docs/breakouts.md

Example:
  cargo xtask breakout --runtime phial-runtime --runtime runc --runtime crun --markdown
";

/// The program that is built here.
pub(crate) const OURS: &str = "phial-runtime";

/// How the tests are told what to test; `tests/breakout` reads them.
const RUNTIME: &str = "PHIAL_BREAKOUT_RUNTIME";
/// What the runtime must do without.
pub(crate) const WITHOUT: &str = "PHIAL_BREAKOUT_WITHOUT";
const REPORT: &str = "PHIAL_BREAKOUT_REPORT";

/// What is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    runtimes: Vec<String>,
    without: Option<String>,
    markdown: bool,
}

impl Options {
    fn parse(words: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().context(format!("{word} needs a value"));
            match word.as_str() {
                "--runtime" => options.runtimes.push(value()?),
                "--without" => options.without = Some(value()?),
                "--markdown" => options.markdown = true,
                _ => return Err(Failure::new(format!("`{word}` is no option of breakout\n{HELP}"))),
            }
        }
        if options.runtimes.is_empty() {
            options.runtimes.push(OURS.to_owned());
        }
        Ok(options)
    }
}

/// Builds, tries, prints.
///
/// # Errors
/// Phial's own runtime did not hold, or a peer cannot be found.
pub(crate) fn main(words: &[String]) -> Result {
    let options = Options::parse(words)?;
    setup::all()?;
    let ours = programs::build()?.with_file_name(OURS);
    leftovers::adopt_orphans()?;
    let before = Snapshot::take();
    let mut columns = Vec::new();
    for name in &options.runtimes {
        let program = if name == OURS { ours.clone() } else { peer(name)? };
        columns.push(attack(&program, options.without.as_deref()).context(name)?);
        clean(&before);
    }
    say::text(&table::text(&columns));
    if options.markdown {
        let file = end_to_end::workspace().join("docs/breakouts.md");
        let old = fs::read_to_string(&file).context(file.display())?;
        fs::write(&file, table::into_document(&old, &columns)?).context(file.display())?;
        say::line(&format!("the table is in {}", file.display()));
    }
    let open: Vec<&str> = columns.iter().filter(|column| column.ours).flat_map(Column::not_held).collect();
    if open.is_empty() { Ok(()) } else { Err(Failure::new(format!("{OURS} did not hold: {}", open.join("; ")))) }
}

fn peer(name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return fs::canonicalize(name).context(name);
    }
    if find(name).is_none() {
        setup::packages(setup::RUNTIMES)?;
    }
    find(name).context(format!("{name} is not on the search path"))
}

/// Tries everything on one runtime.
fn attack(program: &Path, without: Option<&str>) -> Result<Column> {
    let version = run(Command::new(program).arg("--version"))?;
    let version = version.stdout.lines().next().unwrap_or_default().to_owned();
    let ours = program.file_name().is_some_and(|name| name == OURS);
    say::line(&format!("== {version}"));
    let reports = tempfile::Builder::new().prefix("phial-breakouts-").tempdir()?;
    let mut nextest = setup::cargo();
    nextest.args(["nextest", "run", "--locked", "--package", "breakout"]).stdin(Stdio::null());
    nextest.env(RUNTIME, program).env(REPORT, reports.path());
    if let Some(calls) = without {
        nextest.env(WITHOUT, calls);
    }
    // Rows that a runtime does not hold are failed tests: the reports tell.
    let code = leftovers::run_and_reap(&mut nextest)?;
    let mut rows = Vec::new();
    for entry in fs::read_dir(reports.path())? {
        let report: Value = serde_json::from_slice(&fs::read(entry?.path())?)?;
        rows.push(Row::of(&report));
    }
    if rows.is_empty() {
        return Err(Failure::new(format!("the suite reports nothing, and ended with {code}")));
    }
    Ok(Column { version, ours, rows })
}

/// Ends and removes what a runtime left that could not be stopped in order.
fn clean(before: &Snapshot) {
    leftovers::end(&leftovers::settle(&[]));
    let mut left = Snapshot::take().since(before);
    // Children first.
    left.reverse();
    for thing in left {
        if let Some(cgroup) = thing.strip_prefix("cgroup ").filter(|path| path.contains("/phial-breakout-")) {
            // One that is still being emptied is told by the next run.
            let _ = fs::remove_dir(cgroup);
        }
        if let Some(directory) = thing.strip_prefix("directory ").filter(|path| path.contains("/phial-breakout-")) {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_options() {
        let parse = |line: &str| Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let default = parse("").expect("nothing is enough");
        assert_eq!(default, Options { runtimes: vec![OURS.to_owned()], ..Options::default() });
        let all = parse("--runtime runc --runtime ./crun --without openat2 --markdown").expect("all are known");
        assert_eq!((all.runtimes.len(), all.without.as_deref(), all.markdown), (2, Some("openat2"), true));
        assert!(parse("--runtime").is_err());
        assert!(parse("runc").is_err());
    }
}
