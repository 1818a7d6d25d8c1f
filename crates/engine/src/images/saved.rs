//! Images into files and back: `save`, `load`.

use std::io::Write;

use image::saved::{Input, LoadOptions, Loaded, SaveItem};
use image::{Progress, Reference};
use store::ImageRecord;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::images::is_for;

/// An image that was loaded, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedImage {
    /// Its id.
    pub id: String,
    /// The names that it got.
    pub names: Vec<String>,
    /// Names that another image had until now, and its id.
    pub renamed: Vec<(String, String)>,
}

impl Engine {
    /// Writes images as one archive, which is an OCI layout and docker's format at once. A name without a tag means all tags of its
    /// repository, as docker has it.
    ///
    /// # Errors
    /// `NotFound` for a name, before anything is written; `Image` for what cannot be read or written.
    pub fn save(&self, names: &[String], platform: Option<&image::Platform>, out: impl Write + Send) -> Result<()> {
        let mut items: Vec<SaveItem> = Vec::new();
        for name in names {
            for (image, names) in self.to_save(name)? {
                check_platform(&image, platform)?;
                match items.iter_mut().find(|item| item.image.id == image.id) {
                    None => items.push(SaveItem { image, names }),
                    Some(item) => {
                        item.names.extend(names);
                        item.names.sort();
                        item.names.dedup();
                    }
                }
            }
        }
        // What is saved must not be collected meanwhile.
        let _lease = self.store.lease()?;
        image::saved::save(&self.store, &items, out)?;
        for item in &items {
            let id = item.image.id.to_string();
            self.tell_image(&id, "save", &id);
        }
        Ok(())
    }

    /// The images that `name` means, each with the names that it is saved under.
    fn to_save(&self, name: &str) -> Result<Vec<(ImageRecord, Vec<Reference>)>> {
        let last = name.rfind('/').map_or(name, |slash| &name[slash + 1..]);
        let reference = name.parse::<Reference>().ok();
        if let Some(reference) = reference.as_ref().filter(|_| !last.contains([':', '@'])) {
            let tagged = self.tags_of(&reference.name())?;
            if !tagged.is_empty() {
                return Ok(tagged);
            }
        }
        let image = self.image(name)?;
        let has = |reference: &Reference| image.references.contains(&reference.canonical());
        let names = reference.filter(|reference| reference.digest().is_none() && has(reference));
        Ok(vec![(image, names.into_iter().collect())])
    }

    fn tags_of(&self, repository: &str) -> Result<Vec<(ImageRecord, Vec<Reference>)>> {
        let mut found = Vec::new();
        for image in self.store.images()? {
            let names = image.references.iter().filter_map(|name| name.parse::<Reference>().ok());
            let names: Vec<_> = names.filter(|name| name.name() == repository && name.digest().is_none()).collect();
            if !names.is_empty() {
                found.push((image, names));
            }
        }
        Ok(found)
    }

    /// Takes the images of an archive or a layout into the store, and tells `progress` how much of it was read.
    ///
    /// # Errors
    /// `Image` for what is no such thing, or not what it says it is.
    pub fn load(&self, input: Input, options: &LoadOptions, progress: &dyn Progress) -> Result<Vec<LoadedImage>> {
        let before = self.store.images()?;
        let loaded = image::saved::load(&self.store, input, options, progress)?;
        self.sync_images_later();
        let loaded: Vec<LoadedImage> = loaded.iter().map(|loaded| described(loaded, &before)).collect();
        for image in &loaded {
            self.tell_image(&image.id, "load", &image.id);
        }
        Ok(loaded)
    }
}

fn described(loaded: &Loaded, before: &[ImageRecord]) -> LoadedImage {
    let holder = |name: &Reference| {
        let canonical = name.canonical();
        let other = before.iter().find(|image| image.references.contains(&canonical));
        Some((name.familiar(), other.filter(|image| image.id != loaded.image.id)?.id.to_string()))
    };
    LoadedImage {
        id: loaded.image.id.to_string(),
        names: loaded.names.iter().map(Reference::familiar).collect(),
        renamed: loaded.names.iter().filter_map(holder).collect(),
    }
}

fn check_platform(image: &ImageRecord, wanted: Option<&image::Platform>) -> Result<()> {
    match wanted {
        Some(wanted) if !is_for(image, wanted) => {
            let short = image.id.short();
            Err(Error::not_found(format!("--platform {wanted}: image {short} is for {}", image.platform)))
        }
        _ => Ok(()),
    }
}
