//! What nobody refers to any more, and its removal.
//!
//! Each part is its own function, because they differ in price: [`Store::collect_ended`] is for every command,
//! [`Store::collect_containers`] and [`Store::collect_temporary`] for those that change something or list,
//! [`Store::collect_content`] for those that remove images. A part that fails is reported and does not stop the others.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use crate::blobs::UNFINISHED as UNFINISHED_BLOB;
use crate::containers::id_column;
use crate::images::digest_column;
use crate::layers::{self, LOCK, UNFINISHED as UNFINISHED_LAYER};
use crate::lock::{self, Want};
use crate::replace::UNFINISHED as UNFINISHED_FILE;
use crate::tree::TRASH;
use crate::{ContainerId, Digest, Error, ErrorKind, Paths, Result, Store, boot_id, steps, tree};

/// What a collection has removed.
#[derive(Debug, Default)]
pub struct Collected {
    /// Containers: rows, directories, or both.
    pub containers: Vec<ContainerId>,
    /// Layers that no image has.
    pub layers: Vec<Digest>,
    /// Blobs that no image has.
    pub blobs: Vec<Digest>,
    /// Volumes: what was left of those that are gone, and those that went with their container.
    pub volumes: Vec<String>,
    /// Things that dead processes were writing or deleting.
    pub temporary: usize,
    /// Bytes of the layers, as their writers counted them.
    pub bytes: u64,
    /// What could not be removed.
    pub errors: Vec<Error>,
}

/// Of a row, what decides whether it is garbage.
struct Candidate {
    id: ContainerId,
    boot_id: String,
    auto_remove: bool,
    keep_unstarted: bool,
}

impl Candidate {
    /// Whether it is garbage only without a directory, whatever became of it: that is so of most.
    fn stays_with_its_directory(&self) -> bool {
        self.keep_unstarted && !self.auto_remove
    }
}

/// Content that no image has.
#[derive(Default)]
struct Unreferenced {
    layers: Vec<Digest>,
    blobs: Vec<Digest>,
}

impl Collected {
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }
}

impl Store {
    /// Everything below, in the order in which one makes work for the next.
    pub fn collect(&self) -> Collected {
        let mut collected = Collected::default();
        self.collect_ended_into(&mut collected);
        self.collect_containers_into(&mut collected);
        self.collect_volumes_into(&mut collected);
        self.collect_content_into(&mut collected);
        self.collect_temporary_into(&mut collected);
        collected
    }

    /// Deletes the rows of containers that were to go when they ended, and have: their supervisor deleted their
    /// directories. One query and one readdir, and one transaction if there are any.
    pub fn collect_ended(&self) -> Collected {
        let mut collected = Collected::default();
        self.collect_ended_into(&mut collected);
        collected
    }

    /// Removes containers that nobody will ever start or end: those that should go when they end and have ended, those
    /// whose creator was killed before they were started, and what has a directory but no row, or a row but no directory.
    ///
    /// A container whose supervisor was killed stays: its processes may still run, and it is not the store that can say.
    pub fn collect_containers(&self) -> Collected {
        let mut collected = Collected::default();
        self.collect_containers_into(&mut collected);
        collected
    }

    /// Removes what volumes have on disk that are not there (any more).
    pub fn collect_volumes(&self) -> Collected {
        let mut collected = Collected::default();
        self.collect_volumes_into(&mut collected);
        collected
    }

    /// Removes layers and blobs that no image has. Does nothing while anybody holds a lease.
    pub fn collect_content(&self) -> Collected {
        let mut collected = Collected::default();
        self.collect_content_into(&mut collected);
        collected
    }

    /// Removes what dead processes were writing or deleting.
    pub fn collect_temporary(&self) -> Collected {
        let mut collected = Collected::default();
        self.collect_temporary_into(&mut collected);
        collected
    }

    fn collect_ended_into(&self, collected: &mut Collected) {
        if let Some(ended) = collected.note(self.ended())
            && !ended.is_empty()
            && let Some(volumes) = collected.note(self.delete_rows(&ended, false))
        {
            collected.containers.extend(ended);
            self.discard_volumes(volumes, collected);
        }
    }

