//! Images that are made of files on this host: of what a container has changed (`commit`), of a root file system in an archive
//! (`import`). Owns how a layer comes to be whose digest is only known when it is whole, and the documents around it.

use std::io::{self, Read, Write};
use std::thread;

use fsroot::Root;
use image::layer::{self, Form, Limits};
use image::{ImageConfig, Platform, Reference};
use serde_json::{Map, Value, json};
use store::{Hashing, ImageRecord, LayerRef, LayerSlot, Lease};

use super::history::new_name;
use crate::VERSION;
use crate::config::change;
use crate::containers::create::UPPER;
use crate::containers::lifecycle::{Container, State};
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::session::Connection;
use crate::words::ago;

/// How to commit.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// What the image is to be called; nothing otherwise.
    pub name: Option<String>,
    /// Who made it (`-a`).
    pub author: String,
    /// What is said about it (`-m`).
    pub message: String,
    /// Instructions that change its configuration (`-c`).
    pub changes: Vec<String>,
    /// Whether the container's processes stand still meanwhile.
    pub pause: bool,
}

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

/// A layer that was made just now.
struct Made {
    layer: LayerRef,
    /// Bytes of its archive.
    length: u64,
}

impl Engine {
    /// Makes an image of a container: its image, and what it has changed as one layer more.
    ///
    /// # Errors
    /// `Invalid` for a change or a name that cannot be, before anything is done; `Conflict` for a container whose files nobody
    /// can look at now.
    pub fn commit_container(&self, container: &Container, options: &CommitOptions) -> Result<ImageRecord> {
        let name = options.name.as_deref().map(new_name).transpose()?;
        let base = self.store.image(&container.record.image)?;
        let bytes = self.store.blob(&base.id)?;
        let parent = ImageConfig::parse(&bytes)?;
        let mut config = merged(container, &parent);
        for change in &options.changes {
            change::apply(&mut config, change)?;
        }
        let lease = self.store.lease()?;
        let paused = if options.pause { self.paused(container)? } else { None };
        let made = self.upper_layer(&lease, container);
        drop(paused);
        let made = made?;
        let now = ago::now();
        let mut document: Map<String, Value> = serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::Image, format!("the image config is not readable: {error}")))?;
        let command = container.arguments(&parent.config).join(" ");
        let history = json!({
            "created": now, "created_by": command, "author": none_if_empty(&options.author),
            "comment": none_if_empty(&options.message),
        });
        document.insert("config".to_owned(), json!(config));
        document.insert("created".to_owned(), json!(now));
        document.insert("container".to_owned(), json!(container.record.id.hex()));
        document.insert("docker_version".to_owned(), json!(VERSION));
        if options.author.is_empty() {
            document.remove("author");
        } else {
            document.insert("author".to_owned(), json!(options.author));
        }
        push(&mut document, "history", without_nulls(history));
        push(
            document
                .entry("rootfs")
                .or_insert_with(|| json!({"type": "layers"}))
                .as_object_mut()
                .ok_or_else(|| Error::new(ErrorKind::Image, "the image config has no rootfs"))?,
            "diff_ids",
            json!(made.layer.diff_id),
        );
        let image = self.assembled(&lease, &document, &base.layers, made, name.as_ref())?;
        let id = image.id.to_string();
        let comment = [("comment", options.message.as_str()), ("imageID", id.as_str())];
        self.tell_container(container, "commit", &comment);
        if let Some(name) = name {
            self.tell_image(&id, "tag", &name.familiar());
        }
        Ok(image)
    }

    /// Makes an image of one layer of the archive `from`, compressed or not.
    ///
    /// # Errors
    /// `Invalid` for a change or a name that cannot be, before anything is read; `Image` for what is no archive.
    pub fn import(&self, from: impl Read + Send, options: &ImportOptions) -> Result<ImageRecord> {
        let name = options.name.as_deref().map(new_name).transpose()?;
        let mut config = image::Config::default();
        for change in &options.changes {
            change::apply(&mut config, change)?;
        }
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

    /// The documents of an image around its layers, and the image.
    fn assembled(
        &self,
        lease: &Lease,
        document: &Map<String, Value>,
        below: &[LayerRef],
        made: Made,
        name: Option<&Reference>,
    ) -> Result<ImageRecord> {
        let config = Value::Object(document.clone()).to_string().into_bytes();
        let parsed = ImageConfig::parse(&config)?;
        let id = self.store.put_blob(lease, &config)?;
        let lengths = below.iter().map(|layer| Ok((layer.diff_id, image::layer_length(&self.store, &layer.diff_id)?)));
        let mut lengths = lengths.collect::<Result<Vec<_>>>()?;
        lengths.push((made.layer.diff_id, made.length));
        let manifest = self.store.put_blob(lease, &image::saved::manifest(&config, &lengths))?;
        let layers: Vec<LayerRef> = below.iter().cloned().chain([made.layer]).collect();
        let record = ImageRecord {
            id,
            manifest,
            references: name.iter().map(|name| name.canonical()).collect(),
            created: parsed.created.clone(),
            size: layers.iter().map(|layer| layer.size).sum(),
            layers,
            platform: parsed.platform().to_string(),
        };
        self.store.commit_image(lease, &record)?;
        self.sync_images_later();
        Ok(self.store.image(&id)?)
    }

    /// The container's changes as a layer. Its files are copied: they stay the container's, which may go on.
    fn upper_layer(&self, lease: &Lease, container: &Container) -> Result<Made> {
        let upper = self.paths().container(&container.record.id).join(UPPER);
        let root = Root::open(&upper).map_err(|error| Error::new(ErrorKind::System, error.to_string()))?;
        self.layer_of(lease, Keep::Nothing, |out| {
            layer::pack(root.dir(), Form::Layer, out).map(drop).map_err(io::Error::other)
        })
    }

    /// The layer of the archive that `write` writes. It is unpacked while it is written, into a directory of its own, which takes the
    /// place of the layer once its digest is known.
    fn layer_of(
        &self,
        lease: &Lease,
        keep: Keep,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    ) -> Result<Made> {
        let writer = self.store.begin_nameless_layer(lease)?;
        let root = Root::from_fd(writer.open()?).map_err(|error| Error::new(ErrorKind::Store, error.to_string()))?;
        let (reader, pipe) = io::pipe().context(|| "making a pipe")?;
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20);
        let (written, unpacked) = thread::scope(|scope| {
            let producer = thread::Builder::new().name("layer".into()).spawn_scoped(scope, move || {
                let mut out = Hashing::new(pipe);
                write(&mut out).map(|()| out.finish())
            });
            let producer = producer.context(|| "starting a thread")?;
            let unpacked = layer::unpack_with_tape(reader, &root, &Limits::default());
            match producer.join() {
                Ok(written) => Ok::<_, Error>((written, unpacked)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        let (diff_id, length) = match (written, unpacked.as_ref()) {
            (Ok(written), _) => written,
            // Who unpacks and stops breaks the pipe, and says why.
            (Err(_), Err(error)) if error.kind() != layer::ErrorKind::Malformed => {
                return Err(Error::new(ErrorKind::Image, error.to_string()));
            }
            (Err(error), _) => return Err(Error::new(ErrorKind::Image, error.to_string())),
        };
        let (unpacked, tape) = unpacked.map_err(|error| Error::new(ErrorKind::Image, error.to_string()))?;
        if let (Keep::Tape, Some(tape)) = (keep, &tape) {
            writer.keep_tape(tape)?;
        }
        let layer = match self.store.name_layer(lease, writer, &diff_id)? {
            LayerSlot::Present(layer) => layer,
            LayerSlot::Write(writer) => writer.commit(unpacked.bytes)?,
        };
        Ok(Made { layer: LayerRef { diff_id, digest: diff_id, size: layer.size }, length })
    }

    /// The container, paused as long as what comes back lives; None for one that stands still anyway.
    fn paused<'a>(&'a self, container: &'a Container) -> Result<Option<Paused<'a>>> {
        if !matches!(container.state, State::Running(_)) {
            return Ok(None);
        }
        match self.pause_leased(container) {
            Ok(lease) => Ok(Some(Paused { engine: self, container, lease: Some(lease) })),
            // It has ended meanwhile, or somebody else has paused it.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether a layer keeps what its archive is written from again: what we have packed is packed the same way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Tape,
    Nothing,
}

struct Paused<'a> {
    engine: &'a Engine,
    container: &'a Container,
    lease: Option<Connection>,
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.engine.end_pause(self.container, lease);
        }
    }
}

/// The image's configuration as the container has it: what was said on its command line counts.
fn merged(container: &Container, image: &ImageConfig) -> image::Config {
    let (own, mut config) = (&container.config, image.config.clone());
    for entry in &own.env {
        let key = entry.split_once('=').map_or(entry.as_str(), |(key, _)| key);
        config.env.retain(|known| known.split_once('=').map_or(known.as_str(), |(key, _)| key) != key);
        if entry.contains('=') {
            config.env.push(entry.clone());
        }
    }
    if let Some(entrypoint) = &own.entrypoint {
        let words = entrypoint.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>();
        config.entrypoint = (!words.is_empty()).then_some(words);
        config.cmd = None;
    }
    if !own.command.is_empty() {
        config.cmd = Some(own.command.clone());
    }
    if let Some(user) = &own.user {
        config.user.clone_from(user);
    }
    if let Some(directory) = &own.working_dir {
        config.working_dir.clone_from(directory);
    }
    config.labels.extend(own.labels.clone());
    if let Some(signal) = own.stop_signal {
        config.stop_signal = Some(signal.to_string());
    }
    config
}

fn push(object: &mut Map<String, Value>, key: &str, value: Value) {
    let list = object.entry(key).or_insert_with(|| json!([]));
    match list.as_array_mut() {
        Some(list) => list.push(value),
        None => *list = json!([value]),
    }
}

fn none_if_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, field| !field.is_null());
    }
    value
}
