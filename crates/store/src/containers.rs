//! Container rows, the order in which a container comes into being and goes, and the lock that says it lives.
//!
//! Into being: the lock is held, then the directory is made, then the row is committed. Away: the row is deleted while
//! the lock is held, then the directories go. So a directory without a row whose lock is free is garbage, a row whose
//! lock is held is alive or about to be, and nobody who finds a row finds it without its directory, except after a power
//! failure. `docker run --rm`: the supervisor deletes both directories, and the row goes with the next command.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::database::{Durability, Failure};
use crate::images::{DELETE_UNUSED_HIDDEN, digest_column, is_hex_prefix};
use crate::lock::{self, Want};
use crate::{ContainerId, Digest, Error, ErrorKind, Paths, Result, Store, Uses, names, tree, volumes};

/// A container's configuration: what was asked for. How it fares is in files of its supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash; no other container has it.
    pub name: String,
    /// The image it is made from: [`Store::image`] finds it as long as the container is there.
    pub image: Digest,
    /// The image as the user typed it.
    pub image_name: String,
    /// When it was created: RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// In which boot it was created: [`boot_id`](crate::boot_id).
    pub boot_id: String,
    /// Whether it goes when it ends.
    pub auto_remove: bool,
    /// Whether it stays although nobody started it, as `create` wants and `run` does not: the creator of a container
    /// that was to be run and never was has been killed, and the collector removes what he left.
    pub keep_unstarted: bool,
    /// The engine's configuration, which means nothing to the store.
    pub config: serde_json::Value,
}

/// The lock of a container: as long as a copy of its descriptor is open anywhere, the container lives. Dropping it
/// closes this copy, and nothing else.
#[derive(Debug)]
#[must_use = "without its lock a container is not alive"]
pub struct ContainerLock {
    id: ContainerId,
    file: OwnedFd,
}

/// A container that has a lock and two directories, but no row yet. Dropping it removes them again.
#[derive(Debug)]
#[must_use = "dropping a reservation removes the container's directories"]
pub struct ContainerReservation<'store> {
    store: &'store Store,
    id: ContainerId,
    lock: Option<OwnedFd>,
    uses: Uses,
}

/// Columns in the order of [`container_row`].
const COLUMNS: &str = "id, name, image, image_name, created, boot_id, auto_remove, keep_unstarted, config";

impl ContainerLock {
    /// Whose lock this is.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Takes a lock over from who has it: a container's supervisor, which passes the descriptor on.
    pub fn from_fd(id: ContainerId, file: OwnedFd) -> ContainerLock {
        ContainerLock { id, file }
    }

    /// Writes into the lock file what the container is about to have of the host. Whoever removes the container gets that,
    /// to give it back ([`End`](crate::End)), unless it is written over.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn note(&self, note: &str) -> Result<()> {
        let failed = |errno| Error::io("writing", std::path::Path::new(Paths::LOCK_FILE), errno);
        rustix::fs::ftruncate(&self.file, 0).map_err(failed)?;
        match rustix::io::pwrite(&self.file, note.as_bytes(), 0).map_err(failed)? {
            count if count == note.len() => Ok(()),
            _ => Err(failed(rustix::io::Errno::NOSPC)),
        }
    }

    /// The descriptor itself, to be passed on: it closes on exec until somebody clears that.
    pub fn into_fd(self) -> OwnedFd {
        self.file
    }
}

