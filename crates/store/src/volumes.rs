//! Volumes: directories that outlive containers, their rows, and which containers use them.
//!
//! A directory comes first and its row last; away goes the row first. Whoever makes a volume, fills it, or takes its
//! directory away holds the lock of that directory meanwhile, so a directory without a row whose lock is free is garbage.
//! A row goes only while no container uses the volume, and the database itself sees to that; an anonymous one can go
//! with its last container while another is about to use it, which then is refused.
//!
//! The row of a volume with a name is committed durably: after a power failure, a directory without a row must not be one
//! that somebody has data in.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use rustix::fs::Mode;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::containers::id_column;
use crate::database::{Durability, Failure};
use crate::lock::{self, Want};
use crate::{ContainerId, Digest, Error, ErrorKind, Hold, Result, Store, names, tree};

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecord {
    /// Its name, which is also that of its directory.
    pub name: String,
    /// Who makes it: `local`.
    pub driver: String,
    /// When it was created: RFC 3339, UTC.
    pub created: String,
    /// Whether nobody gave it a name.
    pub anonymous: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
}

/// That a container uses a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUse {
    /// The volume.
    pub name: String,
    /// Whether the container did not name it, so that it may take it along when it goes.
    pub owned: bool,
}

/// What a container uses besides the image it is made from.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// Volumes that come into being together with the container. Their locks are held by the caller.
    pub new_volumes: Vec<VolumeRecord>,
    /// All volumes it uses.
    pub volumes: Vec<VolumeUse>,
    /// Further images.
    pub images: Vec<Digest>,
}

/// The lock of a volume, which ends with the value.
#[derive(Debug)]
#[must_use = "without its lock a volume can be taken away"]
pub struct VolumeLock {
    name: String,
    #[expect(dead_code, reason = "held for its lock")]
    directory: OwnedFd,
}

/// What is being filled, beside the data directory that it will become.
const UNFINISHED: &str = "filling";

/// Columns in the order of [`volume_row`].
const COLUMNS: &str = "name, driver, created, anonymous, labels, options";

impl VolumeLock {
    /// Whose lock this is.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Uses {
    /// What has data in it that somebody named must not be forgotten.
    pub(crate) fn durability(&self) -> Durability {
        if self.new_volumes.iter().all(|volume| volume.anonymous) { Durability::Lazy } else { Durability::Synced }
    }

    pub(crate) fn insert(
        &self,
        transaction: &Transaction<'_>,
        container: &ContainerId,
    ) -> std::result::Result<(), Failure> {
        for volume in &self.new_volumes {
            insert(transaction, volume)?;
        }
        for used in &self.volumes {
            // A volume can be mounted twice; then it is owned if it is so once.
            transaction
                .prepare_cached(
                    "INSERT INTO container_volumes (container, volume, owned) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET owned = max(owned, ?3)",
                )?
                .execute(params![container.hex(), used.name, used.owned])
                .map_err(|error| missing(error, || no_such_volume(&used.name)))?;
        }
        for image in &self.images {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO container_images (container, image) VALUES (?1, ?2)")?
                .execute([container.hex(), image.hex()])
                .map_err(|error| {
                    missing(error, || Error::new(ErrorKind::NotFound, format!("no such image: {image}")))
                })?;
        }
        Ok(())
    }
}

impl Store {
    /// Takes the lock of a volume, whose directory is made if there is none; waits for whoever has it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what cannot be a name.
    pub fn lock_volume(&self, name: &str) -> Result<VolumeLock> {
        names::validate_volume(name)?;
        let path = self.paths.volume(name);
        loop {
            tree::make_private(&path)?;
            // None: it was taken away between the two steps, or while it was waited for.
            if let Some(directory) = lock::acquire_directory(&path, Want::Exclusive)? {
                return Ok(VolumeLock { name: name.to_owned(), directory });
            }
        }
    }

    /// The volume whose lock this is, or None if there is none yet. Afterwards its data directory is there; without a row
    /// it is empty, whatever a killed process has left in it.
    ///
    /// # Errors
    /// Those of the database and the file system.
    pub fn locked_volume(&self, lock: &VolumeLock) -> Result<Option<VolumeRecord>> {
        let found = self.volume(&lock.name)?;
        let path = self.paths.volume_data(&lock.name);
        if found.is_none() {
            tree::discard(&self.paths, &path)?;
        }
        if tree::make_private(&path)? {
            // Whoever is in the container must be able to pass, whatever the umask of this process is.
            rustix::fs::chmod(&path, Mode::from_raw_mode(0o755))
                .map_err(|errno| Error::io("changing the mode of", &path, errno))?;
        }
        Ok(found)
    }

