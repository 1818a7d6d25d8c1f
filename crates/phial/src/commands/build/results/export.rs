//! `--output`: a directory, or a list of keys whose type says which. Where it goes is said here; what else is said of it the builder
//! knows, and refuses what it does not. Pure.

use std::collections::BTreeMap;

use build::Export;

use super::super::csv::Fields;
use super::super::invalid;
use crate::failure::Result;

/// What becomes of it.
const TYPES: [&str; 7] = ["image", "registry", "docker", "oci", "local", "tar", "cacheonly"];

/// An image that is listed here.
pub(super) fn listed() -> Export {
    Export::Image { names: Vec::new(), push: false, store: true, attributes: BTreeMap::new() }
}

/// One that is uploaded as well.
pub(super) fn pushed() -> Export {
    Export::Image { names: Vec::new(), push: true, store: true, attributes: BTreeMap::new() }
}

/// What the value asks for.
pub(super) fn parse(text: &str) -> Result<Export> {
    match text {
        "" => return Err(invalid("--output", text, "it is empty").with_hint("give a directory, or type=TYPE")),
        "-" => return Ok(Export::Tar { to: None }),
        // A path, unless it looks like a list.
        _ if !text.starts_with("type=") && !text.contains('=') => {
            return Ok(Export::Local { to: text.into(), attributes: BTreeMap::new() });
        }
        _ => {}
    }
    let mut fields = Fields::parse("--output", text)?;
    let kind =
        fields.take(&["type"]).ok_or_else(|| fields.wrong("it has no type").with_hint("give type=local,dest=DIR"))?;
    fields.one_of("type", &kind, &TYPES)?;
    let to = fields.take(&["dest", "destination"]).filter(|to| !to.is_empty());
    let is_image = matches!(kind.as_str(), "image" | "registry") || (kind == "docker" && to.is_none());
    if is_image {
        if to.is_some() {
            return Err(fields
                .wrong("an image goes into the store or a registry")
                .with_hint("type=oci,dest=FILE is a file"));
        }
        return image(fields, &kind);
    }
    let to_file = to.clone().filter(|to| to != "-").map(Into::into);
    match kind.as_str() {
        "local" => {
            let to = to.ok_or_else(|| fields.wrong("it has no dest").with_hint("give dest=DIRECTORY"))?;
            if to == "-" {
                return Err(fields.wrong("files cannot go to standard output").with_hint("give type=tar"));
            }
            Ok(Export::Local { to: to.into(), attributes: fields.given })
        }
        "tar" => {
            fields.only(&["dest"])?;
            Ok(Export::Tar { to: to_file })
        }
        "cacheonly" => {
            fields.only(&[])?;
            Ok(Export::CacheOnly)
        }
        _ => {
            let tar = fields.switch("tar")?.unwrap_or(true);
            if !tar && to_file.is_none() {
                return Err(fields.wrong("a directory needs a dest").with_hint("give dest=DIRECTORY"));
            }
            Ok(Export::Archive { oci: kind == "oci", to: to_file, tar, attributes: fields.given })
        }
    }
}

fn image(mut fields: Fields<'_>, kind: &str) -> Result<Export> {
    let names = fields.take(&["name"]).unwrap_or_default();
    let names: Vec<String> =
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for name in &names {
        name.parse::<image::Reference>().map_err(|why| fields.wrong(format!("name={name}: {why}")))?;
    }
    let push = fields.switch("push")?.unwrap_or(kind == "registry");
    let store = fields.switch("store")?.unwrap_or(true);
    let by_digest = fields.given.get("push-by-digest").and_then(|value| notation::truth(value)).unwrap_or(false);
    // Whoever asks for a digest asks for the upload.
    Ok(Export::Image { names, push: push || by_digest, store, attributes: fields.given })
}
