//! From one run of the container to the next: restart policy, stopping, what it is told with signals.
//!
//! Docker's rules. A container that has ended by itself is started again if its policy says so, after 100 ms, then twice
//! as long each time, up to a minute; one that ran for ten seconds begins anew with 100 ms. Who stops or kills it by
//! hand forbids that. Between two runs the supervisor stays, with lock and status.

use std::time::{Duration, Instant};

use net::attach::Attached;
use runtime::cgroup::{self, OomWatch};
use runtime::protocol::policy::{Patience, RUN_FILE, Reason, RestartPolicy, RunRecord, Stop};
use runtime::protocol::{ExitRecord, Phase, Request, Status, VERSION};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use super::client::Role;
use super::dispatch::Dispatcher;
use super::health::Checks;
use super::log::Kept;
use super::output::Output;
use super::poll::{Event, Interest, Poll};
use super::{network, record, start, tell};

/// The first wait before a restart, and the longest.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_mins(1);
/// A run of this length was a good one.
const GOOD_RUN: Duration = Duration::from_secs(10);
/// Seconds between the stop signal and SIGKILL when nobody says otherwise.
const STOP_TIMEOUT: u32 = 10;

/// What a container has behind it and before it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Life {
    pub(super) phase: Phase,
    /// When this run has begun.
    begun: Instant,
    /// How often the policy has started it.
    pub(super) restarts: u32,
    delay: Option<Duration>,
    /// When it is started again.
    restart_at: Option<Instant>,
    /// How the run before has ended, until the next begins.
    last: Option<ExitRecord>,
    /// How the run before this one has ended, if there was one.
    before: Option<ExitRecord>,
    /// Somebody has asked for the end: after it, there is no further run.
    is_final: bool,
    /// Somebody has asked for it who does not want to see the container after a boot.
    stopped: bool,
    /// Who has asked for the end wants to start it once more.
    pub(super) asked_for_another: bool,
    /// When it is killed, after somebody has asked for its end.
    kill_at: Option<Instant>,
    /// The client for as long as which it is paused, if it is not for longer.
    pub(super) paused_for: Option<u64>,
    pub(super) checks: Option<Checks>,
    oom: Option<OomWatch>,
    oom_killed: bool,
}

impl Life {
    pub(super) fn new(restarts: u32, checks: Option<Checks>) -> Life {
        Life {
            phase: Phase::Running,
            begun: Instant::now(),
            restarts,
            delay: None,
            restart_at: None,
            last: None,
            before: None,
            is_final: false,
            stopped: false,
            asked_for_another: false,
            kill_at: None,
            paused_for: None,
            checks,
            oom: None,
            oom_killed: false,
        }
    }

    /// There is nothing more to do.
    pub(super) fn over(&mut self, request: &Request, poll: &Poll) {
        (self.kill_at, self.restart_at, self.oom) = (None, None, None);
        if let Some(checks) = &mut self.checks {
            checks.end(request, poll);
        }
    }
}

impl Dispatcher {
    /// A run begins: others are told by files.
    pub(super) fn begin(&mut self) -> std::io::Result<()> {
        self.life.phase = Phase::Running;
        self.life.begun = Instant::now();
        self.life.before = match self.life.last.take() {
            None if self.request.again => record::last_end(&self.request),
            last => last,
        };
        self.life.stopped = false;
        self.life.oom_killed = false;
        self.watch_network();
        if self.started.limits_memory {
            self.watch_memory();
        }
        if let Some(checks) = &mut self.life.checks {
            checks.begin(&self.request);
        }
        self.save_status()?;
        if self.keeps_record() {
            self.save_run();
            // It told how the run before this one has ended.
            record::forget_end(&self.request);
        }
        tell::container(&self.request, "start", &[]);
        Ok(())
    }

    /// Whether it matters after a reboot that the container was started.
    pub(super) fn keeps_record(&self) -> bool {
        self.request.again || self.request.restart != RestartPolicy::No
    }

