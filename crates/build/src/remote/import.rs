//! What others have left (`--cache-from`). Of each place one document is read when a build begins, and a layer is fetched when
//! a step is found that has made it. What cannot be read is told, and the build does what there is to do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use engine::Engine;
use fsroot::Root;
use image::{Document, Manifest, Platform, PullOptions, Reference, RemoteImage};
use store::{Digest, Lease, StepResult};

use super::document::{self, Step};
use crate::error::{Error, ErrorKind, Result};
use crate::inputs::Inputs;
use crate::options::{CacheOption, Options};
use crate::progress::Event;
use crate::pulls::Pulls;
use crate::report::Reporter;
use crate::tree::Tree;

/// A larger document is not read.
const MOST: u64 = 4 << 20;

/// All that others have left.
#[derive(Default)]
pub(crate) struct Imported {
    places: Vec<Place>,
    /// What could not be fetched is not asked for again.
    failed: Mutex<BTreeSet<Digest>>,
}

/// A step that is looked for.
pub(crate) struct Wanted<'a> {
    /// What it is found by here.
    pub(crate) key: &'a Digest,
    /// What it is made upon.
    pub(crate) base: &'a Tree,
    /// What it is called.
    pub(crate) family: &'a str,
    /// What it is made of.
    pub(crate) inputs: &'a Inputs,
}

/// Where somebody has left something.
struct Place {
    /// What it is called.
    name: String,
    steps: BTreeMap<Digest, Step>,
    content: Content,
}

enum Content {
    Registry(Box<(RemoteImage, PullOptions)>),
    Layout(Box<Layout>),
}

/// An OCI layout.
struct Layout {
    root: Root,
    manifest: Manifest,
    /// The layers, as the configuration names them.
    layers: Vec<Digest>,
}

impl Imported {
    /// Reads what there is.
    pub(crate) fn open(engine: &Engine, options: &Options, platform: &Platform, reporter: &Reporter<'_>) -> Imported {
        let mut places = Vec::new();
        for option in &options.cache_from {
            let name = name_of(option);
            let opened = reporter.during(&format!("importing cache manifest from {name}"), |_| {
                // As with other builders, it is no error that nothing is there: the first build of all finds nothing.
                Ok(Place::open(engine, option, platform, reporter))
            });
            match opened.and_then(|opened| opened) {
                Ok(place) => places.push(place),
                Err(error) => warn(reporter, &name, &error),
            }
        }
        Imported { places, failed: Mutex::default() }
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Brings what a step has made elsewhere into the store; None if nobody has left it, or it cannot be had.
    pub(crate) fn bring(
        &self,
        engine: &Engine,
        lease: &Lease,
        reporter: &Reporter<'_>,
        key: &Digest,
        wanted: &Wanted<'_>,
    ) -> Option<StepResult> {
        if self.failed.lock().unwrap_or_else(PoisonError::into_inner).contains(key) {
            return None;
        }
        for place in &self.places {
            let Some(step) = place.steps.get(key) else { continue };
            match place.bring(engine, lease, reporter, step, wanted) {
                Ok(result) => return Some(result),
                Err(error) => warn(reporter, &place.name, &error),
            }
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(*key);
        }
        None
    }
}

impl Place {
    fn open(engine: &Engine, option: &CacheOption, platform: &Platform, reporter: &Reporter<'_>) -> Result<Place> {
        let (config, content) = if option.kind == "local" {
            let source = option.attributes.get("src").map(String::as_str).unwrap_or_default();
            layout(Path::new(source))?
        } else {
            let reference: Reference = option.attributes.get("ref").map(String::as_str).unwrap_or_default().parse()?;
            let options = PullOptions { platform: Some(platform.clone()), ..engine.pull_options()? };
            let found = image::look(engine.store(), &reference, &options, &Pulls::new(reporter))?;
            (found.config().to_vec(), Content::Registry(Box::new((found, options))))
        };
        let (steps, layers) = document::read(&config).map_err(Error::invalid)?;
        let content = match content {
            Content::Layout(mut layout) if layout.manifest.layers.len() == layers.len() => {
                layout.layers.clone_from(&layers);
                Content::Layout(layout)
            }
            Content::Layout(_) => {
                return Err(Error::invalid("its manifest and its configuration contradict each other"));
            }
            registry @ Content::Registry(_) => registry,
        };
        Ok(Place { name: name_of(option), steps: steps.by_key(&layers), content })
    }

