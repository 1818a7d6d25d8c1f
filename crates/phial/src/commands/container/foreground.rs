//! What `run`, `start`, `attach` and `exec` share: this process's own streams, and what the end of a session means here.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::session::{DetachKeys, Io, Outcome, Session, Signals, WindowSize, window_size};

use crate::failure::{Cannot, Failure, READER_GONE, Result};

/// Exit status after the user has given up: 128 + SIGINT.
const GIVEN_UP: u8 = 130;

/// Which of this process's streams a session uses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    /// Whether the process gets this standard input.
    pub(super) stdin: bool,
    /// Whether it has a terminal.
    pub(super) tty: bool,
}

/// `--detach-keys`.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Keys {
    /// The keys that leave it running
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
}

/// What `run` and `attach` take about leaving.
#[derive(Debug, Args)]
pub(super) struct Leaving {
    #[command(flatten)]
    pub(super) keys: Keys,
    /// Pass signals on; with false they are this command's own
    #[arg(long, value_name = "BOOL", default_value_t = true, hide_default_value = true, action = ArgAction::Set)]
    sig_proxy: bool,
}

impl Keys {
    /// The keys; docker's if there are no others.
    ///
    /// # Errors
    /// For what is no sequence of keys.
    pub(super) fn parse(&self) -> engine::Result<DetachKeys> {
        self.detach_keys.as_deref().map_or_else(|| Ok(DetachKeys::default()), DetachKeys::parse)
    }
}

impl Leaving {
    /// As [`hold_signals`], unless signals are not to be passed on.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub(super) fn hold_signals(&self) -> Result<Signals> {
        if self.sig_proxy {
            return hold_signals();
        }
        Signals::hold_of_terminal().map_err(|error| Failure::new(format!("cannot watch the terminal: {error}")))
    }
}

/// Which ways lead from a session to the user and back.
#[derive(Debug)]
pub(super) struct Ways {
    /// What leaves the process running.
    pub(super) keys: DetachKeys,
    /// Whether its output is shown.
    pub(super) stdout: bool,
    /// Whether its error output is.
    pub(super) stderr: bool,
}

impl Default for Ways {
    fn default() -> Ways {
        Ways { keys: DetachKeys::default(), stdout: true, stderr: true }
    }
}

/// How a session ended.
#[derive(Debug)]
pub(super) struct Left {
    /// The command's exit status.
    pub(super) code: ExitCode,
    /// The connection, if the process has ended; it may have been left running. See [`Session::until_done`].
    pub(super) ended: Option<OwnedFd>,
}

/// Takes signals for the process from here on.
///
/// # Errors
/// If there is no descriptor left.
pub(super) fn hold_signals() -> Result<Signals> {
    Signals::hold().map_err(|error| Failure::new(format!("cannot forward signals: {error}")))
}

impl Terminal {
    /// Docker's rule: who asks for a terminal and types has to have one.
    ///
    /// # Errors
    /// If standard input is not a terminal and should be one.
    pub(super) fn check(self) -> Result<()> {
        if self.stdin && self.tty && !std::io::stdin().is_terminal() {
            return Err(Failure::new("the input device is not a TTY").with_hint("leave out -t"));
        }
        Ok(())
    }

    /// The size that the process's terminal shall have.
    pub(super) fn window(self) -> Option<WindowSize> {
        self.tty.then(|| window_size(std::io::stdout())).flatten()
    }

    /// Stays with the process. What comes back is its exit status, or what stands for it if it goes on without us.
    ///
    /// # Errors
    /// Those of the session, and when its output has no reader any more.
    pub(super) fn pump(self, session: Session, signals: Signals, container: &str, ways: Ways) -> Result<Left> {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        // What nobody wants to see must be read all the same: the process would wait for that.
        let nowhere = if ways.stdout && ways.stderr { None } else { Some(nowhere()?) };
        let shown = |wanted: bool, stream| match &nowhere {
            Some(nowhere) if !wanted => nowhere.as_fd(),
            _ => stream,
        };
        let io = Io {
            stdin: self.stdin.then(|| stdin.as_fd()),
            stdout: shown(ways.stdout, stdout.as_fd()),
            stderr: shown(ways.stderr, stderr.as_fd()),
            tty: self.tty,
            keys: ways.keys,
            signals,
        };
        let staying = || format!("stay with container {container}");
        let connection = session.until_done().cannot(staying)?;
        match session.pump(io).cannot(staying)? {
            // The exit status of a process has eight bits.
            Outcome::Exited(code) => Ok(Left { code: ExitCode::from(code.to_le_bytes()[0]), ended: Some(connection) }),
            Outcome::Detached => Ok(Left { code: ExitCode::SUCCESS, ended: None }),
            Outcome::OutputClosed => {
                Err(Failure::new(format!("nobody reads the output, container {container} goes on"))
                    .with_hint(format!("phial stop {container}"))
                    .with_code(READER_GONE))
            }
            Outcome::Ignored => Err(Failure::new(format!("container {container} ignores the signals and goes on"))
                .with_hint(format!("phial kill {container}"))
                .with_code(GIVEN_UP)),
        }
    }
}

fn nowhere() -> Result<File> {
    let opened = File::options().write(true).open("/dev/null");
    opened.map_err(|error| Failure::new(format!("cannot open /dev/null: {error}")))
}
