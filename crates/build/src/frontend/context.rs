//! What contexts are, the build's own and named ones: directories of whoever builds, images, repositories, and what is at an
//! address. Of a directory only what is used is asked for.

use std::collections::{BTreeMap, BTreeSet};

use dockerfile::evaluate::{Beginning, Evaluated, EvaluatedStage, Origin};
use dockerfile::instruction::MountKind;
use dockerfile::{Error, Kind, Lines, path};

use super::source::{git, is_path};
use super::{Conversion, Files, Found, Result};
use crate::llb::message::file::{Action, Copy, FileAction, FileOp};
use crate::llb::message::{Kind as Operation, OpMetadata, Platform, SourceOp};
use crate::llb::{Output, called, operation};
use crate::source::git::GitAddress;

/// What a context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextKind {
    /// A directory of whoever builds.
    Local {
        /// What tells it from others that are called the same: for whoever keeps copies. Its own name does.
        shared_key: String,
        /// Patterns of what is left out.
        excludes: Vec<String>,
    },
    /// An image, by its name; `scratch` is nothing.
    Image(String),
    /// An image in a directory: `PATH[:TAG][@DIGEST]`.
    Layout(String),
    /// A repository.
    Git(String),
    /// What is on a web server: as a named context the file itself, as the build's own an archive that is unpacked.
    Url(String),
}

impl ContextKind {
    /// What the value of `--build-context` means: `docker-image://…`, `oci-layout://…`, an address, or else a directory.
    ///
    /// # Errors
    /// `Invalid` for the address of a repository that cannot be one.
    pub fn parse(value: &str) -> crate::Result<ContextKind> {
        if let Some(name) = value.strip_prefix("docker-image://") {
            return Ok(ContextKind::Image(name.to_owned()));
        }
        if let Some(place) = value.strip_prefix("oci-layout://") {
            return Ok(ContextKind::Layout(place.to_owned()));
        }
        if GitAddress::parse(value)?.is_some() {
            return Ok(ContextKind::Git(value.to_owned()));
        }
        if value.starts_with("http://") || value.starts_with("https://") {
            return Ok(ContextKind::Url(value.to_owned()));
        }
        Ok(ContextKind::Local { shared_key: path::base(value), excludes: Vec::new() })
    }
}

impl Conversion<'_> {
    /// The build's own context, or as much of it as is used.
    pub(super) fn context(&mut self) -> Result<Files> {
        match self.request.context {
            ContextKind::Local { excludes, .. } => {
                let mut attrs = BTreeMap::from([("local.sharedkeyhint".to_owned(), "context".to_owned())]);
                attrs.extend(list("local.followpaths", &self.context));
                attrs.extend(list("local.excludepatterns", excludes));
                Ok(Some(self.local("context", attrs, called("[internal] load build context"))))
            }
            ContextKind::Git(text) => self.git_context(text),
            ContextKind::Url(url) => {
                let archive = self.address(url, "context", None);
                let copy = Copy {
                    src: "/context".to_owned(),
                    dest: "/".to_owned(),
                    mode: -1,
                    attempt_unpack: true,
                    timestamp: -1,
                    ..Copy::default()
                };
                let action = FileAction { input: -1, secondary_input: 0, output: 0, action: Some(Action::Copy(copy)) };
                let mut unpacked = operation(Operation::File(FileOp { actions: vec![action] }), None);
                unpacked.inputs = vec![archive.input()];
                Ok(Some(self.builder.add(&unpacked, called("[internal] unpack build context"))))
            }
            ContextKind::Image(_) | ContextKind::Layout(_) => Err(Error::meaning("the context is an image")
                .with_hint("name it with --build-context, and take files of it with COPY --from")),
        }
    }

    /// A named context: its files, and what it says if it is an image.
    pub(super) fn named(&mut self, key: &str, platform: &Platform, lines: Lines) -> Result<(Files, Option<Found>)> {
        let Some(kind) = self.request.named_contexts.get(key) else {
            return Err(Error::meaning(format!("{key}: there is no such context")).at_word(key).in_lines(lines));
        };
        let wrong = |why: String| Error::meaning(format!("{key}: {why}")).at_word(key).in_lines(lines);
        let name = |what: &str| called(format!("[context {key}] {what}"));
        match kind {
            ContextKind::Image(image) if image == "scratch" => Ok((None, None)),
            ContextKind::Image(image) => {
                let found =
                    self.request.images.image(image, platform).map_err(|why| wrong(format!("{image}: {why}")))?;
                let identifier = format!("docker-image://{}", found.reference);
                let files =
                    self.of_image(&found, SourceOp { identifier, attrs: BTreeMap::new() }, platform, name(image));
                Ok((files, Some(found)))
            }
            ContextKind::Layout(place) => {
                let found =
                    self.request.images.layout(place, platform).map_err(|why| wrong(format!("{place}: {why}")))?;
                let identifier = format!("oci-layout://{}", found.reference);
                let attrs = BTreeMap::from([("oci.store".to_owned(), place.clone())]);
                let files =
                    self.of_image(&found, SourceOp { identifier, attrs }, platform, name("OCI load from client"));
                Ok((files, Some(found)))
            }
            ContextKind::Git(text) => Ok((self.git_context(text).map_err(|error| error.in_lines(lines))?, None)),
            ContextKind::Url(url) => Ok((Some(self.address(url, "context", None)), None)),
            ContextKind::Local { shared_key, excludes } => {
                let hint = format!("context:{key}-{shared_key}");
                let mut attrs = BTreeMap::from([("local.sharedkeyhint".to_owned(), hint)]);
                attrs.extend(list("local.followpaths", self.named.get(key).map_or(&[], Vec::as_slice)));
                attrs.extend(list("local.excludepatterns", excludes));
                // Two names are taken.
                let local = if matches!(key, "context" | "dockerfile") { format!("_{key}") } else { key.to_owned() };
                Ok((Some(self.local(&local, attrs, name("load from client"))), None))
            }
        }
    }

    fn local(&mut self, name: &str, attrs: BTreeMap<String, String>, metadata: OpMetadata) -> Output {
        let source = SourceOp { identifier: format!("local://{name}"), attrs };
        self.builder.add(&operation(Operation::Source(source), None), metadata)
    }

    fn git_context(&mut self, text: &str) -> Result<Files> {
        let address = git(GitAddress::parse_context(text), text)?;
        let address = address.ok_or_else(|| Error::meaning(format!("{text}: it is no address of a repository")))?;
        Ok(Some(self.repository(&address)))
    }

    /// An image without layers is nothing.
    fn of_image(&mut self, found: &Found, source: SourceOp, platform: &Platform, metadata: OpMetadata) -> Files {
        let is_empty = found.config.rootfs.diff_ids.is_empty();
        (!is_empty).then(|| self.builder.add(&operation(Operation::Source(source), Some(platform)), metadata))
    }
}

