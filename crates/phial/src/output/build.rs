//! How a build looks while it goes on: a tree on a terminal, lines elsewhere, JSON for programs. All of it goes to standard error:
//! standard output has only what was asked for.
//!
//! Whatever steps write is a stranger's: what a terminal would obey is taken out before it is shown.

/// Bytes of a program as lines.
mod lines;
/// All that a step has written.
mod log;
/// One line after the other.
mod plain;
/// For programs.
mod rawjson;
/// What is known of a build.
mod state;
/// What is said in the end.
mod summary;
/// A tree that moves.
mod tty;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use build::progress::{Ending, Event, Watch};

use state::State;

/// Between two pictures of a tree.
const FRAME: Duration = Duration::from_millis(100);

/// Events that wait to be shown. A build that is faster than its display waits then, so that memory is bounded.
const QUEUE: usize = 1024;

/// What it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One line after the other.
    Plain,
    /// A tree that moves.
    Tty,
    /// Nothing, unless a step fails: then what it has written.
    Quiet,
    /// Nothing.
    Nothing,
    /// Objects of JSON, as `BuildKit`'s `SolveStatus`.
    RawJson,
}

/// Whoever shows events.
trait Printer {
    /// Something has happened, and `state` knows it already. `lines` has what is now whole of a step's output.
    fn event(&mut self, at: SystemTime, event: &Event, lines: &[String], state: &State) -> io::Result<()>;

    /// Nothing more has happened for now: what was written is to be seen.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Time has passed.
    fn tick(&mut self, _now: SystemTime, _state: &State) -> io::Result<()> {
        Ok(())
    }

    /// Nothing will happen any more.
    fn end(&mut self, _now: SystemTime, _state: &State) -> io::Result<()> {
        Ok(())
    }
}

/// Shows a build, in a thread of its own: none of the build's threads waits for a terminal.
pub(crate) struct Display {
    mode: Mode,
    sender: Option<SyncSender<(SystemTime, Event)>>,
    thread: Option<JoinHandle<State>>,
}

impl Display {
    /// Begins.
    pub(crate) fn start(mode: Mode, is_colored: bool) -> Display {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let show = move || {
            let state = State::new(matches!(mode, Mode::Tty | Mode::Quiet));
            // Standard error itself has no buffer: a line would be several writes.
            let out = BufWriter::new(io::stderr());
            match mode {
                Mode::Plain => shown(&receiver, plain::Plain::new(out), state, None),
                Mode::RawJson => shown(&receiver, rawjson::RawJson::new(out), state, None),
                Mode::Quiet => shown(&receiver, Quiet(out), state, None),
                Mode::Nothing => shown(&receiver, Quiet(io::sink()), state, None),
                Mode::Tty => {
                    let tree = tty::Tree::new(out, tty::size_of_terminal, is_colored);
                    shown(&receiver, tree, state, Some(FRAME))
                }
            }
        };
        Display { mode, sender: Some(sender), thread: Some(std::thread::spawn(show)) }
    }

    /// Waits until everything is shown, and says where the time went.
    pub(crate) fn finish(mut self, has_succeeded: bool) {
        let Some(state) = self.stop() else { return };
        if matches!(self.mode, Mode::Plain | Mode::Tty) {
            // Nobody can be told that standard error is gone.
            let _ = io::stderr().write_all(summary::text(&state, has_succeeded).as_bytes());
        }
    }

    fn stop(&mut self) -> Option<State> {
        self.sender = None;
        self.thread.take()?.join().ok()
    }
}

impl Watch for Display {
    fn event(&self, at: SystemTime, event: Event) {
        if let Some(sender) = &self.sender {
            // The thread is there as long as the sender is.
            let _ = sender.send((at, event));
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether standard error is a terminal that a tree can move on.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Shows lines of a file with what is wrong in them. Whoever has made the report has replaced what a terminal would obey.
pub(crate) fn excerpt(report: &str) {
    // Nobody can be told that standard error is gone.
    let _ = writeln!(io::stderr(), "{report}\n");
}

/// Shows everything that comes, until nothing can come any more. What cannot be written is not shown: the build goes on.
fn shown(
    receiver: &Receiver<(SystemTime, Event)>,
    mut printer: impl Printer,
    mut state: State,
    frame: Option<Duration>,
) -> State {
    let mut next = Instant::now();
    loop {
        let next_event = receiver.try_recv().or_else(|_| {
            // What has come at once is written at once.
            let _ = printer.flush();
            match frame {
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => receiver.recv_timeout(next.saturating_duration_since(Instant::now())),
            }
        });
        match next_event {
            Ok((at, event)) => {
                let lines = state.apply(at, &event);
                let _ = printer.event(at, &event, &lines, &state);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if let Some(frame) = frame
            && Instant::now() >= next
        {
            let _ = printer.tick(SystemTime::now(), &state);
            next = Instant::now() + frame;
        }
    }
    let _ = printer.end(SystemTime::now(), &state);
    state
}

/// Shows what failed steps have written, once all is over.
struct Quiet<W>(W);

impl<W: Write> Printer for Quiet<W> {
    fn event(&mut self, _: SystemTime, _: &Event, _: &[String], _: &State) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: SystemTime, state: &State) -> io::Result<()> {
        failed_logs(&mut self.0, state)
    }
}

/// All that failed steps have written.
fn failed_logs(out: &mut impl Write, state: &State) -> io::Result<()> {
    let steps = state.order.iter().filter_map(|id| state.steps.get(id));
    for step in steps.filter(|step| matches!(step.ended, Some((Ending::Failed(_), _))) && !step.tail.is_empty()) {
        writeln!(out, "------\n > {}:", step.name)?;
        step.log.borrow_mut().copy_to(out)?;
        writeln!(out, "------")?;
    }
    out.flush()
}

/// A time as displays of builds have it: `0.4s`, `1m12.3s`.
fn seconds(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    let seconds = format!("{}.{}s", tenths / 10, tenths % 10);
    if minutes > 0 { format!("{minutes}m{seconds:0>5}") } else { seconds }
}

#[cfg(test)]
mod tests;
