//! `checkpoint`: a running container becomes files, with criu's help.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::ExitCode;

use oci_spec::runtime::Spec;
use runtime::mountinfo;

use super::criu::{Criu, Kind, Options};
use super::{delete, outside};
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};

/// Writes the container, and deletes it unless it is to go on.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    let status = container.status()?;
    if matches!(status, Status::Created | Status::Stopped) {
        return Err(Failure::new(format!("Container cannot be checkpointed in {} state", status.name())));
    }
    let spec = container.config()?;
    let mut ready = status_descriptor(words)?;
    let kind = if words.has("pre-dump") { Kind::PreDump } else { Kind::Dump };
    let criu = Criu::start(global)?;
    let options = options(kind, words, &container, &spec)?;
    criu.ask(&options, &mut |notice| match (notice.name.as_str(), &mut ready) {
        ("status-ready", Some(file)) => file.write_all(&[0]).map_err(|error| Failure::system("--status-fd", error)),
        _ => Ok(()),
    })?;
    if kind == Kind::Dump && !words.has("leave-running") {
        delete::delete(global, &container, true)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn options(kind: Kind, words: &Words, container: &Container, spec: &Spec) -> Result<Options> {
    let saved = &container.saved;
    let pid = saved.init_process_pid;
    let mut options = Options::of(kind, words, spec)?;
    options.process(pid);
    options.root(&saved.rootfs);
    if let Some(freezer) = container.cgroups()?.freezer_path() {
        options.freezer(freezer);
    }
    outside::leave_namespaces(&mut options, spec)?;
    if kind == Kind::Dump {
        let table = mountinfo::read(&format!("/proc/{pid}/mountinfo"))?;
        outside::leave_mounts(&mut options, spec, &table);
        outside::note_streams(&options, pid)?;
    }
    Ok(options)
}

/// `--status-fd`, which must be open for writing. Opened anew, because a number is no descriptor of ours.
fn status_descriptor(words: &Words) -> Result<Option<File>> {
    let Some(number) = words.number::<i32>("status-fd")?.filter(|number| *number >= 0) else { return Ok(None) };
    let opened = OpenOptions::new().write(true).open(format!("/proc/self/fd/{number}"));
    opened.map(Some).map_err(|error| Failure::system(format!("invalid --status-fd {number}"), error))
}
