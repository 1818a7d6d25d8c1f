//! Steps of builds: what each has made, and by which keys that is found again.
//!
//! A step writes a layer of its own name first ([`Store::begin_layer`]), and commits the row when the layer has its place: so a
//! row is never there without its layers, and a layer without a row is garbage. A name that a step has given to a layer is
//! not the digest of its archive, which nobody knows until somebody wants an image of it: [`Store::link_layer`] then gives
//! the layer that name as well.
//!
//! A result is durable after the next [`Store::sync_images`], as images are; a power failure before that takes it.

use std::collections::HashSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::database::{Durability, Failure};
use crate::durability::unsynced_now;
use crate::images::digest_column;
use crate::{Digest, Error, ErrorKind, Layer, LayerSlot, Lease, Result, Store};

/// What a step of a build has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// Its number here.
    pub id: i64,
    /// Its outputs: each the layers of a tree, the lowest first. Of no layer, the tree is empty.
    pub outputs: Vec<Vec<Digest>>,
    /// Which layers the step has written itself.
    pub own: Vec<Digest>,
    /// What kind of step it is.
    pub kind: String,
    /// What it is called.
    pub description: String,
    /// Bytes of the layers that it has written.
    pub size: u64,
    /// When it was made: seconds since 1970. Of one that is noted with 0, it is when that was.
    pub created: u64,
    /// When it was used last: seconds since 1970.
    pub used: u64,
    /// How often it was used.
    pub uses: u64,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// What it was made of; means nothing to the store.
    pub inputs: Vec<u8>,
}

/// What all results take together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Bytes of the layers that steps have written.
    pub bytes: u64,
    /// When the result was used that nobody has used for longest: seconds since 1970.
    pub oldest: Option<u64>,
}

/// What the sum of a layer is called that [`Store::written_digest`] knows.
const DIFF_ID: &[u8] = b"diff id";

/// Columns in the order of [`result_row`].
const COLUMNS: &str = "id, outputs, own, kind, description, size, created, used, uses, took, inputs";
/// The same without what they were made of, which is long.
const SHORT: &str = "id, outputs, own, kind, description, size, created, used, uses, took, x''";

