//! Children: those that run to their end, and those that are stopped with their owner. A child is always ended by its
//! own pid, never by a name.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::{Context, Failure, Result};

/// What a finished command left.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// The exit status as a shell gives it: 128 + n after signal n.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// The stdout of a command that must have succeeded.
    ///
    /// # Errors
    /// It did not: the message has everything it wrote.
    pub fn success(self) -> Result<String> {
        self.exited(0).map(|output| output.stdout)
    }

    /// The same output, if the command ended with this code.
    ///
    /// # Errors
    /// It ended with another one: the message has everything it wrote.
    pub fn exited(self, code: i32) -> Result<Output> {
        if self.code == code {
            return Ok(self);
        }
        let Output { command, code: got, stdout, stderr } = &self;
        Err(Failure::new(format!(
            "`{command}` ended with {got}, not {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---"
        )))
    }
}

/// A command as one would type it, without quotes around what needs them.
pub fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The exit status as a shell gives it.
pub fn shell_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Runs a command to its end with nothing on stdin, and keeps what it wrote.
///
/// # Errors
/// It could not be started.
pub fn run(command: &mut Command) -> Result<Output> {
    finish(command.stdin(Stdio::null()), b"")
}

/// Runs a command to its end with these bytes on stdin.
///
/// # Errors
/// It could not be started.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Result<Output> {
    finish(command.stdin(Stdio::piped()), input)
}

fn finish(command: &mut Command, input: &[u8]) -> Result<Output> {
    let line = words(command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(format!("`{line}`"))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A child that does not read all its input is no error here: its exit code tells.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input)));
        child.wait_with_output()
    })
    .context(format!("`{line}`"))?;
    Ok(Output {
        command: line,
        code: shell_code(output.status),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A program of the host.
///
/// # Errors
/// It is not on the search path: the message names the Debian package that has it.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    find(name).context(format!("{name} is missing: 'apt-get install {package}', or 'cargo xtask setup', installs it"))
}

/// A command that is asked to end when the thread that started it does, even by kill -9 (setpriv(1), `PR_SET_PDEATHSIG`
/// in prctl(2)): for servers, which nobody else would stop.
///
/// # Errors
/// `setpriv` is missing.
pub fn server(program_path: &Path) -> Result<Command> {
    let mut command = Command::new(program("setpriv", "util-linux")?);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program_path);
    Ok(command)
}

/// Looks a program up as a shell would, and in the directories of system programs.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A child that is stopped when this value goes: first asked with SIGTERM, and waited for.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: String,
}

impl Running {
    /// Starts a command with nothing on stdin.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(command: &mut Command) -> Result<Running> {
        Running::spawn(command.stdin(Stdio::null()))
    }

    /// Starts a command with its streams as they are set.
    ///
    /// # Errors
    /// It could not be started.
    pub fn spawn(command: &mut Command) -> Result<Running> {
        let line = words(command);
        let child = command.spawn().context(format!("`{line}`"))?;
        Ok(Running { child, line })
    }

    /// The child, for its streams.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends, or until this much time has gone by. Returns whether it has ended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn ends_within(&self, duration: Duration) -> Result<bool> {
        let end = pidfd_open(self.pid(), PidfdFlags::empty())?;
        let timeout = Timespec::try_from(duration).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        Ok(poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&timeout))? > 0)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The kernel's.
    pub fn signal(&self, signal: Signal) -> Result {
        kill_process(self.pid(), signal).context(format!("signal for `{}`", self.line))
    }

    /// Waits for its end and returns its status as a shell gives it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&mut self) -> Result<i32> {
        let status = self.child.wait().context(format!("`{}`", self.line))?;
        Ok(shell_code(status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_alive() {
            // Nothing can be done about a child that is already gone, and nobody is left to be told.
            let _ = kill_process(self.pid(), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// The parent of a process and the time it was started, from `/proc/PID/stat` (`proc_pid_stat(5)`, fields 4 and 22).
pub fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything, parentheses as well.
    let (start, rest) = text.rsplit_once(')')?;
    let (_, name) = start.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        pid,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Part of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: i32,
    /// First 15 bytes of the name.
    pub name: String,
    /// `R`, `S`, `Z`, …
    pub state: char,
    /// Parent's process id.
    pub parent: i32,
    /// When it was started, in clock ticks since the boot: with the pid it names one process for good.
    pub started: u64,
}

/// The words that a process was started with; none for one that has ended.
pub fn arguments(pid: i32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Every process that can be seen.
pub fn all() -> Vec<Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

/// Every process below this one, zombies left out.
pub fn descendants(of: i32) -> Vec<Stat> {
    let all = all();
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found.retain(|process| process.state != 'Z');
    found
}

/// The proportional share of memory of a process, in KiB, from `/proc/PID/smaps_rollup`.
///
/// # Errors
/// The process is gone.
pub fn pss_kib(pid: i32) -> Result<u64> {
    let file = Path::new("/proc").join(pid.to_string()).join("smaps_rollup");
    let text = std::fs::read_to_string(&file).context(file.display())?;
    let line = text.lines().find(|line| line.starts_with("Pss:")).context("no Pss line in smaps_rollup")?;
    let number = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    number.context(format!("`{line}` in {}", file.display()))
}
