//! What `system check` asks of the store, and what it does about damage: nothing here is on any other command's way.

use std::ffi::OsString;
use std::io::ErrorKind::NotFound;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use crate::collect::names_in;
use crate::lock::{self, Want};
use crate::{ContainerId, Digest, Error, ErrorKind, Paths, Result, Store, tree};

/// Beginning of the names of directories with what is set aside.
const ASIDE: &str = "damaged-";

/// What nobody refers to: the next command that removes something takes it along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Directories of containers without a row, and rows whose containers were to go.
    pub containers: Vec<ContainerId>,
    /// Layers that no image has.
    pub layers: Vec<Digest>,
    /// Blobs that no image has.
    pub blobs: Vec<Digest>,
    /// Directories of volumes without a row.
    pub volumes: Vec<String>,
    /// What was being written or deleted, by name.
    pub temporary: Vec<OsString>,
}

impl Garbage {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Garbage::default()
    }
}

/// Which file the database is, to be told from another that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseFile(Option<(u64, u64)>);

impl DatabaseFile {
    /// The one that is there now, if any is.
    pub fn of(paths: &Paths) -> DatabaseFile {
        DatabaseFile(std::fs::metadata(paths.database()).ok().map(|metadata| (metadata.dev(), metadata.ino())))
    }
}

/// As long as it is held, nobody adds content and nobody collects any.
#[derive(Debug)]
#[must_use = "dropping it lets the others go on"]
pub struct Alone(#[expect(dead_code, reason = "held for its lock")] OwnedFd);

impl Store {
    /// Waits until nobody has a lease, and lets nobody have one.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn alone(&self) -> Result<Alone> {
        loop {
            // None is an answer only to those who do not wait.
            if let Some(lock) = lock::acquire(&self.paths.lock(), Want::Exclusive)? {
                return Ok(Alone(lock));
            }
        }
    }

    /// What is wrong with the database of a store, in its own words; nothing if it is whole.
    ///
    /// # Errors
    /// When it cannot be opened or read at all.
    pub fn database_faults(paths: &Paths) -> Result<Vec<String>> {
        let path = paths.database();
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() == 0) {
            return Ok(vec!["it is empty".to_owned()]);
        }
        let run = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(Duration::from_secs(30))?;
            let mut faults = texts(&connection, "PRAGMA integrity_check(10)")?;
            faults.retain(|fault| fault != "ok");
            let strays =
                "SELECT 'a row of ' || \"table\" || ' refers to nothing in ' || parent FROM pragma_foreign_key_check";
            faults.extend(texts(&connection, strays)?);
            Ok(faults)
        };
        run().map_err(|error| Error::database(format_args!("reading {}", path.display()), &error))
    }

    /// Moves a damaged database away, and with it the containers' and volumes' directories, whose rows are lost: with an
    /// empty database they would be garbage. Returns where everything is now, or None if the database is not the one that
    /// was `judged` any more: another process was faster. Images are pulled anew.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn set_damaged_aside(paths: &Paths, judged: DatabaseFile) -> Result<Option<PathBuf>> {
        let _alone = lock::acquire(&paths.lock(), Want::Exclusive)?;
        if DatabaseFile::of(paths) != judged {
            return Ok(None);
        }
        let aside = half_made(paths)?.map_or_else(|| new_aside(paths), Ok)?;
        // The database goes first: a damaged one may still open, and would miss what has gone before it. Without it the
        // store does not open while any of the directories are there, and whoever is killed on the way finds that.
        move_into(&aside, &paths.database())?;
        sync(paths.root())?;
        sync(&aside)?;
        let log = paths.database_log();
        let index = log.with_extension("db-shm");
        for from in [log, index, paths.containers(), paths.volumes()] {
            move_into(&aside, &from)?;
        }
        Ok(Some(aside))
    }

    /// Deletes a layer although images have it: it is damaged, and the next pull writes it anew.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn discard_layer(&self, diff_id: &Digest) -> Result<()> {
        if let Some(written) = self.linked_layer(diff_id) {
            tree::discard(&self.paths, &self.paths.layer(&written))?;
        }
        tree::discard(&self.paths, &self.paths.layer(diff_id))
    }

    /// Deletes a blob although images have it: it is damaged, and the next pull writes it anew.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn discard_blob(&self, digest: &Digest) -> Result<()> {
        let path = self.paths.blob(digest);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != NotFound => Err(Error::io("deleting", &path, error)),
            _ => Ok(()),
        }
    }

    /// What nobody refers to. While another process adds content, that is not told from garbage and left out.
    ///
    /// # Errors
    /// Those of the file system and the database.
    pub fn garbage(&self) -> Result<Garbage> {
        let (containers, volumes) = (self.garbage_containers()?, self.garbage_volumes()?);
        let mut garbage = Garbage { containers, volumes, ..Garbage::default() };
        if let Some(_alone) = lock::acquire(&self.paths.lock(), Want::ExclusiveNow)? {
            (garbage.layers, garbage.blobs) = self.garbage_content()?;
            garbage.temporary = names_in(&self.paths.tmp())?;
        }
        Ok(garbage)
    }
}

/// Whether a new database would make garbage of what is there: the one that knew it is lost.
///
/// # Errors
/// [`ErrorKind::Corrupt`] then.
pub(crate) fn refuse_to_forget(paths: &Paths) -> Result<()> {
    // What cannot be listed may be full.
    let is_filled = |directory: &Path| match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != NotFound,
    };
    // Layers without their images are only fetched once more.
    match [paths.containers(), paths.volumes()].into_iter().find(|directory| is_filled(directory)) {
        Some(directory) => Err(Error::new(
            ErrorKind::Corrupt,
            format!("{} is missing or empty, but {} is not", paths.database().display(), directory.display()),
        )),
        None => Ok(()),
    }
}

/// Whether there is no database, or one with nothing in it.
pub(crate) fn is_database_lost(paths: &Paths) -> bool {
    match std::fs::metadata(paths.database()) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) => error.kind() == NotFound,
    }
}

fn new_aside(paths: &Paths) -> Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let aside = paths.root().join(format!("{ASIDE}{}", now.as_nanos()));
    tree::make_private(&aside)?;
    Ok(aside)
}

/// Where one who was killed began to set aside what is here without its database.
fn half_made(paths: &Paths) -> Result<Option<PathBuf>> {
    if paths.database().exists() {
        return Ok(None);
    }
    let names = names_in(paths.root())?.into_iter();
    let begun = names.filter(|name| name.as_encoded_bytes().starts_with(ASIDE.as_bytes())).max();
    let begun = begun.map(|name| paths.root().join(name));
    let takes = |aside: &PathBuf, from: &Path| {
        !from.exists() || from.file_name().is_some_and(|name| !aside.join(name).exists())
    };
    Ok(begun.filter(|aside| [paths.containers(), paths.volumes()].iter().all(|from| takes(aside, from))))
}

/// Moves something, if it is there, into a directory on the same file system.
fn move_into(directory: &Path, from: &Path) -> Result<()> {
    let Some(name) = from.file_name() else { return Ok(()) };
    sys::fault::point("integrity: setting aside");
    match std::fs::rename(from, directory.join(name)) {
        Err(error) if error.kind() != NotFound => Err(Error::io("moving away", from, error)),
        _ => Ok(()),
    }
}

fn sync(directory: &Path) -> Result<()> {
    let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| Error::io("syncing", directory, error))
}

fn texts(connection: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(query)?;
    statement.query_map([], |row| row.get(0))?.collect()
}
