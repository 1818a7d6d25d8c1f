//! What clients ask for: every frame, and its answer.

use std::os::fd::AsFd;

use runtime::protocol::policy::{Pause, Reason, Stop, Update};
use runtime::protocol::{Attach, Exec, Failed, Kind, Phase, Signal, Started as StartedReply, WindowSize};
use runtime::{Error, ErrorKind, Result};
use rustix::process::pidfd_send_signal;
use serde::de::DeserializeOwned;

use super::client::{Frame, Role};
use super::dispatch::Dispatcher;
use super::further::{self, Further};
use super::{record, tell};

impl Dispatcher {
    pub(super) fn frame(&mut self, number: u64, frame: Frame) {
        let Some(client) = self.clients.get(&number) else { return };
        match (client.role, frame.kind) {
            (Role::New, Kind::Attach | Kind::Wait | Kind::Stop) if self.ended.is_some() => self.tell_end(number),
            (Role::New, Kind::Attach) => self.attach(number, &frame),
            (Role::New, Kind::Exec) => self.exec(number, frame),
            (Role::New, Kind::Wait) => self.set_role(number, Role::Waiting),
            (Role::New, Kind::Stop) => self.stop(number, &frame),
            (Role::New, Kind::Pause) => self.pause_for(number, &frame),
            // Somebody else may have let it go already, and then it is not this client's to do so.
            (Role::Pausing, Kind::Resume) if self.life.paused_for != Some(number) => self.answer(number, Ok(())),
            (Role::New | Role::Pausing, Kind::Resume) => {
                let done = self.resume();
                self.answer(number, done);
            }
            (Role::New, Kind::Update) => {
                let done = parse(&frame).map(|update| self.update(&update));
                self.answer(number, done);
            }
            (Role::New, Kind::Connect) => {
                let done = parse(&frame).and_then(|joining| self.connect(joining));
                self.answer(number, done);
            }
            (Role::New, Kind::Disconnect) => {
                let done = parse(&frame).and_then(|asked| self.disconnect(&asked));
                self.answer(number, done);
            }
            (Role::New, Kind::Note) => {
                let done = self.note_networks();
                self.answer(number, done);
            }
            (Role::New, Kind::Signal) => {
                let done = self.signal_of(&frame);
                self.answer(number, done);
            }
            (Role::Attached { stdin: true }, Kind::Stdin) => self.output.write_stdin(&frame.payload, &self.poll),
            (Role::Attached { stdin: true }, Kind::StdinEnd) => self.stdin_ended(),
            (Role::Attached { .. }, Kind::Resize) => {
                if let Ok(size) = parse::<WindowSize>(&frame) {
                    self.output.resize(size);
                }
            }
            (Role::Attached { .. } | Role::Process(_), Kind::Signal) => {
                if let Ok(Signal { signal }) = parse(&frame) {
                    self.signal_from(number, signal);
                }
            }
            // Anything else is out of place, from an engine that does not know this protocol.
            _ => self.set_role(number, Role::Leaving),
        }
    }

