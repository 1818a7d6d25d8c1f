//! What every peer can do, so that the measurements need not know who is who.

use std::path::Path;
use std::process::Command;

use end_to_end::process::run;
use end_to_end::{Context, Result};

/// One engine, ready to work; its daemons end with its value.
pub(crate) trait Peer {
    /// Short name, a column of the table.
    fn name(&self) -> &'static str;

    /// What it says about its version, one line.
    fn version(&self) -> Result<String>;

    /// A command that pulls an image.
    fn pull(&self, image: &str) -> Command;

    /// A command that runs `true` in a new container without a network, and removes it.
    fn run_true(&self, image: &str) -> Command;

    /// Starts a container that sleeps, and returns the pid of its process.
    fn start(&self, image: &str, name: &str) -> Result<i32>;

    /// A command that runs `true` in a container that runs.
    fn exec_true(&self, name: &str) -> Command;

    /// Removes a container that runs.
    fn remove(&self, name: &str) -> Result;

    /// A command line in docker's words, of those who have them.
    fn docker(&self, arguments: &[&str]) -> Option<Command>;

    /// A command that gives an image one more name.
    fn tag(&self, image: &str, name: &str) -> Command;

    /// A command that uploads an image to the registry that its name begins with.
    fn push(&self, name: &str) -> Command;

    /// A command that writes an image into a file.
    fn save(&self, image: &str, file: &Path) -> Command;

    /// What has to be there before anything is measured.
    fn prepare(&mut self, image: &str) -> Result {
        run(&mut self.pull(image))?.success().map(drop)
    }
}

/// The `State.Pid` of what `inspect` printed: docker's shape, which all but ctr have.
pub(crate) fn pid_of_inspected(json: &str) -> Result<i32> {
    let value: serde_json::Value = serde_json::from_str(json)?;
    let pid = value[0]["State"]["Pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.filter(|pid| *pid > 0).context("inspect shows no pid")
}
