//! What is left for others (`--cache-to`): an image whose layers are those that steps have made, and whose configuration says which
//! step has made which. In a directory it is an OCI layout; `type=inline` puts the same into the image that was built.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use engine::Engine;
use image::{PushOptions, Reference};
use serde_json::{Value, json};
use store::{Digest, ImageRecord, LayerRef, Lease, StepResult};
use tempfile::NamedTempFile;

use super::Notes;
use super::document::{FIELD, Step, Steps};
use super::import::{name_of, path};
use super::recipe::digest_of;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::export::Image;
use crate::options::{CacheOption, Options};
use crate::pulls::Pulls;
use crate::report::Reporter;

/// A step that is told of, and what its layer is called here.
struct Made {
    step: Step,
    name: Digest,
}

/// Leaves what a build has done wherever that is wanted.
///
/// # Errors
/// Those of writing it, unless the option says that they are none (`ignore-error=true`).
pub(crate) fn export(
    engine: &Engine,
    lease: &Lease,
    options: &Options,
    reporter: &Reporter<'_>,
    notes: &Notes,
    images: &[Image],
) -> Result<()> {
    for option in options.cache_to.iter().filter(|option| option.kind != "inline") {
        let settings = Settings::of(option)?;
        let done = reporter.during(&format!("exporting cache to {}", name_of(option)), |_| {
            let leads = images.iter().flat_map(|image| image.tree.layers.iter().copied()).collect();
            let made = made(engine, notes, if settings.is_max { None } else { Some(&leads) })?;
            let Some(image) = images.first() else { return Ok(()) };
            put(engine, lease, (option, &settings), reporter, &image.platform, made)
        });
        if !settings.may_fail {
            done?;
        }
    }
    Ok(())
}

/// What goes into the configuration of an image of a build with `type=inline`.
///
/// # Errors
/// Those of reading layers.
pub(crate) fn inline(engine: &Engine, options: &Options, notes: &Notes, image: &Image) -> Result<Option<Value>> {
    let is_asked = options.cache_to.iter().any(|option| option.kind == "inline");
    if !is_asked && !options.says_yes("BUILDKIT_INLINE_CACHE") {
        return Ok(None);
    }
    let own = image.tree.layers.iter().copied().collect();
    let steps = made(engine, notes, Some(&own))?.into_iter().map(|made| made.step).collect();
    Ok(Some(json!(Steps::of(steps))))
}

/// All steps, or those that have made one of these layers.
fn made(engine: &Engine, notes: &Notes, only: Option<&BTreeSet<Digest>>) -> Result<Vec<Made>> {
    let results: BTreeMap<i64, StepResult> =
        engine.store().step_results()?.into_iter().map(|result| (result.id, result)).collect();
    let mut all = Vec::new();
    for (recipe, id) in notes.steps() {
        // One that was forgotten meanwhile, and one that has not made exactly one layer, are of no use to anybody.
        let Some(result) = results.get(&id) else { continue };
        let [name] = result.own.as_slice() else { continue };
        if only.is_some_and(|only| !only.contains(name)) {
            continue;
        }
        let key = recipe.key(engine, notes)?;
        let layer = digest_of(engine, notes, name)?;
        all.push(Made { step: Step { key, layer, created: result.created }, name: *name });
    }
    // The order in which steps have come to their ends is chance.
    all.sort_by_key(|made| made.step.key);
    Ok(all)
}

fn put(
    engine: &Engine,
    lease: &Lease,
    (option, settings): (&CacheOption, &Settings),
    reporter: &Reporter<'_>,
    platform: &image::Platform,
    made: Vec<Made>,
) -> Result<()> {
    let store = engine.store();
    let mut sizes = BTreeMap::new();
    for Made { step, name } in &made {
        let size = if *name == step.layer {
            store.recorded_layer_size(name)
        } else {
            store.link_layer(lease, name, &step.layer)?.size
        };
        sizes.insert(step.layer, size);
    }
    let steps = Steps::of(made.into_iter().map(|made| made.step).collect());
    let diff_ids = steps.layers();
    let config = json!({
        "architecture": platform.architecture, "os": platform.os, "variant": platform.variant, "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids}, FIELD: steps,
    });
    let config = config.to_string().into_bytes();
    let lengths = diff_ids.iter().map(|diff_id| Ok((*diff_id, image::layer_length(store, diff_id)?)));
    let manifest = image::saved::manifest(&config, &lengths.collect::<Result<Vec<_>>>()?);
    if option.kind == "local" {
        let directory = option.attributes.get("dest").map(String::as_str).unwrap_or_default();
        return layout(engine, Path::new(directory), &config, &manifest, &diff_ids);
    }
    let reference: Reference = option.attributes.get("ref").map(String::as_str).unwrap_or_default().parse()?;
    let layer = |diff_id: &Digest| LayerRef {
        diff_id: *diff_id,
        digest: *diff_id,
        size: sizes.get(diff_id).copied().unwrap_or_default(),
    };
    // No image is listed: nobody would run it.
    let image = ImageRecord {
        id: store.put_blob(lease, &config)?,
        manifest: store.put_blob(lease, &manifest)?,
        references: Vec::new(),
        created: None,
        size: sizes.values().sum(),
        layers: diff_ids.iter().map(layer).collect(),
        platform: platform.to_string(),
    };
    let options = PushOptions { access: engine.access(settings.insecure)?, compression: settings.compression };
    image::push(store, &image, &reference, &options, &Pulls::new(reporter))?;
    Ok(())
}

/// Writes an OCI layout. The index comes last, so that whoever reads it meanwhile finds all that it names; blobs of earlier
/// ones stay, as others may be reading them.
fn layout(engine: &Engine, directory: &Path, config: &[u8], manifest: &[u8], layers: &[Digest]) -> Result<()> {
    let wrong = |error: std::io::Error| Error::system(directory.display(), error);
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).map_err(wrong)?;
    let file = |to: &Path, write: &mut dyn FnMut(&mut NamedTempFile) -> Result<()>| -> Result<()> {
        let mut beside = NamedTempFile::new_in(&blobs).map_err(wrong)?;
        write(&mut beside)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        beside.as_file().set_permissions(mode).map_err(wrong)?;
        sys::fault::point("build: file of a cache written");
        beside.persist(to).map(drop).map_err(|error| wrong(error.error))
    };
    for layer in layers {
        let to = directory.join(path(layer));
        if !to.exists() {
            file(&to, &mut |out| Ok(image::write_layer(engine.store(), layer, out).map(drop)?))?;
        }
    }
    let small = |to: &Path, bytes: &[u8]| file(to, &mut |out| out.write_all(bytes).map_err(wrong));
    for document in [config, manifest] {
        small(&directory.join(path(&Digest::of(document))), document)?;
    }
    small(&directory.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let entry = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": Digest::of(manifest), "size": manifest.len(),
    });
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]});
    small(&directory.join("index.json"), index.to_string().as_bytes())
}
