//! Which files are there for a build, and which of them a copy takes. Pure: it sees paths and no files.
//!
//! Three lists decide: `.dockerignore`, by a file's place in the context; and what the copy includes and excludes, by its place
//! below the source. Each is asked on the way down, so that directories are not entered in which nothing can be taken.

use dockerfile::ignore::{Patterns, Verdict, Wildcard};
use dockerfile::path::clean;

use crate::error::{Error, Result};

/// The three lists.
pub(super) struct Filter<'a> {
    ignored: Option<&'a Patterns>,
    include: Patterns,
    exclude: Patterns,
    /// The components before the first wildcard of each pattern that includes.
    leads: Vec<Vec<String>>,
}

/// What they say of a directory, for what is in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Above {
    ignored: Verdict,
    include: Verdict,
    exclude: Verdict,
}

/// What they say of one thing.
pub(super) struct Seen {
    /// For what is in it, if it is a directory.
    pub(super) above: Above,
    /// Whether it is there; a directory is there as well if something in it is.
    pub(super) exists: bool,
    /// Whether the copy takes it.
    pub(super) is_taken: bool,
    /// Whether something in it may be taken, if it is a directory.
    pub(super) may_have: bool,
}

impl<'a> Filter<'a> {
    pub(super) fn of(ignored: Option<&'a Patterns>, include: &[String], exclude: &[String]) -> Result<Filter<'a>> {
        let parse = |patterns: &[String]| {
            Patterns::of(patterns.iter().map(String::as_str)).map_err(|error| Error::invalid(error.to_string()))
        };
        let leads = include.iter().filter(|text| !text.starts_with('!')).map(|text| lead(text)).collect();
        let ignored = ignored.filter(|patterns| !patterns.is_empty());
        Ok(Filter { ignored, include: parse(include)?, exclude: parse(exclude)?, leads })
    }

    /// What is said of the source itself, which the copy's own lists do not concern.
    pub(super) fn source(&self, path: &[u8]) -> Seen {
        let mut above = Above::default();
        let Some(ignored) = self.ignored.filter(|_| !path.is_empty()) else {
            return Seen { above, exists: true, is_taken: true, may_have: true };
        };
        let path = String::from_utf8_lossy(path);
        for end in path.match_indices('/').map(|(slash, _)| slash).chain([path.len()]) {
            above.ignored = ignored.verdict(&path[..end], &above.ignored);
        }
        let (exists, may_have) = (!above.ignored.is_excluded(), !ignored.excludes_for_good(&above.ignored));
        Seen { above, exists, is_taken: true, may_have }
    }

    /// What is said of `path`, which is `below` the source.
    pub(super) fn look(&self, path: &[u8], below: &[u8], above: &Above) -> Seen {
        let mut seen = Seen { above: Above::default(), exists: true, is_taken: true, may_have: true };
        if let Some(ignored) = self.ignored {
            let verdict = ignored.verdict(&String::from_utf8_lossy(path), &above.ignored);
            seen.exists = !verdict.is_excluded();
            seen.may_have = !ignored.excludes_for_good(&verdict);
            seen.above.ignored = verdict;
        }
        if self.include.is_empty() && self.exclude.is_empty() {
            return seen;
        }
        let below = String::from_utf8_lossy(below);
        if !self.include.is_empty() {
            let verdict = self.include.verdict(&below, &above.include);
            seen.is_taken = verdict.is_excluded();
            seen.may_have &= seen.is_taken || self.leads_into(&below);
            seen.above.include = verdict;
        }
        let verdict = self.exclude.verdict(&below, &above.exclude);
        seen.is_taken &= !verdict.is_excluded();
        seen.may_have &= !self.exclude.excludes_for_good(&verdict);
        seen.above.exclude = verdict;
        seen
    }

    /// Whether something in this directory may be included.
    fn leads_into(&self, directory: &str) -> bool {
        let leads_there = |lead: &Vec<String>| directory.split('/').zip(lead).all(|(part, lead)| part == lead);
        self.leads.iter().any(leads_there)
    }
}

fn lead(pattern: &str) -> Vec<String> {
    let pattern = clean(pattern.trim());
    let parts = pattern.split('/').filter(|part| !part.is_empty());
    parts.take_while(|part| !Wildcard::is_in(part) && !part.contains('\\')).map(ToOwned::to_owned).collect()
}
