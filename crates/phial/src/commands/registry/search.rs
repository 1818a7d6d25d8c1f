//! `phial search`.

use std::process::ExitCode;

use clap::Args;
use engine::Filters;
use image::{Found, SEARCH_MAX};

use super::{Execute, access};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

const EXAMPLES: &str = "\
Examples:
  phial search busybox
  phial search --filter stars=100 --filter is-official=true nginx
  phial search registry.example/team";

/// Characters of a description that docker shows.
const DESCRIPTION: usize = 45;

/// What `phial search` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Search {
    /// What to look for, with the registry and a slash in front if it is not Docker Hub
    #[arg(value_name = "TERM")]
    term: String,
    /// Only some: is-official=true, is-automated=true or stars=NUMBER
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Print 'json', or what a Go template makes of each line, with headings after 'table '
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// How many at most: 1 to 100
    #[arg(long, value_name = "NUMBER", default_value_t = 25)]
    limit: u32,
    /// Print descriptions whole
    #[arg(long)]
    no_trunc: bool,
}

static LISTING: Listing<Found> = Listing {
    kind: "found image",
    columns: &[
        Column::new("Name", "NAME", |found, _| human::harmless(&found.name)),
        Column::new("Description", "DESCRIPTION", |found, whole| {
            let text = human::harmless(&found.description.replace(['\r', '\n'], " "));
            if whole { text } else { human::shortened(&text, DESCRIPTION) }
        }),
        Column::new("StarCount", "STARS", |found, _| found.star_count.to_string()),
        Column::new("IsOfficial", "OFFICIAL", |found, _| mark(found.is_official)),
        Column::new("IsAutomated", "AUTOMATED", |found, _| mark(found.is_automated)),
    ],
    table: &["Name", "Description", "StarCount", "IsOfficial"],
    quiet: "Name",
    label: None,
};

fn mark(is: bool) -> String {
    if is { "[OK]".to_owned() } else { String::new() }
}

impl Execute for Search {
    const FILTERS: &'static [&'static str] = &["is-automated", "is-official", "stars"];

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("search for {}", self.term);
        let filters = Filters::parse(&self.filter, Self::FILTERS).cannot(doing)?;
        let (official, automated) =
            (filters.switch("is-official").cannot(doing)?, filters.switch("is-automated").cannot(doing)?);
        let refuse = |why: String| Failure::new(format!("cannot {}: {why}", doing()));
        let stars = filters.values("stars").map(|text| {
            text.parse::<u64>().map_err(|_| refuse(format!("invalid filter 'stars={text}': not a number")))
        });
        let stars = stars.collect::<Result<Vec<u64>>>()?.into_iter().max().unwrap_or_default();
        if !(1..=SEARCH_MAX).contains(&self.limit) {
            return Err(refuse(format!("limit {} is outside the range of [1, {SEARCH_MAX}]", self.limit)));
        }
        let printer = LISTING.printer(&ListFlags { format: self.format.clone(), quiet: false }, self.no_trunc)?;
        let access = access(context, false, &doing())?;
        let mut found =
            image::search(&self.term, "docker.io", self.limit, &access).map_err(|error| refuse(error.to_string()))?;
        let fits = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        found.retain(|found| {
            found.star_count >= stars && fits(official, found.is_official) && fits(automated, found.is_automated)
        });
        printer.print(&found)?;
        Ok(ExitCode::SUCCESS)
    }
}
