//! `commit`: an image of what a container has changed. Owns what its configuration and its history say.

use std::io;

use fsroot::Root;
use image::ImageConfig;
use image::layer::{self, Form};
use serde_json::{Map, Value, json};
use store::{ImageRecord, LayerRef, Lease};

use super::history::new_name;
use super::made::{Keep, Made, without_nulls};
use crate::VERSION;
use crate::config::{change, env};
use crate::containers::create::UPPER;
use crate::containers::lifecycle::{Container, State};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
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
        change::apply(&mut config, &options.changes)?;
        let lease = self.store.lease()?;
        let paused = if options.pause { self.paused(container)? } else { None };
        let made = self.upper_layer(&lease, container);
        drop(paused);
        let made = made?;
        let mut document: Map<String, Value> = serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::Image, format!("the image config is not readable: {error}")))?;
        document.insert("config".to_owned(), json!(config));
        document.insert("container".to_owned(), json!(container.record.id.hex()));
        add_step(&mut document, &container.arguments(&parent.config).join(" "), options);
        add_layer(&mut document, &made.layer)?;
        let image = self.assembled(&lease, &document, &base.layers, made, name.as_ref())?;
        let id = image.id.to_string();
        let comment = [("comment", options.message.as_str()), ("imageID", id.as_str())];
        self.tell_container(container, "commit", &comment);
        if let Some(name) = name {
            self.tell_image(&id, "tag", &name.familiar());
        }
        Ok(image)
    }

    /// The container's changes as a layer. Its files are copied: they stay the container's, which may go on.
    fn upper_layer(&self, lease: &Lease, container: &Container) -> Result<Made> {
        let upper = self.paths().container(&container.record.id).join(UPPER);
        let root = Root::open(&upper).map_err(|error| Error::new(ErrorKind::System, error.to_string()))?;
        self.layer_of(lease, Keep::Nothing, |out| {
            layer::pack(root.dir(), Form::Layer, out).map(drop).map_err(io::Error::other)
        })
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
    env::merge(&mut config.env, own.env.iter().cloned());
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

/// What is said of how the image came to be.
fn add_step(document: &mut Map<String, Value>, command: &str, options: &CommitOptions) {
    let (now, author) = (ago::now(), none_if_empty(&options.author));
    document.insert("created".to_owned(), json!(now));
    document.insert("docker_version".to_owned(), json!(VERSION));
    match author {
        Some(author) => document.insert("author".to_owned(), json!(author)),
        None => document.remove("author"),
    };
    let step = json!({
        "created": now, "created_by": command, "author": author, "comment": none_if_empty(&options.message),
    });
    push(document, "history", without_nulls(step));
}

fn add_layer(document: &mut Map<String, Value>, layer: &LayerRef) -> Result<()> {
    let layers = document.entry("rootfs").or_insert_with(|| json!({"type": "layers"}));
    let layers = layers.as_object_mut();
    let layers = layers.ok_or_else(|| Error::new(ErrorKind::Image, "the image config has no rootfs"))?;
    push(layers, "diff_ids", json!(layer.diff_id));
    Ok(())
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