    pub(super) fn save_run(&self) {
        let stopped = self.life.stopped;
        let started_at = self.started.at.clone();
        let record = RunRecord { version: VERSION, started_at, stopped, restarts: self.life.restarts };
        // With the disk full a reboot finds the container as it was before.
        record::replace(&self.request.directory, RUN_FILE, &record).ok();
    }

    pub(super) fn save_status(&self) -> std::io::Result<()> {
        let waits = self.life.phase == Phase::Restarting;
        let status = Status {
            version: VERSION,
            pid: if waits { 0 } else { self.started.process.pid.as_raw_nonzero().get() },
            supervisor: rustix::process::getpid().as_raw_nonzero().get(),
            started_at: self.started.at.clone(),
            cgroups: self.started.cgroups.paths().map(ToOwned::to_owned).collect(),
            network: network::note(self.network.as_ref()),
            phase: self.life.phase,
            restarts: self.life.restarts,
            health: self.life.checks.as_ref().map(Checks::status),
            oom_killed: self.life.oom_killed,
            last: self.life.last.as_ref().or(self.life.before.as_ref()).cloned(),
        };
        record::running(&self.request, &status)
    }

    /// When something is to be done although nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let checks = self.life.checks.as_ref().and_then(Checks::deadline);
        let network = self.network.as_ref().and_then(Attached::deadline);
        [self.life.kill_at, self.life.restart_at, self.listen_at, checks, network].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn due(&mut self) {
        let now = Instant::now();
        if self.life.kill_at.is_some_and(|at| at <= now) {
            self.life.kill_at = None;
            self.end_by(Signal::KILL);
        }
        if self.life.restart_at.is_some_and(|at| at <= now) {
            self.life.restart_at = None;
            self.run_again();
        }
        if let Some(network) = self.network.as_mut().filter(|network| network.deadline().is_some_and(|at| at <= now)) {
            network.due(now);
        }
        if self.listen_at.is_some_and(|at| at <= now) {
            self.listen_again();
        }
        if let Some(checks) = &mut self.life.checks
            && checks.due(&self.request, &self.started, &self.poll)
        {
            self.tell_health();
        }
    }

    /// A run has ended: what follows?
    pub(super) fn run_ended(&mut self, mut record: ExitRecord) {
        record.oom_killed |= self.life.oom_killed;
        record.restarts = self.life.restarts;
        self.life.kill_at = None;
        self.life.oom = None;
        self.detach_networks();
        let asked = std::mem::take(&mut self.life.asked_for_another);
        // Who waits for the end, with or without the lock, gets it.
        if asked && self.clients_with(|role| matches!(role, Role::Stopping { .. })).is_empty() {
            if let Some(checks) = &mut self.life.checks {
                checks.suspend(&self.poll);
            }
            tell::died(&self.request, &record);
            self.tell_run_end(&record);
            (self.life.is_final, self.life.last) = (false, Some(record));
            return self.run_again();
        }
        let stays = self.life.is_final || self.life.stopped && self.request.restart == RestartPolicy::UnlessStopped;
        let again = !stays && self.request.restart.wants(record.exit_code, self.life.restarts);
        if !again {
            return self.end(record, true);
        }
        if let Some(checks) = &mut self.life.checks {
            checks.end(&self.request, &self.poll);
        }
        let delay = match self.life.delay {
            Some(delay) if self.life.begun.elapsed() < GOOD_RUN => (delay * 2).min(LONGEST_DELAY),
            _ => FIRST_DELAY,
        };
        self.life.delay = Some(delay);
        self.life.restart_at = Some(Instant::now() + delay);
        self.life.restarts += 1;
        self.life.phase = Phase::Restarting;
        self.life.last = Some(record.clone());
        if self.save_status().is_err() {
            record::forget_status(&self.request);
        }
        self.let_go();
        tell::died(&self.request, &record);
        sys::fault::point("supervisor: waits for a restart");
        self.tell_run_end(&record);
    }

