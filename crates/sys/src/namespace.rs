//! Files of namespaces (`ioctl_nsfs(2)`), and network namespaces of threads (`network_namespaces(7)`).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::thread::LinkNameSpaceType;

/// `NS_GET_NSTYPE`, in the type of `ioctl`'s argument.
const GET_TYPE: libc::Ioctl = 0xb703;

/// Which kind of namespace a file is, as its `CLONE_NEW*` bit.
///
/// # Errors
/// `ENOTTY` for a file that is none.
pub fn kind(file: BorrowedFd<'_>) -> Result<u64, Errno> {
    // SAFETY: NS_GET_NSTYPE takes no argument and returns a number; the descriptor is open.
    #[expect(unsafe_code, reason = "an ioctl that rustix does not offer")]
    let result = unsafe { libc::ioctl(file.as_raw_fd(), GET_TYPE) };
    u64::try_from(result).map_err(|_| crate::exec::last_errno())
}

/// Gives the calling thread a new network namespace, in which there is nothing but `lo`, down. Other threads stay where
/// they are.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`, `ENOSPC` if there are as many as `user.max_net_namespaces` allows.
pub fn unshare_network() -> Result<(), Errno> {
    crate::clone::unshare(crate::clone::namespace::NETWORK)
}

/// Moves the calling thread into a network namespace. Sockets that it has already stay where they were made.
///
/// # Errors
/// `EINVAL` for a descriptor of something else, `EPERM` without `CAP_SYS_ADMIN` over both namespaces.
pub fn enter(network: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::thread::move_into_link_name_space(network, Some(LinkNameSpaceType::Network))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_namespace_tells_its_kind_and_a_file_is_none() {
        let open = |path: &str| File::open(path).expect("it is there");
        assert_eq!(kind(open("/proc/self/ns/uts").as_fd()), Ok(crate::clone::namespace::UTS));
        assert_eq!(kind(open("/proc/self/ns/pid").as_fd()), Ok(crate::clone::namespace::PID));
        assert_eq!(kind(open("/proc/self/exe").as_fd()), Err(Errno::NOTTY));
    }

    #[test]
    fn a_thread_moves_between_network_namespaces_alone() {
        let own = || std::fs::read_link("/proc/thread-self/ns/net").expect("a thread has one");
        let before = own();
        let first = File::open("/proc/thread-self/ns/net").expect("a thread has one");
        let moved = std::thread::spawn(move || {
            unshare_network().expect("tests run as root");
            let new = own();
            enter(first.as_fd()).expect("it was in it");
            assert_eq!(enter(File::open("/proc/self/ns/uts").expect("it is there").as_fd()), Err(Errno::INVAL));
            (new, own())
        });
        let (new, back) = moved.join().expect("it does not panic");
        assert_ne!(new, before);
        assert_eq!((back, own()), (before.clone(), before));
    }
}
