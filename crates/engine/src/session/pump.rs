//! The loop of a foreground command: one thread, one `poll`, every event in one place.
//!
//! A source is read only while the outlet behind it is empty, so a slow reader slows the process down instead of
//! filling memory here, and nothing waits on one descriptor while another has something to say.

/// The user's half.
mod input;

use std::os::fd::{AsFd, BorrowedFd};

use runtime::protocol::{ExitRecord, HEADER, Kind, MAX_DATA};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};

use super::connection::{Connection, Fill};
use super::outlet::Outlet;
use super::terminal::{RawMode, is_terminal};
use super::{Io, Outcome, Session, Streams};
use crate::error::{Context, Error, Result};

/// Which of the two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// What `poll` can tell.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A signal has come.
    Signal,
    /// The supervisor says something.
    Supervisor,
    /// The supervisor takes frames again.
    SupervisorRoom,
    /// Something was typed.
    Typed,
    /// The process takes input again.
    ProcessRoom,
    /// The process wrote something.
    Output(Stream),
    /// The user's side takes output again.
    OutputRoom(Stream),
}

/// The whole state of the loop.
pub(super) struct Pump<'a> {
    container: String,
    connection: Connection,
    streams: Streams,
    io: Io<'a>,
    /// Frames to the supervisor.
    control: Outlet,
    /// Input to a process with streams of its own.
    input: Outlet,
    stdout: Outlet,
    stderr: Outlet,
    raw: Option<RawMode>,
    buffer: Vec<u8>,
    requests_to_end: u32,
    exited: Option<i32>,
    left: Option<Outcome>,
}

impl<'a> Pump<'a> {
    /// Makes the user's terminal raw, if the process has one as well.
    pub(super) fn new(session: Session, io: Io<'a>) -> Result<Pump<'a>> {
        let raw = match io.stdin {
            Some(stdin) if io.tty && is_terminal(stdin) => {
                Some(RawMode::enter(stdin).context(|| "cannot make the terminal raw")?)
            }
            _ => None,
        };
        let Session { container, connection, streams } = session;
        Ok(Pump {
            container,
            connection,
            streams,
            io,
            control: Outlet::default(),
            input: Outlet::default(),
            stdout: Outlet::default(),
            stderr: Outlet::default(),
            raw,
            buffer: Vec::new(),
            requests_to_end: 0,
            exited: None,
            left: None,
        })
    }

    /// Runs until the process has ended and all was written, or until this side leaves.
    pub(super) fn run(mut self) -> Result<Outcome> {
        // A frame may have come in one piece with the one that told of the start.
        self.take_frames()?;
        loop {
            if let Some(outcome) = self.left {
                return Ok(outcome);
            }
            if let Some(code) = self.exited
                && !self.is_output_pending()
                && [Stream::Out, Stream::Err].into_iter().all(|stream| self.source(stream).is_none())
            {
                return Ok(Outcome::Exited(code));
            }
            let events = self.wait()?;
            if let Some(code) = self.exited
                && !self.is_output_pending()
                && !events.iter().any(|event| matches!(event, Event::Output(_)))
            {
                return Ok(Outcome::Exited(code));
            }
            for event in events {
                self.handle(event)?;
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Signal => self.forward_signals(),
            Event::Supervisor => self.listen(),
            Event::SupervisorRoom => self.flush_control(),
            Event::Typed => self.take_typed(),
            Event::ProcessRoom => {
                self.flush_input();
                Ok(())
            }
            Event::Output(stream) => self.take_output(stream),
            Event::OutputRoom(stream) => {
                let (outlet, to) = self.outlet(stream);
                let result = outlet.flush(to);
                self.written(stream, result)?;
                self.take_frames()
            }
        }
    }

    /// Waits for the next events. Once the process has ended only its remaining output counts, and what is not there
    /// now will not come: whoever still holds its streams is not the process.
    fn wait(&self) -> Result<Vec<Event>> {
        let interests = self.interests();
        let mut descriptors: Vec<PollFd<'_>> =
            interests.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let draining = self.exited.is_some() && !self.is_output_pending();
        match poll(&mut descriptors, draining.then_some(&at_once)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::system("cannot wait for the container", errno)),
        }
        let ready = descriptors.iter().zip(&interests).filter(|(descriptor, _)| !descriptor.revents().is_empty());
        Ok(ready.map(|(_, (event, ..))| *event).collect())
    }

    fn interests(&self) -> Vec<(Event, BorrowedFd<'_>, PollFlags)> {
        let mut list = Vec::with_capacity(8);
        let mut add = |event, fd, flags| list.push((event, fd, flags));
        add(Event::Signal, self.io.signals.as_fd(), PollFlags::IN);
        let framed = matches!(self.streams, Streams::Framed);
        if self.exited.is_none() {
            if !(framed && self.is_output_pending()) {
                add(Event::Supervisor, self.connection.as_fd(), PollFlags::IN);
            }
            if self.control.is_pending() {
                add(Event::SupervisorRoom, self.connection.as_fd(), PollFlags::OUT);
            }
            if let Some(stdin) = self.io.stdin
                && !self.control.is_pending()
                && !self.input.is_pending()
            {
                add(Event::Typed, stdin, PollFlags::IN);
            }
            if let Some(process) = self.process_input()
                && self.input.is_pending()
            {
                add(Event::ProcessRoom, process, PollFlags::OUT);
            }
        }
        for (stream, outlet, to) in
            [(Stream::Out, &self.stdout, self.io.stdout), (Stream::Err, &self.stderr, self.io.stderr)]
        {
            if outlet.is_pending() {
                add(Event::OutputRoom(stream), to, PollFlags::OUT);
            } else if let Some(source) = self.source(stream) {
                add(Event::Output(stream), source, PollFlags::IN);
            }
        }
        list
    }

    /// Where the output of a process with streams of its own comes from.
    fn source(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match (&self.streams, stream) {
            (Streams::Terminal(source) | Streams::Pipes { stdout: source, .. }, Stream::Out)
            | (Streams::Pipes { stderr: source, .. }, Stream::Err) => source.as_ref().map(AsFd::as_fd),
            _ => None,
        }
    }

    /// Where the input of a process with streams of its own goes.
    fn process_input(&self) -> Option<BorrowedFd<'_>> {
        match &self.streams {
            Streams::Framed => None,
            Streams::Pipes { stdin, .. } => stdin.as_ref().map(AsFd::as_fd),
            Streams::Terminal(master) => master.as_ref().map(AsFd::as_fd),
        }
    }

