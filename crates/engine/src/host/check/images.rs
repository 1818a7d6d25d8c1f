//! Blobs and layers: whether each image has all that it needs, as it was written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use image::ImageConfig;
use store::{Digest, ImageRecord, Use};

use super::{CheckOptions, CheckReport};
use crate::engine::Engine;
use crate::error::Result;
use crate::images::familiar;

/// A part of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Blob(Digest),
    Layer(Digest),
}

/// What is wrong with a part; None if nothing is. Unknown: nothing says what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Whole,
    Unknown,
    Damaged(String),
}

pub(super) fn check(
    engine: &Engine,
    how: CheckOptions,
    report: &mut CheckReport,
    tell: &dyn Fn(usize, usize),
) -> Result<()> {
    let images = engine.store().all_images()?;
    report.images = images.len();
    let mut users: BTreeMap<Part, Vec<&ImageRecord>> = BTreeMap::new();
    for image in &images {
        let layers = image.layers.iter().map(|layer| Part::Layer(layer.diff_id));
        let parts: BTreeSet<Part> = layers.chain([Part::Blob(image.id), Part::Blob(image.manifest)]).collect();
        for part in parts {
            users.entry(part).or_default().push(image);
        }
    }
    let of_layers = users.keys().filter(|part| matches!(part, Part::Layer(_))).count();
    for (part, users) in &users {
        if matches!(part, Part::Layer(_)) {
            tell(report.layers, of_layers);
            report.layers += 1;
        }
        match look(engine, *part, users, how) {
            Verdict::Whole => {}
            Verdict::Unknown => report.unproven += 1,
            Verdict::Damaged(what) => damaged(engine, *part, &what, users, how, report)?,
        }
    }
    Ok(())
}

fn look(engine: &Engine, part: Part, users: &[&ImageRecord], how: CheckOptions) -> Verdict {
    match part {
        Part::Blob(digest) => blob(engine, &digest, users),
        Part::Layer(diff_id) => layer(engine, &diff_id, how),
    }
}

/// Reading it hashes it. A configuration must also be one.
fn blob(engine: &Engine, digest: &Digest, users: &[&ImageRecord]) -> Verdict {
    let is_config = users.iter().any(|image| image.id == *digest);
    match engine.store().blob(digest) {
        Ok(bytes) if is_config && ImageConfig::parse(&bytes).is_err() => {
            Verdict::Damaged(format!("blob {digest} is no configuration of an image"))
        }
        Ok(_) => Verdict::Whole,
        Err(error) if error.kind() == store::ErrorKind::NotFound => {
            Verdict::Damaged(format!("blob {digest} is missing"))
        }
        Err(error) => Verdict::Damaged(format!("blob {digest} was changed on disk ({error})")),
    }
}

fn layer(engine: &Engine, diff_id: &Digest, how: CheckOptions) -> Verdict {
    match engine.store().layer(diff_id) {
        Ok(Some(_)) => {}
        Ok(None) => return Verdict::Damaged(format!("layer {diff_id} is missing")),
        Err(error) => return Verdict::Damaged(format!("layer {diff_id} cannot be read ({error})")),
    }
    if how.quick {
        return Verdict::Unknown;
    }
    match image::write_layer(engine.store(), diff_id, &mut io::sink()) {
        Ok(_) => Verdict::Whole,
        Err(error) if error.kind() == image::ErrorKind::Unsupported => Verdict::Unknown,
        Err(error) => Verdict::Damaged(error.to_string()),
    }
}

/// Tells what is broken, and removes it if that is wanted and nobody runs from it.
fn damaged(
    engine: &Engine,
    part: Part,
    what: &str,
    users: &[&ImageRecord],
    how: CheckOptions,
    report: &mut CheckReport,
) -> Result<()> {
    let names: Vec<String> = users.iter().map(|image| name(image)).collect();
    let what = format!("image {}: {what}", names.join(", "));
    // While it is held, nobody brings the part back, and nobody mounts an image; what was found without it may have gone.
    let _alone = if how.repair { Some(engine.store().alone()?) } else { None };
    if how.repair && !matches!(look(engine, part, users, how), Verdict::Damaged(_)) {
        return Ok(());
    }
    if let Some(first) = first_step(engine, users)? {
        report.found(what, format!("{first}, then phial system check --repair"));
        return Ok(());
    }
    let pulls = way_back(engine, users)?;
    if !how.repair {
        report.found(what, format!("phial system check --repair, then {pulls}"));
        return Ok(());
    }
    for image in users {
        match engine.store().delete_image(&image.id, Use::Ignore) {
            // Removed for another part already, or hidden: only containers have it.
            Err(error) if error.kind() == store::ErrorKind::NotFound => {}
            other => drop(other?),
        }
    }
    match part {
        Part::Blob(digest) => engine.store().discard_blob(&digest)?,
        Part::Layer(diff_id) => engine.store().discard_layer(&diff_id)?,
    }
    report.repaired(what, format!("removed; {pulls} brings it back"));
    Ok(())
}

/// How the images come back: they are pulled, or, if they have no names, only containers know them.
fn way_back(engine: &Engine, images: &[&ImageRecord]) -> Result<String> {
    let names: Vec<String> = images.iter().filter_map(|image| familiar(&image.references).into_iter().next()).collect();
    if !names.is_empty() {
        let pulls: Vec<String> = names.iter().map(|name| format!("phial pull {name}")).collect();
        return Ok(pulls.join(" and "));
    }
    let all = engine.store().containers()?;
    let users = all.iter().filter(|container| images.iter().any(|image| image.id == container.image));
    let users: Vec<&str> = users.map(|container| container.name.as_str()).collect();
    Ok(if users.is_empty() { "a pull".to_owned() } else { format!("a pull, or phial rm {}", users.join(" ")) })
}

/// An image's name for people: the first one, or its id.
fn name(image: &ImageRecord) -> String {
    familiar(&image.references).into_iter().next().unwrap_or_else(|| image.id.short())
}

/// What must be done before a part of these images can go: nothing is taken from under anybody's feet.
fn first_step(engine: &Engine, images: &[&ImageRecord]) -> Result<Option<String>> {
    let mut users = HashSet::new();
    for image in images {
        users.extend(engine.store().image_users(&image.id)?);
    }
    let running = engine.containers(false)?.into_iter().filter(|container| users.contains(&container.record.id));
    let running: Vec<String> = running.map(|container| container.record.name).collect();
    if !running.is_empty() {
        return Ok(Some(format!("phial stop {}", running.join(" "))));
    }
    let mounted = images.iter().find(|image| engine.is_image_mounted(&image.id));
    Ok(mounted.map(|image| format!("phial image unmount {}", name(image))))
}
