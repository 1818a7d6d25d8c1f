//! Images and registries: what a name stands for, fetching it, and what is told of it.

use image::{Access, CredentialsSource, Platform, Progress, PullOptions, PushOptions, Pushed, Reference, Registries};
use store::ImageRecord;

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// What to push, and how.
#[derive(Debug, Clone, Default)]
pub struct PushRequest {
    /// Every tag of the repository.
    pub all_tags: bool,
    /// What the image must be for.
    pub platform: Option<Platform>,
    /// Plain HTTP and unknown certificates are fine.
    pub insecure: bool,
    /// What layers are compressed with that have to be compressed.
    pub compression: image::Compression,
}

impl Engine {
    /// The registries file, read once.
    ///
    /// # Errors
    /// `Image` for a file that is not understood.
    pub fn registries(&self) -> Result<&Registries> {
        if let Some(registries) = self.registries.get() {
            return Ok(registries);
        }
        let read = Registries::load(self.options.registries.as_deref())?;
        Ok(self.registries.get_or_init(|| read))
    }

    /// How registries are reached. `insecure` allows plain HTTP and unknown certificates everywhere.
    ///
    /// # Errors
    /// Those of [`Engine::registries`].
    pub fn access(&self, insecure: bool) -> Result<Access> {
        let credentials = self.options.docker_config.clone().map(CredentialsSource::Directory).unwrap_or_default();
        Ok(Access { insecure, credentials, registries: self.registries()?.clone(), ..Access::default() })
    }

    /// As [`Engine::pull`], and says which name it was in the end: a short name may be looked for in several registries.
    ///
    /// # Errors
    /// Those of [`Engine::pull`].
    pub fn pull_named(
        &self,
        name: &str,
        options: &PullOptions,
        progress: &dyn Progress,
    ) -> Result<(Reference, ImageRecord)> {
        let options = self.with_access(options)?;
        let mut absent = Vec::new();
        for reference in self.registries()?.candidates(name)? {
            match image::pull(&self.store, &reference, &options, progress) {
                Ok(image) => {
                    self.sync_images_later();
                    self.tell_image(&reference.familiar(), "pull", &reference.familiar_name());
                    return Ok((reference, image));
                }
                // Only a registry that says so: one that cannot be reached might have it, and the next one something else.
                Err(error) if error.kind() == image::ErrorKind::NotFound => absent.push(error),
                Err(error) => return Err(hinted(error, &reference)),
            }
        }
        let all: Vec<String> = absent.iter().map(ToString::to_string).collect();
        Err(Error::new(ErrorKind::NotFound, all.join("; ")))
    }

    /// Fetches all tags of a repository, in the registry's order, and returns the name without tag.
    ///
    /// # Errors
    /// `Invalid` for a name with a tag or digest, and those of [`Engine::pull`].
    pub fn pull_all_tags(
        &self,
        name: &str,
        options: &PullOptions,
        progress: &dyn Progress,
    ) -> Result<(Reference, Vec<ImageRecord>)> {
        let reference = self.one_repository(name)?;
        let options = self.with_access(options)?;
        let mut images = Vec::new();
        for tag in image::tags(&reference, &options)? {
            images.push(self.pull_named(&reference.with_tag(&tag)?.to_string(), &options, progress)?.1);
        }
        if images.is_empty() {
            return Err(Error::not_found(format!("{} has no tags", reference.name())));
        }
        Ok((reference, images))
    }

    /// Fetches an image for every platform that it is there for. The name goes to the one for this host, or to the first
    /// if there is none; the others are named by digest.
    ///
    /// # Errors
    /// Those of [`Engine::pull`].
    pub fn pull_all_platforms(
        &self,
        name: &str,
        options: &PullOptions,
        progress: &dyn Progress,
    ) -> Result<(Reference, Vec<ImageRecord>)> {
        let options = self.with_access(options)?;
        let reference = self.first_candidate(name)?;
        let mut offers = image::platforms(&reference, &options)?;
        let host = image::Platform::host();
        let own = offers.iter().position(|(_, platform)| host.runs(platform)).unwrap_or(0);
        let named = if offers.is_empty() { None } else { Some(offers.remove(own).1) };
        let mut images = Vec::new();
        for (digest, platform) in offers {
            let options = PullOptions { platform: Some(platform), ..options.clone() };
            images.push(self.pull_named(&reference.at(digest).to_string(), &options, progress)?.1);
        }
        let last = PullOptions { platform: named, ..options };
        let (reference, image) = self.pull_named(&reference.to_string(), &last, progress)?;
        images.push(image);
        Ok((reference, images))
    }

    /// Puts an image, or all images of a repository, into its registry. Each gets a name by digest here as well.
    ///
    /// # Errors
    /// `NotFound` for a name that no image has, `Invalid` for one that cannot be pushed to, `Image` for what the registry
    /// refuses.
    pub fn push(&self, name: &str, request: &PushRequest, progress: &dyn Progress) -> Result<Vec<(Reference, Pushed)>> {
        let images =
            if request.all_tags { self.tagged(&self.one_repository(name)?)? } else { vec![self.pushable(name)?] };
        let options = PushOptions { access: self.access(request.insecure)?, compression: request.compression };
        let mut all = Vec::new();
        for (reference, image) in images {
            if let Some(wanted) = &request.platform
                && !image.platform.parse().is_ok_and(|platform: Platform| platform == *wanted)
            {
                let message = format!("{} is for {}, not for {wanted}", reference.familiar(), image.platform);
                return Err(Error::not_found(message).with_hint(format!("phial pull --platform {wanted} …")));
            }
            let pushed = image::push(&self.store, &image, &reference, &options, progress);
            let pushed = pushed.map_err(|error| hinted(error, &reference))?;
            self.store.tag(&image.id, &reference.at(pushed.digest).canonical())?;
            self.tell_image(&reference.familiar(), "push", &reference.familiar_name());
            all.push((reference, pushed));
        }
        Ok(all)
    }

