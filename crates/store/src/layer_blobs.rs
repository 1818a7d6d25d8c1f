//! As which blobs layers are known to registries: learnt from pulls and pushes, so that a push sends nothing that is there.

use rusqlite::{Row, params};

use crate::database::Durability;
use crate::images::digest_column;
use crate::{Digest, Result, Store};

/// A blob that holds a layer's archive, compressed or not, and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerBlob {
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Digest of the blob.
    pub digest: Digest,
    /// Bytes of the blob.
    pub size: u64,
    /// How a manifest describes it.
    pub media_type: String,
    /// Registry and name, as in names of images: `docker.io/library/alpine`.
    pub repository: String,
}

/// Of each layer so many sightings are kept, the latest ones.
const KEPT: u32 = 50;

impl Store {
    /// Notes where blobs of layers have been seen just now. Losing it in a power failure costs time only.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note_layer_blobs(&self, blobs: &[LayerBlob]) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        self.write(Durability::Lazy, "noting where layers are", |transaction| {
            for blob in blobs {
                let diff_id = blob.diff_id.hex();
                transaction
                    .prepare_cached(
                        "INSERT INTO layer_blobs (diff_id, digest, repository, size, media_type, seen)
                         VALUES (?1, ?2, ?3, ?4, ?5, 1 + (SELECT ifnull(max(seen), 0) FROM layer_blobs WHERE diff_id = ?1))
                         ON CONFLICT (diff_id, digest, repository) DO UPDATE SET
                             size = excluded.size, media_type = excluded.media_type, seen = excluded.seen",
                    )?
                    .execute(params![diff_id, blob.digest.hex(), blob.repository, blob.size, blob.media_type])?;
                transaction
                    .prepare_cached(
                        "DELETE FROM layer_blobs WHERE diff_id = ?1 AND seen <= (SELECT max(seen) FROM layer_blobs WHERE diff_id = ?1) - ?2",
                    )?
                    .execute(params![diff_id, KEPT])?;
            }
            Ok(())
        })
    }

    /// Where blobs of this layer were seen, the latest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layer_blobs(&self, diff_id: &Digest) -> Result<Vec<LayerBlob>> {
        self.read("looking for where a layer is", |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT diff_id, digest, size, media_type, repository FROM layer_blobs WHERE diff_id = ?1
                 ORDER BY seen DESC",
            )?;
            Ok(statement.query_map([diff_id.hex()], layer_blob_row)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Forgets that blobs of these layers were seen anywhere: the layers are gone.
    pub(crate) fn forget_layer_blobs(&self, layers: &[Digest]) -> Result<()> {
        if layers.is_empty() {
            return Ok(());
        }
        self.write(Durability::Lazy, "forgetting where layers are", |transaction| {
            for diff_id in layers {
                transaction.prepare_cached("DELETE FROM layer_blobs WHERE diff_id = ?1")?.execute([diff_id.hex()])?;
            }
            Ok(())
        })
    }
}

fn layer_blob_row(row: &Row<'_>) -> rusqlite::Result<LayerBlob> {
    Ok(LayerBlob {
        diff_id: digest_column(row, 0)?,
        digest: digest_column(row, 1)?,
        size: row.get(2)?,
        media_type: row.get(3)?,
        repository: row.get(4)?,
    })
}
