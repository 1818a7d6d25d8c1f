//! `phial builder prune`.

use std::process::ExitCode;
use std::time::Duration;

use build::{CacheRecord, PruneOptions};
use clap::Args;
use engine::Filters;
use engine::config::size::parse_size;
use jiff::Timestamp;

use super::{Execute, description, kinds};
use crate::commands::prune::PruneFlags;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::{human, print, table};

const EXAMPLES: &str = "\
Examples:
  phial builder prune
  phial builder prune -a -f --filter until=24h          what nobody has used for a day; without asking
  phial builder prune --max-used-space 10g              all but what was used last";

/// What `--filter` knows.
const FILTERS: &[&str] = &["id", "private", "shared", "type", "until", "unused-for"];
const FILTERS_HELP: &str =
    "Only what matches: id=ID, type=TYPE, shared=BOOL, private=BOOL, until=TIME or unused-for=DURATION";

/// What `phial builder prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("filters", |arg| arg.help(FILTERS_HELP)))]
pub(crate) struct Prune {
    /// Also what images have as well, and what the builder keeps for itself
    #[arg(short, long)]
    all: bool,
    /// Keep so much of what was used last
    #[arg(long, value_name = "SIZE", visible_alias = "keep-storage")]
    reserved_space: Option<String>,
    /// Keep no more than so much
    #[arg(long, value_name = "SIZE")]
    max_used_space: Option<String>,
    /// Remove no more than it takes to have so much room
    #[arg(long, value_name = "SIZE")]
    min_free_space: Option<String>,
    /// Print what is known of each record that goes
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    flags: PruneFlags,
}

impl Execute for Prune {
    const FILTERS: &'static [&'static str] = FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || "prune the cache";
        let options = self.options()?;
        let engine = context.engine()?;
        let what = if self.all { "all build cache" } else { "all dangling build cache" };
        self.flags.confirm(&format!("WARNING! This will remove {what}."), "builder prune")?;
        let pruned = build::prune(&engine, &options).cannot(doing)?;
        print(&report(&pruned.records, pruned.bytes, self.verbose))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Prune {
    fn options(&self) -> Result<PruneOptions> {
        let doing = || "prune the cache";
        let filters = self.flags.parse(FILTERS).cannot(doing)?;
        let size = |flag, text: &Option<String>| text.as_deref().map(|text| parse_size(flag, text)).transpose();
        let shared = filters.switch("shared").cannot(doing)?;
        let private = filters.switch("private").cannot(doing)?;
        Ok(PruneOptions {
            all: self.all,
            unused_for: unused_for(&filters)?,
            reserved: size("--reserved-space", &self.reserved_space).cannot(doing)?,
            most: size("--max-used-space", &self.max_used_space).cannot(doing)?,
            free: size("--min-free-space", &self.min_free_space).cannot(doing)?,
            ids: filters.values("id").map(str::to_owned).collect(),
            kinds: kinds(&filters, doing())?,
            shared: shared.or(private.map(|private| !private)),
        })
    }
}

/// For how long nobody has used what goes: `unused-for=24h`, and `until` as every prune has it, a duration or a point in time.
pub(in crate::commands) fn unused_for(filters: &Filters) -> Result<Option<Duration>> {
    let until = filters.until().cannot(|| "prune the cache")?;
    let Some(text) = filters.last("unused-for") else {
        return Ok(until.map(|until| Timestamp::now().duration_since(until).try_into().unwrap_or_default()));
    };
    let nanoseconds = notation::duration::nanoseconds(text).and_then(|number| u64::try_from(number).ok());
    let wrong = || {
        Failure::new(format!("cannot prune the cache: --filter unused-for={text}: not a duration"))
            .with_hint("give 24h or 30m")
    };
    nanoseconds.map(|number| Some(Duration::from_nanos(number))).ok_or_else(wrong)
}

/// What has gone, and how much room that makes.
fn report(records: &[CacheRecord], bytes: u64, verbose: bool) -> String {
    let mut rows = vec![vec!["ID".to_owned(), "TYPE".to_owned(), "SIZE".to_owned(), "DESCRIPTION".to_owned()]];
    rows.extend(
        records
            .iter()
            .map(|record| vec![record.id.clone(), record.kind.clone(), human::size(record.size), description(record)]),
    );
    if !verbose {
        for row in &mut rows {
            row.truncate(3);
        }
    }
    let gone = if records.is_empty() { String::new() } else { table::layout(&rows) + "\n" };
    format!("{gone}Total reclaimed space: {}\n", human::size(bytes))
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn command() -> Command {
        Prune::augment_args(Command::new("prune").no_binary_name(true))
    }

    fn options(words: &[&str]) -> Result<PruneOptions> {
        let command = command();
        let matches = command.try_get_matches_from(words).expect("these are flags");
        Prune::from_arg_matches(&matches).expect("these are flags").options()
    }

    #[test]
    fn help_names_every_filter() {
        let help = command().render_long_help().to_string();
        assert!(FILTERS.iter().all(|key| help.contains(&format!("{key}="))), "{help}");
        assert!(!help.contains("label"), "{help}");
    }

    #[test]
    fn what_goes() {
        let words = [
            "-a",
            "--filter",
            "unused-for=24h",
            "--keep-storage",
            "1g",
            "--filter",
            "type=regular",
            "--filter=private=true",
        ];
        let expected = PruneOptions {
            all: true,
            unused_for: Some(Duration::from_hours(24)),
            reserved: Some(1 << 30),
            kinds: vec!["regular".to_owned()],
            shared: Some(false),
            ..PruneOptions::default()
        };
        assert_eq!(options(&words).expect("all make sense"), expected);
        for value in ["until=soon", "unused-for=2024", "label=x", "shared=perhaps"] {
            options(&["--filter", value]).expect_err("it makes no sense");
        }
        options(&["--max-used-space", "much"]).expect_err("it makes no sense");
        let failure = options(&["--filter", "type=reguler"]).expect_err("there is none");
        let why = "cannot prune the cache: invalid filter 'type=reguler': there is no such type of records";
        assert_eq!(failure.said(), (why, Some("did you mean regular?")));
        assert_eq!(
            options(&["--filter", "unused-for=1h"]).expect("it is one").unused_for,
            Some(Duration::from_hours(1))
        );
        for (value, least) in [("until=24h", 24), ("until=2026-01-01T00:00:00Z", 24), ("until=2999-01-01T00:00:00Z", 0)]
        {
            let unused_for = options(&["--filter", value]).expect("it is a time").unused_for;
            assert!(unused_for >= Some(Duration::from_hours(least)), "{value}: {unused_for:?}");
        }
        assert_eq!(report(&[], 0, false), "Total reclaimed space: 0B\n");
    }
}
