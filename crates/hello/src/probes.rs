//! Harmless attempts at what a container should refuse.
//!
//! Each opens something and lets go of it: where the host turns out to be open, nothing has happened to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// An attempt, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    /// What was tried.
    pub(crate) attempt: &'static str,
    /// Where.
    pub(crate) path: String,
    /// It was possible: this container is open here.
    pub(crate) open: bool,
    /// What came of it, in words.
    pub(crate) answer: String,
}

/// Makes all attempts.
pub(crate) fn all(root: &Path) -> Vec<Probe> {
    vec![setting(root), secret(root), disk(root)]
}

/// Opening alone changes nothing: a number would have to be written.
fn setting(root: &Path) -> Probe {
    let path = "proc/sys/vm/swappiness";
    let opened = OpenOptions::new().write(true).open(root.join(path));
    probe("change a setting of the machine", path, opened.map(|_| Verdict::Open("it opens for writing".to_owned())))
}

/// The first of these that the kernel has: most have the memory of the machine.
fn secret(root: &Path) -> Probe {
    const FILES: [(&str, &str); 2] =
        [("read the memory of the machine", "proc/kcore"), ("list the keys that the kernel holds", "proc/keys")];
    let exists = |(_, path): &(&str, &str)| fs::symlink_metadata(root.join(path)).is_ok();
    let (attempt, path) = FILES.into_iter().find(exists).unwrap_or(FILES[0]);
    let first_byte = |mut file: File| match file.read(&mut [0])? {
        0 => Ok(Verdict::Closed("it is masked and looks empty")),
        _ => Ok(Verdict::Open("it can be read".to_owned())),
    };
    probe(attempt, path, File::open(root.join(path)).and_then(first_byte))
}

/// Looks for the device file of a disk, and whether it opens.
fn disk(root: &Path) -> Probe {
    /// `O_NONBLOCK`, the same number on x86, arm and RISC-V: a drive without a disk in it must not hold the report up.
    const NONBLOCK: i32 = 0o4000;
    let is_disk = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_block_device());
    let mut result = Ok(Verdict::Closed("no disk is in it"));
    for disk in fs::read_dir(root.join("dev")).into_iter().flatten().flatten().filter(is_disk) {
        let opened = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(disk.path());
        result = opened.map(|_| Verdict::Open(format!("{} can be read", disk.file_name().to_string_lossy())));
        if result.is_ok() {
            break;
        }
    }
    probe("read a disk past its file system", "dev", result)
}

enum Verdict {
    Open(String),
    Closed(&'static str),
}

/// `path` is relative to the root.
fn probe(attempt: &'static str, path: &str, result: io::Result<Verdict>) -> Probe {
    let (open, answer) = match result {
        Ok(Verdict::Open(answer)) => (true, answer),
        Ok(Verdict::Closed(answer)) => (false, answer.to_owned()),
        Err(error) => (
            false,
            match error.kind() {
                io::ErrorKind::ReadOnlyFilesystem => "it is mounted read-only".to_owned(),
                io::ErrorKind::PermissionDenied => "not permitted".to_owned(),
                io::ErrorKind::NotFound => "it is not there".to_owned(),
                _ => error.to_string(),
            },
        ),
    };
    Probe { attempt, path: format!("/{path}"), open, answer }
}

#[cfg(test)]
mod tests {
    use super::all;
    use std::path::Path;

    #[test]
    fn where_nothing_is_nothing_is_open() {
        let answers: Vec<(bool, String)> =
            all(Path::new("/nonexistent")).into_iter().map(|probe| (probe.open, probe.answer)).collect();
        let want = ["it is not there", "it is not there", "no disk is in it"];
        assert_eq!(answers, want.map(|answer| (false, answer.to_owned())));
    }
}
