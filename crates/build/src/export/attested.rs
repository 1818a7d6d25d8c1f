//! What is said of images, how they were built and what is in them, beside them in an index: one attestation manifest for
//! each, as `BuildKit` stores them (its `docs/attestations/attestation-storage.md`). Pure but for the clock.

use image::Reference;
use serde_json::{Value, json};
use store::Digest;

use super::Exporting;
use super::documents::{Descriptor, OCI_MANIFEST, Prepared};
use super::provenance::{self, Facts};
use super::settings::Settings;
use crate::scan::Document;

const ARTIFACT: &str = "application/vnd.docker.attestation.manifest.v1+json";
const STATEMENT: &str = "application/vnd.in-toto+json";
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What is said of some images.
#[derive(Debug, Clone, Default)]
pub(super) struct Attested {
    /// What manifests name.
    pub(super) blobs: Vec<Vec<u8>>,
    /// Manifests, each with its media type.
    pub(super) manifests: Vec<(String, Vec<u8>)>,
    /// What names the manifests in the index.
    pub(super) descriptors: Vec<Value>,
}

impl Attested {
    /// All of them.
    pub(super) fn documents(self) -> impl Iterator<Item = Vec<u8>> {
        self.manifests.into_iter().map(|(_, bytes)| bytes).chain(self.blobs)
    }
}

impl Exporting<'_> {
    /// What is said of images that are named by these descriptors.
    pub(super) fn attested(
        &self,
        images: &[Prepared<'_>],
        descriptors: &[Descriptor],
        names: &[Reference],
        settings: &Settings,
    ) -> Attested {
        let mut attested = Attested::default();
        for (prepared, subject) in images.iter().zip(descriptors) {
            let platform = prepared.image.platform.to_string();
            let mut called: Vec<String> = names.iter().map(|name| provenance::package(name, &platform)).collect();
            if called.is_empty() {
                // A subject must have a name.
                called.push("_".to_owned());
            }
            let digest = subject.digest.hex();
            let image = called.iter().map(|name| json!({"name": name, "digest": {"sha256": digest}})).collect();
            let mut statements: Vec<Statement> =
                prepared.image.documents.iter().map(|document| Statement::of(document, &image)).collect();
            let predicate = self.facts().map(|facts| facts.predicate(prepared.image));
            statements.extend(predicate.map(|predicate| Statement::new(provenance::PREDICATE, &image, &predicate)));
            if !statements.is_empty() {
                attested.add(subject, statements, settings.old_attestations);
            }
        }
        attested
    }

    /// What the build knows of itself, if that is asked for.
    pub(super) fn facts(&self) -> Option<Facts<'_>> {
        self.provenance.as_ref().map(|request| Facts {
            request,
            options: self.options,
            started: self.started,
            finished: self.finished,
            invocation: &self.invocation,
        })
    }
}

/// Something that is said (in-toto).
struct Statement {
    kind: String,
    bytes: Vec<u8>,
}

impl Statement {
    fn new(kind: &str, subject: &Vec<Value>, predicate: &Value) -> Statement {
        let version = "https://in-toto.io/Statement/v1";
        let document = json!({"_type": version, "subject": subject, "predicateType": kind, "predicate": predicate});
        Statement { kind: kind.to_owned(), bytes: document.to_string().into_bytes() }
    }

    /// What a scanner says, which may be of something else than the image.
    fn of(document: &Document, image: &Vec<Value>) -> Statement {
        let subject = document.subject.as_ref().filter(|subject| !subject.is_empty()).unwrap_or(image);
        Statement::new(&document.predicate_type, subject, &document.predicate)
    }
}

impl Attested {
    fn add(&mut self, subject: &Descriptor, statements: Vec<Statement>, is_old: bool) {
        let layer = |statement: &Statement| {
            let mut layer = Descriptor::of(STATEMENT, &statement.bytes);
            layer.annotations.insert("in-toto.io/predicate-type".to_owned(), statement.kind.clone());
            layer.document()
        };
        let layers: Vec<Value> = statements.iter().map(layer).collect();
        let (config, kind) = if is_old {
            // Readers of that time want a configuration of an image.
            let digests: Vec<Digest> = statements.iter().map(|statement| Digest::of(&statement.bytes)).collect();
            let document = json!({
                "architecture": "unknown", "os": "unknown", "config": {},
                "rootfs": {"type": "layers", "diff_ids": digests},
            });
            (document.to_string().into_bytes(), CONFIG)
        } else {
            (EMPTY.1.to_vec(), EMPTY.0)
        };
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": Descriptor::of(kind, &config).document(),
            "layers": layers,
        });
        if !is_old {
            manifest["artifactType"] = json!(ARTIFACT);
            let Descriptor { media_type, digest, size, .. } = subject;
            manifest["subject"] = json!({"mediaType": media_type, "digest": digest, "size": size});
        }
        let manifest = manifest.to_string().into_bytes();
        let mut named = Descriptor::of(OCI_MANIFEST, &manifest);
        named.annotations.insert("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned());
        named.annotations.insert("vnd.docker.reference.digest".to_owned(), subject.digest.to_string());
        let mut named = named.document();
        // So that nobody takes it for an image that can be run.
        named["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        self.descriptors.push(named);
        self.manifests.push((OCI_MANIFEST.to_owned(), manifest));
        for blob in [config].into_iter().chain(statements.into_iter().map(|statement| statement.bytes)) {
            if !self.blobs.contains(&blob) {
                self.blobs.push(blob);
            }
        }
    }
}