    /// Gives a volume what `fill` puts into a directory, in one step: whoever is killed leaves it empty, or filled. False,
    /// and `fill` is not called, if there is anything in it already. Nobody may have it mounted: he would go on with the
    /// empty directory.
    ///
    /// # Errors
    /// Those of `fill`, and of the file system.
    pub fn fill_volume<E: From<Error>>(
        &self,
        lock: &VolumeLock,
        fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
    ) -> std::result::Result<bool, E> {
        let (data, new) = (self.paths.volume_data(&lock.name), self.paths.volume(&lock.name).join(UNFINISHED));
        // What somebody has left who was killed.
        tree::discard(&self.paths, &new)?;
        if !is_empty(&data)? {
            return Ok(false);
        }
        tree::make_private(&new)?;
        let mode = Mode::from_raw_mode(0o755);
        rustix::fs::chmod(&new, mode).map_err(|errno| Error::io("changing the mode of", &new, errno))?;
        let filled = fill(&new);
        sys::fault::point("volume: filled");
        if let Err(error) = filled {
            tree::discard(&self.paths, &new).ok();
            return Err(error);
        }
        // rename(2) replaces only an empty directory.
        let renamed = rustix::fs::rename(&new, &data);
        sys::fault::point("volume: has its content");
        match renamed {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(tree::discard(&self.paths, &new).map(|()| false)?),
            Err(errno) => Err(Error::io("renaming to", &data, errno).into()),
        }
    }

    /// Lets a lock go; of a volume that was not made after all, nothing stays.
    ///
    /// # Errors
    /// Those of the database and the file system.
    pub fn release_volume(&self, lock: VolumeLock) -> Result<()> {
        let name = lock.name.clone();
        drop(lock);
        self.discard_volume(&name).map(drop)
    }

    /// Lists a new volume.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if there is one of that name; [`ErrorKind::Invalid`] if the lock is another one's.
    pub fn insert_volume(&self, lock: &VolumeLock, volume: &VolumeRecord) -> Result<()> {
        if lock.name != volume.name {
            let message = format!("volume {} cannot be made with the lock of {}", volume.name, lock.name);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        self.write(Durability::Synced, &format!("creating volume {}", volume.name), |transaction| {
            insert(transaction, volume)
        })
    }

    /// The volume of this name, if there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn volume(&self, name: &str) -> Result<Option<VolumeRecord>> {
        self.read(&format!("looking for volume {name}"), |transaction| {
            let mut statement =
                transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes WHERE name = ?1"))?;
            Ok(statement.query_row([name], volume_row).optional()?)
        })
    }

