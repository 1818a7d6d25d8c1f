//! Images: pulled, made, found, listed, moved, removed.

/// Made on this host, without a registry.
pub mod builtin;
/// Made of a container's changes.
pub(crate) mod commit;
/// Durable while nobody waits.
mod durable;
/// How they came to be, and their names.
pub(crate) mod history;
/// Made of an archive of files.
pub(crate) mod import;
/// Which images `images` lists.
pub(crate) mod list;
/// Made of files on this host: what `commit` and `import` have in common.
pub(crate) mod made;
/// Lists of manifests in the making.
pub(crate) mod manifest_lists;
/// Their files, read from layers as overlayfs would merge them.
pub(crate) mod merged;
/// Mounted to be looked at.
pub(crate) mod mounts;
/// Those that nobody uses.
pub(crate) mod prune;
/// Pulled and pushed.
pub(crate) mod registry;
/// Into files and back.
pub(crate) mod saved;

use image::{Platform, Progress, PullOptions, Reference};
use store::{Digest, ImageRecord, Use};

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::images::list::is_tag;
use notation::similar;

/// When `run` asks the registry (`--pull`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the image is not in the store.
    #[default]
    Missing,
    /// Always, so that the newest one is run.
    Always,
    /// Never.
    Never,
}

impl PullPolicy {
    /// Parses `--pull`.
    ///
    /// # Errors
    /// `Invalid` for anything but `missing`, `always` and `never`.
    pub fn parse(text: &str) -> Result<PullPolicy> {
        match text {
            "missing" => Ok(PullPolicy::Missing),
            "always" => Ok(PullPolicy::Always),
            "never" => Ok(PullPolicy::Never),
            _ => Err(Error::invalid(format!("--pull {text}: not one of missing, always, never"))),
        }
    }
}

/// What [`Engine::remove_image`] did, in docker's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovedImage {
    /// This name is gone.
    Untagged(String),
    /// This image or layer is gone.
    Deleted(Digest),
}

impl Engine {
    /// Fetches an image from its registry into the store.
    ///
    /// # Errors
    /// `Invalid` for what is not a reference, `NotFound` when the registry has no such image, `Image` for the rest.
    pub fn pull(&self, name: &str, options: &PullOptions, progress: &dyn Progress) -> Result<ImageRecord> {
        self.pull_named(name, options, progress).map(|(_, image)| image)
    }

    /// Makes `phial/toolbox`, an image with a shell, without a registry; `tell` hears each step.
    ///
    /// # Errors
    /// Those of [`builtin::bootstrap_toolbox`].
    pub fn bootstrap_toolbox(&self, tell: &dyn Fn(&str)) -> Result<ImageRecord> {
        let image = builtin::bootstrap_toolbox(&self.store, tell)?;
        self.sync_images_later();
        Ok(image)
    }

    /// The image called `name`, fetched if the policy says so. The built-in `hello` is made here instead.
    ///
    /// # Errors
    /// `NotFound` when nobody has it, and those of [`Engine::pull`].
    pub fn ensure_image(
        &self,
        name: &str,
        policy: PullPolicy,
        options: &PullOptions,
        progress: &dyn Progress,
    ) -> Result<ImageRecord> {
        let found = self.image(name);
        if let (Ok(image), Some(wanted), true) = (&found, &options.platform, policy != PullPolicy::Always) {
            check_platform(name, image, wanted)?;
        }
        let own = |image: &ImageRecord| image.references.iter().any(|reference| reference == builtin::HELLO);
        if builtin::is_hello(name) && found.as_ref().map_or_else(|error| error.kind() == ErrorKind::NotFound, own) {
            return builtin::ensure_hello(&self.store, self.options.hello_program);
        }
        match (policy, found) {
            (PullPolicy::Always, _) => self.pull(name, options, progress),
            (PullPolicy::Missing, Err(error)) if error.kind() == ErrorKind::NotFound => {
                self.pull(name, options, progress)
            }
            (_, found) => found,
        }
    }

    /// The image called `name` for another platform than this host's. One that has to be fetched is named by its digest alone, so
    /// that the name stays with the image that it has here.
    ///
    /// # Errors
    /// As [`Engine::ensure_image`]; `NotFound` when it is not there for that platform.
    pub fn ensure_foreign_image(
        &self,
        name: &str,
        policy: PullPolicy,
        options: &PullOptions,
        progress: &dyn Progress,
    ) -> Result<ImageRecord> {
        let wanted = options.platform.clone().unwrap_or_else(Platform::host);
        if policy != PullPolicy::Always
            && let Ok(image) = self.image(name)
            && is_for(&image, &wanted)
        {
            return Ok(image);
        }
        let reference = self.first_candidate(name)?;
        let offers = image::platforms(&reference, &self.with_access(options)?)?;
        let named = match offers.iter().find(|(_, platform)| wanted.clone().normal().runs(platform)) {
            Some((digest, _)) => reference.at(*digest).to_string(),
            None => reference.to_string(),
        };
        if let (Ok(image), true) = (self.image(&named), named.contains('@')) {
            return Ok(image);
        }
        self.pull(&named, options, progress)
    }