impl AsFd for ContainerLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl ContainerReservation<'_> {
    /// The container's id.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Its persistent directory: empty, mode 0700.
    pub fn dir(&self) -> PathBuf {
        self.store.paths.container(&self.id)
    }

    /// Its directory below RUN: holds the lock.
    pub fn run_dir(&self) -> PathBuf {
        self.store.paths.run_container(&self.id)
    }

    /// What the container uses besides its image: committed with its row.
    pub fn with_uses(mut self, uses: Uses) -> Self {
        self.uses = uses;
        self
    }

    /// Commits the row: from now on the container is there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the name is taken (the message names the holder), [`ErrorKind::NotFound`] if the image
    /// is gone, [`ErrorKind::Invalid`] for a name that cannot be one. Then the reservation is over as well.
    pub fn commit(mut self, record: &ContainerRecord) -> Result<ContainerLock> {
        self.insert(record)?;
        self.into_lock()
    }

    /// As [`commit`](ContainerReservation::commit), with a random name that is not taken, which `record` then has.
    ///
    /// # Errors
    /// As [`commit`](ContainerReservation::commit).
    pub fn commit_with_random_name(mut self, record: &mut ContainerRecord) -> Result<ContainerLock> {
        let mut number = 0;
        loop {
            record.name = names::random(number)?;
            match self.insert(record) {
                Err(error) if error.kind() == ErrorKind::Conflict => number += 1,
                other => break other?,
            }
        }
        self.into_lock()
    }

    /// The lock of a container that never gets a row: who lists containers does not see it, and it is garbage as soon as nobody
    /// has its lock any more. What a build runs is one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the lock was given away.
    pub fn without_row(self) -> Result<ContainerLock> {
        self.into_lock()
    }

    fn insert(&mut self, record: &ContainerRecord) -> Result<()> {
        if record.id != self.id {
            let message = format!("container {} cannot take the place reserved for {}", record.id, self.id);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        self.store.insert_container(record, &self.uses)
    }

    fn into_lock(mut self) -> Result<ContainerLock> {
        match self.lock.take() {
            Some(file) => Ok(ContainerLock { id: self.id, file }),
            None => Err(Error::new(ErrorKind::Invalid, format!("the lock of container {} was given away", self.id))),
        }
    }
}

impl Drop for ContainerReservation<'_> {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // Nobody can be told; what stays has no row and a free lock, so the collector removes it.
            let _ = self.store.delete_directories(&self.id);
        }
    }
}

