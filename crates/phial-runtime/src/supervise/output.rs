//! The container's streams, from the supervisor's side.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};

use runtime::protocol::WindowSize;
use rustix::io::Errno;
use rustix::termios::Winsize;

use super::log::Stream;
use super::poll::{Event, Interest, Poll};
use super::start::Streams;

/// Above this many bytes that the container has not read, no more are taken from clients.
const HIGH_WATER: usize = 64 * 1024;

/// Bytes that a terminal holds at most, and more: the kernel says of a pipe only how many there are. They are in two
/// buffers of 8 and 4 KiB (`drivers/tty/pty.c`, `n_tty.c`).
const TERMINAL: usize = 64 * 1024;

/// Reads what the container writes, writes what it reads.
#[derive(Debug)]
pub(super) struct Output {
    streams: Streams,
    pending_stdin: VecDeque<u8>,
    /// Stdin is closed once what is pending has been read.
    closing_stdin: bool,
    paused: bool,
}

impl Output {
    pub(super) fn new(streams: Streams, poll: &Poll) -> Result<Output, Errno> {
        if let Some(terminal) = &streams.terminal {
            super::set_nonblocking(terminal.as_fd())?;
        }
        let output = Output { streams, pending_stdin: VecDeque::new(), closing_stdin: false, paused: false };
        output.watch(poll)?;
        Ok(output)
    }

    fn watch(&self, poll: &Poll) -> Result<(), Errno> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(source) = self.source(stream) {
                let interest = Interest { read: !self.paused, write: self.types() };
                if interest.read || interest.write {
                    poll.watch(source, event(stream), interest)?;
                } else {
                    poll.forget(source);
                }
            }
        }
        Ok(())
    }

    /// Whether something is to be written to the terminal, whose one descriptor is watched for both directions.
    fn types(&self) -> bool {
        self.streams.terminal.is_some() && !self.pending_stdin.is_empty()
    }

    fn source(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        let descriptor = match stream {
            Stream::Stdout => self.streams.terminal.as_ref().or(self.streams.stdout.as_ref()),
            Stream::Stderr => self.streams.stderr.as_ref(),
        };
        descriptor.map(AsFd::as_fd)
    }

    /// Stops or resumes reading, because a client cannot keep up.
    pub(super) fn set_paused(&mut self, paused: bool, poll: &Poll) {
        if self.paused != paused {
            self.paused = paused;
            self.watch(poll).ok();
        }
    }

    /// Whether nothing is to be read for now.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Reads what is there; None when nothing is. A stream that has ended is closed.
    pub(super) fn read<'a>(&mut self, stream: Stream, buffer: &'a mut [u8], poll: &Poll) -> Option<&'a [u8]> {
        let source = self.source(stream)?;
        match rustix::io::read(source, &mut *buffer) {
            Ok(count) if count > 0 => Some(&buffer[..count]),
            Err(Errno::AGAIN | Errno::INTR) => None,
            // End of a pipe; a terminal answers EIO once its other side is closed.
            Ok(_) | Err(_) => {
                self.close(stream, poll);
                None
            }
        }
    }

    /// How many bytes wait to be read, at most.
    pub(super) fn waiting(&self, stream: Stream) -> usize {
        match self.source(stream) {
            None => 0,
            Some(_) if self.streams.terminal.is_some() => TERMINAL,
            Some(pipe) => {
                rustix::io::ioctl_fionread(pipe).map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
            }
        }
    }

    /// The container has ended: nothing is read or written any more. Who has got hold of a stream's other end is told so.
    pub(super) fn end(&mut self, poll: &Poll) {
        self.close(Stream::Stdout, poll);
        self.close(Stream::Stderr, poll);
        if let Some(stdin) = self.streams.stdin.take() {
            poll.forget(stdin);
        }
        self.pending_stdin = VecDeque::new();
    }

    fn close(&mut self, stream: Stream, poll: &Poll) {
        if let Some(source) = self.source(stream) {
            poll.forget(source);
        }
        match stream {
            Stream::Stdout if self.streams.terminal.is_some() => self.streams.terminal = None,
            Stream::Stdout => self.streams.stdout = None,
            Stream::Stderr => self.streams.stderr = None,
        }
    }

    /// Whether clients must wait before they send more stdin.
    pub(super) fn stdin_is_behind(&self) -> bool {
        self.pending_stdin.len() > HIGH_WATER
    }

    /// Passes bytes on to stdin, as far as they are taken at once; the rest is kept.
    pub(super) fn write_stdin(&mut self, bytes: &[u8], poll: &Poll) {
        if !self.closing_stdin {
            self.pending_stdin.extend(bytes);
        }
        self.flush_stdin(poll);
    }

    /// Closes stdin after what is pending. A terminal has no end of input.
    pub(super) fn close_stdin(&mut self, poll: &Poll) {
        if self.streams.terminal.is_none() {
            self.closing_stdin = true;
            self.flush_stdin(poll);
        }
    }

    /// Writes what is pending for stdin.
    pub(super) fn flush_stdin(&mut self, poll: &Poll) {
        if self.pending_stdin.is_empty() && !self.closing_stdin {
            return;
        }
        let Some(stdin) = self.streams.terminal.as_ref().or(self.streams.stdin.as_ref()) else {
            self.pending_stdin.clear();
            return;
        };
        while !self.pending_stdin.is_empty() {
            match rustix::io::write(stdin, self.pending_stdin.as_slices().0) {
                Ok(count) => drop(self.pending_stdin.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.await_stdin(poll);
                    return;
                }
                // Nobody reads it any more.
                Err(_) => self.pending_stdin.clear(),
            }
        }
        self.pending_stdin = VecDeque::new();
        if self.closing_stdin {
            self.streams.stdin = None;
        } else if let Some(stdin) = &self.streams.stdin {
            poll.forget(stdin);
        } else if self.streams.terminal.is_some() {
            self.watch(poll).ok();
        }
    }

    fn await_stdin(&self, poll: &Poll) {
        if let Some(stdin) = &self.streams.stdin {
            poll.watch(stdin, Event::StdinReady, Interest::WRITE).ok();
        } else {
            // Its event flushes stdin as well.
            self.watch(poll).ok();
        }
    }

    /// Gives the terminal, if there is one, another size.
    pub(super) fn resize(&self, size: WindowSize) {
        if let Some(terminal) = &self.streams.terminal {
            let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
            rustix::termios::tcsetwinsize(terminal, size).ok();
        }
    }
}

fn event(stream: Stream) -> Event {
    match stream {
        Stream::Stdout => Event::Stdout,
        Stream::Stderr => Event::Stderr,
    }
}
