//! `--on-error=shell`: a shell in what a command has left when it failed, with all that it has seen.

use std::os::fd::AsFd;

use engine::session::{DetachKeys, Io, Signals, is_terminal, window_size};
use engine::{RunningStep, StepCommand};
use store::LayerWriter;

use super::Job;
use crate::error::{Error, Result};
use crate::progress::Event;

/// What is looked for, the first that is there is taken.
const SHELL: &str = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";

impl Job<'_> {
    /// Opens a shell where a command has failed, and waits for its end.
    ///
    /// # Errors
    /// Those of starting it; `Invalid` without a terminal; `Canceled` if there was a shell already.
    pub(super) fn open_shell(&self, failed: &StepCommand, layer: &LayerWriter) -> Result<()> {
        if !is_terminal(std::io::stdin().as_fd()) {
            return Err(Error::invalid("--on-error=shell: standard input is no terminal"));
        }
        let mut command = failed.clone();
        command.work = layer.make_work()?;
        let config = &mut command.config;
        (config.tty, config.open_stdin) = (true, true);
        config.command = vec!["/bin/sh".to_owned(), "-c".to_owned(), SHELL.to_owned()];
        // One build has one terminal.
        let _alone = self.terminal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.is_canceled() {
            return Err(Self::canceled());
        }
        self.reporter.tell(Event::Paused);
        let ended = self.in_terminal(&command);
        self.reporter.tell(Event::Resumed);
        // Before another one that has failed meanwhile has the terminal: one shell is for one look, and then the build ends.
        self.cancel();
        ended
    }

    fn in_terminal(&self, command: &StepCommand) -> Result<()> {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let signals = Signals::hold().map_err(|error| Error::system("watching the terminal", error))?;
        let RunningStep { id, session, forwards } = self.engine.start_step(command, window_size(stdin.as_fd()))?;
        let io = Io {
            stdin: Some(stdin.as_fd()),
            stdout: stdout.as_fd(),
            stderr: stderr.as_fd(),
            tty: true,
            keys: DetachKeys::default(),
            signals,
        };
        let ended = session.pump(io);
        drop(forwards);
        self.engine.end_step(&id)?;
        ended.map(drop).map_err(Error::from)
    }
}
