//! The built program with a root of its own: as a user has it, but nothing it does is seen by another test, and
//! everything it left running is removed in the end.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::image::digest_of;
use crate::namespace::Namespace;
use crate::process::{self, Output, run, run_with_input};
use crate::{Context, Failure, Result, faults};

/// Set by `cargo xtask test`: the program to test.
pub const PROGRAM: &str = "PHIAL_PROGRAM";

/// The program, and two directories that belong to it.
#[derive(Debug)]
pub struct Phial {
    program: PathBuf,
    // The name is short because the path of a unix socket may have 107 bytes, and 77 of them are the container's.
    dir: TempDir,
    /// The network namespace that it runs in, if it is not the one of the test.
    network: Option<Namespace>,
    /// What is at `/etc/resolv.conf` for it, if it is not the host's.
    resolver: Option<PathBuf>,
    /// What its environment has besides.
    variables: Vec<(&'static str, String)>,
}

impl Phial {
    /// The program with an empty root.
    ///
    /// # Errors
    /// It was not built.
    pub fn new() -> Result<Phial> {
        Phial::of(program()?)
    }

    pub(crate) fn of(program: PathBuf) -> Result<Phial> {
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        Ok(Phial { program, dir, network: None, resolver: None, variables: Vec::new() })
    }

    /// From now on it runs in this network namespace.
    pub fn enter(&mut self, network: &Namespace) {
        self.network = Some(network.clone());
    }

    /// From now on its `resolv.conf(5)` names this server and no other.
    ///
    /// # Errors
    /// Of the file system.
    pub fn resolve_with(&mut self, server: &str) -> Result {
        let file = self.dir.path().join("resolv.conf");
        fs::write(&file, format!("nameserver {server}\n"))?;
        self.resolver = Some(file);
        Ok(())
    }

    /// From now on it has this in its environment.
    pub fn set(&mut self, variable: &'static str, value: &str) {
        self.variables.push((variable, value.to_owned()));
    }

    /// Whether it runs in a network namespace that is not the one of the test.
    pub(crate) fn has_host_of_its_own(&self) -> bool {
        self.network.is_some()
    }

