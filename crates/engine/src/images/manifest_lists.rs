//! Lists of manifests in the making, as `docker manifest` has them: made here, kept in a file each, pushed as an index.
//!
//! A file is replaced as a whole, so that a list is the old one or the new one whatever happens.

use std::fs;
use std::io::ErrorKind as IoErrorKind;

use image::{Access, EntryPlatform, Examined, IndexEntry, Progress, Reference};
use serde::{Deserialize, Serialize};
use store::Digest;

use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};

/// Version of the files. Raised when a reader of the previous one would misunderstand.
const VERSION: u32 = 1;

/// A list in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestList {
    version: u32,
    /// Its name, in full.
    pub name: String,
    /// Its entries, in the order in which they were added.
    pub entries: Vec<IndexEntry>,
}

/// What `manifest annotate` changes; None stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// The processor.
    pub arch: Option<String>,
    /// The system.
    pub os: Option<String>,
    /// What the system must have.
    pub os_features: Option<Vec<String>>,
    /// The system's version.
    pub os_version: Option<String>,
    /// The processor's variant.
    pub variant: Option<String>,
}

/// What there is to see of a name.
#[derive(Debug, Clone)]
pub enum Inspected {
    /// A list in the making: the document that it would be, and its entries.
    List(Vec<u8>, ManifestList),
    /// What a registry has.
    Remote(Box<Examined>),
}

impl Engine {
    /// Begins a list, or with `amend` adds to one, and returns its full name.
    ///
    /// # Errors
    /// `Conflict` for a list that is there, without `amend`; `NotFound` for a manifest that neither its registry nor the
    /// store has; `Invalid` for one that is a list itself.
    pub fn create_manifest_list(
        &self,
        name: &str,
        manifests: &[String],
        amend: bool,
        insecure: bool,
    ) -> Result<Reference> {
        let target = self.list_name(name)?;
        let mut list = match self.read_list(&target)? {
            Some(_) if !amend => {
                let message = format!("refusing to amend an existing manifest list with no --amend flag: {target}");
                return Err(Error::conflict(message).with_hint("use --amend"));
            }
            Some(list) => list,
            None => ManifestList { version: VERSION, name: target.to_string(), entries: Vec::new() },
        };
        let access = self.access(insecure)?;
        for manifest in manifests {
            let entry = self.manifest_entry(&target, manifest, &access)?;
            list.entries.retain(|other| other.reference != entry.reference);
            list.entries.push(entry);
        }
        self.write_list(&target, &list)?;
        Ok(target)
    }

    /// Changes what an entry of a list is for; one that is not in it is added.
    ///
    /// # Errors
    /// `NotFound` for a list that is not there, and those of adding.
    pub fn annotate_manifest(&self, name: &str, manifest: &str, annotation: &Annotation) -> Result<()> {
        let target = self.list_name(name)?;
        let mut list = self.read_list(&target)?.ok_or_else(|| no_such(&target))?;
        let reference = self.first_candidate(manifest)?.to_string();
        if !list.entries.iter().any(|entry| entry.reference == reference) {
            let entry = self.manifest_entry(&target, manifest, &self.access(false)?)?;
            list.entries.push(entry);
        }
        for entry in list.entries.iter_mut().filter(|entry| entry.reference == reference) {
            annotation.apply(&mut entry.platform)?;
        }
        self.write_list(&target, &list)
    }

    /// A list in the making, else what a registry has under the name; with `list`, an entry of that list.
    ///
    /// # Errors
    /// `NotFound` for what is not there.
    pub fn inspect_manifest(&self, list: Option<&str>, name: &str, insecure: bool) -> Result<Inspected> {
        let access = self.access(insecure)?;
        let reference = self.first_candidate(name)?;
        if let Some(list) = list {
            let target = self.list_name(list)?;
            let found = self.read_list(&target)?.ok_or_else(|| no_such(&target))?;
            let entry = found.entries.iter().find(|entry| entry.reference == reference.to_string());
            let entry = entry.ok_or_else(|| Error::not_found(format!("no such manifest in {target}: {name}")))?;
            return Ok(Inspected::Remote(Box::new(image::examine(&reference.at(entry.digest), &access)?)));
        }
        if let Some(found) = self.read_list(&reference)? {
            return Ok(Inspected::List(image::index_document(&found.entries)?.0, found));
        }
        Ok(Inspected::Remote(Box::new(image::examine(&reference, &access)?)))
    }

