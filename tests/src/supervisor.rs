//! The supervisors of a program's containers, found by what they write about themselves, and their ends.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;

use crate::{Context, Phial, Result};

/// What the supervisor of a container that runs has written about itself.
///
/// # Errors
/// There is none.
pub fn status(phial: &Phial, id: &str) -> Result<Value> {
    let path = phial.run_dir().join("containers").join(id).join("status.json");
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// The supervisor of a container that runs.
///
/// # Errors
/// There is none.
pub fn pid(phial: &Phial, id: &str) -> Result<Pid> {
    let number = status(phial, id)?["supervisor"].as_i64().and_then(|number| i32::try_from(number).ok());
    number.and_then(Pid::from_raw).context("the status names no supervisor")
}

/// Kills the supervisor of a container, and returns when it is dead.
///
/// # Errors
/// There is none.
pub fn kill(phial: &Phial, id: &str) -> Result {
    let supervisor = pid(phial, id)?;
    let gone = pidfd_open(supervisor, PidfdFlags::empty())?;
    kill_process(supervisor, Signal::KILL)?;
    poll(&mut [PollFd::new(&gone, PollFlags::IN)], None)?;
    Ok(())
}

/// As a power failure leaves things: nothing runs, and what was below /run is gone.
///
/// # Errors
/// Nothing has ever run.
pub fn power_failure(phial: &Phial) -> Result {
    let directory = phial.run_dir().join("containers");
    for entry in fs::read_dir(&directory)? {
        let id = entry?.file_name();
        let id = id.to_str().context("ids are text")?;
        if directory.join(id).join("status.json").exists() {
            let cgroups: Vec<PathBuf> = serde_json::from_value(status(phial, id)?["cgroups"].clone())?;
            kill(phial, id)?;
            // They would be gone with everything else. Its container dies a moment later than the supervisor.
            for cgroup in cgroups {
                while fs::remove_dir(&cgroup).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy) {}
            }
        }
    }
    fs::remove_dir_all(&directory)?;
    Ok(())
}
