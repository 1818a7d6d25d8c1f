//! What most tests begin with: a registry, a program with an empty root, and an image in it.

use crate::followed::Followed;
use crate::namespace::Namespace;
use crate::registry::Registry;
use crate::{Output, Phial, Result, images};

/// One container: flags, a script for its shell, and what the script must print.
pub type Case<'a> = (&'a [&'a str], &'a str, &'a str);

/// A program that has pulled one image from a registry that still runs.
#[derive(Debug)]
pub struct Stage {
    /// The program.
    pub phial: Phial,
    /// The registry.
    pub registry: Registry,
    /// The image's full name.
    pub image: String,
}

impl Stage {
    /// With the small image.
    ///
    /// # Errors
    /// A tool is missing, or the pull fails.
    pub fn busybox() -> Result<Stage> {
        Stage::with(images::BUSYBOX)
    }

    /// With the Debian image.
    ///
    /// # Errors
    /// A tool is missing, or the pull fails.
    pub fn debian() -> Result<Stage> {
        Stage::with(images::DEBIAN)
    }

    fn with(image: &str) -> Result<Stage> {
        let registry = images::registry()?;
        let phial = Phial::new()?;
        let image = registry.name(image);
        phial.ok(&["pull", &image])?;
        Ok(Stage { phial, registry, image })
    }

    /// `phial run --rm FLAGS IMAGE COMMAND`, to its end.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn run(&self, flags: &[&str], command: &[&str]) -> Result<Output> {
        self.phial.run(&[&["run", "--rm"], flags, &[&self.image], command].concat())
    }

    /// The stdout of a shell script in a container, which must succeed; without the last line end.
    ///
    /// # Errors
    /// It did not: the message has everything it wrote.
    pub fn sh(&self, flags: &[&str], script: &str) -> Result<String> {
        let stdout = self.run(flags, &["sh", "-c", script])?.success()?;
        Ok(stdout.trim_end_matches('\n').to_owned())
    }

    /// Runs a container for every case and compares what its script prints.
    ///
    /// # Errors
    /// One did not succeed: the message has everything it wrote.
    ///
    /// # Panics
    /// One printed something else.
    pub fn check(&self, cases: &[Case<'_>]) -> Result {
        for (flags, script, expected) in cases {
            let printed = self.sh(flags, script)?;
            assert_eq!(printed, *expected, "phial run {} sh -c '{script}'", flags.join(" "));
        }
        Ok(())
    }

    /// `phial run -d FLAGS IMAGE COMMAND`: the id of a container that runs.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(&self, flags: &[&str], command: &[&str]) -> Result<String> {
        self.phial.ok(&[&["run", "-d"], flags, &[&self.image], command].concat())
    }

    /// A container that does nothing, and its network namespace: what it would say and hear there, the test does.
    ///
    /// # Errors
    /// It could not be started.
    pub fn idle(&self, flags: &[&str]) -> Result<Namespace> {
        let id = self.start(flags, &["sleep", "1000000"])?;
        self.phial.namespace(&id)
    }

    /// As [`Stage::start`], with a command that prints `ready` once it is: its traps are set, its port is open.
    ///
    /// # Errors
    /// It could not be started, or has ended before that.
    pub fn start_when_ready(&self, flags: &[&str], command: &[&str]) -> Result<String> {
        let id = self.start(flags, command)?;
        self.await_ready(&id, 1)?;
        Ok(id)
    }

    /// The same with a shell script.
    ///
    /// # Errors
    /// It could not be started, or has ended before that.
    pub fn start_ready(&self, flags: &[&str], script: &str) -> Result<String> {
        self.start_when_ready(flags, &["sh", "-c", script])
    }

    /// Waits until a container has printed `ready` as often as that, with each start once.
    ///
    /// # Errors
    /// It has ended before that.
    pub fn await_ready(&self, name: &str, times: usize) -> Result {
        let mut log = Followed::start(&self.phial, &["logs", "-f", name])?;
        (0..times).try_for_each(|_| log.wait_for("ready"))
    }
}
