//! The attributes of `--output`, as they were meant. Pure. What cannot be done is refused by its name, before anything is built.

use std::collections::BTreeMap;

use image::Compression;

use super::annotations::Annotations;
use crate::error::{Error, Result};
use crate::options::{Export, Options};

/// Attributes of images, wherever they go.
const OF_IMAGES: [&str; 8] = [
    "compression",
    "compression-level",
    "force-compression",
    "oci-mediatypes",
    "oci-artifact",
    "rewrite-timestamp",
    "inline-cache",
    "annotation.KEY",
];
/// Attributes of images that are listed or pushed. The first two say where they go, and are no more among them here.
const OF_LISTED: [&str; 8] = [
    "push",
    "store",
    "name",
    "push-by-digest",
    "name-canonical",
    "unpack",
    "dangling-name-prefix",
    "registry.insecure",
];
/// Attributes of images in files. So do the first two of these.
const OF_ARCHIVES: [&str; 3] = ["dest", "tar", "name"];

/// How an image is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the attributes are switches")]
pub(super) struct Settings {
    /// What is said of it.
    pub(super) annotations: Annotations,
    /// Whether its manifest is docker's.
    pub(super) docker: bool,
    /// Whether attestations are images, as they were once, and not artifacts.
    pub(super) old_attestations: bool,
    /// What layers are compressed with that are pushed.
    pub(super) compression: Compression,
    /// Whether the registry gets no tag.
    pub(super) by_digest: bool,
    /// Whether it is called by its digest as well.
    pub(super) canonical: bool,
    /// Whether plain HTTP and unknown certificates are fine.
    pub(super) insecure: bool,
    /// What it is called, by digest, if it has no name.
    pub(super) prefix: Option<String>,
    /// More names.
    pub(super) names: Vec<String>,
}

impl Settings {
    /// What an export says.
    ///
    /// # Errors
    /// `Invalid` for what nobody knows, and for what cannot be done.
    pub(super) fn of(export: &Export, options: &Options) -> Result<Settings> {
        let mut settings = Settings::default();
        for (text, value) in &options.annotations {
            settings.annotations.add(text, value)?;
        }
        let (attributes, is_archive) = match export {
            Export::Image { attributes, names, .. } => {
                settings.names.clone_from(names);
                (attributes, false)
            }
            Export::Archive { attributes, .. } => (attributes, true),
            Export::Local { attributes, .. } => {
                let found = local(attributes)?;
                if found.deletes && found.split == Some(false) && options.platforms.len() > 1 {
                    return Err(Error::invalid(
                        "mode=delete,platform-split=false: each platform would remove the files of the others",
                    )
                    .with_hint("leave one of them out"));
                }
                return Ok(settings);
            }
            Export::Tar { .. } | Export::CacheOnly => return Ok(settings),
        };
        for (key, value) in attributes {
            settings.take(key, value, is_archive)?;
        }
        if settings.docker
            && (!settings.annotations.is_empty() || options.provenance.is_some() || options.sbom.is_some())
        {
            return Err(Error::invalid(
                "oci-mediatypes=false: docker's documents know no annotations and attestations",
            )
            .with_hint("leave it out"));
        }
        Ok(settings)
    }

    fn take(&mut self, key: &str, value: &str, is_archive: bool) -> Result<()> {
        match key {
            "compression" if is_archive && value != "uncompressed" => {
                return Err(Error::invalid(format!("compression={value}: archives have their layers as they are"))
                    .with_hint("compress the whole: -o type=oci | zstd > FILE"));
            }
            "compression" => {
                self.compression = value.parse().map_err(|error: image::Error| Error::invalid(error.to_string()))?;
            }
            "compression-level" => {
                return Err(Error::invalid(format!("compression-level={value}: the level cannot be chosen"))
                    .with_hint("compression=zstd is smaller and faster than any gzip"));
            }
            "force-compression" => {
                if truth(key, value)? {
                    return Err(Error::invalid(
                        "force-compression=true: layers that a registry has are not sent again",
                    )
                    .with_hint("leave it out"));
                }
            }
            "inline-cache" => {
                if truth(key, value)? {
                    return Err(Error::invalid("inline-cache=true: the image has no room for it here")
                        .with_hint("--cache-to type=inline"));
                }
            }
            "oci-mediatypes" => self.docker = !truth(key, value)?,
            "oci-artifact" => self.old_attestations = !truth(key, value)?,
            // Who clamps is decided for all exports at once.
            "rewrite-timestamp" => drop(truth(key, value)?),
            "name" if is_archive => {
                self.names =
                    value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            }
            "push-by-digest" if !is_archive => self.by_digest = truth(key, value)?,
            "name-canonical" if !is_archive => self.canonical = truth(key, value)?,
            // Layers are directories anyhow.
            "unpack" if !is_archive => drop(truth(key, value)?),
            "dangling-name-prefix" if !is_archive => self.prefix = Some(value.to_owned()),
            "registry.insecure" if !is_archive => self.insecure = truth(key, value)?,
            _ if self.annotations.add_attribute(key, value)? => {}
            _ => {
                let more: &[&str] = if is_archive { &OF_ARCHIVES } else { &OF_LISTED };
                let known: Vec<&str> = OF_IMAGES.iter().chain(more).copied().collect();
                return Err(unknown(key, &known));
            }
        }
        Ok(())
    }
}