    fn bring(
        &self,
        engine: &Engine,
        lease: &Lease,
        reporter: &Reporter<'_>,
        step: &Step,
        wanted: &Wanted<'_>,
    ) -> Result<StepResult> {
        let store = engine.store();
        let size = match &self.content {
            Content::Registry(image) => image.0.fetch(store, lease, &step.layer, &image.1, &Pulls::new(reporter))?.size,
            Content::Layout(layout) => {
                let Layout { root, manifest, layers } = layout.as_ref();
                let at = layers.iter().position(|layer| *layer == step.layer);
                let blob = at.and_then(|at| manifest.layers.get(at)).map(|layer| layer.digest);
                let blob = blob.ok_or_else(|| Error::invalid(format!("it has no layer {}", step.layer)))?;
                let file = BufReader::with_capacity(256 << 10, root.open_regular(path(&blob))?);
                let archive = image::decompressed(file).map_err(|error| Error::system(path(&blob), error))?;
                image::put_layer(store, lease, &step.layer, archive)?
            }
        };
        // The name is the digest; nobody need read the layer to know it.
        store.note_written_digest(&step.layer, &step.layer)?;
        let mut result = StepResult {
            id: 0,
            outputs: vec![wanted.base.with(step.layer).layers],
            own: vec![step.layer],
            kind: "regular".to_owned(),
            description: wanted.family.to_owned(),
            size,
            // No time at all is one, too: but 0 is when it is noted.
            created: step.created.clamp(1, 1 << 33),
            used: 0,
            uses: 0,
            took: 0,
            inputs: wanted.inputs.kept(),
        };
        store.commit_step(lease, &[*wanted.key], &mut result)?;
        Ok(result)
    }
}

/// The configuration in an OCI layout, and the layout.
fn layout(directory: &Path) -> Result<(Vec<u8>, Content)> {
    let root = Root::open(directory)?;
    let read = |digest: &Digest| -> Result<Vec<u8>> {
        let bytes = root.read_regular(path(digest), MOST)?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(Error::invalid(format!("blob {digest}: its content is {found}"))),
        }
    };
    let parse = |bytes: &[u8]| Document::parse(bytes, "").map_err(Error::from);
    let mut document = parse(&root.read_regular("index.json", MOST)?)?;
    if let Document::Index(index) = &document {
        let first = index.manifests.first().ok_or_else(|| Error::invalid("index.json names no manifest"))?;
        document = parse(&read(&first.digest)?)?;
    }
    let Document::Manifest(manifest) = document else {
        return Err(Error::invalid("index.json names an index"));
    };
    let config = read(&manifest.config.digest)?;
    Ok((config, Content::Layout(Box::new(Layout { root, manifest, layers: Vec::new() }))))
}

/// Where a blob is in an OCI layout.
pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// What a place is called for people.
pub(super) fn name_of(option: &CacheOption) -> String {
    let named = ["ref", "src", "dest"].into_iter().find_map(|key| option.attributes.get(key));
    named.unwrap_or(&option.kind).clone()
}

fn warn(reporter: &Reporter<'_>, name: &str, error: &Error) {
    let what = if error.kind() == ErrorKind::NotFound { "there is none" } else { "it is not used" };
    reporter.tell(Event::Warning {
        rule: "Cache".to_owned(),
        message: format!("cache {name}: {what}: {error}"),
        place: None,
        url: None,
    });
}
