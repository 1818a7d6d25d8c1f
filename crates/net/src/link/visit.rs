//! Other network namespaces, for a moment.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The thread's own namespace, to which it returns when this is dropped.
struct Home<'a>(BorrowedFd<'a>);

impl Drop for Home<'_> {
    fn drop(&mut self) {
        // Everything that follows would be done to the network of a container.
        if sys::namespace::enter(self.0).is_err() {
            std::process::abort();
        }
    }
}

/// Does `work` in another network namespace and comes back, whatever happens in it. Only the calling thread goes there.
/// Sockets that are made in it stay in it, and `/proc/sys/net` is that of the namespace.
///
/// # Errors
/// `System` if it cannot be entered, and those of `work`.
pub fn in_namespace<T>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let system = |what: &str, errno| Error::system(what, errno);
    let own = rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let home: OwnedFd = own.map_err(|errno| system("/proc/thread-self/ns/net", errno))?;
    visit(home.as_fd(), namespace, work).map_err(|errno| system("entering a network namespace", errno))?
}

/// The same for a thread whose own namespace is at hand.
///
/// # Errors
/// Those of `setns(2)`.
pub(crate) fn visit<T>(
    home: BorrowedFd<'_>,
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> T,
) -> std::result::Result<T, Errno> {
    let home = Home(home);
    sys::namespace::enter(namespace)?;
    let answer = work();
    drop(home);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::testing::Namespace;

    #[test]
    fn a_visit_ends_where_it_began() {
        let (home, other) = (Namespace::new(), Namespace::new());
        let here = || std::fs::read_link("/proc/thread-self/ns/net").expect("a thread has one");
        home.run(|| {
            let before = here();
            let there = in_namespace(other.fd(), || Ok(here())).expect("it is a namespace");
            assert_ne!(before, there);
            assert_eq!(there, other.run(here));
            let panicked =
                catch_unwind(AssertUnwindSafe(|| in_namespace(other.fd(), || -> Result<()> { panic!("no") })));
            assert!(panicked.is_err());
            assert_eq!(before, here());
            let file = std::fs::File::open("/proc/self/ns/uts").expect("it is there");
            let error = in_namespace(file.as_fd(), || Ok(())).expect_err("it is another kind");
            assert_eq!(error.to_string(), "entering a network namespace: Invalid argument (os error 22)");
        });
    }
}
