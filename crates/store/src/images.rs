//! Images and the names that point at them.
//!
//! An image is identified by the digest of its configuration. A name points at one image; an image may have many names,
//! or none any more ("dangling") because another image took them.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::containers::id_column;
use crate::database::{Durability, Failure};
use crate::durability::unsynced_now;
use crate::{ContainerId, Digest, Error, ErrorKind, Lease, Result, Store};

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Digest of the configuration: what `docker images` calls the image id.
    pub id: Digest,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Canonical names, sorted: `docker.io/library/alpine:latest`, `docker.io/library/alpine@sha256:…`.
    pub references: Vec<String>,
    /// When it was built, as its configuration says it (RFC 3339).
    pub created: Option<String>,
    /// Bytes of all layers, unpacked.
    pub size: u64,
    /// Its layers, the lowest first.
    pub layers: Vec<LayerRef>,
    /// `linux/amd64` or the like.
    pub platform: String,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    /// Digest of the uncompressed archive: which directory it is.
    pub diff_id: Digest,
    /// Digest of the blob as the registry has it.
    pub digest: Digest,
    /// Bytes of the unpacked tree.
    pub size: u64,
}

/// What to do when an image that should go is used by a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Refuse.
    Refuse,
    /// Nobody finds the image any more; its layers stay as long as the container does.
    Ignore,
}

/// What the removal of a name or an image has done. Layers go with [`Store::collect_content`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removed {
    /// The names that are gone.
    pub untagged: Vec<String>,
    /// The image that is gone, if it was its last name.
    pub deleted: Option<Digest>,
}

/// Deletes the hidden images that no container needs any more.
pub(crate) const DELETE_UNUSED_HIDDEN: &str = "DELETE FROM images WHERE hidden
    AND id NOT IN (SELECT image FROM containers) AND id NOT IN (SELECT image FROM container_images)";

/// Columns in the order of [`image_row`].
const COLUMNS: &str = "id, manifest, created, size, platform";

impl Store {
    /// Lists an image under all of `image.references`, each of which ceases to name another one. It is durable after the
    /// next [`Store::sync_images`]; a power failure before that takes it whole.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if a layer or blob of the image is not in the store.
    pub fn commit_image(&self, _lease: &Lease, image: &ImageRecord) -> Result<()> {
        self.check_content(image)?;
        let unsynced = unsynced_now()?;
        self.write(Durability::Lazy, &format!("committing image {}", image.id), |transaction| {
            insert_image(transaction, image, &unsynced)?;
            for name in &image.references {
                insert_tag(transaction, name, &image.id)?;
            }
            Ok(())
        })?;
        self.checkpoint_if_due()
    }

    /// Gives a listed image one more name, which ceases to name another one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the image is not listed.
    pub fn tag(&self, id: &Digest, name: &str) -> Result<()> {
        self.write(Durability::Synced, &format!("naming image {id}"), |transaction| {
            listed_image(transaction, id)?.ok_or_else(|| no_such_image(&id.to_string()))?;
            Ok(insert_tag(transaction, name, id)?)
        })
    }

    /// The image that has this canonical reference (`docker.io/library/alpine:latest`), reference by digest
    /// (`docker.io/library/alpine@sha256:…`, with or without a tag before the `@`), id, or unique beginning of an id
    /// (with or without `sha256:`).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Ambiguous`] if the beginning fits several.
    pub fn find_image(&self, key: &str) -> Result<ImageRecord> {
        self.read(&format!("looking for image {key}"), |transaction| {
            let id = match image_by_name(transaction, key)? {
                Some(id) => Some(id),
                None => image_by_prefix(transaction, key)?,
            };
            let image = match id {
                Some(id) => load_image(transaction, &id)?,
                None => None,
            };
            Ok(image.ok_or_else(|| no_such_image(key))?)
        })
    }

