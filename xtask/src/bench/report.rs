//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use end_to_end::{Context, Result};
use serde_json::{Value, json};

use super::{build, docker, phial};

/// The column of phial's starts without a network, beside those with one.
pub(super) const WITHOUT_NETWORK: &str = "phial none";

/// What a sample counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Microseconds,
    Kibibytes,
    Calls,
    /// Throughput: 10⁹ bits per second.
    Gigabits,
    /// Answers per second.
    PerSecond,
}

impl Unit {
    const ALL: [Unit; 6] =
        [Unit::Milliseconds, Unit::Microseconds, Unit::Kibibytes, Unit::Calls, Unit::Gigabits, Unit::PerSecond];

    /// Whether more is better.
    fn counts_up(self) -> bool {
        matches!(self, Unit::Gigabits | Unit::PerSecond)
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => "ms",
            Unit::Microseconds => "µs",
            Unit::Kibibytes => "KiB",
            Unit::Calls => "calls",
            Unit::Gigabits => "Gbit/s",
            Unit::PerSecond => "/s",
        }
    }

    fn from_name(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.name() == name)
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

    fn most(&self) -> f64 {
        self.sorted()[self.samples.len() - 1]
    }
}

/// One measurement of everybody.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) series: Vec<Series>,
}

/// What Phial promises for a measurement, with the section of SPECIFICATION.md in mind.
enum Budget {
    /// At most this part of the peer's median.
    PartOf(f64, &'static str),
    /// Of the best peer's.
    PartOfBest(f64),
    /// At most this many units.
    AtMost(f64),
    /// At least.
    AtLeast(f64),
    /// At most this many units more than another median.
    Adds(f64, &'static str),
    /// As good as the peer's median, but for what two measurements of one thing differ by.
    NoWorse(&'static str),
}

/// What counts as equal.
const EQUAL: f64 = 0.05;

fn budgets(title: &str) -> Vec<Budget> {
    if title.starts_with("runtime: ") {
        of_runtimes(title)
    } else if title.starts_with("network: ") {
        of_networks(title)
    } else if title.starts_with("run ") {
        vec![Budget::PartOf(0.1, "containerd"), Budget::PartOf(0.2, "podman")]
    } else if title.starts_with("build: all is cached, three stages") {
        vec![Budget::AtMost(30.0), Budget::PartOf(0.2, docker::NAME), Budget::PartOf(0.2, build::BUILDKIT)]
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

/// Budgets of networks beside docker's.
fn of_networks(title: &str) -> Vec<Budget> {
    if title.contains("on the default bridge") {
        vec![Budget::PartOf(1.0 / 15.0, docker::NAME), Budget::Adds(3.0, WITHOUT_NETWORK)]
    } else if title.contains("throughput") || title.contains("latency") {
        vec![Budget::NoWorse(docker::NAME)]
    } else if title.contains("answers") {
        vec![Budget::AtLeast(50_000.0)]
    } else {
        Vec::new()
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
        let best = if self.unit.counts_up() { "most" } else { "least" };
        let mut text = format!("\n{}\n  {:<12}{:>14}{:>14}{:>10}\n", self.title, "", "median", best, "× phial");
        for series in &self.series {
            let ratio = own.map_or_else(String::new, |own| format!("{:.1}", series.median() / own));
            let best = if self.unit.counts_up() { series.most() } else { series.least() };
            let (median, best) = (format!("{:.1} {unit}", series.median()), format!("{best:.1} {unit}"));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {:<12}{median:>14}{best:>14}{ratio:>10}", series.name);
        }
        for verdict in self.verdicts() {
            let _ = writeln!(text, "  {verdict}");
        }
        text
    }

    fn verdicts(&self) -> Vec<String> {
        let Some(own) = self.median(phial::NAME) else { return Vec::new() };
        let unit = self.unit.name();
        let judged = |met: bool, limit: f64, words: String| {
            let met = if met { "met" } else { "MISSED" };
            format!("budget {words} = {limit:.1} {unit}: {met} ({own:.1} {unit})")
        };
        let verdict = |limit: f64, words: String| judged(own <= limit, limit, words);
        let at_least = |limit: f64, words: String| judged(own >= limit, limit, words);
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
            Budget::AtLeast(limit) => Some(at_least(limit, "at least".to_owned())),
            Budget::Adds(limit, other) => {
                self.median(other).map(|median| verdict(median + limit, format!("≤ {other} + {limit:.1} {unit}")))
            }
            Budget::NoWorse(peer) => self.median(peer).map(|median| {
                let words = format!("no worse than {peer} by {:.0} %", EQUAL * 100.0);
                if self.unit.counts_up() {
                    at_least(median * (1.0 - EQUAL), words)
                } else {
                    verdict(median * (1.0 + EQUAL), words)
                }
            }),
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

    #[test]
    fn more_throughput_and_less_latency_is_better() {
        let verdicts = |title: &str, unit: Unit, own: f64, docker: f64| {
            let series = |name, sample| Series { name, samples: vec![sample] };
            let series = vec![series(phial::NAME, own), series(docker::NAME, docker)];
            Table { title: title.to_owned(), unit, series }.verdicts()
        };
        let throughput = |own| verdicts("network: throughput of x", Unit::Gigabits, own, 10.0);
        assert_eq!(throughput(12.0), ["budget no worse than docker by 5 % = 9.5 Gbit/s: met (12.0 Gbit/s)"]);
        assert_eq!(throughput(9.0), ["budget no worse than docker by 5 % = 9.5 Gbit/s: MISSED (9.0 Gbit/s)"]);
        let latency = |own| verdicts("network: latency of x", Unit::Microseconds, own, 100.0);
        assert_eq!(latency(90.0), ["budget no worse than docker by 5 % = 105.0 µs: met (90.0 µs)"]);
        assert_eq!(latency(110.0), ["budget no worse than docker by 5 % = 105.0 µs: MISSED (110.0 µs)"]);
    }
}
