//! Asking the container how it is: a further process now and then, whose exit status says so.
//!
//! Docker's rules: failures within the start period do not count until a check was passed; so many in a row make the
//! container unhealthy, one that is passed makes it healthy again. A check that takes too long is killed.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use oci_spec::runtime::Process;
use runtime::protocol::policy::{Check, HEALTH_FILE, Health, HealthCheck, HealthStatus, MOST_CHECKS, MOST_OUTPUT};
use runtime::protocol::{Exec, Request, VERSION};
use runtime::{Error, Result};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::further;
use super::poll::{Event, Interest, Poll};
use super::record;
use super::start::Started;

/// The checks of one container.
pub(super) struct Checks {
    check: HealthCheck,
    health: Health,
    /// When the container was started, or goes on.
    begun: Instant,
    /// When the next one is due; None while one runs, or the container does not.
    next: Option<Instant>,
    running: Option<Running>,
}

/// A check that runs.
struct Running {
    pid: Pid,
    pidfd: OwnedFd,
    output: Option<OwnedFd>,
    text: Vec<u8>,
    /// RFC 3339.
    start: String,
    /// Whether failing counts although the container has never been well.
    counts: bool,
    until: Instant,
    killed: bool,
}

impl Checks {
    pub(super) fn new(check: HealthCheck) -> Checks {
        let health = Health { status: HealthStatus::Starting, failing_streak: 0, log: Vec::new() };
        Checks { check, health, begun: Instant::now(), next: None, running: None }
    }

    pub(super) fn status(&self) -> HealthStatus {
        self.health.status
    }

    /// The container was started.
    pub(super) fn begin(&mut self, request: &Request) {
        self.health.status = HealthStatus::Starting;
        self.health.failing_streak = 0;
        self.begun = Instant::now();
        self.resume();
        self.save(request);
    }

    /// The container goes on after a pause.
    pub(super) fn resume(&mut self) {
        self.next = Some(Instant::now() + self.interval());
    }

    /// The container does not run. A check that does says nothing any more.
    pub(super) fn suspend(&mut self, poll: &Poll) {
        self.next = None;
        if let Some(running) = self.running.take() {
            pidfd_send_signal(&running.pidfd, Signal::KILL).ok();
            running.output.iter().for_each(|output| poll.forget(output));
        }
    }

    /// The container has ended: whoever asks shall not take it for well.
    pub(super) fn end(&mut self, request: &Request, poll: &Poll) {
        self.suspend(poll);
        self.health.status = HealthStatus::Unhealthy;
        self.save(request);
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next.or(self.running.as_ref().filter(|running| !running.killed).map(|running| running.until))
    }

    /// Does what is due; true if the status is another one now.
    pub(super) fn due(&mut self, request: &Request, started: &Started, poll: &Poll) -> bool {
        let (now, before) = (Instant::now(), self.health.status);
        if self.next.is_some_and(|next| next <= now) {
            self.next = None;
            let start = record::now();
            match self.start(started, poll, &start) {
                Ok(running) => self.running = Some(running),
                Err(error) => self.note(request, -1, &error.to_string(), start, self.counts()),
            }
        }
        if let Some(running) = self.running.as_mut().filter(|running| running.until <= now) {
            running.killed = true;
            // It is reaped like any other end.
            pidfd_send_signal(&running.pidfd, Signal::KILL).ok();
        }
        before != self.health.status
    }

    fn start(&self, started: &Started, poll: &Poll, start: &str) -> Result<Running> {
        let mut process: Process = started.process_for_checks.clone().unwrap_or_default();
        process.set_args(Some(self.check.command.clone())).set_terminal(Some(false));
        let failed = |errno: Errno| Error::system("health check", errno);
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(failed)?;
        // What the process writes to is its own: only our end does not wait.
        rustix::io::ioctl_fionbio(&writer, false).map_err(failed)?;
        let null = File::open("/dev/null").map_err(|error| Error::system("/dev/null", error))?;
        let second = rustix::io::fcntl_dupfd_cloexec(&writer, 0).map_err(failed)?;
        let exec = Exec { version: VERSION, id: String::new(), process, window: None };
        let streams = vec![OwnedFd::from(null), writer, second];
        let child = further::start(started, started.process.pidfd.as_fd(), &exec, streams)?.child;
        poll.watch(&reader, Event::Check, Interest::READ).map_err(failed)?;
        Ok(Running {
            pid: child.pid,
            pidfd: child.pidfd,
            output: Some(reader),
            text: Vec::new(),
            start: start.to_owned(),
            counts: self.counts(),
            until: Instant::now() + Duration::from_millis(self.check.timeout),
            killed: false,
        })
    }