    /// The image with this id, even if it was deleted while containers still use it: what a container is made from.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn image(&self, id: &Digest) -> Result<ImageRecord> {
        self.read(&format!("reading image {id}"), |transaction| {
            Ok(load_image(transaction, &id.hex())?.ok_or_else(|| no_such_image(&id.to_string()))?)
        })
    }

    /// All images, those without a name included; the one built last first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn images(&self) -> Result<Vec<ImageRecord>> {
        self.read("listing images", |transaction| {
            load_images(
                transaction,
                &format!("SELECT {COLUMNS} FROM images WHERE NOT hidden ORDER BY created DESC, id"),
            )
        })
    }

    /// The containers that are made from an image or have it mounted.
    ///
    /// # Errors
    /// Those of the database.
    pub fn image_users(&self, id: &Digest) -> Result<Vec<ContainerId>> {
        self.read(&format!("looking for who uses image {id}"), |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT id FROM containers WHERE image = ?1
                 UNION SELECT container FROM container_images WHERE image = ?1",
            )?;
            let users = statement.query_map([id.hex()], |row| id_column(row, 0))?;
            Ok(users.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All images, and those that only containers use any more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn all_images(&self) -> Result<Vec<ImageRecord>> {
        self.read("listing images", |transaction| {
            load_images(transaction, &format!("SELECT {COLUMNS} FROM images ORDER BY created DESC, id"))
        })
    }

    /// Takes a name away, as `docker rmi NAME` does: with a repository's last tag its names by digest go too, and with
    /// the last name the image.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Conflict`] if it is the last name, a container uses the image, and
    /// `in_use` is [`Use::Refuse`].
    pub fn untag(&self, name: &str, in_use: Use) -> Result<Removed> {
        self.write(Durability::Synced, &format!("untagging {name}"), |transaction| {
            let id = image_tagged(transaction, name)?.ok_or_else(|| no_such_image(name))?;
            let names = names_of(transaction, &id)?;
            let going = names_going_with(name, &names);
            if going.len() == names.len() {
                return remove_image(transaction, &id, in_use);
            }
            for name in &going {
                transaction.execute("DELETE FROM tags WHERE name = ?1", [name])?;
            }
            Ok(Removed { untagged: going, deleted: None })
        })
    }

    /// Deletes an image with all its names.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Conflict`] if a container uses it and `in_use` is [`Use::Refuse`].
    pub fn delete_image(&self, id: &Digest, in_use: Use) -> Result<Removed> {
        self.write(Durability::Synced, &format!("deleting image {id}"), |transaction| {
            listed_image(transaction, id)?.ok_or_else(|| no_such_image(&id.to_string()))?;
            remove_image(transaction, &id.hex(), in_use)
        })
    }

    fn check_content(&self, image: &ImageRecord) -> Result<()> {
        let missing = |what: &str, digest: &Digest| {
            Error::new(ErrorKind::NotFound, format!("no such {what}: {digest} (of image {})", image.id))
        };
        for blob in [&image.id, &image.manifest] {
            if !self.has_blob(blob) {
                return Err(missing("blob", blob));
            }
        }
        match image.layers.iter().find(|layer| !self.paths.layer_fs(&layer.diff_id).is_dir()) {
            Some(layer) => Err(missing("layer", &layer.diff_id)),
            None => Ok(()),
        }
    }
}

/// `docker.io/library/alpine` of `docker.io/library/alpine:latest` and of `docker.io/library/alpine@sha256:…`.
fn repository(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rfind(':') {
        // A colon before a slash belongs to a port.
        Some(colon) if !name[colon..].contains('/') => &name[..colon],
        _ => name,
    }
}

/// The names that go when one of an image's names goes: a name by digest stays only beside a tag of its repository.
fn names_going_with(name: &str, names: &[String]) -> Vec<String> {
    let is_tag_of = |other: &str| !other.contains('@') && repository(other) == repository(name);
    let last_tag = is_tag_of(name) && !names.iter().any(|other| other != name && is_tag_of(other));
    let goes = |other: &&String| {
        other.as_str() == name || (last_tag && other.contains('@') && repository(other) == repository(name))
    };
    names.iter().filter(goes).cloned().collect()
}

/// A row that is durable stays so: the layers are the same.
fn insert_image(transaction: &Transaction<'_>, image: &ImageRecord, unsynced: &str) -> rusqlite::Result<()> {
    let id = image.id.hex();
    transaction.execute(
        "INSERT INTO images (id, manifest, created, size, platform, unsynced) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET
             manifest = ?2, created = ?3, size = ?4, platform = ?5, hidden = 0,
             unsynced = iif(unsynced IS NULL, NULL, ?6)",
        params![id, image.manifest.hex(), image.created, image.size, image.platform, unsynced],
    )?;
    transaction.execute("DELETE FROM image_layers WHERE image = ?1", [&id])?;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO image_layers (image, position, diff_id, digest, size) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, layer) in image.layers.iter().enumerate() {
        statement.execute(params![id, position, layer.diff_id.hex(), layer.digest.hex(), layer.size])?;
    }
    Ok(())
}

fn insert_tag(transaction: &Transaction<'_>, name: &str, id: &Digest) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO tags (name, image) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET image = ?2",
            [name, &id.hex()],
        )
        .map(drop)
}

