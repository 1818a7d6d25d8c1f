//! Containers and volumes: rows, directories, what supervisors wrote, and whether those live.

use std::fs;
use std::path::Path;

use runtime::protocol::{CONFIG_FILE, EXIT_FILE, ExitRecord, STATUS_FILE, Status};
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::ContainerRecord;

use super::{CheckOptions, CheckReport};
use crate::containers::create::{UPPER, WORK};
use crate::engine::Engine;
use crate::error::Result;

pub(super) fn check(engine: &Engine, how: CheckOptions, report: &mut CheckReport) -> Result<()> {
    let store = engine.store();
    let garbage = store.garbage()?.containers;
    for record in store.containers()? {
        report.containers += 1;
        if garbage.contains(&record.id) {
            continue;
        }
        for what in faults(engine, &record)? {
            report.found(format!("container {}: {what}", record.name), format!("phial rm -f {}", record.name));
        }
    }
    for volume in store.volumes()? {
        report.volumes += 1;
        let path = engine.paths().volume_data(&volume.name);
        if volume_is_missing(&path) {
            missing_volume(&volume.name, &path, how, report);
        }
    }
    Ok(())
}

/// What is wrong with a container that is not garbage.
fn faults(engine: &Engine, record: &ContainerRecord) -> Result<Vec<String>> {
    let (directory, run) = (engine.paths().container(&record.id), engine.paths().run_container(&record.id));
    let mut faults = Vec::new();
    let mut note = |fault: Option<String>| faults.extend(fault);
    note(unreadable::<Value>(&engine.bundle(record).join(CONFIG_FILE), true));
    note(unreadable::<ExitRecord>(&directory.join(EXIT_FILE), false));
    note(unreadable::<Status>(&run.join(STATUS_FILE), false));
    for name in [UPPER, WORK] {
        let path = directory.join(name);
        note((!path.is_dir()).then(|| format!("{} is missing", path.display())));
    }
    if let Err(error) = serde_json::from_value::<crate::ContainerConfig>(record.config.clone()) {
        note(Some(format!("its configuration in the database: {error}")));
    }
    if store_has_no_image(engine, record)? {
        note(Some(format!("its image {} is not in the database", record.image)));
    }
    note(dead_supervisor(engine, record)?);
    Ok(faults)
}

fn store_has_no_image(engine: &Engine, record: &ContainerRecord) -> Result<bool> {
    match engine.store().image(&record.image) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == store::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Its lock says that somebody lives who answers for it, but whom its status names is not there.
fn dead_supervisor(engine: &Engine, record: &ContainerRecord) -> Result<Option<String>> {
    let path = engine.paths().run_container(&record.id).join(STATUS_FILE);
    let status: Option<Status> = fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let Some(status) = status else { return Ok(None) };
    let lives = Path::new("/proc").join(status.supervisor.to_string()).exists();
    // Looked at in this order: a supervisor that ends meanwhile lets go of the lock first.
    if lives || !engine.store().container_is_live(&record.id)? || Path::new(&exit_file(engine, record)).exists() {
        return Ok(None);
    }
    Ok(Some(format!("its supervisor, process {}, is gone, but somebody holds its lock", status.supervisor)))
}

fn exit_file(engine: &Engine, record: &ContainerRecord) -> std::path::PathBuf {
    engine.paths().container(&record.id).join(EXIT_FILE)
}

/// Why a JSON file cannot be read; None if it can, or may be missing and is.
fn unreadable<T: DeserializeOwned>(path: &Path, needed: bool) -> Option<String> {
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !needed => None,
        Err(error) => Some(format!("{}: {error}", path.display())),
        Ok(text) => serde_json::from_slice::<T>(&text).err().map(|error| format!("{}: {error}", path.display())),
    }
}

/// Only a volume that lies in the store has a directory of its own there at all times; other file systems are mounted
/// while they are used.
fn volume_is_missing(path: &Path) -> bool {
    !path.is_dir()
}

fn missing_volume(name: &str, path: &Path, how: CheckOptions, report: &mut CheckReport) {
    let what = format!("volume {name}: {} is missing", path.display());
    if how.repair && fs::create_dir_all(path).is_ok() {
        report.repaired(what, "made anew, empty");
    } else {
        report.found(
            what,
            format!("phial system check --repair makes it anew, empty; phial volume rm {name} removes it"),
        );
    }
}