    /// Takes what the check has written; true while there may be more.
    pub(super) fn read(&mut self, poll: &Poll) -> bool {
        let Some(running) = &mut self.running else { return false };
        let Some(output) = &running.output else { return false };
        let mut buffer = [0; 1024];
        match rustix::io::read(output, &mut buffer) {
            Ok(count) if count > 0 => {
                let room = (MOST_OUTPUT + 1).saturating_sub(running.text.len());
                running.text.extend_from_slice(&buffer[..count.min(room)]);
                true
            }
            Err(Errno::INTR) => true,
            Err(Errno::AGAIN) => false,
            Ok(_) | Err(_) => {
                poll.forget(output);
                running.output = None;
                false
            }
        }
    }

    /// A process has ended; true if it was the check, and the status is another one now.
    pub(super) fn reaped(&mut self, pid: Pid, exit_code: i32, request: &Request, poll: &Poll) -> bool {
        if self.running.as_ref().is_none_or(|running| running.pid != pid) {
            return false;
        }
        // Something that it has left may write on without end: what counts is what was there.
        for _ in 0..=MOST_OUTPUT / 1024 {
            if !self.read(poll) {
                break;
            }
        }
        let Some(running) = self.running.take() else { return false };
        running.output.iter().for_each(|output| poll.forget(output));
        let before = self.health.status;
        let text = output(&running.text);
        let (exit_code, text) = match (running.killed, text.is_empty()) {
            (false, _) => (exit_code, text),
            (true, true) => (-1, format!("Health check exceeded timeout ({})", self.timeout())),
            (true, false) => (-1, format!("Health check exceeded timeout ({}): {text}", self.timeout())),
        };
        self.note(request, exit_code, &text, running.start, running.counts);
        before != self.health.status
    }

    fn note(&mut self, request: &Request, exit_code: i32, output: &str, start: String, counts: bool) {
        let health = &mut self.health;
        if health.log.len() == MOST_CHECKS {
            health.log.remove(0);
        }
        health.log.push(Check { start, end: record::now(), exit_code, output: output.to_owned() });
        if exit_code == 0 {
            health.failing_streak = 0;
            health.status = HealthStatus::Healthy;
        } else if counts || health.status != HealthStatus::Starting {
            health.failing_streak = health.failing_streak.saturating_add(1);
            if health.failing_streak >= self.check.retries {
                health.status = HealthStatus::Unhealthy;
            }
        }
        self.next = Some(Instant::now() + self.interval());
        self.save(request);
    }

    fn interval(&self) -> Duration {
        let waits = !self.counts() && self.health.status == HealthStatus::Starting;
        Duration::from_millis(if waits { self.check.start_interval } else { self.check.interval })
    }

    /// Whether the start period is over.
    fn counts(&self) -> bool {
        self.begun.elapsed() >= Duration::from_millis(self.check.start_period)
    }

    fn timeout(&self) -> String {
        match self.check.timeout {
            whole if whole % 1000 == 0 => format!("{}s", whole / 1000),
            part => format!("{part}ms"),
        }
    }

    fn save(&self, request: &Request) {
        // What cannot be written, nobody reads; the container goes on.
        record::replace(&request.run_dir, HEALTH_FILE, &self.health).ok();
    }
}

/// As docker shows it: at most so much, and what goes on is marked.
fn output(text: &[u8]) -> String {
    let mut shown = String::from_utf8_lossy(&text[..text.len().min(MOST_OUTPUT)]).into_owned();
    if text.len() > MOST_OUTPUT {
        shown.push_str("...");
    }
    shown
}
