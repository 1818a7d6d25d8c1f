//! Conversations with a supervisor about one process: what a foreground `run`, `attach` and `exec` do until it ends.
//!
//! A [`Session`] begins with one of its constructors, which ends when the process runs, and is carried through by
//! [`Session::pump`]. It decides nothing about containers; it moves bytes, signals and window sizes.

/// Whole frames over a unix socket, with descriptors.
mod connection;
/// The keys that leave.
mod detach;
/// Frames out of whatever pieces a socket gives.
mod frames;
/// Writing without waiting, to descriptors shared with others.
mod outlet;
/// The loop that moves everything.
mod pump;
/// Signals that are meant for the container.
mod signals;
/// Raw mode and size of the user's terminal.
mod terminal;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::protocol::{Attach, Exec, ExitRecord, Failed, Kind};
use rustix::pipe::{PipeFlags, pipe_with};

pub use connection::Connection;
pub use detach::DetachKeys;
pub use runtime::protocol::WindowSize;
pub use signals::Signals;
pub use terminal::{is_terminal, window_size};

use crate::error::{Context, Error, ErrorKind, Result};

/// A process that runs under a supervisor, and this end of its streams.
#[derive(Debug)]
pub struct Session {
    container: String,
    connection: Connection,
    streams: Streams,
}

/// The connection to the supervisor of a process that ends with it.
#[derive(Debug)]
pub struct Leash(OwnedFd);

impl Leash {
    /// Ends the connection, and with it the process.
    pub fn cut(&self) {
        rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both).ok();
    }
}

/// Where the streams of the process are.
#[derive(Debug)]
enum Streams {
    /// In frames on the connection.
    Framed,
    /// In pipes of their own. None once an end was reached, or where /dev/null is.
    Pipes { stdin: Option<OwnedFd>, stdout: Option<OwnedFd>, stderr: Option<OwnedFd> },
    /// Behind the master of its terminal; None once its other side is closed.
    Terminal(Option<OwnedFd>),
}

/// This side of a session: the descriptors of the command's user.
#[derive(Debug)]
pub struct Io<'a> {
    /// What is typed, if the process shall get it.
    pub stdin: Option<BorrowedFd<'a>>,
    /// Where the output goes.
    pub stdout: BorrowedFd<'a>,
    /// Where the error output goes; unused with a terminal.
    pub stderr: BorrowedFd<'a>,
    /// Whether the process has a terminal. Then this side's becomes raw, its size follows, and `keys` detach.
    pub tty: bool,
    /// What leaves the process running.
    pub keys: DetachKeys,
    /// Held since before the process was started.
    pub signals: Signals,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The process has ended with this status; 128 + n after signal n.
    Exited(i32),
    /// The keys for that were typed: the process goes on.
    Detached,
    /// Nobody reads the output any more (`| head`): the process goes on.
    OutputClosed,
    /// Three times in a row SIGINT, SIGTERM or SIGQUIT came, and the process has answered with nothing: it goes on.
    Ignored,
}

impl Session {
    /// Of a container whose supervisor was just sent its `Request` with `attach`: waits until the container runs.
    /// `container` is the name that errors give it.
    ///
    /// # Errors
    /// `Start` with the supervisor's own words and exit code when it does not, `System` when the supervisor is gone.
    pub fn started(container: &str, mut connection: Connection) -> Result<Session> {
        wait_for_start(container, &mut connection)?;
        Ok(Session::new(container, connection, Streams::Framed))
    }

    /// Hears the output of a process without a terminal until it has ended: `each` gets what it wrote, and whether that is what
    /// it complains about. Returns its exit status.
    ///
    /// # Errors
    /// `System` when the supervisor is gone, or the leash was cut.
    pub fn hear(mut self, mut each: impl FnMut(bool, &[u8])) -> Result<i32> {
        let lost = || lost(&self.container);
        loop {
            match self.connection.receive().context(lost)? {
                Some((Kind::Stdout, bytes)) => each(false, &bytes),
                Some((Kind::Stderr, bytes)) => each(true, &bytes),
                Some((Kind::Exited, record)) => {
                    let record: ExitRecord =
                        serde_json::from_slice(&record).map_err(|_| lost_error(&self.container))?;
                    // It closes the connection when it has deleted what is its own.
                    while self.connection.receive().context(lost)?.is_some() {}
                    return Ok(record.exit_code);
                }
                Some(_) => {}
                None => return Err(lost_error(&self.container)),
            }
        }
    }

