//! Images of the store, and of registries. Owns which name goes to which image.

use image::{Progress, ProgressEvent, Reference, UploadState};
use serde_json::Value;

use super::Exporting;
use super::documents::{Descriptor, Made, Prepared, index};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::progress::{Amount, StepId};
use crate::report::Reporter;

impl Exporting<'_> {
    /// Lists images in the store: the one for this host, or the first, gets the names, and the others are called by their
    /// digests.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn list(&self, made: &[Made], names: &[Reference], settings: &Settings) -> Result<()> {
        let own = own(made);
        for (number, made) in made.iter().enumerate() {
            let digest = made.manifest.digest;
            let mut given: Vec<Reference> =
                if number == own { names.to_vec() } else { names.iter().map(|name| name.at(digest)).collect() };
            if settings.canonical {
                given.extend(names.iter().map(|name| name.at(digest)));
            }
            if let (true, Some(prefix)) = (names.is_empty(), &settings.prefix) {
                let name: Reference = prefix
                    .parse()
                    .map_err(|error| Error::invalid(format!("dangling-name-prefix={prefix}: {error}")))?;
                given.push(name.at(digest));
            }
            self.list_one(made, &given)?;
        }
        Ok(())
    }

    /// One that is there already only gets its names.
    fn list_one(&self, made: &Made, names: &[Reference]) -> Result<()> {
        let store = self.engine.store();
        let listed = store.image(&made.record.id).ok().filter(|listed| listed.manifest == made.manifest.digest);
        let Some(listed) = listed else {
            let mut record = made.record.clone();
            record.references = names.iter().map(Reference::canonical).collect();
            self.engine.list_record(self.lease, &record)?;
            return Ok(());
        };
        for name in names.iter().map(Reference::canonical).filter(|name| !listed.references.contains(name)) {
            store.tag(&made.record.id, &name)?;
        }
        Ok(())
    }

    /// Pushes images under all names: one as it is, several with an index around them. What is in the registry then.
    ///
    /// # Errors
    /// Those of the registry.
    pub(super) fn push(
        &self,
        images: &[Prepared<'_>],
        made: &[Made],
        names: &[Reference],
        settings: &Settings,
    ) -> Result<Descriptor> {
        let mut last = None;
        for name in names {
            let pushed = self.reporter.during(&format!("pushing {}", name.familiar()), |step| {
                self.push_as(images, made, name, settings, &Pushes { reporter: self.reporter, step })
            })?;
            last = Some(pushed);
        }
        last.ok_or_else(|| Error::invalid("what is pushed needs a name").with_hint("give -t REGISTRY/NAME"))
    }

    fn push_as(
        &self,
        images: &[Prepared<'_>],
        made: &[Made],
        name: &Reference,
        settings: &Settings,
        progress: &dyn Progress,
    ) -> Result<Descriptor> {
        let request = engine::PushRequest {
            insecure: settings.insecure,
            compression: settings.compression,
            ..engine::PushRequest::default()
        };
        let is_alone = !self.options.has_index();
        let mut descriptors = Vec::new();
        for made in made {
            let place = if is_alone && !settings.by_digest { name.clone() } else { name.at(made.manifest.digest) };
            let pushed = self.engine.push_image(&made.record, &place, &request, progress)?;
            let annotations =
                made.manifest.platform.as_ref().map(|platform| settings.annotations.of_descriptor(platform));
            descriptors.push(Descriptor {
                media_type: pushed.media_type,
                digest: pushed.digest,
                size: pushed.size as u64,
                platform: made.manifest.platform.clone(),
                annotations: annotations.unwrap_or_default(),
            });
        }
        if let ([one], true) = (descriptors.as_slice(), is_alone) {
            return Ok(one.clone());
        }
        let attested = self.attested(images, &descriptors, std::slice::from_ref(name), settings);
        let all: Vec<Value> =
            descriptors.iter().map(Descriptor::document).chain(attested.descriptors.clone()).collect();
        let (media_type, bytes) = index(&all, settings);
        let root = Descriptor::of(&media_type, &bytes);
        let documents =
            image::Documents { blobs: attested.blobs, manifests: attested.manifests, root: (media_type, bytes) };
        let place = if settings.by_digest { name.at(root.digest) } else { name.clone() };
        image::push_documents(&place, &documents, &self.engine.access(settings.insecure)?)?;
        Ok(root)
    }
}

/// Which of several images is for this host; the first one if none is.
pub(super) fn own(made: &[Made]) -> usize {
    let host = image::Platform::host();
    let fits = |made: &Made| made.manifest.platform.as_ref().is_some_and(|platform| host.runs(platform));
    made.iter().position(fits).unwrap_or(0)
}

/// Tells how far a push is.
struct Pushes<'a> {
    reporter: &'a Reporter<'a>,
    step: StepId,
}

impl Progress for Pushes<'_> {
    fn event(&self, event: ProgressEvent<'_>) {
        let told = |part: &str, current, total, done| {
            self.reporter.progress(self.step, part, Amount { current, total }, done);
        };
        match event {
            ProgressEvent::Upload { id, state: UploadState::Pushing { done, total } } => told(id, done, total, false),
            ProgressEvent::Upload { id, state: UploadState::Preparing } => told(id, 0, None, false),
            ProgressEvent::Upload { id, .. } => told(id, 0, None, true),
            ProgressEvent::Pushed { digest, size, .. } => {
                told(&format!("manifest {digest}"), size as u64, Some(size as u64), true);
            }
            _ => {}
        }
    }
}