    pub(super) fn set_role(&mut self, number: u64, role: Role) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.role = role;
        }
    }

    /// Whether something was done that needs no more than this answer.
    fn answer(&mut self, number: u64, done: Result<()>) {
        match done {
            Ok(()) => {
                if let Some(client) = self.clients.get_mut(&number) {
                    client.send(Kind::Ok, &[]);
                    client.role = Role::Leaving;
                }
            }
            Err(error) => self.refuse(number, &Failed { exit_code: 1, ..super::failed(&error) }),
        }
    }

    fn refuse(&mut self, number: u64, failed: &Failed) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.send_control(Kind::Failed, failed);
            client.role = Role::Leaving;
        }
    }

    /// Whether the container is there; what has ended and stays so is not.
    pub(super) fn must_live(&self) -> Result<()> {
        if self.ended.is_some() { Err(Error::not_running()) } else { Ok(()) }
    }

    /// Whether something can be done in the container.
    fn must_run(&self) -> Result<()> {
        self.must_live()?;
        match self.life.phase {
            Phase::Running => Ok(()),
            Phase::Paused => Err(refused("the container is paused, unpause it first")),
            Phase::Restarting => Err(refused("the container is restarting, wait until it is running")),
        }
    }

    fn attach(&mut self, number: u64, frame: &Frame) {
        if let Err(error) = self.must_run() {
            return self.refuse(number, &super::failed(&error));
        }
        let Ok(attach) = parse::<Attach>(frame) else { return self.set_role(number, Role::Leaving) };
        if let Some(size) = attach.window {
            self.output.resize(size);
        }
        self.set_role(number, Role::Attached { stdin: attach.stdin });
        let pid = self.started.process.pid.as_raw_nonzero().get();
        if let Some(client) = self.clients.get_mut(&number) {
            client.send_control(Kind::Started, &StartedReply { pid });
        }
    }

    fn exec(&mut self, number: u64, frame: Frame) {
        let container = self.started.process.pidfd.as_fd();
        let launched = self.must_run().and_then(|()| {
            let exec: Exec = parse(&frame)?;
            Ok((further::start(&self.started, container, &exec, frame.descriptors)?, exec.id))
        });
        let (launched, id) = match launched {
            Ok(launched) => launched,
            Err(error) => return self.refuse(number, &super::failed(&error)),
        };
        sys::fault::point("supervisor: exec launched");
        let Some(client) = self.clients.get_mut(&number) else { return };
        let pid = launched.child.pid;
        client.role = Role::Process(pid);
        let reply = serde_json::to_vec(&StartedReply { pid: pid.as_raw_nonzero().get() }).unwrap_or_default();
        match &launched.console {
            Some(master) => client.send_with_descriptor(Kind::Started, &reply, master.as_fd()),
            None => client.send(Kind::Started, &reply),
        }
        let (pidfd, started_at, terminal) = (launched.child.pidfd, record::now(), launched.console);
        self.further.push(Further { pid, pidfd, client: number, id, started_at, terminal });
    }

    /// Asked for the end of the container.
    fn stop(&mut self, number: u64, frame: &Frame) {
        let Ok(stop) = parse::<Stop>(frame) else { return self.set_role(number, Role::Leaving) };
        self.set_role(number, Role::Stopping { hand_over: stop.hand_over });
        self.life.asked_for_another = stop.reason == Reason::Restart;
        self.stop_as(stop);
    }

    fn pause_for(&mut self, number: u64, frame: &Frame) {
        let done = self.pause();
        let leased = done.is_ok() && parse::<Pause>(frame).is_ok_and(|pause| pause.leased);
        self.answer(number, done);
        if leased {
            self.set_role(number, Role::Pausing);
            self.life.paused_for = Some(number);
        }
    }

    fn pause(&mut self) -> Result<()> {
        self.must_live()?;
        if self.life.phase == Phase::Paused {
            return Err(refused("the container is already paused"));
        }
        self.must_run()?;
        // A check that stands still cannot answer.
        if let Some(checks) = &mut self.life.checks {
            checks.suspend(&self.poll);
        }
        let frozen = self.started.cgroups.freeze();
        if frozen.is_ok() {
            self.life.phase = Phase::Paused;
            self.save_status().ok();
            tell::container(&self.request, "pause", &[]);
        } else if let Some(checks) = &mut self.life.checks {
            checks.resume();
        }
        frozen
    }

    pub(super) fn resume(&mut self) -> Result<()> {
        if self.life.phase != Phase::Paused {
            return Err(refused("the container is not paused"));
        }
        self.started.cgroups.thaw()?;
        self.life.paused_for = None;
        self.life.phase = Phase::Running;
        self.save_status().ok();
        if let Some(checks) = &mut self.life.checks {
            checks.resume();
        }
        tell::container(&self.request, "unpause", &[]);
        Ok(())
    }

    fn update(&mut self, update: &Update) {
        if let Some(policy) = update.restart {
            self.request.restart = policy;
            if self.keeps_record() && self.ended.is_none() {
                self.save_run();
            }
        }
        // A run to come finds the limit in its configuration.
        let runs = self.life.phase != Phase::Restarting && self.ended.is_none();
        if update.memory && runs && !self.watches_memory() {
            self.watch_memory();
        }
    }

    fn signal_of(&mut self, frame: &Frame) -> Result<()> {
        self.must_live()?;
        let Signal { signal } = parse(frame)?;
        let unknown = || Error::new(ErrorKind::Invalid, format!("signal: there is none with number {signal}"));
        let signal = sys::signal::number(signal).ok_or_else(unknown)?;
        self.signal_by_hand(signal).map_err(|errno| Error::system("signal", errno))
    }

    fn signal_from(&mut self, number: u64, signal: i32) {
        let Some(signal) = sys::signal::number(signal) else { return };
        if let Some(process) = self.further.iter().find(|process| process.client == number) {
            pidfd_send_signal(&process.pidfd, signal).ok();
            return;
        }
        if self.life.phase != Phase::Restarting {
            tell::container(&self.request, "kill", &[("signal", &signal.as_raw().to_string())]);
        }
        self.signal_by_hand(signal).ok();
    }
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::NotRunning, why)
}

/// What a frame carries.
fn parse<T: DeserializeOwned>(frame: &Frame) -> Result<T> {
    let invalid = |error| Error::new(ErrorKind::Invalid, format!("a frame of kind {:?}: {error}", frame.kind));
    serde_json::from_slice(&frame.payload).map_err(invalid)
}
