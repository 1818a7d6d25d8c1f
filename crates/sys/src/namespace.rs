//! Files of namespaces (`ioctl_nsfs(2)`).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

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
}
