//! What becomes of a result: an image of the store, an archive, a directory. Owns the documents of the image; what was built
//! is not changed any more.

/// The configuration of an image.
mod config;
/// The layers of an image, by the digests of their archives.
pub(crate) mod layers;

use engine::{BuiltImage, Engine};
use image::Reference;
use serde_json::{Value, json};
use store::{Digest, ImageRecord, Lease};

use crate::Built;
use crate::building::EPOCH;
use crate::error::{Error, Result};
use crate::frontend::Converted;
use crate::options::{Export, Options};
use crate::remote::{self, Notes};
use crate::report::Reporter;
use crate::tree::Tree;

/// What was built for one platform.
pub(crate) struct Image {
    /// What the Dockerfile has become.
    pub(crate) converted: Converted,
    /// The files.
    pub(crate) tree: Tree,
    /// When layers were made: seconds since 1970.
    pub(crate) created: std::collections::BTreeMap<Digest, u64>,
    /// How many steps there are, and how many of them were done before.
    pub(crate) counts: (usize, usize),
    /// When everything is said to have been made, if that is said: seconds since 1970.
    pub(crate) epoch: Option<u64>,
    /// The images that it was made of, each with the name it was asked by.
    pub(crate) used: Vec<(String, ImageRecord)>,
    /// What it is for.
    pub(crate) platform: image::Platform,
}

/// What is asked of a result.
pub(crate) struct Exporting<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) lease: &'a Lease,
    pub(crate) options: &'a Options,
    pub(crate) reporter: &'a Reporter<'a>,
    /// What the image is called.
    pub(crate) names: Vec<Reference>,
    /// What is known of the steps.
    pub(crate) notes: &'a Notes,
}

/// The names of the image, before anything is done.
///
/// # Errors
/// `Invalid` for what is no name.
pub(crate) fn names(options: &Options) -> Result<Vec<Reference>> {
    let of_exports = options.exports.iter().flat_map(|export| match export {
        Export::Image { names, .. } => names.as_slice(),
        _ => &[],
    });
    let mut names = Vec::new();
    for text in options.tags.iter().chain(of_exports) {
        let name: Reference = text.parse().map_err(|error| Error::invalid(format!("--tag {text}: {error}")))?;
        if name.digest().is_some() {
            return Err(Error::invalid(format!("--tag {text}: a digest is not for anybody to choose")));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// When everything is said to have been made, if that is said.
///
/// # Errors
/// `Invalid` for what is no number of seconds.
pub(crate) fn epoch(options: &Options) -> Result<Option<u64>> {
    let Some(text) = options.build_args.get(EPOCH).filter(|text| !text.is_empty()) else { return Ok(None) };
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds < 1 << 33);
    seconds.map(Some).ok_or_else(|| {
        Error::invalid(format!("{EPOCH}={text}: it is no number of seconds since 1970"))
            .with_hint("SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)")
    })
}

impl Exporting<'_> {
    /// Does all that is asked for.
    ///
    /// # Errors
    /// Those of what is written.
    pub(crate) fn all(&self, images: &[Image]) -> Result<Built> {
        let [image] = images else {
            return Err(Error::invalid("an image for several platforms cannot be exported yet"));
        };
        let mut built = Built { steps: image.counts, ..Built::default() };
        let lists = self.options.exports.is_empty()
            || self.options.exports.iter().any(|export| matches!(export, Export::Image { .. }));
        if lists {
            self.list(image, &mut built)?;
        }
        Ok(built)
    }

    fn list(&self, image: &Image, built: &mut Built) -> Result<()> {
        self.reporter.during("exporting to image", |_| {
            let record = self.listed(image)?;
            let id = record.id.to_string();
            built.metadata.insert("containerimage.config.digest".to_owned(), json!(id));
            built.metadata.insert("containerimage.digest".to_owned(), json!(record.manifest.to_string()));
            if !self.names.is_empty() {
                let names: Vec<String> = self.names.iter().map(Reference::canonical).collect();
                built.metadata.insert("image.name".to_owned(), json!(names.join(",")));
            }
            built.image = Some(id);
            Ok(())
        })
    }

    /// The image of the store: one that is there already only gets its names.
    fn listed(&self, image: &Image) -> Result<ImageRecord> {
        let layers = layers::of(self.engine, self.lease, image)?;
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.layer.diff_id).collect();
        let mut config = config::document(image, &diff_ids);
        if let Some(cache) = remote::inline(self.engine, self.options, self.notes, image)? {
            config[remote::FIELD] = cache;
        }
        let config = config.to_string().into_bytes();
        let id = Digest::of(&config);
        if let Ok(record) = self.engine.store().image(&id) {
            let named = record.references.clone();
            for name in self.names.iter().map(Reference::canonical).filter(|name| !named.contains(name)) {
                self.engine.store().tag(&id, &name)?;
            }
            if self.names.iter().all(|name| named.contains(&name.canonical())) {
                return Ok(record);
            }
            return Ok(self.engine.store().image(&id)?);
        }
        let lengths = layers.iter().map(|layer| Ok((layer.layer.diff_id, layer.length(self.engine)?)));
        let manifest = image::saved::manifest(&config, &lengths.collect::<Result<Vec<_>>>()?);
        let layers = layers.into_iter().map(|layer| layer.layer).collect();
        let built = BuiltImage { config, manifest, layers, names: self.names.clone() };
        Ok(self.engine.list_built(self.lease, &built)?)
    }
}

/// An object without fields that are null.
fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, field| !field.is_null());
    }
    value
}