    fn is_output_pending(&self) -> bool {
        self.stdout.is_pending() || self.stderr.is_pending()
    }

    fn listen(&mut self) -> Result<()> {
        match self.connection.fill().context(|| super::lost(&self.container))? {
            Fill::Some => self.take_frames(),
            Fill::Nothing => Ok(()),
            Fill::Closed => Err(super::lost_error(&self.container)),
        }
    }

    /// Takes the frames that are here, until one finds no room.
    fn take_frames(&mut self) -> Result<()> {
        while self.exited.is_none() && !self.is_output_pending() {
            let next = self.connection.next().context(|| super::lost(&self.container))?;
            let Some((kind, payload)) = next else { break };
            let payload = self.connection.payload(payload);
            match kind {
                Kind::Stdout => {
                    let result = self.stdout.write(self.io.stdout, payload);
                    self.written(Stream::Out, result)?;
                }
                Kind::Stderr => {
                    let result = self.stderr.write(self.io.stderr, payload);
                    self.written(Stream::Err, result)?;
                }
                Kind::Exited => {
                    let record: ExitRecord =
                        serde_json::from_slice(payload).map_err(|_| super::lost_error(&self.container))?;
                    self.exited = Some(record.exit_code);
                }
                Kind::Failed => return Err(super::refusal(&self.container, payload)),
                // What a newer supervisor may add for information is no reason to give up.
                _ => {}
            }
        }
        Ok(())
    }

    fn take_output(&mut self, stream: Stream) -> Result<()> {
        let mut buffer = self.take_buffer();
        let Some(source) = self.source(stream) else { return Ok(()) };
        match read(source, &mut buffer[..]) {
            Ok(0) | Err(Errno::IO) => self.close_source(stream),
            Ok(count) => {
                let (outlet, to) = self.outlet(stream);
                let result = outlet.write(to, &buffer[..count]);
                self.written(stream, result)?;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(Error::system("cannot read the output", errno)),
        }
        self.buffer = buffer;
        Ok(())
    }

    fn close_source(&mut self, stream: Stream) {
        match (&mut self.streams, stream) {
            (Streams::Terminal(source), _)
            | (Streams::Pipes { stdout: source, .. }, Stream::Out)
            | (Streams::Pipes { stderr: source, .. }, Stream::Err) => *source = None,
            (Streams::Framed, _) => {}
        }
    }

    fn outlet(&mut self, stream: Stream) -> (&mut Outlet, BorrowedFd<'a>) {
        match stream {
            Stream::Out => (&mut self.stdout, self.io.stdout),
            Stream::Err => (&mut self.stderr, self.io.stderr),
        }
    }

    /// Judges a write to the user's side. A reader that is gone ends the session on stdout, as it ends any program in
    /// a pipeline; without a reader of stderr the rest is still worth something.
    fn written(&mut self, stream: Stream, result: Result<(), Errno>) -> Result<()> {
        match (result, stream) {
            (Ok(()), _) => Ok(()),
            (Err(Errno::PIPE | Errno::CONNRESET | Errno::IO), Stream::Out) => {
                self.stdout.forget();
                self.left = Some(Outcome::OutputClosed);
                Ok(())
            }
            (Err(Errno::PIPE | Errno::CONNRESET | Errno::IO), Stream::Err) => {
                self.stderr.forget();
                Ok(())
            }
            (Err(errno), _) => Err(Error::system("cannot write the container's output", errno)),
        }
    }

    /// Room for a header and one read.
    fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(HEADER + MAX_DATA, 0);
        buffer
    }
}