    fn run_again(&mut self) {
        let Some(lock) = &self.lock else { return };
        let network = self.network.as_mut();
        let started = cgroup::detect()
            .and_then(|hierarchies| start::start(&self.request, hierarchies, lock, network))
            .and_then(|mut started| {
                let streams = std::mem::take(&mut started.streams);
                match Output::new(streams, &self.poll) {
                    Ok(output) => Ok((started, output)),
                    Err(errno) => Err(runtime::Error::system("streams", errno)),
                }
            });
        match started {
            Ok((started, output)) => {
                (self.started, self.output) = (started, output);
                if let Kept::Relayed(_) = self.kept {
                    // The process that wrote for the run before has ended with it.
                    self.kept = Kept::open(self.request.log.as_ref());
                }
                // Who cannot be told by files can still be told by the socket.
                if self.begin().is_err() {
                    record::forget_status(&self.request);
                }
            }
            Err(error) => {
                let last = self.life.last.take().unwrap_or_default();
                let (exit_code, restarts) = (error.exit_code(), self.life.restarts);
                self.end(ExitRecord { exit_code, error: Some(error.to_string()), restarts, ..last }, false);
            }
        }
    }

    pub(super) fn stop_as(&mut self, stop: Stop) {
        let own = self.request.stop_timeout.unwrap_or(STOP_TIMEOUT);
        let patience = match stop.timeout {
            Patience::Own => Some(own),
            Patience::Seconds(seconds) => Some(seconds),
            Patience::Endless => None,
        };
        let kill_at = patience.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        self.forbid_restart(stop.reason);
        if self.ended.is_some() {
            return;
        }
        // Of two who want its end the less patient one is heard.
        self.life.kill_at = [self.life.kill_at, kill_at].into_iter().flatten().min();
        self.end_by(stop.signal.and_then(sys::signal::number).unwrap_or(self.stop_signal()));
    }

    pub(super) fn stop_signal(&self) -> Signal {
        self.request.stop_signal.and_then(sys::signal::number).unwrap_or(Signal::TERM)
    }

    /// Sends a signal that is meant to end the container, and lets it hear that.
    fn end_by(&mut self, signal: Signal) {
        if let Some(last) = self.life.last.take() {
            self.life.restart_at = None;
            return self.end(last, false);
        }
        tell::container(&self.request, "kill", &[("signal", &signal.as_raw().to_string())]);
        // It may have ended just now.
        pidfd_send_signal(&self.started.process.pidfd, signal).ok();
        if self.life.phase == Phase::Paused {
            self.resume().ok();
        }
    }

    /// What is leashed does not outlive those who look at it.
    pub(super) fn end_of_leash(&mut self) {
        if self.request.leashed && self.clients_with(|role| matches!(role, Role::Attached { .. })).is_empty() {
            self.life.is_final = true;
            // It may have ended just now.
            pidfd_send_signal(&self.started.process.pidfd, Signal::KILL).ok();
        }
    }

    /// After its end the container stays ended.
    fn forbid_restart(&mut self, reason: Reason) {
        self.life.is_final = true;
        if reason == Reason::User && self.ended.is_none() {
            self.note_stop();
        }
    }

    /// Somebody wants it stopped: what is `unless-stopped` stays so.
    fn note_stop(&mut self) {
        self.life.stopped = true;
        if self.keeps_record() {
            self.save_run();
        }
    }

    /// A signal of somebody's choice, which may be meant to end the container.
    pub(super) fn signal_by_hand(&mut self, signal: Signal) -> Result<(), Errno> {
        let meaning = meaning(signal, self.request.stop_signal);
        let ends = meaning == Meaning::End;
        if ends {
            self.forbid_restart(Reason::User);
        } else if meaning == Meaning::Stop && self.life.phase != Phase::Restarting {
            self.note_stop();
        }
        if self.life.phase == Phase::Restarting {
            if let (true, Some(last)) = (ends, self.life.last.take()) {
                self.life.restart_at = None;
                self.end(last, false);
            }
            return Ok(());
        }
        pidfd_send_signal(&self.started.process.pidfd, signal)?;
        if ends && self.life.phase == Phase::Paused {
            self.resume().ok();
        }
        Ok(())
    }

