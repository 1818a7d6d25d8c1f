//! Network namespaces for tests: made by a test, gone with it. Nothing here touches the namespace that tests are started in.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

/// A network namespace of a test's own, with `lo` up. It lives as long as this value, and sockets in it.
#[derive(Debug)]
pub(crate) struct Namespace(File);

impl Namespace {
    /// A new one.
    pub(crate) fn new() -> Namespace {
        let made = thread::spawn(|| {
            sys::namespace::unshare_network().expect("tests run as root");
            sys::loopback::up().expect("every namespace has it");
            File::open("/proc/thread-self/ns/net").expect("a thread has one")
        });
        Namespace(made.join().expect("it does not panic"))
    }

    /// Its descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Runs something in it, on a thread of its own, and waits for that. Sockets that are made in it stay in it, so that a
    /// test may take them out and use them anywhere. A panic goes on in the caller.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            sys::namespace::enter(self.fd()).expect("it is a network namespace");
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

#[test]
fn a_namespace_has_lo_and_nothing_else_and_keeps_sockets() {
    let (first, second) = (Namespace::new(), Namespace::new());
    let links = |namespace: &Namespace| {
        namespace.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").expect("it is there").lines().count())
    };
    assert_eq!(links(&first), 3, "two lines of headings, and lo");
    let listener = first.run(|| std::net::TcpListener::bind("127.0.0.1:0").expect("lo is up"));
    let address = listener.local_addr().expect("it is bound");
    assert!(first.run(|| std::net::TcpStream::connect(address).is_ok()));
    assert!(second.run(|| std::net::TcpStream::connect(address).is_err()));
}
