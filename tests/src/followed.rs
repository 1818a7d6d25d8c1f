//! A command of the program that goes on, read line by line: what a test waits for instead of sleeping.

use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Stdio};

use crate::process::Running;
use crate::{Context, Phial, Result};

/// A command that runs, and the lines of its stdout.
#[derive(Debug)]
pub struct Followed {
    /// The command, which is ended with this value.
    pub process: Running,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Followed {
    /// Starts a command with nothing on stdin.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(phial: &Phial, arguments: &[&str]) -> Result<Followed> {
        let mut process = Running::start(phial.command(arguments).stdout(Stdio::piped()))?;
        let stdout = process.child().stdout.take().context("stdout is piped")?;
        Ok(Followed { process, lines: BufReader::new(stdout).lines() })
    }

    /// The actions of one container, by its name or id, from its beginning, as `phial events` tells them.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn events(phial: &Phial, container: &str) -> Result<Followed> {
        let filter = format!("container={container}");
        Followed::start(phial, &["events", "--since", "1h", "--filter", &filter, "--format", "{{.Action}}"])
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// The output has ended.
    pub fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("the output has ended")??)
    }

    /// Waits for the next line that is this one.
    ///
    /// # Errors
    /// The output has ended.
    pub fn wait_for(&mut self, expected: &str) -> Result {
        while self.line().context(format!("waiting for {expected:?}"))? != expected {}
        Ok(())
    }
}