    /// A client is gone that has paused the container: killed, if it has not let it go.
    pub(super) fn lease_ended(&mut self, number: u64) {
        if self.life.paused_for == Some(number) {
            self.resume().ok();
        }
    }

    /// Whether it hears when the container's memory is at its limit.
    pub(super) fn watches_memory(&self) -> bool {
        self.life.oom.is_some()
    }

    pub(super) fn watch_memory(&mut self) {
        self.life.oom = self.started.cgroups.watch_oom().ok();
        let watch = self.life.oom.as_ref();
        watch.map(|watch| self.poll.watch(watch, Event::Oom, Interest::READ));
    }

    /// The container's memory is at its limit.
    pub(super) fn out_of_memory(&mut self) {
        let Some(watch) = &mut self.life.oom else { return };
        if watch.read().is_ok_and(|times| times > 0) {
            self.life.oom_killed = true;
            self.save_status().ok();
            tell::container(&self.request, "oom", &[]);
        } else if watch.is_over() {
            self.poll.forget(watch);
        }
    }

    /// A health check has ended, perhaps.
    pub(super) fn check_ended(&mut self, pid: rustix::process::Pid, exit_code: i32) {
        if let Some(checks) = &mut self.life.checks
            && checks.reaped(pid, exit_code, &self.request, &self.poll)
        {
            self.tell_health();
        }
    }

    fn tell_health(&self) {
        let Some(checks) = &self.life.checks else { return };
        self.save_status().ok();
        tell::container(&self.request, &format!("health_status: {}", checks.status().name()), &[]);
    }
}

/// What somebody means with a signal.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// The end for good.
    End,
    /// That the container stops, if it takes it so: only the policy `unless-stopped` minds.
    Stop,
    /// Something between him and the process.
    Other,
}

/// SIGKILL and the signal that was chosen to stop the container are meant to end it; where none was chosen, so is
/// everything that a terminal or a service manager ends programs with. Docker takes any signal whatever for one of these,
/// so that a program asked to open its logs anew would not come back after a crash.
fn meaning(signal: Signal, own: Option<i32>) -> Meaning {
    let is_usual = [Signal::INT, Signal::QUIT, Signal::TERM].contains(&signal);
    match own {
        _ if signal == Signal::KILL => Meaning::End,
        Some(own) if signal.as_raw() == own => Meaning::End,
        Some(_) if is_usual => Meaning::Stop,
        None if is_usual || signal == Signal::HUP => Meaning::End,
        _ => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, Signal, meaning};

    #[test]
    fn what_signals_mean() {
        for (signal, own, expected) in [
            (Signal::KILL, None, Meaning::End),
            (Signal::INT, None, Meaning::End),
            (Signal::QUIT, None, Meaning::End),
            (Signal::TERM, None, Meaning::End),
            (Signal::HUP, None, Meaning::End),
            (Signal::USR1, None, Meaning::Other),
            (Signal::KILL, Some(Signal::QUIT), Meaning::End),
            (Signal::QUIT, Some(Signal::QUIT), Meaning::End),
            (Signal::USR1, Some(Signal::USR1), Meaning::End),
            (Signal::INT, Some(Signal::QUIT), Meaning::Stop),
            (Signal::TERM, Some(Signal::QUIT), Meaning::Stop),
            // With a signal of its own, this one has its file of settings read.
            (Signal::HUP, Some(Signal::QUIT), Meaning::Other),
        ] {
            assert_eq!(meaning(signal, own.map(Signal::as_raw)), expected, "{signal:?} {own:?}");
        }
    }
}
