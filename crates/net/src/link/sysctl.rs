//! Settings of links that netlink does not carry: files below `/proc/sys/net`, of the network namespace that the calling
//! thread is in.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// Gives a setting a value. It is only written if it has another: the host's files may be read-only where somebody else has
/// set them already, and writing takes the kernel's lock of all links.
///
/// A kernel without IPv6 has none of its settings, and needs none.
pub(super) fn set(path: &str, value: &str) -> Result<()> {
    let full = format!("/proc/sys/net/{path}");
    let failed = |errno| Error::system(format_args!("setting net.{} to {value}", path.replace('/', ".")), errno);
    match is(&full, value) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(Errno::NOENT) if path.starts_with("ipv6/") => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    }
    rustix::fs::open(&*full, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::write(&file, value.as_bytes()))
        .map(|_| ())
        .map_err(|errno| match errno {
            Errno::ROFS => failed(errno).with_hint("/proc/sys is read-only here: set it from outside"),
            _ => failed(errno),
        })
}

fn is(path: &str, value: &str) -> std::result::Result<bool, Errno> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut found = [0; 32];
    let length = rustix::io::read(&file, &mut found)?;
    Ok(found[..length].trim_ascii_end() == value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Namespace;

    #[test]
    fn settings_are_those_of_the_namespace() {
        let (one, other) = (Namespace::new(), Namespace::new());
        let value = || std::fs::read_to_string("/proc/sys/net/ipv4/conf/lo/route_localnet").expect("it is there");
        one.run(|| set("ipv4/conf/lo/route_localnet", "1")).expect("root may");
        one.run(|| set("ipv4/conf/lo/route_localnet", "1")).expect("it has it already");
        assert_eq!((one.run(value).as_str(), other.run(value).as_str()), ("1\n", "0\n"));
        one.run(|| set("ipv6/conf/missing/accept_ra", "0")).expect("as if there were no IPv6");
        let error = one.run(|| set("ipv4/conf/missing/route_localnet", "1")).expect_err("there is no such link");
        let expected = "setting net.ipv4.conf.missing.route_localnet to 1: No such file or directory (os error 2)";
        assert_eq!(error.to_string(), expected);
    }
}
