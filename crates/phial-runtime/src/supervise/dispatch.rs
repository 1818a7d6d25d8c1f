//! The one loop of a supervisor: takes every event, owns all state.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use net::attach::Attached;
use runtime::protocol::policy::{Patience, Reason, Stop};
use runtime::protocol::{ExitRecord, Kind, Phase, Request, SOCKET_FILE, Started as StartedReply, StdinMode, VERSION};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use sys::child::Ended;

use super::client::{Client, Role};
use super::further::Further;
use super::health::Checks;
use super::life::Life;
use super::log::{Kept, Stream};
use super::output::Output;
use super::poll::{Event, Interest, Poll};
use super::start::{Started, Streams};
use super::{network, record, tell};

/// How long nobody is listened to when there is no descriptor left, unless a client goes.
const NO_DESCRIPTORS: Duration = Duration::from_secs(1);

/// A supervisor at work.
pub(super) struct Dispatcher {
    pub(super) request: Request,
    pub(super) started: Started,
    /// Its networks, if it has any of its own.
    pub(super) network: Option<Attached>,
    pub(super) output: Output,
    pub(super) kept: Kept,
    pub(super) clients: BTreeMap<u64, Client>,
    next_client: u64,
    pub(super) further: Vec<Further>,
    /// The container's lock; others wait for it to know that the container has ended.
    pub(super) lock: Option<OwnedFd>,
    /// What it has behind it and before it.
    pub(super) life: Life,
    /// How the container ended, once it has and stays so.
    pub(super) ended: Option<ExitRecord>,
    signals: OwnedFd,
    listener: UnixListener,
    /// When it is listened to again, after there was no descriptor left for a connection.
    pub(super) listen_at: Option<Instant>,
    pub(super) poll: Poll,
}

impl Dispatcher {
    /// Takes over a container that runs, and says so where others look.
    pub(super) fn new(
        request: Request,
        mut started: Started,
        network: Option<Attached>,
        lock: OwnedFd,
    ) -> runtime::Result<Dispatcher> {
        let failed = |errno| runtime::Error::system("waiting for the container", errno);
        let poll = Poll::new().map_err(failed)?;
        let signals = sys::signal::Set::full().descriptor().map_err(failed)?;
        poll.watch(&signals, Event::Signal, Interest::READ).map_err(failed)?;
        let in_directory = |error| runtime::Error::system(request.run_dir.display(), error);
        let listener = listen(&request).map_err(in_directory)?;
        poll.watch(&listener, Event::Connection, Interest::READ).map_err(failed)?;
        let output = Output::new(std::mem::take::<Streams>(&mut started.streams), &poll).map_err(failed)?;
        // Without a log the container still runs: better than not at all.
        let kept = Kept::open(request.log.as_ref());
        let life = Life::new(request.restarts, request.health.clone().map(Checks::new));
        let mut dispatcher = Dispatcher {
            output,
            kept,
            clients: BTreeMap::new(),
            next_client: 0,
            further: Vec::new(),
            lock: Some(lock),
            life,
            ended: None,
            signals,
            listener,
            listen_at: None,
            poll,
            request,
            started,
            network,
        };
        let begun = dispatcher.begin();
        begun.map_err(|error| runtime::Error::system(dispatcher.request.run_dir.display(), error))?;
        Ok(dispatcher)
    }

    /// Tells the engine that the container runs.
    pub(super) fn announce(&mut self, engine: UnixStream) -> Result<(), Errno> {
        let pid = self.started.process.pid.as_raw_nonzero().get();
        let role = if self.request.attach {
            Role::Attached { stdin: self.request.stdin != StdinMode::Closed }
        } else {
            Role::Leaving
        };
        let added = Client::new(engine, role).and_then(|mut client| {
            client.send_control(Kind::Started, &StartedReply { pid });
            self.add(client)
        });
        if added.is_err() {
            self.end_of_leash();
        }
        added
    }

    /// Serves until the container has ended and every client has been told.
    pub(super) fn run(&mut self) -> ExitCode {
        loop {
            let Ok(events) = self.poll.wait(self.deadline()) else { return ExitCode::FAILURE };
            for event in events {
                self.handle(event);
            }
            self.due();
            self.settle();
            if self.ended.is_some() && self.clients.is_empty() {
                // Who connected meanwhile is answered; who comes now finds no socket.
                self.connection();
                if !self.clients.is_empty() {
                    continue;
                }
                return ExitCode::SUCCESS;
            }
        }
    }