    /// Puts a list into its registry, with what it names; `told` hears of each entry that had to be put there first. With
    /// `purge` the list is not kept.
    ///
    /// # Errors
    /// `NotFound` for a list that is not there; `Image` for what the registry refuses.
    pub fn push_manifest_list(
        &self,
        name: &str,
        purge: bool,
        insecure: bool,
        progress: &dyn Progress,
        told: &dyn Fn(&Reference),
    ) -> Result<Digest> {
        let target = self.list_name(name)?;
        let list = self.read_list(&target)?.ok_or_else(|| no_such(&target))?;
        for entry in &list.entries {
            if entry.platform.os.is_empty() || entry.platform.architecture.is_empty() {
                let message = format!("manifest {} must have an OS and Architecture", entry.reference);
                return Err(Error::invalid(message).with_hint("phial manifest annotate --os … --arch …"));
            }
        }
        let access = self.access(insecure)?;
        let digest = image::push_index(Some(&self.store), &target, &list.entries, &access, progress, told)?;
        self.tell_image(&target.familiar(), "push", &target.familiar_name());
        if purge {
            self.remove_manifest_list(name)?;
        }
        Ok(digest)
    }

    /// Forgets a list. What was pushed of it stays in its registry.
    ///
    /// # Errors
    /// `NotFound` for a list that is not there.
    pub fn remove_manifest_list(&self, name: &str) -> Result<()> {
        let target = self.list_name(name)?;
        let path = self.paths().manifest_list(&target.to_string());
        match fs::remove_file(&path) {
            Err(error) if error.kind() == IoErrorKind::NotFound => Err(no_such(&target)),
            removed => removed.context(|| format!("removing {}", path.display())),
        }
    }

    fn list_name(&self, name: &str) -> Result<Reference> {
        let target = self.first_candidate(name)?;
        if target.digest().is_some() {
            return Err(Error::invalid(format!("a manifest list has a tag, not a digest: {name}")));
        }
        Ok(target)
    }

    /// The entry for a manifest in the registry that the list is for, else for an image in the store.
    fn manifest_entry(&self, target: &Reference, name: &str, access: &Access) -> Result<IndexEntry> {
        let reference = self.first_candidate(name)?;
        let absent = if reference.domain() == target.domain() {
            match image::examine(&reference, access) {
                Ok(found) => return entry_of(&reference, found),
                Err(error) if error.kind() == image::ErrorKind::NotFound => error.to_string(),
                Err(error) => return Err(error.into()),
            }
        } else {
            format!("{} is in another registry than {}", reference.familiar(), target.familiar())
        };
        let image = match self.store.find_image(&reference.canonical()) {
            Ok(image) => image,
            Err(error) if error.kind() == store::ErrorKind::NotFound => {
                let message = format!("no such manifest: {name} ({absent}, and there is no such image here)");
                return Err(Error::not_found(message));
            }
            Err(error) => return Err(error.into()),
        };
        let manifest = self.store.blob(&image.manifest)?;
        Ok(IndexEntry {
            reference: reference.to_string(),
            media_type: String::new(),
            digest: image.manifest,
            size: manifest.len() as u64,
            platform: image::platform_of(&self.store.blob(&image.id)?)?,
            image: Some(image.id),
        })
    }

    fn read_list(&self, target: &Reference) -> Result<Option<ManifestList>> {
        let path = self.paths().manifest_list(&target.to_string());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::system(format!("reading {}", path.display()), error)),
        };
        let list: ManifestList = serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::Store, format!("{}: {error}", path.display())))?;
        if list.version > VERSION {
            let message = format!("{} was made by a newer version of phial", path.display());
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(Some(list))
    }

    fn write_list(&self, target: &Reference, list: &ManifestList) -> Result<()> {
        let text = serde_json::to_vec(list).map_err(|error| Error::new(ErrorKind::Store, error.to_string()))?;
        Ok(self.store.replace_file(&self.paths().manifest_list(&target.to_string()), &text)?)
    }
}

impl Annotation {
    fn apply(&self, platform: &mut EntryPlatform) -> Result<()> {
        let word = |flag: &str, value: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            if value.bytes().all(fits) {
                Ok(value.to_owned())
            } else {
                Err(Error::invalid(format!("--{flag} {value:?}")))
            }
        };
        if let Some(value) = &self.arch {
            platform.architecture = word("arch", value)?;
        }
        if let Some(value) = &self.os {
            platform.os = word("os", value)?;
        }
        if let Some(value) = &self.variant {
            platform.variant = word("variant", value)?;
        }
        if let Some(value) = &self.os_version {
            platform.os_version = word("os-version", value)?;
        }
        if let Some(values) = &self.os_features {
            platform.os_features = values.iter().map(|value| word("os-features", value)).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

fn entry_of(reference: &Reference, found: Examined) -> Result<IndexEntry> {
    let Some(platform) = found.platform else {
        return Err(Error::invalid(format!("{} is a manifest list", reference.familiar())));
    };
    Ok(IndexEntry {
        reference: reference.to_string(),
        media_type: found.media_type,
        digest: found.digest,
        size: found.bytes.len() as u64,
        platform,
        image: None,
    })
}

fn no_such(target: &Reference) -> Error {
    Error::not_found(format!("no such manifest: {}", target.familiar()))
}