    /// Puts an image that need not be listed into the registry of `reference`: under its tag, or without one by digest. One
    /// that is listed gets a name by digest.
    ///
    /// # Errors
    /// `Image` for what the registry refuses.
    pub fn push_image(
        &self,
        image: &ImageRecord,
        reference: &Reference,
        request: &PushRequest,
        progress: &dyn Progress,
    ) -> Result<Pushed> {
        let options = PushOptions { access: self.access(request.insecure)?, compression: request.compression };
        let pushed = image::push(&self.store, image, reference, &options, progress);
        let pushed = pushed.map_err(|error| hinted(error, reference))?;
        if self.store.image(&image.id).is_ok() {
            self.store.tag(&image.id, &reference.at(pushed.digest).canonical())?;
            self.tell_image(&reference.familiar(), "push", &reference.familiar_name());
        }
        Ok(pushed)
    }

    /// The image of this name, and the name in full.
    fn pushable(&self, name: &str) -> Result<(Reference, ImageRecord)> {
        let candidates = self.registries()?.candidates(name)?;
        for reference in &candidates {
            if reference.digest().is_some() {
                return Err(Error::invalid(format!("cannot push a digest reference: {name}")).with_hint("name a tag"));
            }
            match self.store.find_image(&reference.to_string()) {
                Err(error) if error.kind() == store::ErrorKind::NotFound => {}
                found => return Ok((reference.clone(), found?)),
            }
        }
        let first = candidates.first().map(Reference::familiar).unwrap_or_default();
        let message = format!("an image does not exist locally with the tag: {first}");
        Err(Error::not_found(message).with_hint(format!("phial tag IMAGE {first}")))
    }

    /// Every tag of a repository here.
    fn tagged(&self, repository: &Reference) -> Result<Vec<(Reference, ImageRecord)>> {
        let mut found = Vec::new();
        for image in self.store.images()? {
            for name in &image.references {
                let reference = name.parse::<Reference>().ok().filter(|name| name.digest().is_none());
                if let Some(reference) = reference.filter(|reference| reference.name() == repository.name()) {
                    found.push((reference, image.clone()));
                }
            }
        }
        if found.is_empty() {
            let name = repository.familiar_name();
            return Err(Error::not_found(format!("an image does not exist locally with the tag: {name}")));
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }

    /// The names in full that `name` may stand for, where `image` is what it was found to be.
    pub(crate) fn names_meant(&self, name: &str, image: &ImageRecord) -> Result<Vec<String>> {
        let Ok(reference) = name.parse::<Reference>() else { return Ok(Vec::new()) };
        let canonical = reference.canonical();
        if image.references.contains(&canonical) || Reference::names_registry(name) {
            return Ok(vec![canonical]);
        }
        Ok(self.registries()?.candidates(name)?.iter().map(Reference::canonical).collect())
    }

    /// The image that a name without registry means by the registries file.
    pub(crate) fn image_of_short_name(&self, name: &str) -> Result<Option<ImageRecord>> {
        if name.parse::<Reference>().is_err() || Reference::names_registry(name) {
            return Ok(None);
        }
        for reference in self.registries()?.candidates(name)? {
            match self.store.find_image(&reference.canonical()) {
                Err(error) if error.kind() == store::ErrorKind::NotFound => {}
                found => return Ok(Some(found?)),
            }
        }
        Ok(None)
    }

    /// What a name stands for where it can stand for one thing only: its alias, or the first registry that is searched.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn first_candidate(&self, name: &str) -> Result<Reference> {
        let mut candidates = self.registries()?.candidates(name)?;
        Ok(candidates.swap_remove(0))
    }

    /// A repository as a user typed it: without tag and digest.
    fn one_repository(&self, name: &str) -> Result<Reference> {
        let reference = self.first_candidate(name)?;
        let last = &name[name.rfind('/').map_or(0, |slash| slash + 1)..];
        if last.contains([':', '@']) {
            return Err(Error::invalid(format!("a tag or digest with --all-tags: {name}")));
        }
        Ok(reference)
    }

    /// How images are fetched if nothing else is said.
    ///
    /// # Errors
    /// Those of [`Engine::registries`].
    pub fn pull_options(&self) -> Result<PullOptions> {
        self.with_access(&PullOptions::default())
    }

    pub(super) fn with_access(&self, options: &PullOptions) -> Result<PullOptions> {
        let mut options = options.clone();
        options.registries = self.registries()?.clone();
        if let (Some(directory), CredentialsSource::Docker) = (&self.options.docker_config, &options.credentials) {
            options.credentials = CredentialsSource::Directory(directory.clone());
        }
        Ok(options)
    }
}

/// An error, and what to do about it if it is that the registry does not know who we are.
fn hinted(error: image::Error, reference: &Reference) -> Error {
    let who = matches!(error.kind(), image::ErrorKind::Unauthorized | image::ErrorKind::Denied);
    let server = if reference.domain() == "docker.io" { "" } else { reference.domain() };
    let hint = format!("phial login {server}");
    let error = Error::from(error);
    if who && error.hint().is_none() { error.with_hint(hint.trim_end().to_owned()) } else { error }
}