/// An attribute that is a list; none if there is nothing in it.
fn list(key: &str, words: &[String]) -> Option<(String, String)> {
    (!words.is_empty()).then(|| (key.to_owned(), serde_json::Value::from(words.to_vec()).to_string()))
}

/// Which context.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// The build's own.
    Own,
    /// A named one.
    Named(&'a str),
}

impl Which<'_> {
    fn begins(self, stage: &EvaluatedStage) -> bool {
        matches!((self, &stage.begins_with), (Which::Named(name), Beginning::Given(given)) if name == given)
    }
}

/// Which paths of a context are used. None are given if all of it is.
pub(super) fn paths(evaluated: &Evaluated, which: &Which<'_>) -> Vec<String> {
    // Of what stands for a stage as much is used as of the stage.
    let stands = |stage: &&EvaluatedStage| which.begins(stage) && stage.steps.is_empty();
    let stages: Vec<usize> = evaluated.stages.iter().filter(stands).map(|stage| stage.number).collect();
    let is_whole = |(position, stage): (usize, &EvaluatedStage)| {
        let begins = which.begins(stage) && (!stage.steps.is_empty() || position == evaluated.target);
        begins || matches!(&stage.begins_with, Beginning::Stage(below) if stages.contains(below))
    };
    if evaluated.stages.iter().enumerate().any(is_whole) {
        return Vec::new();
    }
    let is_of = |origin: &Origin| match (origin, which) {
        (Origin::Context, Which::Own) => true,
        (Origin::Given(given), Which::Named(name)) => given == name,
        (Origin::Stage(stage), Which::Named(_)) => stages.contains(stage),
        _ => false,
    };
    let mut paths = BTreeSet::new();
    for step in evaluated.stages.iter().flat_map(|stage| &stage.steps) {
        let placement = match &step.instruction.kind {
            Kind::Add(add) => Some(&add.placement),
            Kind::Copy(copy) => Some(&copy.placement),
            _ => None,
        };
        let placement = placement.filter(|_| step.origin.as_ref().is_some_and(is_of));
        let sources = placement.into_iter().flat_map(|placement| &placement.sources);
        paths.extend(sources.filter(|source| is_path(source)).map(|source| path::below("/", source)));
        for (mount, origin) in &step.mounts {
            if let (MountKind::Bind { source, .. } | MountKind::Cache { from: Some(_), source, .. }, true) =
                (&mount.kind, is_of(origin))
            {
                paths.insert(path::below("/", source.as_deref().unwrap_or_default()));
            }
        }
    }
    if paths.contains("/") {
        return Vec::new();
    }
    paths.into_iter().map(|path| path.trim_start_matches('/').to_owned()).collect()
}
