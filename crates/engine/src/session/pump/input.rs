//! The user's half of the loop: keys, signals and window sizes, on their way to the process.

use std::os::fd::AsFd;

use runtime::protocol::{self, HEADER, Kind, header};
use rustix::io::{Errno, read};
use rustix::process::Signal;
use rustix::termios::{Winsize, tcsetwinsize};
use serde::Serialize;

use super::Pump;
use crate::error::{Context, Error, Result};
use crate::session::terminal::{RawMode, window_size};
use crate::session::{Outcome, Streams, lost};

/// After so many requests to end in a row the user gets the terminal back.
const PATIENCE: u32 = 3;

impl Pump<'_> {
    pub(super) fn take_typed(&mut self) -> Result<()> {
        let Some(stdin) = self.io.stdin else { return Ok(()) };
        let mut buffer = self.take_buffer();
        match read(stdin, &mut buffer[HEADER..]) {
            // A terminal that hung up, or that belongs to another job's session, reads as an error.
            Ok(0) | Err(Errno::IO) => self.end_input()?,
            Ok(count) => {
                self.requests_to_end = 0;
                self.pass_typed(&mut buffer[..HEADER + count])?;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(Error::system("cannot read standard input", errno)),
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Sends what was typed to the process, but for the keys that detach. `frame` has room for a header in front.
    fn pass_typed(&mut self, frame: &mut [u8]) -> Result<()> {
        if !self.io.tty {
            return self.pass_input(frame);
        }
        let mut passed = vec![0; HEADER];
        if self.io.keys.pass(&frame[HEADER..], &mut passed) {
            self.left = Some(Outcome::Detached);
        }
        if passed.len() > HEADER { self.pass_input(&mut passed) } else { Ok(()) }
    }

    fn pass_input(&mut self, frame: &mut [u8]) -> Result<()> {
        let sent = match &self.streams {
            Streams::Framed => {
                let header = header(Kind::Stdin, frame.len() - HEADER);
                frame[..HEADER].copy_from_slice(&header);
                return self.send(frame);
            }
            Streams::Pipes { stdin: Some(process), .. } | Streams::Terminal(Some(process)) => {
                self.input.write(process.as_fd(), &frame[HEADER..])
            }
            _ => Err(Errno::PIPE),
        };
        if sent.is_err() {
            self.stop_input();
        }
        Ok(())
    }

    pub(super) fn flush_input(&mut self) {
        let flushed = match &self.streams {
            Streams::Pipes { stdin: Some(process), .. } | Streams::Terminal(Some(process)) => {
                self.input.flush(process.as_fd())
            }
            _ => Err(Errno::PIPE),
        };
        if flushed.is_err() {
            self.stop_input();
        }
    }

    /// The user's input is at its end: the process shall see that.
    fn end_input(&mut self) -> Result<()> {
        self.stop_input();
        match self.streams {
            Streams::Framed => self.send(&header(Kind::StdinEnd, 0)),
            Streams::Pipes { .. } | Streams::Terminal(_) => Ok(()),
        }
    }

    /// Nobody takes input any more.
    fn stop_input(&mut self) {
        self.io.stdin = None;
        self.input.forget();
        if let Streams::Pipes { stdin, .. } = &mut self.streams {
            *stdin = None;
        }
    }

    pub(super) fn forward_signals(&mut self) -> Result<()> {
        while let Some(signal) = self.io.signals.take() {
            match Signal::from_named_raw(signal) {
                Some(Signal::WINCH) => self.resize()?,
                Some(Signal::CONT) => self.continue_after_stop()?,
                Some(Signal::INT | Signal::TERM | Signal::QUIT) => {
                    self.requests_to_end += 1;
                    if self.requests_to_end >= PATIENCE {
                        self.left = Some(Outcome::Ignored);
                    }
                    self.send_control(Kind::Signal, &protocol::Signal { signal })?;
                }
                _ => self.send_control(Kind::Signal, &protocol::Signal { signal })?,
            }
        }
        Ok(())
    }

    /// A shell has had the terminal in between, and may have left it in another mode and size.
    fn continue_after_stop(&mut self) -> Result<()> {
        if let (Some(_), Some(stdin)) = (&self.raw, self.io.stdin) {
            RawMode::again(stdin).context(|| "cannot make the terminal raw")?;
        }
        self.resize()
    }

    fn resize(&mut self) -> Result<()> {
        let Some(size) = window_size(self.io.stdout).filter(|_| self.io.tty) else { return Ok(()) };
        if let Streams::Terminal(master) = &self.streams {
            if let Some(master) = master {
                let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
                // A process that has just ended needs no size.
                let _ = tcsetwinsize(master, size);
            }
            return Ok(());
        }
        self.send_control(Kind::Resize, &size)
    }

    fn send_control(&mut self, kind: Kind, payload: &impl Serialize) -> Result<()> {
        let mut frame = vec![0; HEADER];
        serde_json::to_writer(&mut frame, payload).map_err(|error| Error::system("cannot word a frame", error))?;
        let length = frame.len() - HEADER;
        frame[..HEADER].copy_from_slice(&header(kind, length));
        self.send(&frame)
    }

    fn send(&mut self, frame: &[u8]) -> Result<()> {
        let sent = self.control.write(self.connection.as_fd(), frame);
        self.sent(sent)
    }

    pub(super) fn flush_control(&mut self) -> Result<()> {
        let sent = self.control.flush(self.connection.as_fd());
        self.sent(sent)
    }

    /// A supervisor that has closed its side may have said how the process ended before: that is still to be read.
    fn sent(&mut self, result: Result<(), Errno>) -> Result<()> {
        match result {
            Ok(()) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => {
                self.control.forget();
                self.io.stdin = None;
                Ok(())
            }
            Err(errno) => Err(Error::system(lost(&self.container), errno)),
        }
    }
}
