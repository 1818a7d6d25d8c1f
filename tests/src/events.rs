//! Waiting for what happens to containers, as `phial events` tells it.

use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Stdio};

use crate::process::Running;
use crate::{Context, Phial, Result};

/// The events of one container, from its beginning.
#[derive(Debug)]
pub struct Events {
    // Ended with this value.
    _process: Running,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Events {
    /// Follows the events of a container by its name.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn of(phial: &Phial, container: &str) -> Result<Events> {
        let filter = format!("container={container}");
        let words = ["events", "--since", "1h", "--filter", &filter, "--format", "{{.Action}}"];
        let mut process = Running::spawn(phial.command(&words).stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let stdout = process.child().stdout.take().context("stdout is piped")?;
        Ok(Events { _process: process, lines: BufReader::new(stdout).lines() })
    }

    /// Waits for the next event with this action.
    ///
    /// # Errors
    /// The program has ended.
    pub fn wait_for(&mut self, action: &str) -> Result {
        loop {
            let line = self.lines.next().context(format!("no event {action:?} came"))??;
            if line == action {
                return Ok(());
            }
        }
    }
}