impl Store {
    /// The result that is found by this key, if all its layers are there.
    ///
    /// # Errors
    /// Those of the database.
    pub fn step_result(&self, key: &Digest) -> Result<Option<StepResult>> {
        let found = self.read("looking for a step of a build", |transaction| {
            let mut statement = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM step_results WHERE id = (SELECT result FROM step_keys WHERE key = ?1)"
            ))?;
            Ok(statement.query_row([key.hex()], result_row).optional()?)
        })?;
        // Rows that a power failure may have damaged are gone: a directory that is there is whole.
        Ok(found.filter(|found| found.outputs.iter().flatten().all(|layer| self.paths.layer_fs(layer).is_dir())))
    }

    /// The result of the step that is called so and was used last: what a new one is compared with.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_step_called(&self, description: &str) -> Result<Option<StepResult>> {
        self.read("looking for a step of a build", |transaction| {
            let mut statement = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM step_results WHERE description = ?1 ORDER BY used DESC, id DESC LIMIT 1"
            ))?;
            Ok(statement.query_row([description], result_row).optional()?)
        })
    }

    /// All results, the one used last first, without what they were made of.
    ///
    /// # Errors
    /// Those of the database.
    pub fn step_results(&self) -> Result<Vec<StepResult>> {
        self.read("listing steps of builds", |transaction| {
            let mut statement =
                transaction.prepare_cached(&format!("SELECT {SHORT} FROM step_results ORDER BY used DESC, id DESC"))?;
            Ok(statement.query_map([], result_row)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What all results take together: one row of one table.
    ///
    /// # Errors
    /// Those of the database.
    pub fn cache_size(&self) -> Result<CacheSize> {
        self.read("measuring steps of builds", |transaction| {
            let query = "SELECT ifnull(sum(size), 0), min(used) FROM step_results";
            Ok(transaction.query_row(query, [], |row| Ok(CacheSize { bytes: row.get(0)?, oldest: row.get(1)? }))?)
        })
    }

    /// The layers that images have, under all their names: to forget a result whose layers are among them makes no room.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layers_of_images(&self) -> Result<HashSet<Digest>> {
        Ok(self.with_links(self.read("listing layers of images", layers_of_images)?))
    }

    /// These layers, and those that their names lead to.
    pub(crate) fn with_links(&self, mut layers: HashSet<Digest>) -> HashSet<Digest> {
        let written: Vec<Digest> = layers.iter().filter_map(|layer| self.linked_layer(layer)).collect();
        layers.extend(written);
        layers
    }

    /// The digest of the archive of a layer that a step has written, if somebody has asked for it before.
    ///
    /// # Errors
    /// Those of the database.
    pub fn written_digest(&self, layer: &Digest) -> Result<Option<Digest>> {
        self.tree_sum(layer, &Digest::of(DIFF_ID))
    }

    /// Notes the digest of the archive of a layer that a step has written.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note_written_digest(&self, layer: &Digest, diff_id: &Digest) -> Result<()> {
        self.note_tree_sum(layer, &Digest::of(DIFF_ID), diff_id)
    }

    /// Notes what a step has made: from now on it is found by these keys, and its layers stay. Its number is in `result` then.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if one of its layers is not there.
    pub fn commit_step(&self, _lease: &Lease, keys: &[Digest], result: &mut StepResult) -> Result<()> {
        if let Some(missing) = result.outputs.iter().flatten().find(|layer| !self.paths.layer_fs(layer).is_dir()) {
            return Err(Error::new(ErrorKind::NotFound, format!("no such layer: {missing}")));
        }
        let (unsynced, now) = (unsynced_now()?, now());
        let created = if result.created == 0 { now } else { result.created };
        (result.created, result.used, result.uses) = (created, now, 1);
        result.id = self.write(Durability::Lazy, "noting a step of a build", |transaction| {
            insert_result(transaction, keys, result, &unsynced)
        })?;
        sys::fault::point("step: noted");
        Ok(())
    }

    /// Notes that these results were used just now.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note_steps_used(&self, results: &[i64]) -> Result<()> {
        if results.is_empty() {
            return Ok(());
        }
        self.write(Durability::Lazy, "noting used steps of a build", |transaction| {
            let mut statement =
                transaction.prepare_cached("UPDATE step_results SET used = ?2, uses = uses + 1 WHERE id = ?1")?;
            for id in results {
                statement.execute(params![id, now()])?;
            }
            Ok(())
        })
    }

    /// Forgets these results and the sums of their trees; with the last one, all sums. Their layers go with [`Store::collect_content`], unless
    /// something else has them: a build that has found one of them here keeps them with its lease until its image has them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_steps(&self, results: &[i64]) -> Result<()> {
        self.write(Durability::Synced, "forgetting steps of builds", |transaction| {
            for id in results {
                forget(transaction, *id)?;
            }
            let left: u64 = transaction.query_row("SELECT count(*) FROM step_results", [], |row| row.get(0))?;
            if left == 0 {
                transaction.execute("DELETE FROM tree_sums", [])?;
            }
            Ok(())
        })
    }

    /// The sum of a part of a tree, if it was noted.
    ///
    /// # Errors
    /// Those of the database.
    pub fn tree_sum(&self, tree: &Digest, part: &Digest) -> Result<Option<Digest>> {
        self.read("looking for the sum of a tree", |transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT sum FROM tree_sums WHERE tree = ?1 AND part = ?2")?;
            Ok(statement.query_row([tree.hex(), part.hex()], |row| digest_column(row, 0)).optional()?)
        })
    }

    /// Notes the sum of a part of a tree.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note_tree_sum(&self, tree: &Digest, part: &Digest, sum: &Digest) -> Result<()> {
        self.write(Durability::Lazy, "noting the sum of a tree", |transaction| {
            let mut statement =
                transaction.prepare_cached("INSERT OR REPLACE INTO tree_sums (tree, part, sum) VALUES (?1, ?2, ?3)")?;
            statement.execute([tree.hex(), part.hex(), sum.hex()])?;
            Ok(())
        })
    }

    /// Gives a layer that a step has written the name that it has in images, too: the digest of its archive. If a layer of that
    /// name is there, that one is what comes back.
    ///
    /// # Errors
    /// Those of the file system and the database.
    pub fn link_layer(&self, lease: &Lease, written: &Digest, diff_id: &Digest) -> Result<Layer> {
        match self.begin_layer(lease, diff_id)? {
            LayerSlot::Present(layer) => Ok(layer),
            LayerSlot::Write(writer) => writer.link_to(written),
        }
    }

    /// The directory whose other name this one is, if it is one of those that [`Store::link_layer`] gives.
    pub(crate) fn linked_layer(&self, diff_id: &Digest) -> Option<Digest> {
        let target = std::fs::read_link(self.paths.layer(diff_id)).ok()?;
        Digest::from_hex(target.to_str()?).ok()
    }
}

/// What tells a tree of these layers from all others.
pub fn tree_name(layers: &[Digest]) -> Digest {
    Digest::of(layers.iter().map(Digest::hex).collect::<String>().as_bytes())
}

