//! What is written for others to read: status while the container runs, exit record when it has ended.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use runtime::protocol::{EXIT_FILE, ExitRecord, LOCK_FILE, NETWORK_NOTE, Request, STATUS_FILE, Status, VERSION};
use serde::Serialize;

pub(super) use crate::failure::now;

/// Records that the container runs.
pub(super) fn running(request: &Request, status: &Status) -> std::io::Result<()> {
    replace(&request.run_dir, STATUS_FILE, status)
}

/// Notes in the container's lock file what it has of the host, for those who find it when this process was killed before
/// there is a status: where its addresses are noted, and which cgroups are about to be made.
pub(super) fn note(lock: &OwnedFd, network: Option<&str>, cgroups: &[PathBuf]) -> runtime::Result<()> {
    let network = network.map(|realm| format!("{NETWORK_NOTE}{realm}"));
    let paths = cgroups.iter().map(|path| path.as_os_str().as_bytes());
    let lines: Vec<&[u8]> = network.iter().map(String::as_bytes).chain(paths).collect();
    let note = lines.join(&b'\n');
    let written = rustix::fs::ftruncate(lock, 0).and_then(|()| rustix::io::pwrite(lock, &note, 0));
    match written {
        Ok(count) if count == note.len() => Ok(()),
        Ok(_) => Err(runtime::Error::system(LOCK_FILE, rustix::io::Errno::NOSPC)),
        Err(errno) => Err(runtime::Error::system(LOCK_FILE, errno)),
    }
}

/// It has nothing any more.
pub(super) fn forget_note(lock: &OwnedFd) {
    // If the note stays, somebody looks for what is gone.
    rustix::fs::ftruncate(lock, 0).ok();
}

/// Records how the container ended.
pub(super) fn ended(request: &Request, record: &ExitRecord) {
    // With the disk full the record is lost, and the container shows as lost; there is nobody to tell.
    replace(&request.directory, EXIT_FILE, record).ok();
    forget_status(request);
}

/// Takes away a status that cannot be replaced: it names a process that is about to be gone.
pub(super) fn forget_status(request: &Request) {
    std::fs::remove_file(request.run_dir.join(STATUS_FILE)).ok();
}

/// Forgets how the run before has ended, once it is recorded that there is another.
pub(super) fn forget_end(request: &Request) {
    // If it stays, the status says that it is an old one.
    std::fs::remove_file(request.directory.join(EXIT_FILE)).ok();
}

/// How the run before has ended, if that is known.
pub(super) fn last_end(request: &Request) -> Option<ExitRecord> {
    serde_json::from_slice(&crate::files::read(&request.directory.join(EXIT_FILE)).ok()?).ok()
}

/// Records that the container could not be started. One that has run before keeps the times of that.
pub(super) fn not_started(request: &Request, error: &runtime::Error) {
    let before = if request.again { last_end(request) } else { None };
    let before = before.unwrap_or_else(|| ExitRecord { finished_at: now(), ..ExitRecord::default() });
    let record = ExitRecord {
        version: VERSION,
        exit_code: error.exit_code(),
        oom_killed: false,
        error: Some(error.to_string()),
        ..before
    };
    ended(request, &record);
}

/// Writes a file that others read at any time.
pub(super) fn replace(directory: &Path, name: &str, content: &impl Serialize) -> std::io::Result<()> {
    crate::files::replace(&directory.join(name), &serde_json::to_vec(content)?)
}
