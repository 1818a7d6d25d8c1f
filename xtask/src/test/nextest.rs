//! The tests themselves: cargo-nextest runs each in a process of its own, and writes what came out of it as JUnit,
//! which is counted here. Settings are in `.config/nextest.toml`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use end_to_end::{Context, Failure, Result, faults, leftovers, phial, target};
use serde_json::Value;

use super::{Count, Programs};
use crate::{breakout, say, setup};

/// Runs the tests whose names have one of these words, or all.
pub(super) fn run(programs: &Programs, filter: &[String]) -> Count {
    phase("tests", || run_and_count(nextest("run").arg("--workspace").args(filter), programs, number_of_tests()?))
}

/// Runs the ways out of a container once more, on a kernel that lacks these system calls.
pub(super) fn run_without(programs: &Programs, calls: &str) -> Count {
    phase(&format!("breakouts without {calls}"), || {
        let mut nextest = nextest("run");
        // Of the whole workspace, as it is built by now: alone, the package would have its dependencies built otherwise.
        nextest.args(["--workspace", "--filterset", "package(breakout)"]).env(breakout::WITHOUT, calls);
        run_and_count(&mut nextest, programs, 0)
    })
}

fn phase(name: &str, run: impl FnOnce() -> Result<Count>) -> Count {
    let phase = say::Phase::begin(name);
    match run() {
        Ok(count) => {
            phase.end(if count.failed == 0 { "passed" } else { "FAILED" });
            count
        }
        Err(failure) => {
            say::error(&failure.to_string());
            phase.end("FAILED");
            Count { failed: 1, ..Count::default() }
        }
    }
}

/// `all` is the number of tests, whatever the filter.
fn run_and_count(nextest: &mut Command, programs: &Programs, all: usize) -> Result<Count> {
    let report = report();
    // The report of an earlier run must not be taken for this one's.
    match fs::remove_file(&report) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).context(report.display()),
        _ => {}
    }
    let code = leftovers::run_and_reap(
        nextest.env(phial::PROGRAM, &programs.phial).env(faults::PROGRAM, &programs.with_fault_points),
    )?;
    let text = fs::read_to_string(&report).context(format!("nextest ended with {code} and left no report"))?;
    let count = count(&text, all)?;
    if count.failed == 0 && code != 0 {
        return Err(Failure::new(format!("nextest ended with {code}")));
    }
    Ok(count)
}

fn nextest(verb: &str) -> Command {
    let mut command = setup::cargo();
    command.args(["nextest", verb, "--locked"]).stdin(Stdio::null());
    command
}

/// Where the settings put the report.
fn report() -> PathBuf {
    target().join("nextest/default/junit.xml")
}

/// Builds all tests, and lists them and the programs that they are in.
pub(super) fn list() -> Result<Value> {
    let mut list = nextest("list");
    let output = list.args(["--workspace", "--message-format", "json"]).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("the tests cannot be built or listed: {}", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(Into::into)
}

/// How many tests there are, whatever the filter.
fn number_of_tests() -> Result<usize> {
    let list = list()?;
    let number = list["test-count"].as_u64().context("nextest list has no test-count")?;
    usize::try_from(number).context("test-count")
}

fn count(junit: &str, all: usize) -> Result<Count> {
    let start = junit.find("<testsuites ").context("the report has no <testsuites>")?;
    let element = junit[start..].split('>').next().unwrap_or_default();
    let number = |name: &str| {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()?.parse::<usize>().ok()
    };
    let attribute = |name| number(name).context(format!("the report's <testsuites> has no {name}"));
    let (tests, failed) = (attribute("tests")?, attribute("failures")? + attribute("errors")?);
    Ok(Count { passed: tests - failed, failed, skipped: all.saturating_sub(tests) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_counted() {
        let junit = r#"<?xml version="1.0"?><testsuites name="nextest-run" tests="7" failures="2" errors="1" uuid="x"><testsuite name="a" tests="7">"#;
        let Count { passed, failed, skipped } = count(junit, 9).expect("it is a report");
        assert_eq!((passed, failed, skipped), (4, 3, 2));
    }
}
