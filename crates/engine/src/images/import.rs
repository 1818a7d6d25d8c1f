//! `import`: an image of a root file system in an archive. Owns what its configuration and its history say.

use std::io::{self, Read};

use image::Platform;
use serde_json::{Value, json};
use store::ImageRecord;

use super::history::new_name;
use super::made::{Keep, without_nulls};
use crate::VERSION;
use crate::config::change;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::words::ago;

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// What the image is to be called; nothing otherwise.
    pub name: Option<String>,
    /// What is said about it (`-m`).
    pub message: String,
    /// Where it comes from, for its history: `http://…`, or nothing for a file.
    pub source: String,
    /// Instructions that change its configuration (`-c`).
    pub changes: Vec<String>,
    /// What it is for; this host otherwise.
    pub platform: Option<Platform>,
}

impl Engine {
    /// Makes an image of one layer of the archive `from`, compressed or not.
    ///
    /// # Errors
    /// `Invalid` for a change or a name that cannot be, before anything is read; `Image` for what is no archive.
    pub fn import(&self, from: impl Read + Send, options: &ImportOptions) -> Result<ImageRecord> {
        let name = options.name.as_deref().map(new_name).transpose()?;
        let mut config = image::Config::default();
        change::apply(&mut config, &options.changes)?;
        let platform = options.platform.clone().unwrap_or_else(Platform::host).normal();
        if platform.os != "linux" {
            return Err(Error::invalid(format!(
                "--platform {platform}: an image for Linux can be imported, and no other"
            )));
        }
        let lease = self.store.lease()?;
        let made = self.layer_of(&lease, Keep::Tape, |out| {
            let mut from = image::decompressed(io::BufReader::with_capacity(256 << 10, from))?;
            io::copy(&mut from, out).map(drop)
        })?;
        let now = ago::now();
        let comment = if options.message.is_empty() {
            format!("Imported from {}", if options.source.is_empty() { "-" } else { &options.source })
        } else {
            options.message.clone()
        };
        let document = json!({
            "architecture": platform.architecture, "os": platform.os, "variant": platform.variant,
            "created": now, "docker_version": VERSION, "config": config,
            "rootfs": {"type": "layers", "diff_ids": [made.layer.diff_id]},
            "history": [{"created": now, "comment": comment}],
        });
        let Value::Object(document) = without_nulls(document) else { return Err(Error::invalid("no document")) };
        let image = self.assembled(&lease, &document, &[], made, name.as_ref())?;
        self.tell_image(&image.id.to_string(), "import", &image.id.to_string());
        Ok(image)
    }
}
