//! Images and power failures: an image is listed as soon as it is whole in memory, and made durable afterwards.
//!
//! To wait for the disk before an image is listed would be most of a pull: 800 MB take 20 seconds at 40 MB/s, where
//! fetching and unpacking them takes three. So the row of a new image says in which boot it was written, until a sync
//! has come after that. After a power failure such an image is one that was never pulled; nothing of it is trusted.

use std::fs::{self, File};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Transaction;

use crate::database::{self, Durability};
use crate::images::DELETE_UNUSED_HIDDEN;
use crate::{Error, Paths, Result, Store, boot_id, tree};

/// File below RUN that names the boot in which the images of a power failure were last looked for.
const BOOT_FILE: &str = "boot";

/// What the row of an image says whose content is not synced; another value for each writing.
pub(crate) fn unsynced_now() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{} {}", boot_id()?, now.as_nanos()))
}

impl Store {
    /// Whether there is an image, or a result of a build, that a power failure would take.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_unsynced_images(&self) -> Result<bool> {
        self.read("looking for images to sync", |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT 1 FROM images WHERE unsynced IS NOT NULL
                 UNION ALL SELECT 1 FROM step_results WHERE unsynced IS NOT NULL",
            )?;
            Ok(statement.exists([])?)
        })
    }

    /// Syncs the store's file system, and notes for the images listed before that they are durable, and for the results of
    /// builds. Returns how many these are; without any, nothing is synced. Takes as long as the disk does.
    ///
    /// # Errors
    /// Those of the file system and the database; then the images stay as they were.
    pub fn sync_images(&self) -> Result<usize> {
        let unsynced = self.read("listing images to sync", |transaction| unsynced_rows(transaction, "images"))?;
        let steps = self.read("listing steps to sync", |transaction| unsynced_rows(transaction, "step_results"))?;
        if unsynced.is_empty() && steps.is_empty() {
            return Ok(0);
        }
        let path = self.paths.root();
        // One sync for all files of all layers, instead of one for each.
        File::open(path)
            .and_then(|root| Ok(rustix::fs::syncfs(root)?))
            .map_err(|error| Error::io("syncing", path, error))?;
        self.write(Durability::Synced, "noting synced images", |transaction| {
            // What was written anew meanwhile has another value.
            for (table, rows) in [("images", &unsynced), ("step_results", &steps)] {
                let mut statement = transaction
                    .prepare_cached(&format!("UPDATE {table} SET unsynced = NULL WHERE id = ?1 AND unsynced = ?2"))?;
                for (id, value) in rows {
                    statement.execute([id, value])?;
                }
            }
            Ok(())
        })?;
        Ok(unsynced.len() + steps.len())
    }
}

fn unsynced_rows(
    transaction: &Transaction<'_>,
    table: &str,
) -> std::result::Result<Vec<(String, String)>, database::Failure> {
    let query = format!("SELECT cast(id AS TEXT), unsynced FROM {table} WHERE unsynced IS NOT NULL");
    let mut statement = transaction.prepare_cached(&query)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets the images that the last power failure may have damaged; once in each boot. One that containers were made
/// from is hidden, as if it had been removed. In every later call this reads two small files.
///
/// # Errors
/// Those of the database and of RUN.
pub(crate) fn forget_lost_images(paths: &Paths, connection: &rusqlite::Connection) -> Result<()> {
    let boot = boot_id()?;
    let file = paths.run().join(BOOT_FILE);
    if fs::read_to_string(&file).is_ok_and(|seen| seen == boot) {
        return Ok(());
    }
    database::write(connection, Durability::Lazy, "forgetting images of a power failure", |transaction| {
        let lost = "unsynced IS NOT NULL AND substr(unsynced, 1, 36) != ?1";
        transaction
            .execute(&format!("DELETE FROM tags WHERE image IN (SELECT id FROM images WHERE {lost})"), [&boot])?;
        transaction.execute(&format!("UPDATE images SET hidden = 1 WHERE {lost}"), [&boot])?;
        transaction.execute(DELETE_UNUSED_HIDDEN, [])?;
        transaction.execute(&format!("DELETE FROM step_results WHERE {lost}"), [&boot])?;
        Ok(())
    })?;
    tree::make_private(paths.run())?;
    fs::write(&file, boot).map_err(|error| Error::io("writing", &file, error))
}
