//! What becomes of a build: names, where it goes, what is said of it.

/// `--attest`, `--provenance`, `--sbom`.
mod attest;
/// `--output`.
mod export;

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use build::{Built, Export, Options};
use clap::Args;
use engine::config::parse_label;
use image::Reference;

use super::call::Call;
use super::invalid;
use crate::failure::{Cannot, Failure, Result};
use crate::output::file;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// What the image is called
    #[arg(short, long, value_name = "NAME[:TAG]")]
    tag: Vec<String>,
    /// Where it goes: a directory, - for an archive on standard output, or a list such as type=oci,dest=app.tar
    #[arg(short, long, value_name = "DIR|type=TYPE,…")]
    output: Vec<String>,
    /// List the image here, as without --output
    #[arg(long)]
    load: bool,
    /// Upload the image to its registry
    #[arg(long)]
    push: bool,
    /// Say something of the image
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Say something of its manifest
    #[arg(long, value_name = "KEY=VALUE")]
    annotation: Vec<String>,
    /// Write the image's id into a file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Write what is known of the result into a file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Say how the image was built: true, false, or a list such as mode=max
    #[arg(long, value_name = "BOOL|mode=MODE")]
    provenance: Option<String>,
    /// Say what is in the image: true, false, or a list such as generator=IMAGE
    #[arg(long, value_name = "BOOL|generator=IMAGE")]
    sbom: Option<String>,
    /// Both, as docker has it: type=provenance,mode=max or type=sbom
    #[arg(long, value_name = "type=TYPE,…")]
    attest: Vec<String>,
    /// Look what is wrong in the Dockerfile, and build nothing
    #[arg(long)]
    check: bool,
    /// What is done: build, check, outline (what can be given) or targets (which stages there are); ,format=json
    #[arg(long, value_name = "METHOD")]
    call: Option<String>,
}

impl Flags {
    /// What is asked of the Dockerfile instead of a build.
    pub(super) fn call(&self) -> Result<Option<Call>> {
        match &self.call {
            Some(text) => Call::parse(text),
            None if self.check => Call::parse("check"),
            None => Ok(None),
        }
    }

    /// Puts all of them into `options`.
    pub(super) fn apply(&self, options: &mut Options) -> Result<()> {
        options.tags = self.tag.iter().map(|text| tag(text)).collect::<Result<_>>()?;
        options.labels =
            self.label.iter().map(|text| parse_label(text)).collect::<engine::Result<_>>().cannot(|| "build")?;
        options.annotations = self.annotation.iter().map(|text| annotation(text)).collect::<Result<_>>()?;
        options.exports = self.exports(&options.tags)?;
        let (provenance, sbom) = attest::all(&self.attest, self.provenance.as_deref(), self.sbom.as_deref())?;
        options.provenance = provenance;
        options.sbom = sbom;
        if takes_stdout(options) && std::io::stdout().is_terminal() {
            let failure = Failure::new("cannot build: --output: standard output is a terminal, which shows no archive");
            return Err(failure.with_hint("add > FILE, or give dest=FILE"));
        }
        Ok(())
    }

    fn exports(&self, tags: &[String]) -> Result<Vec<Export>> {
        let mut all = self.output.iter().map(|text| export::parse(text)).collect::<Result<Vec<_>>>()?;
        if self.load && !all.iter().any(|export| matches!(export, Export::Image { store: true, .. })) {
            all.push(export::listed());
        }
        if self.push {
            match all.iter_mut().find(|export| matches!(export, Export::Image { .. })) {
                Some(Export::Image { push, .. }) => *push = true,
                _ => all.push(export::pushed()),
            }
        }
        let is_nameless = |export: &Export| {
            let digest = |attributes: &BTreeMap<String, String>| attributes.contains_key("push-by-digest");
            matches!(export, Export::Image { push: true, names, attributes, .. } if names.is_empty() && !digest(attributes))
        };
        if tags.is_empty() && all.iter().any(is_nameless) {
            return Err(Failure::new("cannot build: what is pushed needs a name").with_hint("give -t REGISTRY/NAME"));
        }
        if all.iter().filter(|export| to_stdout(export)).count() > 1 {
            return Err(Failure::new("cannot build: --output: standard output takes one archive only"));
        }
        Ok(all)
    }

    /// Refuses what could not be written after the build, before anything is built. Changes nothing. Outputs the builder looks at.
    pub(super) fn check(&self, options: &Options) -> Result<()> {
        let wrong = |flag, path: &Path, why: std::io::Error| invalid(flag, &path.display().to_string(), why);
        if let Some(path) = &self.iidfile {
            if !options.exports.is_empty() && !options.exports.iter().any(is_image) {
                return Err(no_image());
            }
            file::check(path).map_err(|why| wrong("--iidfile", path, why))?;
        }
        if let Some(path) = &self.metadata_file {
            file::check(path).map_err(|why| wrong("--metadata-file", path, why))?;
        }
        Ok(())
    }

    /// Removes the id of an earlier build: of one that fails, there is none.
    pub(super) fn forget(&self) -> Result<()> {
        let Some(path) = &self.iidfile else { return Ok(()) };
        // Whatever else has the name, as /dev/stderr has, is nobody's old answer.
        if !std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
            return Ok(());
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(invalid("--iidfile", &path.display().to_string(), error))
            }
            _ => Ok(()),
        }
    }

    /// Writes the files that somebody wants, once the build has come to its end.
    pub(super) fn write(&self, built: &Built) -> Result<()> {
        if let Some(path) = &self.iidfile {
            let id = built.image.as_deref().ok_or_else(no_image)?;
            write("--iidfile", path, id.as_bytes())?;
        }
        if let Some(path) = &self.metadata_file {
            let text = serde_json::to_string_pretty(&built.metadata).unwrap_or_default() + "\n";
            write("--metadata-file", path, text.as_bytes())?;
        }
        Ok(())
    }
}

fn no_image() -> Failure {
    Failure::new("cannot write the image's id: there is no image").with_hint("leave out --iidfile or --output")
}

fn is_image(export: &Export) -> bool {
    matches!(export, Export::Image { .. } | Export::Archive { .. })
}

/// Whether an archive goes to standard output, which has room for nothing else then.
pub(super) fn takes_stdout(options: &Options) -> bool {
    options.exports.iter().any(to_stdout)
}

fn to_stdout(export: &Export) -> bool {
    matches!(export, Export::Archive { to: None, .. } | Export::Tar { to: None })
}

fn write(flag: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| invalid(flag, &path.display().to_string(), error))
}

fn tag(text: &str) -> Result<String> {
    let reference: Reference = text.parse().map_err(|why| invalid("--tag", text, why))?;
    if reference.digest().is_some() {
        return Err(invalid("--tag", text, "a name cannot say what the digest will be").with_hint("give NAME:TAG"));
    }
    Ok(text.to_owned())
}

/// `KEY=VALUE`, before which docker takes what it is of: `index:KEY=VALUE`. What it is of stays with the key.
fn annotation(text: &str) -> Result<(String, String)> {
    let wrong = |why: &str| invalid("--annotation", text, why);
    let (key, value) = text.split_once('=').ok_or_else(|| wrong("it is not KEY=VALUE"))?;
    if key.is_empty() || key.ends_with(':') {
        return Err(wrong("there is no key"));
    }
    let key = key.strip_prefix("manifest:").unwrap_or(key);
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
