//! The images that a build begins with: found in the store, pulled, or brought in from a directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use dockerfile::Environment;
use dockerfile::evaluate::{Base, Bases};
use engine::{Engine, PullPolicy};
use fsroot::Root;
use image::saved::{Entry, LoadOptions};
use image::{ImageConfig, Progress, ProgressEvent, PullOptions, Reference};
use store::{Digest, ImageRecord, Lease};

use crate::error::{Error, ErrorKind, Result};
use crate::frontend::{ContextKind, Found, Images};
use crate::llb::message::{Platform, SourceOp};
use crate::pulls::Pulls;
use crate::tree::Tree;

/// What stands before the place of an image in a directory.
pub(crate) const LAYOUT: &str = "oci-layout://";

/// Images as builds know them.
pub(crate) struct Resolver<'a> {
    engine: &'a Engine,
    /// Held by the build.
    lease: &'a Lease,
    /// Whether registries are asked although an image is here.
    pull: bool,
    /// What it is built for.
    target: image::Platform,
    /// What named contexts are.
    named: &'a BTreeMap<String, ContextKind>,
    /// Who is told how far a pull is.
    pulls: &'a Pulls<'a>,
    /// By name and platform: what was found, so that a build sees one image, whatever a registry says later.
    found: Mutex<BTreeMap<(String, String), ImageRecord>>,
}

impl<'a> Resolver<'a> {
    /// Images of this engine, for a platform.
    pub(crate) fn new(
        engine: &'a Engine,
        lease: &'a Lease,
        pull: bool,
        target: image::Platform,
        named: &'a BTreeMap<String, ContextKind>,
        pulls: &'a Pulls<'a>,
    ) -> Resolver<'a> {
        Resolver { engine, lease, pull, target, named, pulls, found: Mutex::default() }
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
        if let Some(place) = name.strip_prefix(LAYOUT) {
            return self.brought(name, place, platform);
        }
        let name = &by_name(name);
        let policy = if self.pull { PullPolicy::Always } else { PullPolicy::Missing };
        let options = PullOptions { platform: Some(platform.clone()), ..PullOptions::default() };
        let found = if image::Platform::host().runs(platform) {
            self.engine.ensure_image(name, policy, &options, self.pulls)
        } else {
            self.engine.ensure_foreign_image(name, policy, &options, self.pulls)
        };
        self.pulls.ended(&found);
        Ok(found?)
    }

    /// One of a directory, which names nothing here: `place` is `PATH[:TAG][@DIGEST]`.
    fn brought(&self, name: &str, place: &str, platform: &image::Platform) -> Result<ImageRecord> {
        let (path, entry) = entry_of(place)?;
        let root = Root::open(Path::new(path)).map_err(|error| match error.kind() {
            fsroot::ErrorKind::NotFound | fsroot::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::NotFound, "there is no such directory")
            }
            _ => Error::from(error),
        })?;
        self.pulls.event(ProgressEvent::Resolving { reference: name, registry: "" });
        let options = LoadOptions { platform: Some(platform.clone()), ..LoadOptions::default() };
        let brought = image::saved::bring(self.engine.store(), self.lease, root, &entry, &options, self.pulls);
        self.pulls.ended(&brought);
        Ok(brought?)
    }

    fn config(&self, image: &ImageRecord) -> Result<ImageConfig> {
        Ok(ImageConfig::parse(&self.engine.store().blob(&image.id)?)?)
    }
}

/// A name that is none of a part of an id: `FROM cafe` means an image that is called so, whatever the ids are of those that are here. A
/// whole id is taken for one.
fn by_name(name: &str) -> String {
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    let may_be_a_part = digits.len() < 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match name.parse::<Reference>() {
        Ok(reference) if may_be_a_part => reference.canonical(),
        _ => name.to_owned(),
    }
}

/// By which name an image of a graph is asked for; None for what is none.
pub(crate) fn name_in(source: &SourceOp) -> Option<String> {
    if source.identifier.starts_with(LAYOUT) {
        return Some(format!("{LAYOUT}{}", source.attrs.get("oci.store")?));
    }
    source.identifier.strip_prefix("docker-image://").map(ToOwned::to_owned)
}

/// Where the directory is, and what of it is meant. A colon before the last slash is a part of the path.
fn entry_of(place: &str) -> Result<(&str, Entry)> {
    let (rest, digest) = match place.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (place, None),
    };
    let digest = digest
        .map(|digest| digest.parse().map_err(|error: store::Error| Error::invalid(format!("{place}: {error}"))))
        .transpose()?;
    let (path, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((path, tag)) => (path, Some(tag.to_owned())),
        None => (rest, None),
    };
    Ok((path, Entry { tag, digest }))
}

/// What an image in a directory is called: as that, whose path is nobody's business.
pub(crate) fn layout_name(place: &str) -> String {
    dockerfile::path::base(entry_of(place).map_or(place, |(path, _)| path))
}

/// What a graph calls the image.
fn whole(name: &str, image: &ImageRecord) -> String {
    if let Some(place) = name.strip_prefix(LAYOUT) {
        return format!("{}@{}", layout_name(place), image.manifest);
    }
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

    fn layout(&self, place: &str, platform: &Platform) -> Result<Found, String> {
        self.image(&format!("{LAYOUT}{place}"), platform)
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
            Some(ContextKind::Layout(place)) => self.base(&format!("{LAYOUT}{place}"), platform),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_ids_are_names() {
        let whole = "0".repeat(64);
        for (name, expected) in [
            ("cafe", "docker.io/library/cafe:latest"),
            ("sha256:cafe", "docker.io/library/sha256:cafe"),
            ("base", "base"),
            ("cafe:1", "cafe:1"),
            (whole.as_str(), whole.as_str()),
        ] {
            assert_eq!(by_name(name), expected);
        }
    }

    #[test]
    fn places_of_images_in_directories() {
        let digest = Digest::of(b"");
        let check = |place: &str, path: &str, tag: Option<&str>, digest: Option<Digest>| {
            let entry = Entry { tag: tag.map(ToOwned::to_owned), digest };
            assert_eq!(entry_of(place).expect("it is one"), (path, entry), "{place}");
        };
        check("/a/b", "/a/b", None, None);
        check("./b:1", "./b", Some("1"), None);
        check("/a:b/c", "/a:b/c", None, None);
        check(&format!("b@{digest}"), "b", None, Some(digest));
        check(&format!("b:1@{digest}"), "b", Some("1"), Some(digest));
        entry_of("b@sha256:0").expect_err("it is no digest");
    }
}