    /// The rows come first: each had its run directory before it was committed.
    fn ended(&self) -> Result<Vec<ContainerId>> {
        let mut ids: Vec<ContainerId> = self.read("looking for ended containers", |transaction| {
            let mut statement = transaction.prepare_cached("SELECT id FROM containers WHERE auto_remove")?;
            Ok(statement.query_map([], |row| id_column(row, 0))?.collect::<rusqlite::Result<_>>()?)
        })?;
        if !ids.is_empty() {
            let present = ids_in(&self.paths.run_containers())?;
            ids.retain(|id| !present.contains(id) && is_gone(&self.paths.container(id)));
        }
        Ok(ids)
    }

    fn collect_containers_into(&self, collected: &mut Collected) {
        let Some(rows) = collected.note(self.candidates()) else { return };
        let Some(boot) = collected.note(boot_id()) else { return };
        let in_both = [self.paths.containers(), self.paths.run_containers()];
        let [persistent, running] = in_both.map(|directory| collected.note(ids_in(&directory)).unwrap_or_default());
        for row in &rows {
            let stays = row.stays_with_its_directory() && persistent.contains(&row.id);
            if !stays && matches!(collected.note(self.collect_row(row, &boot)), Some(true)) {
                collected.containers.push(row.id);
            }
        }
        let known: HashSet<ContainerId> = rows.iter().map(|row| row.id).collect();
        for id in persistent.union(&running).filter(|id| !known.contains(id)) {
            if matches!(collected.note(self.collect_directory(id)), Some(true)) {
                collected.containers.push(*id);
            }
        }
    }

