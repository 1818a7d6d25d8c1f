//! The images that a build begins with: found in the store, or pulled.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use dockerfile::Environment;
use dockerfile::evaluate::{Base, Bases};
use engine::{Engine, PullPolicy};
use image::{ImageConfig, PullOptions, Reference};
use store::{Digest, ImageRecord};

use crate::error::{Error, Result};
use crate::frontend::{ContextKind, Found, Images};
use crate::llb::message::Platform;
use crate::tree::Tree;

/// Images as builds know them.
pub(crate) struct Resolver<'a> {
    engine: &'a Engine,
    /// Whether registries are asked although an image is here.
    pull: bool,
    /// What it is built for.
    target: image::Platform,
    /// What named contexts are.
    named: &'a BTreeMap<String, ContextKind>,
    /// Who is told how far a pull is.
    progress: &'a (dyn image::Progress + Sync),
    /// By name and platform: what was found, so that a build sees one image, whatever a registry says later.
    found: Mutex<BTreeMap<(String, String), ImageRecord>>,
}

impl<'a> Resolver<'a> {
    /// Images of this engine, for a platform.
    pub(crate) fn new(
        engine: &'a Engine,
        pull: bool,
        target: image::Platform,
        named: &'a BTreeMap<String, ContextKind>,
        progress: &'a (dyn image::Progress + Sync),
    ) -> Resolver<'a> {
        Resolver { engine, pull, target, named, progress, found: Mutex::default() }
    }

    /// The files of the image that a graph calls so.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) fn tree(&self, reference: &str, platform: Option<&Platform>) -> Result<Tree> {
        let platform = platform.map_or_else(|| self.target.clone(), of_message);
        let image = self.record(reference, &platform)?;
        Ok(Tree { layers: image.layers.iter().map(|layer| layer.diff_id).collect() })
    }

    /// The digest of the manifest of an image that was asked for.
    pub(crate) fn digest(&self, reference: &str, platform: Option<&Platform>) -> Option<Digest> {
        let platform = platform.map_or_else(|| self.target.clone(), of_message);
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(&(reference.to_owned(), platform.to_string())).map(|image| image.manifest)
    }

    /// All images that were asked for, each with the name it was asked by.
    pub(crate) fn used(&self) -> Vec<(String, ImageRecord)> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().map(|((name, _), image)| (name.clone(), image.clone())).collect()
    }

    fn record(&self, name: &str, platform: &image::Platform) -> Result<ImageRecord> {
        let key = (name.to_owned(), platform.to_string());
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = found.get(&key) {
            return Ok(image.clone());
        }
        let image = self.look_up(name, platform)?;
        found.insert(key, image.clone());
        // The front end asks by a short name, and the graph by the whole one.
        found.insert((whole(name, &image), platform.to_string()), image.clone());
        Ok(image)
    }

    fn look_up(&self, name: &str, platform: &image::Platform) -> Result<ImageRecord> {
        let policy = if self.pull { PullPolicy::Always } else { PullPolicy::Missing };
        let options = PullOptions { platform: Some(platform.clone()), ..PullOptions::default() };
        if image::Platform::host().runs(platform) {
            return Ok(self.engine.ensure_image(name, policy, &options, self.progress)?);
        }
        Ok(self.engine.ensure_foreign_image(name, policy, &options, self.progress)?)
    }

    fn config(&self, image: &ImageRecord) -> Result<ImageConfig> {
        Ok(ImageConfig::parse(&self.engine.store().blob(&image.id)?)?)
    }
}

/// What a graph calls the image.
fn whole(name: &str, image: &ImageRecord) -> String {
    let reference = name.parse::<Reference>().map(|reference| reference.canonical());
    reference.unwrap_or_else(|_| image.references.first().cloned().unwrap_or_else(|| image.id.to_string()))
}

/// A platform of the graph, as images name it.
pub(crate) fn of_message(platform: &Platform) -> image::Platform {
    let Platform { architecture, os, variant, .. } = platform.clone();
    image::Platform { os, architecture, variant: (!variant.is_empty()).then_some(variant) }.normal()
}

/// The same as the graph has it.
pub(crate) fn to_message(platform: &image::Platform) -> Platform {
    let image::Platform { os, architecture, variant } = platform.clone();
    Platform { architecture, os, variant: variant.unwrap_or_default(), ..Platform::default() }
}

impl Images for Resolver<'_> {
    fn image(&self, name: &str, platform: &Platform) -> Result<Found, String> {
        let image = self.record(name, &of_message(platform)).map_err(|error| in_words(&error))?;
        let config = self.config(&image).map_err(|error| in_words(&error))?;
        Ok(Found { reference: whole(name, &image), config })
    }
}

impl Bases for Resolver<'_> {
    fn base(&self, name: &str, platform: Option<&str>) -> Result<Base, String> {
        let platform = match platform {
            None => self.target.clone(),
            Some(text) => text.parse::<image::Platform>().map_err(|error| error.to_string())?.normal(),
        };
        let image = self.record(name, &platform).map_err(|error| in_words(&error))?;
        let config = self.config(&image).map_err(|error| in_words(&error))?;
        Ok(base_of(&config, Some(&platform)))
    }

    fn context(&self, name: &str, platform: Option<&str>) -> Result<Base, String> {
        match self.named.get(name) {
            Some(ContextKind::Image(image)) if image != "scratch" => self.base(image, platform),
            // Files alone say nothing.
            _ => Ok(Base::default()),
        }
    }
}

/// What an image says that instructions depend on. `wanted` is what it should be for.
pub(crate) fn base_of(image: &ImageConfig, wanted: Option<&image::Platform>) -> Base {
    let own = image.platform();
    Base {
        environment: image.config.env.iter().collect::<Environment>(),
        has_shell: image.config.shell.is_some(),
        triggers: image.config.on_build.clone(),
        other_platform: wanted.filter(|wanted| !wanted.runs(&own)).map(|_| own.to_string()),
    }
}

/// What is wrong and what can be done, in one line.
fn in_words(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}