    /// Where images and containers are kept.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Where the state of what runs is kept.
    pub fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// A directory for the test's own files, beside the two.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// A command line, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.resolver {
            None => self.there(&self.program, arguments),
            Some(file) => {
                // A namespace of mounts, in which the host's own file is covered.
                let cover = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
                let mut command = self.there("unshare", &["--mount", "sh", "-c", cover]);
                command.arg(file).arg(&self.program).args(arguments);
                command
            }
        };
        command.env("PHIAL_ROOT", self.root()).env("PHIAL_RUN", self.run_dir());
        // The user's own credentials have no part in a test.
        command.env(faults::DIRECTORY, faults::directory(self.dir.path()));
        command.env("HOME", self.dir.path()).env_remove("DOCKER_CONFIG");
        command
    }

    /// A command that runs in the network namespace that the program runs in.
    pub(crate) fn there(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        match &self.network {
            None => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            Some(network) => network.command(program, arguments),
        }
    }

    /// Runs a command line to its end with nothing on stdin.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        run(&mut self.command(arguments))
    }

    /// Runs a command line to its end with these bytes on stdin.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Result<Output> {
        run_with_input(&mut self.command(arguments), input)
    }

    /// Runs a command line that must succeed, and returns its stdout without the last line end.
    ///
    /// # Errors
    /// It did not succeed: the message has everything it wrote.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        let mut text = self.run(arguments)?.success()?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }

    /// One object of `phial inspect`.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn inspect(&self, name: &str) -> Result<serde_json::Value> {
        let mut all: serde_json::Value = serde_json::from_str(&self.ok(&["inspect", name])?)?;
        Ok(all[0].take())
    }

    /// An attribute of a container's place on a network: `IPAddress`, `GlobalIPv6Address`, `Gateway`, ….
    ///
    /// # Errors
    /// There is no such container, or it has nothing there.
    pub fn place(&self, container: &str, network: &str, key: &str) -> Result<String> {
        let inspected = self.inspect(container)?;
        let value = inspected["NetworkSettings"]["Networks"][network][key].as_str().filter(|value| !value.is_empty());
        Ok(value.context(format!("{container} has no {key} on {network}"))?.to_owned())
    }

    /// The address of IPv4 that a container has on a network.
    ///
    /// # Errors
    /// There is no such container, or it has none.
    pub fn address(&self, container: &str, network: &str) -> Result<String> {
        self.place(container, network, "IPAddress")
    }

    /// The network namespace of a container that runs.
    ///
    /// # Errors
    /// There is none.
    pub fn namespace(&self, container: &str) -> Result<Namespace> {
        let pid = self.inspect(container)?["State"]["Pid"].as_i64().filter(|pid| *pid != 0);
        let pid = pid.context(format!("{container} does not run"))?;
        Ok(Namespace::at(format!("/proc/{pid}/ns/net")))
    }

    /// The address of IPv4 that a container of the small image finds for a name, before it sends a packet there.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn lookup(&self, from: &str, name: &str) -> Result<Option<String>> {
        let output = self.run(&["exec", from, "ping", "-4", "-c", "1", "-W", "1", name])?;
        let within = output.stdout.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        match within {
            Some((address, _)) => Ok(Some(address.to_owned())),
            None if output.stderr.contains("bad address") => Ok(None),
            None => Err(Failure::new(format!("{output:?}"))),
        }
    }

    /// The ids of all containers, as `ps -a` prints them: the first column below its header.
    ///
    /// # Errors
    /// The program fails.
    pub fn containers(&self) -> Result<Vec<String>> {
        let table = self.ok(&["ps", "-a"])?;
        Ok(table.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// Removes every container, running or not.
    ///
    /// # Errors
    /// The program fails.
    pub fn remove_containers(&self) -> Result {
        for id in self.containers()? {
            // One with --rm may be gone by itself by now.
            let output = self.run(&["rm", "-f", &id])?;
            if output.code != 0 && self.containers()?.contains(&id) {
                output.success()?;
            }
        }
        Ok(())
    }
}

impl Phial {
    /// Ends every `phial system sync` that a pull has left on this root: one that was just started would make the store
    /// anew in a directory that is being removed. To kill it at any moment is safe.
    fn end_syncs(&self) {
        let root = self.root().display().to_string();
        for process in process::all() {
            let words = process::arguments(process.pid);
            let is_ours = words.contains(&root) && words.iter().any(|word| word == "sync");
            if let (true, Some(pid)) = (is_ours, Pid::from_raw(process.pid)) {
                // It may have ended by itself just now.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Phial {
    /// Takes away what the program's networks have on the host: bridges, and the table of the firewall. Its own command
    /// never removes the default network.
    fn remove_networks(&self) -> Result {
        for entry in fs::read_dir(self.run_dir().join("networks")).into_iter().flatten().flatten() {
            let Ok(register) = serde_json::from_slice::<serde_json::Value>(&fs::read(entry.path())?) else { continue };
            let network = &register["network"];
            if let (Some(link), Some("bridge")) = (network["link"].as_str(), network["driver"].as_str()) {
                // It may have gone with its network namespace, or by hand.
                run(&mut self.there("ip", &["link", "del", link]))?;
            }
        }
        // A test may have lost the registers.
        let own = own_name(&self.root())?;
        run(&mut self.there("ip", &["link", "del", &own]))?;
        run(&mut self.there("nft", &["delete", "table", "inet", &own]))?;
        Ok(())
    }
}

impl Drop for Phial {
    fn drop(&mut self) {
        let result = self.remove_containers();
        let result = self.remove_networks().and(result);
        self.end_syncs();
        // A second panic would hide the first one's message.
        if !std::thread::panicking() {
            result.expect("the containers of a test can be removed");
        }
    }
}

/// What the default bridge and the table of the firewall are called of a store that is not where stores are.
///
/// # Errors
/// Of the digest.
pub fn own_name(root: &Path) -> Result<String> {
    let digest = digest_of(root.as_os_str().as_encoded_bytes())?;
    Ok(format!("phial-{}", &digest["sha256:".len()..][..8]))
}

/// The program to test.
///
/// # Errors
/// It was not built.
pub fn program() -> Result<PathBuf> {
    let built = || crate::target().join("x86_64-unknown-linux-musl/release/phial");
    let program = std::env::var_os(PROGRAM).map_or_else(built, PathBuf::from);
    if program.is_file() {
        return Ok(program);
    }
    Err(Failure::new(format!("{} is not built: 'cargo build --release' builds it", program.display())))
}