    /// Looks without the lock first: to hold it, however shortly, makes the container look alive to others.
    fn collect_row(&self, row: &Candidate, boot: &str) -> Result<bool> {
        if !self.is_garbage(row, boot) || self.container_is_live(&row.id)? {
            return Ok(false);
        }
        let lock = match self.lock_container(&row.id) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Ok(false),
            // Another was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if !self.is_garbage(row, boot) {
            return Ok(false);
        }
        // Nobody ever wrote to the volumes of one that was never started; of any other, and of one whose directory does
        // not say, they outlive the row.
        let removed = if self.never_started(&row.id) {
            self.remove_container_and_volumes(lock)
        } else {
            self.remove_container(lock)
        };
        removed.map(|()| true)
    }

    /// Only if it is certain.
    fn never_started(&self, id: &ContainerId) -> bool {
        let directory = self.paths.container(id);
        directory.is_dir()
            && is_gone(&directory.join(Paths::RUN_FILE))
            && is_gone(&directory.join(Paths::EXIT_FILE))
            && is_gone(&self.paths.run_container(id).join(Paths::STATUS_FILE))
    }

    /// Directories of volumes without a row: of volumes that were removed, or never came to be.
    fn collect_volumes_into(&self, collected: &mut Collected) {
        let names = collected.note(names_in(&self.paths.volumes())).unwrap_or_default();
        if names.is_empty() {
            return;
        }
        let Some(rows) = collected.note(self.volumes()) else { return };
        let known: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let names = names.iter().filter_map(|name| name.to_str());
        let strays = names.filter(|name| !known.contains(name)).map(str::to_owned).collect();
        self.discard_volumes(strays, collected);
    }

    fn discard_volumes(&self, names: Vec<String>, collected: &mut Collected) {
        for name in names {
            if collected.note(self.discard_volume(&name)) == Some(true) {
                collected.volumes.push(name);
            }
        }
    }

    /// Looks at as little as it can: every list of containers asks this of every row. What cannot be looked at, as on a
    /// disk that fails, is no garbage.
    fn is_garbage(&self, row: &Candidate, boot: &str) -> bool {
        let directory = self.paths.container(&row.id);
        if row.stays_with_its_directory() {
            return is_gone(&directory);
        }
        let has_status = || !is_gone(&self.paths.run_container(&row.id).join(Paths::STATUS_FILE));
        let has_ended = || directory.join(Paths::EXIT_FILE).exists();
        let never_ran = || is_gone(&directory.join(Paths::RUN_FILE));
        if has_status() {
            // It runs, or its supervisor was killed; with an end as well, it is just being let go.
            return row.auto_remove && has_ended();
        }
        // Of another boot one cannot tell "never started" from "running when the power failed".
        let may_be_abandoned = !row.keep_unstarted && (row.auto_remove || row.boot_id == boot);
        if (row.auto_remove || may_be_abandoned) && has_ended() {
            return row.auto_remove;
        }
        (may_be_abandoned && never_ran()) || is_gone(&directory)
    }

    /// A directory that had no row when the rows were read. Its creator may be about to commit one; he has the lock.
    fn collect_directory(&self, id: &ContainerId) -> Result<bool> {
        if self.container_is_live(id)? {
            return Ok(false);
        }
        let Some(_lock) = self.take_lock(id)? else { return Ok(false) };
        if self.has_container(id)? {
            return Ok(false);
        }
        self.delete_directories(id).map(|()| true)
    }

    fn candidates(&self) -> Result<Vec<Candidate>> {
        self.read("looking for abandoned containers", |transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT id, boot_id, auto_remove, keep_unstarted FROM containers")?;
            let rows = statement.query_map([], |row| {
                Ok(Candidate {
                    id: id_column(row, 0)?,
                    boot_id: row.get(1)?,
                    auto_remove: row.get(2)?,
                    keep_unstarted: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn collect_content_into(&self, collected: &mut Collected) {
        // Usually there is nothing to do, and then nobody need wait.
        let is_unfinished = !collected.note(self.unfinished_files()).unwrap_or_default().is_empty();
        match collected.note(self.unreferenced()) {
            Some(nothing) if nothing.layers.is_empty() && nothing.blobs.is_empty() && !is_unfinished => return,
            None => return,
            Some(_) => {}
        }
        let Some(Some(alone)) = collected.note(lock::acquire(&self.paths.lock(), Want::ExclusiveNow)) else { return };
        let Some(unreferenced) = collected.note(self.unreferenced()) else { return };
        // Moved while nobody can add; deleted, which takes long, when everybody can again.
        let trash: Vec<PathBuf> =
            unreferenced.layers.iter().filter_map(|diff_id| self.move_layer_away(diff_id, collected)).collect();
        for digest in unreferenced.blobs {
            let path = self.paths.blob(&digest);
            if collected.note(unlink(&path)).is_some() {
                collected.blobs.push(digest);
            }
        }
        self.collect_unfinished_files(collected);
        drop(alone);
        collected.note(self.forget_layer_blobs(&collected.layers.clone()));
        for path in trash {
            collected.note(tree::delete(&path));
        }
    }

    fn move_layer_away(&self, diff_id: &Digest, collected: &mut Collected) -> Option<PathBuf> {
        let path = self.paths.layer(diff_id);
        // A further name takes nothing.
        let size = if self.linked_layer(diff_id).is_some() { 0 } else { layers::recorded_size(&path) };
        let trash = collected.note(tree::move_away(&self.paths, &path))??;
        collected.layers.push(*diff_id);
        collected.bytes += size;
        Some(trash)
    }

    /// Whoever writes one has a lease, and the caller knows that nobody has.
    fn collect_unfinished_files(&self, collected: &mut Collected) {
        for path in collected.note(self.unfinished_files()).unwrap_or_default() {
            if collected.note(unlink(&path)).is_some() {
                collected.temporary += 1;
            }
        }
    }

    /// Blobs and other files that somebody writes, or wrote when he was killed.
    fn unfinished_files(&self) -> Result<Vec<PathBuf>> {
        let mut names = names_in(&self.paths.tmp())?;
        names.retain(|name| starts_with(name, UNFINISHED_BLOB) || starts_with(name, UNFINISHED_FILE));
        Ok(names.into_iter().map(|name| self.paths.tmp().join(name)).collect())
    }

    /// What [`Store::collect_containers`] would remove.
    pub(crate) fn garbage_containers(&self) -> Result<Vec<ContainerId>> {
        let (rows, boot) = (self.candidates()?, boot_id()?);
        let known: HashSet<ContainerId> = rows.iter().map(|row| row.id).collect();
        let mut ids: Vec<ContainerId> =
            rows.iter().filter(|row| self.is_garbage(row, &boot)).map(|row| row.id).collect();
        let mut strays = HashSet::new();
        for directory in [self.paths.containers(), self.paths.run_containers()] {
            strays.extend(ids_in(&directory)?);
        }
        ids.extend(strays.difference(&known));
        let mut garbage = Vec::new();
        for id in ids {
            if !self.container_is_live(&id)? {
                garbage.push(id);
            }
        }
        Ok(garbage)
    }

    /// What [`Store::collect_volumes`] would remove.
    pub(crate) fn garbage_volumes(&self) -> Result<Vec<String>> {
        let names = names_in(&self.paths.volumes())?;
        let known: HashSet<String> = self.volumes()?.into_iter().map(|row| row.name).collect();
        let names = names.iter().filter_map(|name| name.to_str()).filter(|name| !known.contains(*name));
        // One that is being made is locked.
        let is_free =
            |name: &&str| matches!(lock::acquire_directory(&self.paths.volume(name), Want::ExclusiveNow), Ok(Some(_)));
        Ok(names.filter(is_free).map(str::to_owned).collect())
    }

    /// The layers and blobs that [`Store::collect_content`] would remove.
    pub(crate) fn garbage_content(&self) -> Result<(Vec<Digest>, Vec<Digest>)> {
        self.unreferenced().map(|unreferenced| (unreferenced.layers, unreferenced.blobs))
    }

    /// Lists the directories before it asks the database: what an image gets in between is then known.
    fn unreferenced(&self) -> Result<Unreferenced> {
        let mut layers = digests_in(&self.paths.layers())?;
        let mut blobs = digests_in(&self.paths.blobs())?;
        let (used_layers, used_blobs) = self.referenced()?;
        layers.retain(|diff_id| !used_layers.contains(diff_id));
        blobs.retain(|digest| !used_blobs.contains(digest));
        Ok(Unreferenced { layers, blobs })
    }

    fn referenced(&self) -> Result<(HashSet<Digest>, HashSet<Digest>)> {
        self.read("listing content", |transaction| {
            let mut layers = steps::layers_of_images(transaction)?;
            layers.extend(steps::layers_of_results(transaction)?);
            // A name that leads to another one keeps that, too.
            let layers = self.with_links(layers);
            let mut statement =
                transaction.prepare_cached("SELECT id FROM images UNION SELECT manifest FROM images")?;
            let blobs = statement.query_map([], |row| digest_column(row, 0))?.collect::<rusqlite::Result<_>>()?;
            Ok((layers, blobs))
        })
    }

    fn collect_temporary_into(&self, collected: &mut Collected) {
        let mut unfinished = HashSet::new();
        for name in collected.note(names_in(&self.paths.tmp())).unwrap_or_default() {
            if starts_with(&name, TRASH) {
                if collected.note(tree::delete(&self.paths.tmp().join(&name))).is_some() {
                    collected.temporary += 1;
                }
            } else if let Some(diff_id) = unfinished_layer(&name) {
                unfinished.insert(diff_id);
            }
        }
        for diff_id in unfinished {
            if matches!(collected.note(self.collect_unfinished_layer(&diff_id)), Some(true)) {
                collected.temporary += 1;
            }
        }
    }

    /// Its writer has the lock, if it has one.
    fn collect_unfinished_layer(&self, diff_id: &Digest) -> Result<bool> {
        let lock_path = layers::lock_path(&self.paths, diff_id);
        let Some(_lock) = lock::acquire(&lock_path, Want::ExclusiveNow)? else { return Ok(false) };
        tree::discard(&self.paths, &layers::unfinished_path(&self.paths, diff_id))?;
        unlink(&lock_path)?;
        Ok(true)
    }
}

fn unfinished_layer(name: &OsString) -> Option<Digest> {
    let name = name.to_str()?;
    let hex = name.strip_suffix(UNFINISHED_LAYER).or_else(|| name.strip_suffix(LOCK))?;
    Digest::from_hex(hex).ok()
}

fn starts_with(name: &OsString, beginning: &str) -> bool {
    name.as_encoded_bytes().starts_with(beginning.as_bytes())
}

fn ids_in(directory: &Path) -> Result<HashSet<ContainerId>> {
    Ok(names_in(directory)?.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

fn digests_in(directory: &Path) -> Result<Vec<Digest>> {
    Ok(names_in(directory)?.iter().filter_map(|name| Digest::from_hex(name.to_str()?).ok()).collect())
}

/// The names in a directory; none if it is not there.
pub(crate) fn names_in(directory: &Path) -> Result<Vec<OsString>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io("listing", directory, error))?,
    };
    entries
        .map(|entry| entry.map(|entry| entry.file_name()).map_err(|error| Error::io("listing", directory, error)))
        .collect()
}

/// Whether it is certain that nothing is there: an error says nothing.
fn is_gone(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

fn unlink(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != NotFound => Err(Error::io("deleting", path, error)),
        _ => Ok(()),
    }
}