    /// All volumes, by name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn volumes(&self) -> Result<Vec<VolumeRecord>> {
        self.read("listing volumes", |transaction| {
            let mut statement = transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes ORDER BY name"))?;
            Ok(statement.query_map([], volume_row)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The containers that use a volume: their ids and names.
    ///
    /// # Errors
    /// Those of the database.
    pub fn volume_users(&self, name: &str) -> Result<Vec<(ContainerId, String)>> {
        self.read(&format!("looking for who uses volume {name}"), |transaction| Ok(users(transaction, name)?))
    }

    /// How many containers use each of the volumes that any uses.
    ///
    /// # Errors
    /// Those of the database.
    pub fn volume_use_counts(&self) -> Result<BTreeMap<String, usize>> {
        self.read("counting uses of volumes", |transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT volume, count(*) FROM container_volumes GROUP BY volume")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Removes a volume that no container uses: its row, then all that is in it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Conflict`] if it is used (the message says by whom). If what it has
    /// on disk cannot be deleted, the collector tries again.
    pub fn remove_volume(&self, name: &str) -> Result<()> {
        names::validate_volume(name).map_err(|_| no_such_volume(name))?;
        if self.volume(name)?.is_none() {
            return Err(no_such_volume(name));
        }
        let Some(_hold) = self.try_hold_volume(name, Hold::Alone)? else {
            return Err(Error::new(ErrorKind::Conflict, "volume is in use - [a command of a build]"));
        };
        // Who is about to use it goes first, and then keeps it.
        let lock = self.lock_volume(name)?;
        let removed = self.write(Durability::Synced, &format!("removing volume {name}"), |transaction| {
            let users = users(transaction, name)?;
            if !users.is_empty() {
                return Err(in_use(&users).into());
            }
            match transaction.execute("DELETE FROM volumes WHERE name = ?1", [name])? {
                0 => Err(no_such_volume(name).into()),
                _ => Ok(()),
            }
        });
        drop(lock);
        removed.and(self.discard_volume(name).map(drop))
    }

    /// Deletes what a volume without a row has on disk; false if it has a row, or if somebody is about to give it one.
    pub(crate) fn discard_volume(&self, name: &str) -> Result<bool> {
        let path = self.paths.volume(name);
        let Some(lock) = lock::acquire_directory(&path, Want::ExclusiveNow)? else { return Ok(false) };
        if self.volume(name)?.is_some() {
            return Ok(false);
        }
        let trash = tree::move_away(&self.paths, &path)?;
        drop(lock);
        trash.map_or(Ok(()), |trash| tree::delete(&trash)).map(|()| true)
    }
}

/// The anonymous volumes that a container may take along: of one that goes with its end, or of any.
pub(crate) fn owned_by(
    transaction: &Transaction<'_>,
    container: &ContainerId,
    any: bool,
) -> std::result::Result<Vec<String>, Failure> {
    let mut statement = transaction.prepare_cached(
        "SELECT volume FROM container_volumes JOIN volumes ON volumes.name = volume
             JOIN containers ON containers.id = container
         WHERE container = ?1 AND owned AND anonymous AND (auto_remove OR ?2)",
    )?;
    Ok(statement.query_map(params![container.hex(), any], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// Deletes the rows of those that nobody uses; returns them.
pub(crate) fn delete_unused(
    transaction: &Transaction<'_>,
    mut names: Vec<String>,
) -> std::result::Result<Vec<String>, Failure> {
    let mut deleted = Vec::new();
    for name in names.drain(..) {
        let count = transaction
            .prepare_cached(
                "DELETE FROM volumes WHERE name = ?1
                 AND NOT EXISTS (SELECT 1 FROM container_volumes WHERE volume = ?1)",
            )?
            .execute([&name])?;
        if count > 0 {
            deleted.push(name);
        }
    }
    Ok(deleted)
}

fn insert(transaction: &Transaction<'_>, volume: &VolumeRecord) -> std::result::Result<(), Failure> {
    names::validate_volume(&volume.name)?;
    let json = |map: &BTreeMap<String, String>| serde_json::json!(map).to_string();
    transaction
        .prepare_cached(&format!("INSERT INTO volumes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"))?
        .execute(params![
            volume.name,
            volume.driver,
            volume.created,
            volume.anonymous,
            json(&volume.labels),
            json(&volume.options)
        ])
        .map_err(|error| {
            missing(error, || {
                Error::new(ErrorKind::Conflict, format!("a volume named {} is there already", volume.name))
            })
        })?;
    Ok(())
}

/// What a violated constraint means here.
fn missing(error: rusqlite::Error, meaning: impl FnOnce() -> Error) -> Failure {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => meaning().into(),
        _ => error.into(),
    }
}

fn is_empty(directory: &Path) -> Result<bool> {
    let mut entries = std::fs::read_dir(directory).map_err(|error| Error::io("listing", directory, error))?;
    Ok(entries.next().is_none())
}

fn users(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Vec<(ContainerId, String)>> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, name FROM container_volumes JOIN containers ON id = container WHERE volume = ?1 ORDER BY name",
    )?;
    statement.query_map([name], |row| Ok((id_column(row, 0)?, row.get(1)?)))?.collect()
}

fn in_use(users: &[(ContainerId, String)]) -> Error {
    let users: Vec<String> = users.iter().map(|(id, name)| format!("{name} ({})", id.short())).collect();
    Error::new(ErrorKind::Conflict, format!("volume is in use - [{}]", users.join(", ")))
}

fn no_such_volume(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no such volume: {name}"))
}

fn volume_row(row: &Row<'_>) -> rusqlite::Result<VolumeRecord> {
    let map = |index: usize| {
        serde_json::from_str(row.get_ref(index)?.as_str()?).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
        })
    };
    Ok(VolumeRecord {
        name: row.get(0)?,
        driver: row.get(1)?,
        created: row.get(2)?,
        anonymous: row.get(3)?,
        labels: map(4)?,
        options: map(5)?,
    })
}