/// Removes the image, or hides it from everybody but the containers that use it.
fn remove_image(transaction: &Transaction<'_>, id: &str, in_use: Use) -> std::result::Result<Removed, Failure> {
    let user: Option<(String, String)> = transaction
        .query_row(
            "SELECT name, id FROM containers WHERE image = ?1
             UNION ALL SELECT name, id FROM containers JOIN container_images ON container = id
                 WHERE container_images.image = ?1 LIMIT 1",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let untagged = names_of(transaction, id)?;
    match (&user, in_use) {
        (Some((name, container)), Use::Refuse) => return Err(Failure::Request(used(id, name, container))),
        (Some(_), Use::Ignore) => transaction.execute("UPDATE images SET hidden = 1 WHERE id = ?1", [id])?,
        (None, _) => transaction.execute("DELETE FROM images WHERE id = ?1", [id])?,
    };
    transaction.execute("DELETE FROM tags WHERE image = ?1", [id])?;
    Ok(Removed { untagged, deleted: Some(parse_digest(id)?) })
}

fn used(image: &str, name: &str, container: &str) -> Error {
    let short = |id: &str| id.chars().take(12).collect::<String>();
    Error::new(
        ErrorKind::Conflict,
        format!("image {} is used by container \"/{name}\" ({})", short(image), short(container)),
    )
}

fn image_by_name(transaction: &Transaction<'_>, key: &str) -> std::result::Result<Option<String>, Failure> {
    if let Some(id) = image_tagged(transaction, key)? {
        return Ok(Some(id));
    }
    let Some((_, digest)) = key.rsplit_once('@') else { return Ok(None) };
    let Ok(digest) = digest.parse::<Digest>() else { return Ok(None) };
    let repository = repository(key);
    if let Some(id) = image_tagged(transaction, &format!("{repository}@{digest}"))? {
        return Ok(Some(id));
    }
    // ';' is the character after ':', so the range is all tags of the repository.
    Ok(transaction
        .query_row(
            "SELECT images.id FROM images JOIN tags ON tags.image = images.id
             WHERE images.manifest = ?1 AND tags.name >= ?2 || ':' AND tags.name < ?2 || ';' LIMIT 1",
            [&digest.hex(), repository],
            |row| row.get(0),
        )
        .optional()?)
}

fn image_tagged(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<String>> {
    transaction.prepare_cached("SELECT image FROM tags WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

fn image_by_prefix(transaction: &Transaction<'_>, key: &str) -> std::result::Result<Option<String>, Failure> {
    let digits = key.strip_prefix("sha256:").unwrap_or(key);
    if !is_hex_prefix(digits) {
        return Ok(None);
    }
    // 'g' is the character after 'f', so the range is all ids that begin so.
    let mut statement = transaction
        .prepare_cached("SELECT id FROM images WHERE id >= ?1 AND id < ?1 || 'g' AND NOT hidden ORDER BY id LIMIT 2")?;
    let mut ids = statement.query_map([digits], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    if ids.len() > 1 {
        return Err(Error::new(ErrorKind::Ambiguous, format!("image id {key} fits several images")).into());
    }
    Ok(ids.pop())
}

/// Whether the text can be the beginning of an id.
pub(crate) fn is_hex_prefix(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn listed_image(transaction: &Transaction<'_>, id: &Digest) -> rusqlite::Result<Option<()>> {
    transaction.query_row("SELECT 1 FROM images WHERE id = ?1 AND NOT hidden", [id.hex()], |_| Ok(())).optional()
}

fn names_of(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = transaction.prepare_cached("SELECT name FROM tags WHERE image = ?1 ORDER BY name")?;
    statement.query_map([id], |row| row.get(0))?.collect()
}

fn load_image(transaction: &Transaction<'_>, id: &str) -> std::result::Result<Option<ImageRecord>, Failure> {
    let mut statement = transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM images WHERE id = ?1"))?;
    let Some(mut image) = statement.query_row([id], image_row).optional()? else { return Ok(None) };
    image.references = names_of(transaction, id)?;
    let mut statement = transaction
        .prepare_cached("SELECT diff_id, digest, size FROM image_layers WHERE image = ?1 ORDER BY position")?;
    image.layers = statement.query_map([id], layer_row)?.collect::<rusqlite::Result<_>>()?;
    Ok(Some(image))
}

/// Images with their names and layers, in three queries whatever their number.
fn load_images(transaction: &Transaction<'_>, query: &str) -> std::result::Result<Vec<ImageRecord>, Failure> {
    let mut statement = transaction.prepare_cached(query)?;
    let mut images = statement.query_map([], image_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let places: HashMap<Digest, usize> = images.iter().enumerate().map(|(place, image)| (image.id, place)).collect();
    let mut statement = transaction.prepare_cached("SELECT image, name FROM tags ORDER BY image, name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(place) = places.get(&digest_column(row, 0)?) {
            images[*place].references.push(row.get(1)?);
        }
    }
    let mut statement =
        transaction.prepare_cached("SELECT diff_id, digest, size, image FROM image_layers ORDER BY image, position")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(place) = places.get(&digest_column(row, 3)?) {
            images[*place].layers.push(layer_row(row)?);
        }
    }
    Ok(images)
}

fn image_row(row: &Row<'_>) -> rusqlite::Result<ImageRecord> {
    Ok(ImageRecord {
        id: digest_column(row, 0)?,
        manifest: digest_column(row, 1)?,
        references: Vec::new(),
        created: row.get(2)?,
        size: row.get(3)?,
        layers: Vec::new(),
        platform: row.get(4)?,
    })
}

fn layer_row(row: &Row<'_>) -> rusqlite::Result<LayerRef> {
    Ok(LayerRef { diff_id: digest_column(row, 0)?, digest: digest_column(row, 1)?, size: row.get(2)? })
}

/// A column of 64 hex digits.
pub(crate) fn digest_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Digest> {
    let text = row.get_ref(index)?.as_str()?;
    Digest::from_hex(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

fn parse_digest(hex: &str) -> Result<Digest> {
    Digest::from_hex(hex).map_err(|error| Error::new(ErrorKind::Corrupt, format!("in the database: {error}")))
}

fn no_such_image(key: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no such image: {key}"))
}
