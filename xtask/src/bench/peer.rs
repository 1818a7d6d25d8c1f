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

    /// Fetches what has to be there before anything is measured.
    fn prepare(&mut self, image: &str) -> Result {
        run(&mut self.pull(image))?.success().map(drop)
    }
}

/// An engine whose command line has docker's words: all that peers do is said in them.
pub(crate) trait DockersWords {
    /// Short name.
    const NAME: &'static str;
    /// Flags for a registry without TLS.
    const REGISTRY: &'static [&'static str] = &[];
    /// Removes what runs, at once.
    const REMOVE: &'static [&'static str] = &["rm", "--force"];

    /// What it says about its version, one line.
    fn version(&self) -> Result<String>;

    /// A command line, not started.
    fn line(&self, arguments: &[&str]) -> Command;

    /// `run` without a network, not started.
    fn run(&self, flags: &[&str], image: &str, program: &[&str]) -> Command {
        self.line(&[&["run", "--network", "none"], flags, &[image], program].concat())
    }

    /// What has to be tried once its image is there.
    fn settle(&mut self, _image: &str) -> Result {
        Ok(())
    }
}

impl<T: DockersWords> Peer for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn version(&self) -> Result<String> {
        DockersWords::version(self)
    }

    fn pull(&self, image: &str) -> Command {
        self.line(&[&["pull"], T::REGISTRY, &[image]].concat())
    }

    fn run_true(&self, image: &str) -> Command {
        self.run(&["--rm"], image, &["true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        run(&mut self.run(&["-d", "--name", name], image, &["sleep", "1000000"]))?.success()?;
        pid_of_inspected(&run(&mut self.line(&["inspect", name]))?.success()?)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.line(&["exec", name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        run(&mut self.line(&[T::REMOVE, &[name]].concat()))?.success().map(drop)
    }

    fn docker(&self, arguments: &[&str]) -> Option<Command> {
        Some(self.line(arguments))
    }

    fn tag(&self, image: &str, name: &str) -> Command {
        self.line(&["tag", image, name])
    }

    fn push(&self, name: &str) -> Command {
        self.line(&[&["push"], T::REGISTRY, &[name]].concat())
    }

    fn save(&self, image: &str, file: &Path) -> Command {
        let mut command = self.line(&["save", "-o"]);
        command.arg(file).arg(image);
        command
    }

    fn prepare(&mut self, image: &str) -> Result {
        run(&mut self.pull(image))?.success()?;
        self.settle(image)
    }
}

/// The `State.Pid` of what `inspect` printed.
fn pid_of_inspected(json: &str) -> Result<i32> {
    let value: serde_json::Value = serde_json::from_str(json)?;
    let pid = value[0]["State"]["Pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.filter(|pid| *pid > 0).context("inspect shows no pid")
}
