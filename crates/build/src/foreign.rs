//! Programs of other processors: whether this host can run them.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::images::of_message;
use crate::llb::message::Platform;

/// Where the kernel lists what it runs with the help of other programs (`binfmt_misc`).
const HANDLERS: &str = "/proc/sys/fs/binfmt_misc";

/// What QEMU's handlers call processors, where that is not what images call them.
const NAMES: [(&str, &str); 8] = [
    ("arm64", "aarch64"),
    ("amd64", "x86_64"),
    ("386", "i386"),
    ("arm", "arm"),
    ("ppc64le", "ppc64le"),
    ("s390x", "s390x"),
    ("riscv64", "riscv64"),
    ("loong64", "loongarch64"),
];

/// Refuses to run what this host cannot: better than what the kernel would say.
///
/// # Errors
/// `Invalid`, with what can be installed.
pub(crate) fn check(platform: Option<&Platform>) -> Result<()> {
    let Some(platform) = platform.map(of_message) else { return Ok(()) };
    let host = image::Platform::host();
    if host.runs(&platform) || has_handler(Path::new(HANDLERS), &platform.architecture) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, format!("commands for {platform} cannot be run on this host, which is {host}"))
        .with_hint("apt-get install qemu-user-static binfmt-support, or build without RUN for that platform"))
}

/// Whether there is a handler that is open in every container (flag F), because its program is not there.
fn has_handler(handlers: &Path, architecture: &str) -> bool {
    let name = NAMES.iter().find(|(image, _)| *image == architecture).map_or(architecture, |(_, qemu)| qemu);
    let text = std::fs::read_to_string(handlers.join(format!("qemu-{name}"))).unwrap_or_default();
    let mut lines = text.lines();
    lines.next() == Some("enabled")
        && lines.any(|line| line.strip_prefix("flags:").is_some_and(|flags| flags.contains('F')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_has_to_be_enabled_and_open() {
        let check = |text: &str, expected: bool| {
            let directory = tempfile::TempDir::new().expect("a directory can be made");
            std::fs::write(directory.path().join("qemu-aarch64"), text).expect("writes");
            assert_eq!(has_handler(directory.path(), "arm64"), expected, "{text}");
        };
        check("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n", true);
        check("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\n", false);
        check("disabled\nflags: F\n", false);
        assert!(!has_handler(Path::new("/nonexistent"), "arm64"));
    }

    #[test]
    fn this_host_runs_what_is_its_own() {
        assert!(check(None).is_ok());
        assert!(check(Some(&crate::images::to_message(&image::Platform::host()))).is_ok());
    }
}
