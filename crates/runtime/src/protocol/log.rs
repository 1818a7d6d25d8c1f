//! Where a container's output is kept: what the engine tells a supervisor, and the names of files that both know.
//!
//! A log that is rotated consists of the file that is written to and of finished ones, which are called after it with a
//! number that only grows: `container.log.1` is older than `container.log.2`. No file ever changes its number, so whoever
//! reads one file knows which is next, and a compressor need not know whether more were finished meanwhile. A compressed
//! file has `.gz` after its number; where both forms are there, a compressor was killed, and the plain one counts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// Docker's JSON lines: `{"log":"text\n","stream":"stdout","time":"…"}`.
    JsonFile,
    /// Docker's `local`: protobuf messages between their lengths.
    Local,
    /// Kubernetes' and podman's: `TIME STREAM F|P TEXT`.
    K8sFile,
    /// Datagrams to systemd's journal; no file.
    Journald,
}

/// A container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// What is written.
    pub driver: Driver,
    /// The file that is written to.
    pub path: PathBuf,
    /// Bytes after which the file is finished and another one begun; None is never.
    pub max_size: Option<u64>,
    /// How many files there are at most, the one that is written to included.
    pub max_files: u32,
    /// Whether finished files are compressed.
    pub compress: bool,
    /// Of the journal: the fields of every entry, with the names they have there. Of the others: what is said of every line (docker's `attrs`).
    pub attributes: BTreeMap<String, String>,
    /// Bytes that may wait to be written, so that the container never has to (`mode=non-blocking`); what does not fit is
    /// lost. None: the container waits.
    pub buffer: Option<u64>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finished {
    /// Its number: larger is younger.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is compressed.
    pub compressed: bool,
}

/// Where the finished file of this number is.
pub fn finished_path(log: &Path, number: u64, compressed: bool) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{number}{}", if compressed { COMPRESSED } else { "" }));
    PathBuf::from(name)
}

const COMPRESSED: &str = ".gz";

/// The finished files of a log, the oldest first, each in one of its forms.
///
/// # Errors
/// The directory cannot be read.
pub fn finished(log: &Path) -> io::Result<Vec<Finished>> {
    let (Some(directory), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file = entry.file_name();
        let Some(rest) = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')) else { continue };
        let (digits, compressed) = rest.strip_suffix(COMPRESSED).map_or((rest, false), |digits| (digits, true));
        let Some(number) = digits.parse().ok().filter(|number: &u64| number.to_string() == digits) else { continue };
        found.push(Finished { number, path: entry.path(), compressed });
    }
    // The plain form comes first, and is the one that counts.
    found.sort_unstable_by_key(|file| (file.number, file.compressed));
    found.dedup_by_key(|file| file.number);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_files_are_found_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("container.log");
        for name in ["", ".10", ".9.gz", ".2", ".2.gz", ".x", ".01", ".3.gz.tmp", "-4", ".-5"] {
            fs::write(dir.path().join(format!("container.log{name}")), name).expect("writes");
        }
        let found: Vec<_> = finished(&log).expect("lists").into_iter().map(|f| (f.number, f.compressed)).collect();
        assert_eq!(found, [(2, false), (9, true), (10, false)]);
        assert_eq!(finished_path(&log, 9, true), dir.path().join("container.log.9.gz"));
    }
}