    /// Frees what a container with `--rm` leaves. An engine that has stayed deletes the row at the same time, and then waits
    /// for its connection to be closed; else the row, now without a directory, goes with the next command.
    fn clean_up(&self) {
        let directory = &self.request.directory;
        let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else { return };
        // What a container left can be of any depth and has links.
        fsroot::Root::open(parent).and_then(|root| root.remove_all(name)).ok();
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Signal => self.signal(),
            Event::Connection => self.connection(),
            Event::Stdout => {
                self.output.flush_stdin(&self.poll);
                // A terminal that only takes bytes is watched while nothing is read, too.
                if !self.output.is_paused() {
                    self.forward(Stream::Stdout);
                }
            }
            Event::Stderr => {
                self.forward(Stream::Stderr);
            }
            Event::LogReady => self.kept.flush(&self.poll),
            Event::StdinReady => self.output.flush_stdin(&self.poll),
            Event::Check => {
                self.life.checks.as_mut().map(|checks| checks.read(&self.poll));
            }
            Event::Oom => self.out_of_memory(),
            Event::Network => {
                self.network.as_mut().map(Attached::serve);
            }
            Event::Client(number) => self.client(number),
            Event::Abandoned(number) => {
                if let Some(process) = self.further.iter_mut().find(|process| process.client == number) {
                    process.discard(&self.poll);
                }
            }
        }
    }

    fn signal(&mut self) {
        while let Some(signal) = sys::signal::take(&self.signals) {
            if signal == rustix::process::Signal::CHILD.as_raw() {
                self.reap();
            } else if signal == rustix::process::Signal::TERM.as_raw() {
                // The host shuts down: what is to come back with the next boot does.
                let (timeout, reason) = (Patience::Own, Reason::Shutdown);
                self.stop_as(Stop { signal: None, timeout, reason, hand_over: false });
            }
        }
    }

    /// Sees to children that have ended. Their pids go back to the host only afterwards, when nothing that others read
    /// names them any more.
    fn reap(&mut self) {
        while let Some(Ended { pid, exit_code }) = sys::child::ended() {
            if pid == self.started.process.pid && self.life.phase != Phase::Restarting {
                self.container_ended(exit_code);
            } else {
                self.check_ended(pid, exit_code);
                self.further_ended(pid, exit_code);
            }
            // The first process may be reaped already.
            if let Ok(None) = waitpid(Some(pid), WaitOptions::NOHANG) {
                return;
            }
        }
    }

    /// Reaps the first process, which has ended and which the status names no more, before anybody is told.
    pub(super) fn let_go(&self) {
        waitpid(Some(self.started.process.pid), WaitOptions::NOHANG).ok();
    }

    fn container_ended(&mut self, exit_code: i32) {
        let oom_killed = self.started.cgroups.oom_kills() > 0;
        // In a pid namespace of others there may be processes left. Without them, what they wrote is complete.
        let removed = self.started.cgroups.kill_and_remove();
        if let (Ok(()), Some(lock)) = (removed, &self.lock) {
            record::note(lock, network::note(self.network.as_ref()).as_deref(), &[]).ok();
        }
        sys::fault::point("supervisor: cgroups removed");
        self.kept.hurry();
        self.drain(Stream::Stdout);
        self.drain(Stream::Stderr);
        self.output.end(&self.poll);
        self.kept.finish();
        let record = ExitRecord {
            version: VERSION,
            exit_code,
            oom_killed,
            error: None,
            started_at: self.started.at.clone(),
            finished_at: record::now(),
            restarts: 0,
        };
        self.run_ended(record);
    }

    /// Passes on what waits in a stream. What comes meanwhile is not waited for: somebody outside the container may have
    /// got hold of the other end, and would write for ever. So a slow client has no more to take than that either.
    fn drain(&mut self, stream: Stream) {
        let mut left = self.output.waiting(stream);
        while left > 0
            && let Some(count) = self.forward(stream)
        {
            left = left.saturating_sub(count);
        }
    }

    /// The container has ended and stays so. `died` tells whether that is the end of a run, which nobody knows of yet.
    pub(super) fn end(&mut self, record: ExitRecord, died: bool) {
        self.life.over(&self.request, &self.poll);
        // First of all how it ended: whoever is killed afterwards leaves what others find and clear away.
        record::ended(&self.request, &record);
        self.leave_networks();
        if died {
            self.let_go();
            tell::died(&self.request, &record);
        }
        std::fs::remove_file(self.request.run_dir.join(SOCKET_FILE)).ok();
        let goes = !self.hand_over(&record) && self.request.auto_remove;
        self.lock = None;
        sys::fault::point("supervisor: lock freed");
        if goes {
            // From here on it is gone for everybody who looks, whoever deletes its files.
            tell::container(&self.request, "destroy", &[]);
        }
        self.tell_run_end(&record);
        let numbers: Vec<u64> = self.clients_with(|role| matches!(role, Role::Stopping { .. }));
        self.ended = Some(record);
        for number in numbers {
            self.tell_end(number);
        }
        if goes {
            self.clean_up();
        }
    }

    /// Passes the container's lock to a client who wants it; whether there is one.
    fn hand_over(&mut self, record: &ExitRecord) -> bool {
        let wants = |client: &&mut Client| client.role == Role::Stopping { hand_over: true };
        let (Some(client), Some(lock)) = (self.clients.values_mut().find(wants), &self.lock) else { return false };
        let payload = serde_json::to_vec(record).unwrap_or_default();
        client.send_with_descriptor(Kind::Exited, &payload, lock.as_fd());
        client.role = Role::Leaving;
        true
    }

    /// Tells everybody who came for it that a run has ended.
    pub(super) fn tell_run_end(&mut self, record: &ExitRecord) {
        for client in self.clients.values_mut() {
            if matches!(client.role, Role::Attached { .. } | Role::Waiting | Role::Pausing) {
                client.send_control(Kind::Exited, record);
                client.role = Role::Leaving;
            }
        }
    }

    pub(super) fn clients_with(&self, wanted: impl Fn(Role) -> bool) -> Vec<u64> {
        self.clients.iter().filter(|(_, client)| wanted(client.role)).map(|(number, _)| *number).collect()
    }

    /// Tells a client how the container ended, which is all that is left to be said. Also one that came just then.
    pub(super) fn tell_end(&mut self, number: u64) {
        if let (Some(client), Some(record)) = (self.clients.get_mut(&number), &self.ended) {
            client.send_control(Kind::Exited, record);
            client.role = Role::Leaving;
        }
    }

    fn further_ended(&mut self, pid: Pid, exit_code: i32) {
        let Some(at) = self.further.iter().position(|process| process.pid == pid) else { return };
        let process = self.further.swap_remove(at);
        if let Some(terminal) = &process.terminal {
            self.poll.forget(terminal);
        }
        let record = ExitRecord {
            version: VERSION,
            exit_code,
            oom_killed: false,
            error: None,
            started_at: process.started_at,
            finished_at: record::now(),
            restarts: 0,
        };
        sys::fault::point("supervisor: exec ended");
        tell::further_died(&self.request, &process.id, record.exit_code);
        if let Some(client) = self.clients.get_mut(&process.client) {
            client.send_control(Kind::Exited, &record);
            client.role = Role::Leaving;
        }
    }

    /// Passes on what the container wrote to one stream, as much as one read gives: how many bytes, if any.
    fn forward(&mut self, stream: Stream) -> Option<usize> {
        let mut buffer = [0; 16 * 1024];
        let bytes = self.output.read(stream, &mut buffer, &self.poll)?;
        self.kept.write(stream, bytes);
        let kind = match stream {
            Stream::Stdout => Kind::Stdout,
            Stream::Stderr => Kind::Stderr,
        };
        for client in self.clients.values_mut() {
            if matches!(client.role, Role::Attached { .. }) {
                client.send(kind, bytes);
            }
        }
        Some(bytes.len())
    }

    fn connection(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    if let Ok(client) = Client::new(socket, Role::New) {
                        self.add(client).ok();
                    }
                }
                // Its connection waits, and would be told of in every round until then.
                Err(error) if lacks_descriptors(&error) => {
                    self.poll.forget(&self.listener);
                    self.listen_at = Some(Instant::now() + NO_DESCRIPTORS);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// There may be a descriptor for a connection again.
    pub(super) fn listen_again(&mut self) {
        self.listen_at = None;
        self.poll.watch(&self.listener, Event::Connection, Interest::READ).ok();
    }

    fn add(&mut self, client: Client) -> Result<(), Errno> {
        let number = self.next_client;
        self.next_client += 1;
        self.poll.watch(client.descriptor(), Event::Client(number), Interest::READ)?;
        self.clients.insert(number, client);
        Ok(())
    }

    fn client(&mut self, number: u64) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        client.flush();
        for frame in client.receive() {
            self.frame(number, frame);
        }
    }

    pub(super) fn stdin_ended(&mut self) {
        if self.request.stdin == StdinMode::Once {
            self.output.close_stdin(&self.poll);
        }
    }

    /// After each round: lets go of clients that are gone, and matches what is watched to what can be taken.
    fn settle(&mut self) {
        let gone: Vec<u64> =
            self.clients.iter().filter(|(_, client)| client.is_gone()).map(|(number, _)| *number).collect();
        if !gone.is_empty() && self.listen_at.is_some() {
            self.listen_again();
        }
        for number in gone {
            let Some(client) = self.clients.remove(&number) else { continue };
            // Closing alone does not do it while a process just cloned still has a copy.
            self.poll.forget(client.descriptor());
            match client.role {
                Role::Attached { stdin } => {
                    if stdin {
                        self.stdin_ended();
                    }
                    self.end_of_leash();
                }
                Role::Pausing => self.lease_ended(number),
                Role::Process(pid) => {
                    self.further
                        .iter()
                        .filter(|process| process.pid == pid)
                        .for_each(|process| process.abandon(&self.poll));
                }
                _ => {}
            }
        }
        self.kept.watch(&self.poll);
        let behind = self.clients.values().any(Client::is_behind);
        self.output.set_paused(behind, &self.poll);
        let read = !self.output.stdin_is_behind();
        for (number, client) in &mut self.clients {
            let interest = Interest { read, write: client.has_pending() };
            if client.is_watched_anew(interest) {
                self.poll.watch(client.descriptor(), Event::Client(*number), interest).ok();
            }
        }
    }
}

/// The listening socket; its directory is named through a descriptor, as socket paths are short (`unix(7)`).
fn listen(request: &Request) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(sys::fdpass::socket_path(&request.run_dir, SOCKET_FILE)?.as_path())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether this process, or the host, has no descriptor left.
fn lacks_descriptors(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