    /// What ends the process if it is leashed, from another thread.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn leash(&self) -> Result<Leash> {
        let socket = self.connection.as_fd().try_clone_to_owned().context(|| "a further descriptor")?;
        Ok(Leash(socket))
    }

    /// On the main process of a running container, over a new connection to its supervisor.
    ///
    /// # Errors
    /// As [`Session::started`].
    pub fn attach(container: &str, mut connection: Connection, request: &Attach) -> Result<Session> {
        connection.send(Kind::Attach, request, &[]).context(|| lost(container))?;
        Session::started(container, connection)
    }

    /// Of a further process in a running container, over a new connection to its supervisor: waits until it runs.
    /// Without a terminal, `stdin` tells whether the process gets a pipe to read from, or /dev/null.
    ///
    /// # Errors
    /// As [`Session::started`].
    pub fn exec(container: &str, mut connection: Connection, request: &Exec, stdin: bool) -> Result<Session> {
        if request.process.terminal() == Some(true) {
            connection.send(Kind::Exec, request, &[]).context(|| lost(container))?;
            wait_for_start(container, &mut connection)?;
            let master = connection.take_descriptors().pop().ok_or_else(|| lost_error(container))?;
            return Ok(Session::new(container, connection, Streams::Terminal(Some(master))));
        }
        let (its_stdin, stdin) = if stdin { pipe()? } else { (null()?, None) };
        let (stdout, its_stdout) = output_pipe()?;
        let (stderr, its_stderr) = output_pipe()?;
        let theirs = [its_stdin.as_fd(), its_stdout.as_fd(), its_stderr.as_fd()];
        connection.send(Kind::Exec, request, &theirs).context(|| lost(container))?;
        drop((its_stdin, its_stdout, its_stderr));
        wait_for_start(container, &mut connection)?;
        Ok(Session::new(container, connection, Streams::Pipes { stdin, stdout, stderr }))
    }

    /// Moves everything between the process and `io` until the process has ended and all its output is written, or
    /// until this side leaves it.
    ///
    /// # Errors
    /// `System` when the supervisor goes away, or when the output cannot be written (a full disk).
    pub fn pump(self, io: Io<'_>) -> Result<Outcome> {
        pump::Pump::new(self, io)?.run()
    }

    /// Another reference to the connection, over which nothing comes any more once the process has ended but its end: then
    /// the supervisor has done all that it does.
    ///
    /// # Errors
    /// `System` when there are no descriptors left.
    pub fn until_done(&self) -> Result<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(self.connection.as_fd(), 0).context(|| "copying a descriptor")
    }

    fn new(container: &str, connection: Connection, streams: Streams) -> Session {
        Session { container: container.to_owned(), connection, streams }
    }
}

/// Waits for the frame that says that the process runs, or why not.
fn wait_for_start(container: &str, connection: &mut Connection) -> Result<()> {
    match connection.receive().context(|| lost(container))? {
        Some((Kind::Started | Kind::Ok, _)) => Ok(()),
        Some((Kind::Failed, payload)) => Err(refusal(container, &payload)),
        Some(_) | None => Err(lost_error(container)),
    }
}

/// The error that a `Failed` frame stands for.
pub(crate) fn refusal(container: &str, payload: &[u8]) -> Error {
    let Ok(failed) = serde_json::from_slice::<Failed>(payload) else { return lost_error(container) };
    let error = Error::new(ErrorKind::Start, failed.message).with_exit_code(failed.exit_code);
    match failed.hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn lost(container: &str) -> String {
    format!("the supervisor of container {container} went away")
}

fn lost_error(container: &str) -> Error {
    Error::new(ErrorKind::System, lost(container))
}

fn pipe() -> Result<(OwnedFd, Option<OwnedFd>)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).context(|| "cannot make a pipe")?;
    Ok((reader, Some(writer)))
}

fn output_pipe() -> Result<(Option<OwnedFd>, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).context(|| "cannot make a pipe")?;
    Ok((Some(reader), writer))
}

fn null() -> Result<OwnedFd> {
    Ok(std::fs::File::open("/dev/null").context(|| "/dev/null")?.into())
}