    /// The image that a user calls `name`: a reference in its short form, `hello`, an id, or the beginning of one.
    ///
    /// # Errors
    /// `NotFound`, and `Invalid` for a beginning that fits several.
    pub fn image(&self, name: &str) -> Result<ImageRecord> {
        let reference = name.parse::<Reference>().map(|reference| reference.canonical());
        let builtin = builtin::is_hello(name).then_some(builtin::HELLO);
        for key in reference.iter().map(String::as_str).chain(builtin).chain([name]) {
            match self.store.find_image(key) {
                Err(error) if error.kind() == store::ErrorKind::NotFound => {}
                other => return Ok(other?),
            }
        }
        if let Some(image) = self.image_of_short_name(name)? {
            return Ok(image);
        }
        let hint = match self.image_meant(name) {
            Some(meant) => format!("did you mean {meant}? If not: phial pull {name}"),
            None => format!("phial pull {name}"),
        };
        Err(Error::not_found(format!("no such image: {name}")).with_hint(hint))
    }

    /// As [`Engine::image`], which must be for `platform` if one is given: of a name there is one image here.
    ///
    /// # Errors
    /// Those of [`Engine::image`], and `Conflict` when it is for another platform.
    pub fn image_for(&self, name: &str, platform: Option<&Platform>) -> Result<ImageRecord> {
        let image = self.image(name)?;
        platform.map_or(Ok(()), |wanted| check_platform(name, &image, wanted))?;
        Ok(image)
    }

    /// The name of an image that is here and like this one.
    fn image_meant(&self, name: &str) -> Option<String> {
        let all = self.store.images().unwrap_or_default();
        let tagged: Vec<String> = all.iter().flat_map(|image| familiar(&image.references)).collect();
        let untagged = tagged.iter().filter_map(|name| name.strip_suffix(":latest"));
        similar(name, tagged.iter().map(String::as_str).chain(untagged)).map(str::to_owned)
    }

    /// Takes a name from an image, and removes the image with its last one; given an id, removes the image if it has
    /// one name at most. `force` removes all names, and an image that containers are made from.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` without `force`.
    pub fn remove_image(&self, name: &str, force: bool) -> Result<Vec<RemovedImage>> {
        let image = self.image(name)?;
        let in_use = if force { Use::Ignore } else { Use::Refuse };
        let meant = self.names_meant(name, &image)?;
        let is_name = |reference: &&String| {
            **reference == builtin::HELLO && builtin::is_hello(name) || meant.contains(*reference)
        };
        let tags = image.references.iter().filter(|reference| is_tag(reference)).count();
        let goes = tags <= 1 || !image.references.iter().any(|reference| is_name(&reference));
        let _unmounted = if goes { self.release_mount(&image, force)? } else { None };
        let removed = if let Some(reference) = image.references.iter().find(is_name) {
            self.store.untag(reference, in_use)?
        } else if image.references.len() > 1 && !force {
            let message = format!("image {name} has several names: {}", familiar(&image.references).join(", "));
            return Err(Error::conflict(message).with_hint("remove it by name, or use -f"));
        } else {
            self.store.delete_image(&image.id, in_use)?
        };
        let id = image.id.to_string();
        for _ in &removed.untagged {
            self.tell_image(&id, "untag", &id);
        }
        if let Some(digest) = &removed.deleted {
            self.tell_image(&digest.to_string(), "delete", &digest.to_string());
        }
        // Removing images is for making room: everything that is garbage goes, not only what this image had.
        let collected = self.store.collect();
        let untagged = familiar(&removed.untagged).into_iter().map(RemovedImage::Untagged);
        let deleted = removed.deleted.into_iter().chain(collected.layers).map(RemovedImage::Deleted);
        Ok(untagged.chain(deleted).collect())
    }
}

/// Nobody wants to be given an image for another machine than he asked for, nor to lose the one he has.
fn check_platform(name: &str, image: &ImageRecord, wanted: &Platform) -> Result<()> {
    if is_for(image, wanted) {
        return Ok(());
    }
    Err(Error::conflict(format!("--platform {wanted}: the image {name} that is here is for {}", image.platform))
        .with_hint(format!("phial pull --platform {wanted} {name} fetches the other one in its place")))
}

fn is_for(image: &ImageRecord, wanted: &Platform) -> bool {
    image.platform.parse::<Platform>().is_ok_and(|platform| wanted.clone().normal().runs(&platform))
}

/// Names as people write them.
pub(crate) fn familiar(references: &[String]) -> Vec<String> {
    references.iter().map(|name| Reference::familiar_of(name)).collect()
}