/// How files are put into a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LocalSettings {
    /// Whether each platform has a directory of its own; if it is not said, if there are several.
    pub(super) split: Option<bool>,
    /// Whether everything else that is there goes.
    pub(super) deletes: bool,
}

/// What the attributes of a directory say.
///
/// # Errors
/// As [`Settings::of`].
pub(super) fn local(attributes: &BTreeMap<String, String>) -> Result<LocalSettings> {
    let mut settings = LocalSettings::default();
    for (key, value) in attributes {
        match (key.as_str(), value.as_str()) {
            ("platform-split", value) => settings.split = Some(truth(key, value)?),
            ("mode", "copy") => settings.deletes = false,
            ("mode", "delete") => settings.deletes = true,
            ("mode", _) => {
                let error = Error::invalid(format!("mode={value}: it is neither copy nor delete"));
                return Err(error.with_meant(value, &["copy", "delete"]));
            }
            _ => return Err(unknown(key, &["dest", "platform-split", "mode"])),
        }
    }
    Ok(settings)
}

/// Whether some export wants the times of files as they are.
pub(super) fn keeps_times(options: &Options) -> bool {
    let says_so = |attributes: &BTreeMap<String, String>| {
        attributes.get("rewrite-timestamp").is_some_and(|value| notation::truth(value) == Some(false))
    };
    options.exports.iter().any(|export| match export {
        Export::Image { attributes, .. } | Export::Archive { attributes, .. } => says_so(attributes),
        _ => false,
    })
}

fn unknown(key: &str, known: &[&str]) -> Error {
    Error::invalid(format!("--output: there is no key {key:?} here")).with_meant(key, known)
}

fn truth(key: &str, value: &str) -> Result<bool> {
    // A key alone says yes.
    let wrong = || Error::invalid(format!("--output: {key}={value} is neither true nor false"));
    notation::truth(if value.is_empty() { "true" } else { value }).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pairs: &[(&str, &str)]) -> Result<Settings> {
        let attributes = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let export = Export::Image { names: Vec::new(), push: true, store: true, attributes };
        Settings::of(&export, &Options::default())
    }

    #[test]
    fn what_is_meant() {
        let settings = image(&[("compression", "zstd"), ("push-by-digest", "true"), ("unpack", "true")]);
        let expected = Settings { compression: Compression::Zstd, by_digest: true, ..Settings::default() };
        assert_eq!(settings.expect("it is known"), expected);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (pairs, why, hint) in [
            (&[("compresion", "gzip")][..], "\"compresion\"", "did you mean compression?"),
            (&[("psh", "true")], "\"psh\"", "did you mean push?"),
            (&[("compression", "lzma")], "lzma", ""),
            (&[("compression-level", "9")], "compression-level=9", "zstd"),
            (&[("force-compression", "true")], "force-compression", "leave it out"),
            (&[("push-by-digest", "maybe")], "push-by-digest=maybe", ""),
            (&[("oci-mediatypes", "false"), ("annotation.a", "b")], "oci-mediatypes=false", "leave it out"),
        ] {
            let error = image(pairs).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint());
        }
        let pairs = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert!(local(&pairs("mode", "delete")).expect("it is known").deletes);
        local(&pairs("mode", "what")).expect_err("no mode");
        let attributes = [pairs("mode", "delete"), pairs("platform-split", "false")].into_iter().flatten().collect();
        let export = Export::Local { to: "out".into(), attributes };
        let of = |platforms: &[&str]| {
            let platforms = platforms.iter().map(|text| text.parse().expect("it is one")).collect();
            Settings::of(&export, &Options { platforms, ..Options::default() })
        };
        of(&["linux/amd64"]).expect("there is one platform");
        of(&["linux/amd64", "linux/arm64"]).expect_err("there are several");
        assert_eq!(local(&pairs("mod", "")).expect_err("no key").hint(), Some("did you mean mode?"));
    }
}