impl Store {
    /// Makes a container's directories and takes its lock. The row is committed with the reservation.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the id is taken.
    pub fn reserve_container(&self, id: &ContainerId) -> Result<ContainerReservation<'_>> {
        let taken = || Error::new(ErrorKind::Conflict, format!("the container id {id} is already in use"));
        let lock = loop {
            if let Some(lock) = self.take_lock(id)? {
                break lock;
            }
            // Without a row it is a collector that came between the directory and its lock: he lets it go at once.
            if self.has_container(id)? {
                return Err(taken());
            }
            std::thread::yield_now();
        };
        if !tree::make_private(&self.paths.container(id))? {
            return Err(taken());
        }
        Ok(ContainerReservation { store: self, id: *id, lock: Some(lock), uses: Uses::default() })
    }

    /// The lock of a container that does not live, to start or remove it; None if it lives.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such container.
    pub fn lock_container(&self, id: &ContainerId) -> Result<Option<ContainerLock>> {
        let missing = || Error::new(ErrorKind::NotFound, format!("no such container: {id}"));
        if !self.has_container(id)? {
            return Err(missing());
        }
        let Some(file) = self.take_lock(id)? else { return Ok(None) };
        // Who removes a container deletes the row before the lock file: with the row, the file is the one that counts.
        if !self.has_container(id)? {
            tree::delete_locked(&self.paths.run_container(id), Paths::LOCK_FILE)?;
            return Err(missing());
        }
        Ok(Some(ContainerLock { id: *id, file }))
    }

    /// Whether somebody holds the container's lock: its creator, its supervisor, or one who is removing it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn container_is_live(&self, id: &ContainerId) -> Result<bool> {
        lock::is_held(&self.paths.run_container(id).join(Paths::LOCK_FILE))
    }

    /// The container with this id, name (with or without a slash before it) or unique beginning of an id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Ambiguous`] if the beginning fits several.
    pub fn find_container(&self, key: &str) -> Result<ContainerRecord> {
        self.read(&format!("looking for container {key}"), |transaction| {
            for (column, value) in [("id", key), ("name", key.strip_prefix('/').unwrap_or(key))] {
                let mut statement =
                    transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM containers WHERE {column} = ?1"))?;
                if let Some(record) = statement.query_row([value], container_row).optional()? {
                    return Ok(record);
                }
            }
            container_by_prefix(transaction, key)
        })
    }

    /// All containers, the newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn containers(&self) -> Result<Vec<ContainerRecord>> {
        self.read("listing containers", |transaction| {
            let mut statement =
                transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM containers ORDER BY created DESC, id"))?;
            let records = statement.query_map([], container_row)?.collect::<rusqlite::Result<_>>()?;
            Ok(records)
        })
    }

    /// What all containers are called, the newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn container_names(&self) -> Result<Vec<(ContainerId, String)>> {
        self.read("listing names of containers", |transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT id, name FROM containers ORDER BY created DESC, id")?;
            let names = statement.query_map([], |row| Ok((id_column(row, 0)?, row.get(1)?)))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Removes a container: its row, then its directories. The anonymous volumes of one that goes with its end go too,
    /// unless another container uses them.
    ///
    /// # Errors
    /// If the row cannot be deleted, nothing is; if a directory cannot be, the collector tries again.
    pub fn remove_container(&self, lock: ContainerLock) -> Result<()> {
        self.remove_with(lock, false)
    }

    /// As [`remove_container`](Store::remove_container), with the anonymous volumes of any container.
    ///
    /// # Errors
    /// As [`remove_container`](Store::remove_container).
    pub fn remove_container_and_volumes(&self, lock: ContainerLock) -> Result<()> {
        self.remove_with(lock, true)
    }

    /// Removes one that goes with its end and has ended, but for its persistent directory, which somebody else deletes
    /// meanwhile: `wait` returns when he has, or will not any more. Whichever goes first, the collector takes what is left.
    /// One that somebody has the lock of is not removed: it is about to be started again.
    ///
    /// # Errors
    /// As [`remove_container`](Store::remove_container).
    pub fn remove_ended_container(&self, id: &ContainerId, wait: impl FnOnce()) -> Result<()> {
        let Some(lock) = self.take_lock(id)? else { return Ok(()) };
        let volumes = self.delete_rows(&[*id], false)?;
        let run = self.delete_run_directory(id);
        drop(lock);
        wait();
        let persistent = tree::discard(&self.paths, &self.paths.container(id));
        self.discard_all(&volumes, run.and(persistent))
    }

    /// Removes what is left of one [without a row](ContainerReservation::without_row), once nobody has its lock any more: then
    /// nothing of it runs.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove_without_row(&self, id: &ContainerId) -> Result<()> {
        let run = self.paths.run_container(id);
        let lock = match lock::acquire(&run.join(Paths::LOCK_FILE), Want::Exclusive) {
            // Its supervisor has deleted everything.
            Err(_) if !run.exists() => None,
            other => other?,
        };
        let result = self.delete_directories(id);
        drop(lock);
        result
    }

    fn remove_with(&self, lock: ContainerLock, volumes: bool) -> Result<()> {
        let ContainerLock { id, file } = lock;
        let volumes = self.delete_rows(&[id], volumes)?;
        let result = self.delete_directories(&id);
        drop(file);
        self.discard_all(&volumes, result)
    }

    fn discard_all(&self, volumes: &[String], result: Result<()>) -> Result<()> {
        volumes.iter().map(|name| self.discard_volume(name)).fold(result, |all, one| all.and(one.map(drop)))
    }

    /// Deletes what a container has on disk. The row must be gone, or never have been; the caller holds the lock.
    pub(crate) fn delete_directories(&self, id: &ContainerId) -> Result<()> {
        let persistent = tree::discard(&self.paths, &self.paths.container(id));
        // The lock file goes last of all, with its directory: until then nobody else can have the lock.
        persistent.and(self.delete_run_directory(id))
    }

    fn delete_run_directory(&self, id: &ContainerId) -> Result<()> {
        let run = self.paths.run_container(id);
        let note = std::fs::read_to_string(run.join(Paths::LOCK_FILE)).unwrap_or_default();
        if !note.is_empty() {
            (self.end)(id, &note);
        }
        tree::delete_locked(&run, Paths::LOCK_FILE)
    }

    /// Whether there is a row.
    pub(crate) fn has_container(&self, id: &ContainerId) -> Result<bool> {
        self.read("looking for a container", |transaction| {
            let mut statement = transaction.prepare_cached("SELECT 1 FROM containers WHERE id = ?1")?;
            Ok(statement.exists([id.hex()])?)
        })
    }

    /// Deletes rows, and the hidden images that only they used. Returns the volumes that went with them: always those of
    /// containers that go with their end, of others if `volumes` says so. What these have on disk is left to the caller.
    pub(crate) fn delete_rows(&self, ids: &[ContainerId], volumes: bool) -> Result<Vec<String>> {
        self.write(Durability::Lazy, "removing containers", |transaction| {
            let mut candidates = Vec::new();
            for id in ids {
                candidates.extend(volumes::owned_by(transaction, id, volumes)?);
            }
            let mut statement = transaction.prepare_cached("DELETE FROM containers WHERE id = ?1")?;
            for id in ids {
                statement.execute([id.hex()])?;
            }
            transaction.prepare_cached(DELETE_UNUSED_HIDDEN)?.execute([])?;
            volumes::delete_unused(transaction, candidates)
        })
    }

    /// The lock of a container's run directory, both of which are made if need be; None if another holds it.
    pub(crate) fn take_lock(&self, id: &ContainerId) -> Result<Option<OwnedFd>> {
        let directory = self.paths.run_container(id);
        let path = directory.join(Paths::LOCK_FILE);
        loop {
            tree::make_private(&directory)?;
            match lock::acquire(&path, Want::ExclusiveNow) {
                Ok(Some(file)) => return Ok(Some(file)),
                // Those who only look hold it together for a moment: that is no reason to call the container alive.
                Ok(None) if lock::is_held(&path)? => return Ok(None),
                Ok(None) => std::thread::yield_now(),
                // A collector took the directory between the two steps: it was not locked yet.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOENT.raw_os_error()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn insert_container(&self, record: &ContainerRecord, uses: &Uses) -> Result<()> {
        names::validate(&record.name)?;
        let config = record.config.to_string();
        self.write(uses.durability(), &format!("creating container {}", record.name), |transaction| {
            let mut insert = transaction.prepare_cached(&format!(
                "INSERT INTO containers ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            ))?;
            let inserted = insert.execute(params![
                record.id.hex(),
                record.name,
                record.image.hex(),
                record.image_name,
                record.created,
                record.boot_id,
                record.auto_remove,
                record.keep_unstarted,
                config
            ]);
            match inserted {
                Ok(_) => uses.insert(transaction, &record.id),
                Err(error) => Err(explain(transaction, record, error)),
            }
        })
    }
}

/// Which of the things that a row must not do it did. They are asked about only then, because this is the hot path.
fn explain(transaction: &Transaction<'_>, record: &ContainerRecord, error: rusqlite::Error) -> Failure {
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return error.into();
    }
    let holder = transaction
        .query_row("SELECT id FROM containers WHERE name = ?1 OR id = ?2", [&record.name, &record.id.hex()], |row| {
            row.get::<_, String>(0)
        })
        .optional();
    match holder {
        Ok(Some(holder)) => name_taken(&record.name, &holder).into(),
        // The image was there when the caller looked.
        Ok(None) => Error::new(ErrorKind::NotFound, format!("no such image: {}", record.image)).into(),
        Err(error) => error.into(),
    }
}

fn container_by_prefix(transaction: &Transaction<'_>, key: &str) -> std::result::Result<ContainerRecord, Failure> {
    let missing = || Failure::Request(Error::new(ErrorKind::NotFound, format!("no such container: {key}")));
    if !is_hex_prefix(key) {
        return Err(missing());
    }
    // 'g' is the character after 'f', so the range is all ids that begin so.
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM containers WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 2"
    ))?;
    let mut records = statement.query_map([key], container_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if records.len() > 1 {
        return Err(Error::new(ErrorKind::Ambiguous, format!("container id {key} fits several containers")).into());
    }
    records.pop().ok_or_else(missing)
}

pub(crate) fn name_taken(name: &str, holder: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("the container name \"/{name}\" is already in use by container \"{holder}\""),
    )
}

fn container_row(row: &Row<'_>) -> rusqlite::Result<ContainerRecord> {
    Ok(ContainerRecord {
        id: id_column(row, 0)?,
        name: row.get(1)?,
        image: digest_column(row, 2)?,
        image_name: row.get(3)?,
        created: row.get(4)?,
        boot_id: row.get(5)?,
        auto_remove: row.get(6)?,
        keep_unstarted: row.get(7)?,
        config: serde_json::from_str(row.get_ref(8)?.as_str()?).map_err(|error| unreadable(8, error))?,
    })
}

/// A column of 64 hex digits.
pub(crate) fn id_column(row: &Row<'_>, index: usize) -> rusqlite::Result<ContainerId> {
    row.get_ref(index)?.as_str()?.parse().map_err(|error: Error| unreadable(index, error))
}

/// What a column says and should not.
pub(crate) fn unreadable(index: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
}
