//! `phial builder du`.

use std::process::ExitCode;
use std::time::SystemTime;

use build::CacheRecord;
use clap::Args;
use engine::Filters;
use jiff::Timestamp;

use super::{Execute, description, kinds};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::{human, print, table};

const EXAMPLES: &str = "\
Examples:
  phial builder du
  phial builder du --filter type=exec.cachemount     directories of RUN --mount=type=cache
  phial builder du --format '{{.ID}} {{.Size}}'";

/// What `--filter` knows.
const FILTERS: &[&str] = &["id", "inuse", "private", "shared", "type"];

/// Docker's columns.
pub(in crate::commands) static LISTING: Listing<CacheRecord> = Listing {
    kind: "record",
    columns: &[
        Column::new("CreatedAt", "CREATED AT", |record, _| human::time(&timestamp(record.created))),
        Column::new("Description", "DESCRIPTION", |record, _| description(record)),
        Column::new("ID", "ID", |record, _| record.id.clone()),
        Column::new("LastUsedAt", "LAST ACCESSED", |record, _| last_used(record)),
        Column::new("Mutable", "MUTABLE", |record, _| is_mutable(record).to_string()),
        Column::new("Reclaimable", "RECLAIMABLE", |record, _| (!record.in_use).to_string()),
        Column::new("Shared", "SHARED", |record, _| record.shared.to_string()),
        Column::new("Size", "SIZE", |record, _| human::size(record.size)),
        Column::new("Type", "TYPE", |record, _| record.kind.clone()),
        Column::new("UsageCount", "USAGE COUNT", |record, _| record.uses.to_string()),
    ],
    table: &["ID", "Reclaimable", "Size", "LastUsedAt"],
    quiet: "ID",
    label: None,
};

/// What `phial builder du` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Du {
    /// Show everything that is known of each record
    #[arg(short, long)]
    verbose: bool,
    /// Only those that match: id=ID, type=TYPE, shared=BOOL, private=BOOL, inuse=BOOL
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Print 'json', or what a Go template makes of each line, with headings after 'table '
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

impl Execute for Du {
    const FILTERS: &'static [&'static str] = FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || "measure the cache";
        let flags = ListFlags { format: self.format.clone(), quiet: false };
        let printer = LISTING.printer(&flags, true)?;
        let filters = Filters::parse(&self.filters, FILTERS).cannot(doing)?;
        kinds(&filters, doing())?;
        let engine = context.engine()?;
        let records = matching(build::usage(&engine).cannot(doing)?, &filters).cannot(doing)?;
        match self.format {
            Some(_) => printer.print(&records)?,
            None if self.verbose => print(&(verbose(&records) + &summary(&records)))?,
            None => print(&(printer.text(&records)? + &summary(&records)))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn matching(records: Vec<CacheRecord>, filters: &Filters) -> engine::Result<Vec<CacheRecord>> {
    let (in_use, shared, private) = (filters.switch("inuse")?, filters.switch("shared")?, filters.switch("private")?);
    let matches = |record: &CacheRecord| {
        filters.any("id", |id| record.id.starts_with(id))
            && filters.any("type", |kind| record.kind == kind)
            && in_use.is_none_or(|wanted| record.in_use == wanted)
            && shared.is_none_or(|wanted| record.shared == wanted)
            && private.is_none_or(|wanted| record.shared != wanted)
    };
    Ok(records.into_iter().filter(matches).collect())
}

fn verbose(records: &[CacheRecord]) -> String {
    let block = |record: &CacheRecord| {
        let lines = [
            ("ID", record.id.clone()),
            ("Created at", human::time(&timestamp(record.created))),
            ("Mutable", is_mutable(record).to_string()),
            ("Reclaimable", (!record.in_use).to_string()),
            ("Shared", record.shared.to_string()),
            ("Size", human::size(record.size)),
            ("Description", description(record)),
            ("Usage count", record.uses.to_string()),
            ("Last used", last_used(record)),
            ("Type", record.kind.clone()),
        ];
        let lines = lines.into_iter().filter(|(_, value)| !value.is_empty());
        let lines = lines.map(|(name, value)| format!("{:<15}{value}", format!("{name}:")));
        lines.collect::<Vec<_>>().join("\n") + "\n\n"
    };
    records.iter().map(block).collect()
}

fn summary(records: &[CacheRecord]) -> String {
    let sum = |counts: &dyn Fn(&&CacheRecord) -> bool| {
        human::size(records.iter().filter(counts).map(|record| record.size).fold(0, u64::saturating_add))
    };
    let mut rows = Vec::new();
    if records.iter().any(|record| record.shared) {
        rows.push(vec!["Shared:".to_owned(), sum(&|record| record.shared)]);
        rows.push(vec!["Private:".to_owned(), sum(&|record| !record.shared)]);
    }
    rows.push(vec!["Reclaimable:".to_owned(), sum(&|record| !record.in_use)]);
    rows.push(vec!["Total:".to_owned(), sum(&|_| true)]);
    table::layout(&rows)
}

/// Whether what it has can still change.
fn is_mutable(record: &CacheRecord) -> bool {
    matches!(record.kind.as_str(), "exec.cachemount" | "source.local")
}

fn last_used(record: &CacheRecord) -> String {
    record.last_used.map(|time| engine::ago(&timestamp(time))).unwrap_or_default()
}

fn timestamp(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn records() -> Vec<CacheRecord> {
        let record = |id: &str, kind: &str, size, shared, in_use| CacheRecord {
            id: id.to_owned(),
            kind: kind.to_owned(),
            description: "[1/2] RUN \u{1b}[2Jx".to_owned(),
            size,
            created: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            last_used: None,
            uses: 2,
            shared,
            in_use,
        };
        vec![
            record("abc", "regular", 1_000_000, true, false),
            record("abd", "exec.cachemount", 20_000, false, false),
            record("x", "regular", 3_000, false, true),
        ]
    }

    #[test]
    fn what_the_cache_takes() {
        let printer = LISTING.printer(&ListFlags::default(), true).expect("it is a format");
        insta::assert_snapshot!(printer.text(&records()).expect("it is a table") + &summary(&records()));
        insta::assert_snapshot!(verbose(&records()[1..2]));
        assert!(!summary(&records()[1..]).contains("Shared"));
    }

    #[test]
    fn filters() {
        let count = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            matching(records(), &Filters::parse(&texts, FILTERS)?).map(|found| found.len())
        };
        let cases: [(&[&str], usize); 6] = [
            (&[], 3),
            (&["id=ab"], 2),
            (&["type=exec.cachemount"], 1),
            (&["shared=true"], 1),
            (&["private=true", "inuse=false"], 1),
            (&["id=x", "id=abd"], 2),
        ];
        for (texts, expected) in cases {
            assert_eq!(count(texts).expect("they are filters"), expected, "{texts:?}");
        }
        count(&["inuse=perhaps"]).expect_err("it is no switch");
    }
}
