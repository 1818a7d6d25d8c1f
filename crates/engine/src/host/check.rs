//! `system check`: blobs, layers, database, directories, /run, and what the kernel has of networks are held against one another.
//!
//! Damage is what nobody wrote: a blob or layer with other content, a row without its directory, a file that cannot be
//! read. It is told, each in one line with what to do about it, and with `repair` what can be is done. What a killed
//! command left is no damage: it is counted, and collected when repairing.

mod builds;
mod containers;
mod images;
mod networks;

use std::fmt;

use store::{DatabaseFile, Garbage, Paths, Store};

use crate::engine::{Engine, Options};
use crate::error::{Error, Result};

/// How to check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Do something about what is found.
    pub repair: bool,
    /// Do not read the content of layers, which takes as long as the disk does.
    pub quick: bool,
}

/// Damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong with what.
    pub what: String,
    /// What the user can do, or what was done.
    pub remedy: String,
    /// Whether that was done.
    pub repaired: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.repaired { "repaired: " } else { "" };
        write!(f, "{sign}{}: {}", self.what, self.remedy)
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Damage, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// Images that were looked at.
    pub images: usize,
    /// Layers that were looked at.
    pub layers: usize,
    /// Those whose content could not be compared, because nothing says what it was.
    pub unproven: usize,
    /// Containers that were looked at.
    pub containers: usize,
    /// Volumes that were looked at.
    pub volumes: usize,
    /// Networks that were looked at.
    pub networks: usize,
    /// What killed commands left; collected if repairing.
    pub garbage: Garbage,
    /// What they left on networks: places of containers that are gone, and networks that are half removed.
    pub left_on_networks: usize,
}

impl CheckReport {
    /// Whether nothing is left to be done.
    pub fn is_clean(&self) -> bool {
        self.problems.iter().all(|problem| problem.repaired)
    }

    fn found(&mut self, what: String, remedy: impl Into<String>) {
        self.problems.push(Problem { what, remedy: remedy.into(), repaired: false });
    }

    fn repaired(&mut self, what: String, done: impl Into<String>) {
        self.problems.push(Problem { what, remedy: done.into(), repaired: true });
    }
}

/// Checks a store, damaged as it may be. `tell` hears which layer is being read: how many are done, and of how many.
///
/// # Errors
/// `Store` when nothing can be found out.
pub fn check(options: Options, how: CheckOptions, tell: &dyn Fn(usize, usize)) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    if !options.paths.root().exists() || !database(&options.paths, how, &mut report)? {
        return Ok(report);
    }
    let engine = Engine::open(options)?;
    images::check(&engine, how, &mut report, tell)?;
    builds::check(&engine, how, &mut report)?;
    containers::check(&engine, how, &mut report)?;
    networks::check(&engine, how, &mut report)?;
    report.garbage = engine.store().garbage()?;
    if how.repair {
        let collected = engine.store().collect();
        for error in collected.errors {
            report.found(format!("garbage: {error}"), "remove it by hand");
        }
    }
    Ok(report)
}

/// Whether the database can be worked with, after a repair if that was asked for.
fn database(paths: &Paths, how: CheckOptions, report: &mut CheckReport) -> Result<bool> {
    let judged = DatabaseFile::of(paths);
    let faults = match Store::database_faults(paths) {
        Ok(faults) => faults,
        Err(error) if !paths.database().exists() && error.kind() == store::ErrorKind::Database => Vec::new(),
        Err(error) if error.kind() == store::ErrorKind::Corrupt => vec![error.to_string()],
        // Locked, or not to be opened: that says nothing about what is in it.
        Err(error) => return Err(error.into()),
    };
    let faults = match (faults.first(), Store::open(paths)) {
        (Some(fault), _) => fault.clone(),
        (None, Ok(_)) => return Ok(true),
        (None, Err(error)) if error.kind() == store::ErrorKind::Corrupt => error.to_string(),
        (None, Err(error)) => return Err(Error::from(error)),
    };
    let what = format!("database {}: {}", paths.database().display(), crate::one_line(&faults));
    if !how.repair {
        report.found(what, "phial system check --repair begins a new one and keeps containers and volumes aside");
        return Ok(false);
    }
    // Another may have done it meanwhile: then there is a new one to be looked at.
    let Some(aside) = Store::set_damaged_aside(paths, judged)? else { return database(paths, how, report) };
    let moved = format!("a new one is begun; the old one, containers and volumes are in {}", aside.display());
    report.repaired(what, moved);
    Ok(true)
}
