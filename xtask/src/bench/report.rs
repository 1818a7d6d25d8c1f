//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use end_to_end::{Context, Result};
use serde_json::{Value, json};

use super::phial;

/// What a sample counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Kibibytes,
    Calls,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => "ms",
            Unit::Kibibytes => "KiB",
            Unit::Calls => "calls",
        }
    }

    fn from_name(name: &str) -> Option<Unit> {
        [Unit::Milliseconds, Unit::Kibibytes, Unit::Calls].into_iter().find(|unit| unit.name() == name)
    }
}

/// One peer's samples, in the order in which they were taken.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) samples: Vec<f64>,
}

impl Series {
    pub(crate) fn new(name: &'static str) -> Series {
        Series { name, samples: Vec::new() }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }

    fn least(&self) -> f64 {
        self.sorted()[0]
    }
}

/// One measurement of everybody.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) series: Vec<Series>,
}

/// What Phial promises for a measurement, with the section of SPECIFICATION.md in mind: at most this part of the peer's
/// median, or of the best peer's; or at most this many units.
enum Budget {
    PartOf(f64, &'static str),
    PartOfBest(f64),
    AtMost(f64),
}

fn budgets(title: &str) -> Vec<Budget> {
    if title.starts_with("runtime: ") {
        of_runtimes(title)
    } else if title.starts_with("run ") {
        vec![Budget::PartOf(0.1, "containerd"), Budget::PartOf(0.2, "podman")]
    } else if title.starts_with("exec ") {
        vec![Budget::PartOf(0.1, "docker")]
    } else if title.starts_with("cold pull") {
        vec![Budget::PartOfBest(0.25)]
    } else if title.starts_with("ps among") {
        vec![Budget::AtMost(30.0)]
    } else if title.contains(" 1 running") {
        vec![Budget::AtMost(0.8 * 1024.0)]
    } else if title.starts_with("memory") {
        vec![Budget::AtMost(0.4 * 1024.0)]
    } else {
        Vec::new()
    }
}

/// Budgets of the OCI runtime beside crun.
fn of_runtimes(title: &str) -> Vec<Budget> {
    match (title.contains("CPU"), title.contains("seccomp")) {
        (true, true) => vec![Budget::PartOf(0.25, "crun")],
        _ if title.contains("system calls") => vec![Budget::AtMost(400.0)],
        _ if title.contains("execve") => vec![Budget::AtMost(1.0)],
        _ if title.contains("peak memory") => vec![Budget::AtMost(2048.0)],
        _ => vec![Budget::PartOf(0.5, "crun")],
    }
}

impl Table {
    /// A table that another process has measured, with the names of its columns.
    pub(crate) fn from_json(json: &Value, names: &[&'static str]) -> Result<Table> {
        let series = json["series"].as_array().into_iter().flatten().map(|series| {
            let name = names.iter().find(|name| series["peer"] == **name).context("a peer of no known name")?;
            let samples = series["samples"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            Ok(Series { name, samples })
        });
        let title = json["title"].as_str().context("a table has a title")?.to_owned();
        let unit = json["unit"].as_str().and_then(Unit::from_name).context("a table has a unit")?;
        Ok(Table { title, unit, series: series.collect::<Result<_>>()? })
    }

    fn median(&self, name: &str) -> Option<f64> {
        self.series.iter().find(|series| series.name == name).map(Series::median)
    }

    fn text(&self) -> String {
        let own = self.median(phial::NAME);
        let unit = self.unit.name();
        let mut text = format!("\n{}\n  {:<12}{:>12}{:>12}{:>10}\n", self.title, "", "median", "least", "× phial");
        for series in &self.series {
            let ratio = own.map_or_else(String::new, |own| format!("{:.1}", series.median() / own));
            let (median, least) = (format!("{:.1} {unit}", series.median()), format!("{:.1} {unit}", series.least()));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {:<12}{median:>12}{least:>12}{ratio:>10}", series.name);
        }
        for verdict in self.verdicts() {
            let _ = writeln!(text, "  {verdict}");
        }
        text
    }

    fn verdicts(&self) -> Vec<String> {
        let Some(own) = self.median(phial::NAME) else { return Vec::new() };
        let unit = self.unit.name();
        let verdict = |limit: f64, words: String| {
            let met = if own <= limit { "met" } else { "MISSED" };
            format!("budget {words} = {limit:.1} {unit}: {met} ({own:.1} {unit})")
        };
        let best =
            self.series.iter().filter(|series| series.name != phial::NAME).map(Series::median).min_by(f64::total_cmp);
        let one = |budget: Budget| match budget {
            Budget::PartOf(part, peer) => {
                self.median(peer).map(|median| verdict(median * part, format!("≤ 1/{:.0} × {peer}", 1.0 / part)))
            }
            Budget::PartOfBest(part) => {
                best.map(|best| verdict(best * part, format!("≤ 1/{:.0} × the best", 1.0 / part)))
            }
            Budget::AtMost(limit) => Some(verdict(limit, "at most".to_owned())),
        };
        budgets(&self.title).into_iter().filter_map(one).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let series = self.series.iter().map(|series| {
            json!({"peer": series.name, "median": series.median(), "least": series.least(), "samples": series.samples})
        });
        let series: Vec<Value> = series.collect();
        json!({"title": self.title, "unit": self.unit.name(), "series": series, "budgets": self.verdicts()})
    }
}

/// Everything of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    peers: Vec<(&'static str, String)>,
    tables: Vec<Table>,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report::default()
    }

    pub(crate) fn peer(&mut self, name: &'static str, version: &str) {
        self.peers.push((name, version.to_owned()));
    }

    pub(crate) fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub(crate) fn table(&self) -> String {
        let peers: Vec<&str> = self.peers.iter().map(|(_, version)| version.as_str()).collect();
        let tables: String = self.tables.iter().map(Table::text).collect();
        format!("\n{} on {}\n{tables}", peers.join(", "), machine())
    }

    /// Writes all samples to a file below `target/bench`, and returns its path.
    pub(crate) fn write(&self) -> Result<PathBuf> {
        let peers: Vec<Value> =
            self.peers.iter().map(|(name, version)| json!({"peer": name, "version": version})).collect();
        let tables: Vec<Value> = self.tables.iter().map(Table::json).collect();
        let report = json!({"version": 1, "machine": machine(), "peers": peers, "measurements": tables});
        let dir = end_to_end::target().join("bench");
        fs::create_dir_all(&dir).context(dir.display())?;
        let path = dir.join("report.json");
        fs::write(&path, serde_json::to_vec_pretty(&report)?).context(path.display())?;
        Ok(path)
    }
}

/// Processors and kernel.
fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{processors} processors, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_judged_by_medians() {
        let table = |own: f64| Table {
            title: "cold pull of x".to_owned(),
            unit: Unit::Milliseconds,
            series: vec![
                Series { name: phial::NAME, samples: vec![own, 1.0, 9000.0] },
                Series { name: "docker", samples: vec![900.0, 1000.0] },
                Series { name: "podman", samples: vec![800.0] },
            ],
        };
        assert_eq!(table(200.0).verdicts(), ["budget ≤ 1/4 × the best = 200.0 ms: met (200.0 ms)"]);
        assert_eq!(table(201.0).verdicts(), ["budget ≤ 1/4 × the best = 200.0 ms: MISSED (201.0 ms)"]);
        assert!(table(200.0).text().contains("docker"), "{}", table(200.0).text());
    }
}
