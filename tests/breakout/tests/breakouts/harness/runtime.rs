//! The runtime under test: any program with runc's command line. By default it is the `phial-runtime` that was built.
//!
//! `PHIAL_BREAKOUT_RUNTIME` is a path or a name; `PHIAL_BREAKOUT_WITHOUT` lists system calls that it must do without,
//! with commas between them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use end_to_end::process::{Running, find, words};
use end_to_end::{Context, Failure, Result, phial};
use rustix::process::{Signal, kill_process_group};

/// The program to test.
const RUNTIME: &str = "PHIAL_BREAKOUT_RUNTIME";
/// What it must do without.
const WITHOUT: &str = "PHIAL_BREAKOUT_WITHOUT";

/// Where a hybrid host has the hierarchy of cgroup v2.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// How long a peer may take for a command. Some wait for ever for what they should not even have opened. Phial's own
/// runtime is given all the time it wants: a test of it has no limits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether a command of a peer was ended because it would not end by itself.
pub(crate) static HUNG: AtomicBool = AtomicBool::new(false);

/// The program, and how it is started.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    program: PathBuf,
    without: Option<String>,
}

/// What a command left.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) line: String,
    /// The exit status as a shell gives it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// stdout as it is.
    pub(crate) bytes: Vec<u8>,
}

impl Runtime {
    /// The one that the environment names.
    pub(crate) fn from_environment() -> Result<Runtime> {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let program = match text(RUNTIME) {
            None => phial::program()?.with_file_name("phial-runtime"),
            Some(path) if path.contains('/') => PathBuf::from(path),
            Some(name) => find(&name).context(format!("{RUNTIME}={name}: there is no such program"))?,
        };
        let program = fs::canonicalize(&program).context(program.display())?;
        Ok(Runtime { program, without: text(WITHOUT) })
    }

    /// The same, from another file.
    pub(crate) fn at(&self, program: PathBuf) -> Runtime {
        Runtime { program, ..self.clone() }
    }

    /// Its file.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The calls that it has to do without.
    pub(crate) fn without(&self) -> Option<&str> {
        self.without.as_deref()
    }

    /// Whether it is Phial's own, of which everything is expected.
    pub(crate) fn is_ours(&self) -> bool {
        self.program.file_name().is_some_and(|name| name == "phial-runtime")
    }

    /// A command line of it, not started.
    pub(crate) fn command(&self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(calls) = &self.without {
            words.extend([env!("CARGO_BIN_EXE_breakout_without").into(), calls.into()]);
        }
        if self.needs_one_hierarchy() {
            let script = format!("umount {UNIFIED} && exec \"$@\"");
            words.extend(["unshare", "--mount", "sh", "-c"].map(OsString::from));
            words.extend([script.into(), "sh".into()]);
        }
        words.push(self.program.clone().into());
        words.extend(arguments.into_iter().map(Into::into));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// crun does nothing on a hybrid host whose unified hierarchy has controllers: it must not see that one.
    fn needs_one_hierarchy(&self) -> bool {
        let controllers = fs::read_to_string(format!("{UNIFIED}/cgroup.controllers"));
        self.program.ends_with("crun") && controllers.is_ok_and(|list| !list.trim().is_empty())
    }

    /// Runs a command to its end. Its streams are files in this directory: a container that stays may keep them.
    ///
    /// # Errors
    /// It cannot be started, or did not end.
    pub(crate) fn finish(&self, command: &mut Command, directory: &Path) -> Result<Told> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["stdout", "stderr"].map(|name| directory.join(format!("{name}-{number}")));
        let line = words(command);
        command.stdout(File::create(&out)?).stderr(File::create(&err)?).process_group(0);
        let mut running = Running::start(command)?;
        if !self.is_ours() && !running.ends_within(PATIENCE)? {
            HUNG.store(true, Ordering::Relaxed);
            kill_process_group(running.pid(), Signal::KILL)?;
            running.wait()?;
            let verb = line.rsplit_once("/state ").map_or(line.as_str(), |(_, verb)| verb);
            return Err(Failure::new(format!("`{verb}` does not end")));
        }
        let code = running.wait()?;
        let (bytes, errors) = (fs::read(&out)?, fs::read(&err)?);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for file in [out, err] {
            fs::remove_file(file)?;
        }
        Ok(Told { line, code, stdout: text(&bytes), stderr: text(&errors), bytes })
    }
}

impl Told {
    /// Whether it did what it was asked for.
    pub(crate) fn is_done(&self) -> bool {
        self.code == 0
    }

    /// The stdout of a command that must have succeeded.
    ///
    /// # Errors
    /// It did not: the message has everything it wrote.
    pub(crate) fn success(self) -> Result<String> {
        if self.is_done() {
            return Ok(self.stdout);
        }
        let Told { line, code, stdout, stderr, .. } = self;
        Err(Failure::new(format!("`{line}` ended with {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")))
    }
}
