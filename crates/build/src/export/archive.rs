//! Images in a file: an OCI layout, packed or not, or docker's archive. Owns what its `index.json` says.

use std::path::Path;

use image::Reference;
use image::saved::{Layout, docker_item, manifest_in};
use serde_json::{Value, json};
use store::Digest;

use super::annotations::Pairs;
use super::documents::{Descriptor, OCI_MANIFEST, Prepared, index};
use super::settings::Settings;
use super::{Exporting, place};
use crate::error::Result;

/// Where an archive goes, and what it is.
pub(super) struct Target<'a> {
    pub(super) oci: bool,
    pub(super) tar: bool,
    pub(super) to: Option<&'a Path>,
}

impl Exporting<'_> {
    /// Writes images as an archive; what its `index.json` names is what comes back.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub(super) fn archive(
        &self,
        images: &[Prepared<'_>],
        target: &Target<'_>,
        names: &[Reference],
        settings: &Settings,
    ) -> Result<Descriptor> {
        let kind = if target.oci { "oci" } else { "docker" };
        self.reporter.during(&format!("exporting to {kind} image format"), |_| {
            let (layout, root) = self.layout(images, target.oci, names, settings)?;
            let store = self.engine.store();
            match target.to {
                Some(to) if !target.tar => place::directory(to, |made| Ok(layout.write_directory(store, made)?))?,
                to => place::file(to, |out| Ok(layout.write_archive(store, out)?))?,
            }
            Ok(root)
        })
    }

    fn layout(
        &self,
        images: &[Prepared<'_>],
        oci: bool,
        names: &[Reference],
        settings: &Settings,
    ) -> Result<(Layout, Descriptor)> {
        let mut layout = Layout::default();
        let mut descriptors = Vec::new();
        let mut docker = Vec::new();
        for prepared in images {
            let lengths = prepared.lengths(self)?;
            let annotations = settings.annotations.of_manifest(&prepared.image.platform);
            let form = image::saved::ManifestForm { docker: settings.docker, annotations };
            let manifest = manifest_in(&form, &prepared.config, &lengths);
            let media_type = if settings.docker { super::documents::DOCKER_MANIFEST } else { OCI_MANIFEST };
            descriptors.push(Descriptor {
                platform: Some(prepared.image.platform.clone()),
                annotations: settings.annotations.of_descriptor(&prepared.image.platform),
                ..Descriptor::of(media_type, &manifest)
            });
            docker.push(docker_item(Digest::of(&prepared.config), names, &lengths));
            layout.documents.extend([manifest, prepared.config.clone()]);
            layout.layers.extend(lengths);
        }
        let attested = self.attested(images, &descriptors, names, settings);
        let is_alone = !self.options.has_several_platforms() && attested.descriptors.is_empty();
        let root = if let ([one], true) = (descriptors.as_slice(), is_alone) {
            one.clone()
        } else {
            let all = descriptors.iter().map(Descriptor::document).chain(attested.descriptors.clone());
            let (media_type, bytes) = index(&all.collect::<Vec<Value>>(), settings);
            let root = Descriptor::of(&media_type, &bytes);
            layout.documents.insert(0, bytes);
            root
        };
        layout.documents.extend(attested.documents());
        layout.index = named(&root, names);
        layout.docker = (!oci).then(|| Value::Array(docker).to_string().into_bytes());
        Ok((layout, root))
    }
}

/// The `index.json` of a layout: the same thing under each of its names.
fn named(root: &Descriptor, names: &[Reference]) -> Vec<u8> {
    let under = |name: Option<&Reference>| {
        let mut annotations = root.annotations.clone();
        annotations.extend(name.map(annotations_of).unwrap_or_default());
        Descriptor { annotations, ..root.clone() }.document()
    };
    let manifests: Vec<Value> =
        if names.is_empty() { vec![under(None)] } else { names.iter().map(|name| under(Some(name))).collect() };
    let media_type = super::documents::OCI_INDEX;
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).to_string().into_bytes()
}

fn annotations_of(name: &Reference) -> Pairs {
    [
        ("io.containerd.image.name".to_owned(), name.to_string()),
        ("org.opencontainers.image.ref.name".to_owned(), name.tag().unwrap_or_default().to_owned()),
    ]
    .into()
}
