//! What is written for others to read: status while the container runs, exit record when it has ended.

use std::path::Path;

use runtime::protocol::{EXIT_FILE, ExitRecord, Request, STATUS_FILE, Status, VERSION};
use serde::Serialize;

pub(super) use crate::failure::now;

/// Records that the container runs.
pub(super) fn running(request: &Request, status: &Status) -> std::io::Result<()> {
    replace(&request.run_dir, STATUS_FILE, status)
}

/// Records how the container ended.
pub(super) fn ended(request: &Request, record: &ExitRecord) {
    // With the disk full the record is lost, and the container shows as lost; there is nobody to tell.
    replace(&request.bundle, EXIT_FILE, record).ok();
    std::fs::remove_file(request.run_dir.join(STATUS_FILE)).ok();
}

/// Records that the container could not be started.
pub(super) fn not_started(request: &Request, error: &runtime::Error) {
    let record = ExitRecord {
        version: VERSION,
        exit_code: error.exit_code(),
        oom_killed: false,
        error: Some(error.to_string()),
        started_at: String::new(),
        finished_at: now(),
    };
    ended(request, &record);
}

fn replace(directory: &Path, name: &str, content: &impl Serialize) -> std::io::Result<()> {
    crate::files::replace(&directory.join(name), &serde_json::to_vec(content)?)
}