/// The layers that images name.
pub(crate) fn layers_of_images(transaction: &Transaction<'_>) -> std::result::Result<HashSet<Digest>, Failure> {
    let mut statement = transaction.prepare_cached("SELECT DISTINCT diff_id FROM image_layers")?;
    Ok(statement.query_map([], |row| digest_column(row, 0))?.collect::<rusqlite::Result<_>>()?)
}

/// Forgets a result, and the sums of its trees: nobody finds them again.
fn forget(transaction: &Transaction<'_>, id: i64) -> std::result::Result<(), Failure> {
    let gone = transaction
        .prepare_cached(&format!("DELETE FROM step_results WHERE id = ?1 RETURNING {SHORT}"))?
        .query_row([id], result_row)
        .optional()?;
    let Some(gone) = gone else { return Ok(()) };
    for tree in gone.outputs.iter().map(|tree| tree_name(tree)).chain(gone.own) {
        transaction.prepare_cached("DELETE FROM tree_sums WHERE tree = ?1")?.execute([tree.hex()])?;
    }
    Ok(())
}

/// The layers that results need.
pub(crate) fn layers_of_results(transaction: &Transaction<'_>) -> std::result::Result<Vec<Digest>, Failure> {
    let mut statement = transaction.prepare_cached("SELECT outputs FROM step_results")?;
    let outputs = statement.query_map([], |row| outputs_column(row, 0))?;
    let mut layers = Vec::new();
    for trees in outputs {
        layers.extend(trees?.into_iter().flatten());
    }
    Ok(layers)
}

fn insert_result(
    transaction: &Transaction<'_>,
    keys: &[Digest],
    result: &StepResult,
    unsynced: &str,
) -> std::result::Result<i64, Failure> {
    let outputs: Vec<String> = result.outputs.iter().map(|tree| names(tree)).collect();
    let mut statement = transaction.prepare_cached(
        "INSERT INTO step_results
             (outputs, own, kind, description, size, created, used, uses, took, inputs, unsynced)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?11, ?7, ?8, ?9, ?10)",
    )?;
    let id = statement.insert(params![
        outputs.join(";"),
        names(&result.own),
        result.kind,
        result.description,
        result.size,
        result.created,
        result.uses,
        result.took,
        result.inputs,
        unsynced,
        result.used,
    ])?;
    let mut before = transaction.prepare_cached("SELECT result FROM step_keys WHERE key = ?1")?;
    let mut replace = transaction.prepare_cached("INSERT OR REPLACE INTO step_keys (key, result) VALUES (?1, ?2)")?;
    let mut others = transaction.prepare_cached("SELECT 1 FROM step_keys WHERE result = ?1")?;
    for key in keys {
        let replaced: Option<i64> = before.query_row([key.hex()], |row| row.get(0)).optional()?;
        replace.execute(params![key.hex(), id])?;
        // What is found by no key any more is nobody's.
        if let Some(replaced) = replaced
            && !others.exists([replaced])?
        {
            forget(transaction, replaced)?;
        }
    }
    Ok(id)
}

fn result_row(row: &Row<'_>) -> rusqlite::Result<StepResult> {
    Ok(StepResult {
        id: row.get(0)?,
        outputs: outputs_column(row, 1)?,
        own: layers_column(row, 2)?,
        kind: row.get(3)?,
        description: row.get(4)?,
        size: row.get(5)?,
        created: row.get(6)?,
        used: row.get(7)?,
        uses: row.get(8)?,
        took: row.get(9)?,
        inputs: row.get(10)?,
    })
}

fn names(layers: &[Digest]) -> String {
    layers.iter().map(Digest::hex).collect::<Vec<_>>().join(",")
}

fn outputs_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<Vec<Digest>>> {
    let text: String = row.get(index)?;
    text.split(';').map(|tree| parse_layers(index, tree)).collect()
}

fn layers_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<Digest>> {
    parse_layers(index, &row.get::<_, String>(index)?)
}

fn parse_layers(index: usize, text: &str) -> rusqlite::Result<Vec<Digest>> {
    text.split(',').filter(|name| !name.is_empty()).map(|name| parse_digest(index, name)).collect()
}

fn parse_digest(index: usize, text: &str) -> rusqlite::Result<Digest> {
    let wrong = |error: Error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, error.to_string().into())
    };
    Digest::from_hex(text).map_err(wrong)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Makes `link` lead to the layer `written`, which lies beside it.
pub(crate) fn make_link(written: &Digest, link: &Path) -> Result<()> {
    match std::os::unix::fs::symlink(written.hex(), link) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|error| Error::io("making the link", link, error)),
    }
}
