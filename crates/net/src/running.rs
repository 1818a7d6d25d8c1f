//! Components at work on threads of their own, for tests: as an event loop has them.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::dns::Server;
use crate::port::Proxy;
use crate::testing::Namespace;

/// What an event loop watches.
pub(crate) trait Component: AsFd {
    fn ready(&mut self);
    fn deadline(&self) -> Option<Instant>;
    fn due(&mut self, now: Instant);
}

impl Component for Server {
    fn ready(&mut self) {
        Server::ready(self);
    }
    fn deadline(&self) -> Option<Instant> {
        Server::deadline(self)
    }
    fn due(&mut self, now: Instant) {
        Server::due(self, now);
    }
}

impl Component for Proxy {
    fn ready(&mut self) {
        Proxy::ready(self);
    }
    fn deadline(&self) -> Option<Instant> {
        Proxy::deadline(self)
    }
    fn due(&mut self, now: Instant) {
        Proxy::due(self, now);
    }
}

/// A thread that serves until this is dropped.
pub(crate) struct Running {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Lets a thread work until it sees that it is to stop.
pub(crate) fn run(work: impl FnOnce(PipeReader) + Send + 'static) -> Running {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    Running { stop: Some(writer), thread: Some(std::thread::spawn(move || work(reader))) }
}

/// Lets a component work in a namespace; it is open when this returns.
pub(crate) fn component<C: Component>(namespace: &Namespace, open: impl FnOnce() -> C + Send + 'static) -> Running {
    let namespace = namespace.fd().try_clone_to_owned().expect("a descriptor");
    let (told, opened) = mpsc::channel();
    let running = run(move |stop| {
        sys::namespace::enter(namespace.as_fd()).expect("is a namespace");
        let mut component = open();
        told.send(()).expect("is waited for");
        while wait(&[component.as_fd()], &stop, component.deadline()) {
            component.ready();
            component.due(Instant::now());
        }
    });
    opened.recv().expect("it opens");
    running
}

/// Waits; false when it is time to stop.
pub(crate) fn wait(descriptors: &[BorrowedFd<'_>], stop: &PipeReader, deadline: Option<Instant>) -> bool {
    let mut polled: Vec<PollFd<'_>> = vec![PollFd::new(stop, PollFlags::IN)];
    polled.extend(descriptors.iter().map(|one| PollFd::from_borrowed_fd(*one, PollFlags::IN)));
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let limit = left.map(|left| Timespec::try_from(left).expect("is short"));
    poll(&mut polled, limit.as_ref()).expect("can be waited for");
    polled[0].revents().is_empty()
}
