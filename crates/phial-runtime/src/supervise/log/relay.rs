//! `mode=non-blocking`: another process writes the log, and what it has not taken yet waits here, up to a limit. Beyond
//! that output is lost; neither the container nor its supervisor ever waits for a disk.
//!
//! The other process is this program once more. It gets the log's description in a frame, then frames of output: four bytes
//! length (the largest last), one byte stream, eight bytes nanoseconds since 1970, the bytes. At the end of its input it
//! writes what is left and ends.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runtime::protocol::log::Log as Target;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::{Log, Stream};

/// What this program is called with to be the other process.
pub(crate) const WORD: &str = "write-log";

/// Descriptor under which it finds its input.
const INPUT: i32 = 3;

/// How long the end of the container waits for its log.
const PATIENCE: Duration = Duration::from_secs(2);

/// This end.
#[derive(Debug)]
pub(in crate::supervise) struct Relay {
    pipe: Option<OwnedFd>,
    writer: Pid,
    /// Whole frames, the first of which may have been sent in part.
    pending: VecDeque<u8>,
    most: usize,
}

impl Relay {
    /// Starts the other process.
    pub(super) fn start(target: &Target, most: u64) -> io::Result<Relay> {
        let (input, pipe) = pipe_with(PipeFlags::CLOEXEC)?;
        crate::supervise::set_nonblocking(pipe.as_fd())?;
        let program = File::open("/proc/self/exe")?;
        let writer = sys::spawn::detached(program.as_fd(), &["phial-runtime", WORD], &[input.as_fd()])?;
        let target = serde_json::to_vec(target)?;
        let mut pending = VecDeque::from(length(target.len()).to_vec());
        pending.extend(target);
        let mut relay = Relay { pipe: Some(pipe), writer, pending, most: usize::try_from(most).unwrap_or(usize::MAX) };
        relay.flush();
        Ok(relay)
    }

    /// Takes output; what does not fit is lost.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8], time: Timestamp) {
        if self.pipe.is_some() && self.pending.len() + bytes.len() <= self.most {
            self.pending.extend(length(bytes.len()));
            self.pending.push_back(stream as u8);
            self.pending.extend(i64::try_from(time.as_nanosecond()).unwrap_or_default().to_le_bytes());
            self.pending.extend(bytes);
        }
        self.flush();
    }

    /// Sends what the other process takes at once.
    pub(super) fn flush(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        while !self.pending.is_empty() {
            match rustix::io::write(pipe, self.pending.as_slices().0) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // It was killed.
                Err(_) => {
                    self.pipe = None;
                    self.pending.clear();
                    return;
                }
            }
        }
        if self.pending.capacity() > super::LONGEST_LINE {
            self.pending = VecDeque::new();
        }
    }

    /// What to wait for, until it can be written to; None if nothing waits.
    pub(super) fn waits(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.pending.is_empty()).map(AsFd::as_fd)
    }

    /// Sends the rest and waits until it is written, but not for long, however much or little of it goes on.
    pub(super) fn finish(&mut self) {
        let until = Instant::now() + PATIENCE;
        self.flush();
        while let Some(pipe) = self.waits() {
            if !is_ready(pipe, PollFlags::OUT, until) {
                break;
            }
            self.flush();
        }
        self.pipe = None;
        self.pending = VecDeque::new();
        let Ok(end) = rustix::process::pidfd_open(self.writer, rustix::process::PidfdFlags::empty()) else { return };
        if is_ready(end.as_fd(), PollFlags::IN, until) {
            waitpid(Some(self.writer), WaitOptions::NOHANG).ok();
        }
    }
}

/// Waits for a descriptor; false when the time is over.
fn is_ready(descriptor: BorrowedFd<'_>, what: PollFlags, until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    let limit = Timespec::try_from(left).unwrap_or_default();
    !left.is_zero()
        && poll(&mut [PollFd::from_borrowed_fd(descriptor, what)], Some(&limit)).is_ok_and(|count| count > 0)
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// The other process, from its beginning to its end.
pub(crate) fn write_for_another() -> ExitCode {
    rustix::thread::set_name(c"phial-log").ok();
    let Ok(input) = sys::exec::inherited(INPUT) else { return ExitCode::FAILURE };
    match copy(&mut BufReader::new(File::from(input))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn copy(input: &mut impl Read) -> io::Result<()> {
    let mut payload = vec![0; read_length(input)?.ok_or(io::ErrorKind::UnexpectedEof)?];
    input.read_exact(&mut payload)?;
    let mut log = Log::open(&serde_json::from_slice(&payload)?)?;
    while let Some(length) = read_length(input)? {
        let mut head = [0; 9];
        input.read_exact(&mut head)?;
        payload.resize(length, 0);
        input.read_exact(&mut payload)?;
        let [stream, time @ ..] = head;
        let time = Timestamp::from_nanosecond(i64::from_le_bytes(time).into()).unwrap_or_default();
        let stream = if stream == Stream::Stderr as u8 { Stream::Stderr } else { Stream::Stdout };
        log.write(stream, &payload, time);
    }
    log.finish(Timestamp::now());
    Ok(())
}

fn read_length(input: &mut impl Read) -> io::Result<Option<usize>> {
    let mut bytes = [0; 4];
    match input.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(|()| Some(u32::from_le_bytes(bytes) as usize)),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_end_waits_once_for_a_slow_writer() {
        let (mut input, pipe) = std::io::pipe().expect("a pipe");
        crate::supervise::set_nonblocking(pipe.as_fd()).expect("a pipe can be");
        let mut writer = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
        let all = 8 * 1024 * 1024;
        let pending = VecDeque::from(vec![0; all]);
        let mut relay = Relay { pipe: Some(pipe.into()), writer: Pid::from_child(&writer), pending, most: all };
        let got = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = input.read(&mut buffer) {
                    got.fetch_add(count, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            relay.finish();
            assert!(got.load(Ordering::Relaxed) < all / 2, "all was waited for");
        });
        drop(writer.stdin.take());
        writer.wait().expect("ends");
    }
}
