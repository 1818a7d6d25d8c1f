//! What becomes of a result: an image of the store, an archive, a directory. Owns the documents of the image; what was built
//! is not changed any more.

/// What is said of manifests and indexes.
mod annotations;
/// Images in files.
mod archive;
/// What is said of images, beside them.
mod attested;
/// The configuration of an image.
mod config;
/// Manifests and indexes.
mod documents;
/// Files without an image.
mod files;
/// The layers of an image, by the digests of their archives.
pub(crate) mod layers;
/// Images of the store and of registries.
mod listed;
/// Files that are whole or not there.
mod place;
/// How an image was built.
mod provenance;
/// What the attributes of an export mean.
mod settings;

use std::collections::BTreeMap;
use std::time::SystemTime;

use engine::Engine;
use image::Reference;
use serde_json::{Value, json};
use store::{ContainerId, Digest, ImageRecord, Lease};

use crate::Built;
use crate::building::EPOCH;
use crate::error::{Error, Result};
use crate::frontend::Converted;
use crate::options::{Export, Options};
use crate::progress::Event;
use crate::remote::Notes;
use crate::report::Reporter;
use crate::scan::{Document, Scanner};
use crate::solve::MadeLayer;
use crate::tree::Tree;
use archive::Target;
use documents::{Descriptor, Made, Prepared};
use provenance::Request;
use settings::Settings;

/// What was built for one platform.
pub(crate) struct Image {
    /// What the Dockerfile has become.
    pub(crate) converted: Converted,
    /// The files.
    pub(crate) tree: Tree,
    /// When layers were made: seconds since 1970.
    pub(crate) created: BTreeMap<Digest, MadeLayer>,
    /// When everything is said to have been made, if that is said: seconds since 1970.
    pub(crate) epoch: Option<u64>,
    /// The images that it was made of, each with the name it was asked by.
    pub(crate) used: Vec<(String, ImageRecord)>,
    /// What a scanner says is in it.
    pub(crate) documents: Vec<Document>,
    /// What it is for.
    pub(crate) platform: image::Platform,
}

/// What is asked of a result.
pub(crate) struct Exporting<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) lease: &'a Lease,
    pub(crate) options: &'a Options,
    pub(crate) reporter: &'a Reporter<'a>,
    /// When the build has begun.
    pub(crate) started: SystemTime,
    /// When it was done, but for this.
    finished: SystemTime,
    /// What tells this build from all others.
    invocation: String,
    /// How much is said of how it was built, if anything is.
    provenance: Option<Request>,
    /// What is known of the steps.
    notes: &'a Notes,
}

/// Refuses what cannot be exported, before anything is done.
///
/// # Errors
/// `Invalid`, naming it.
pub(crate) fn check(options: &Options) -> Result<()> {
    names(&options.tags)?;
    let has_several = options.has_several_platforms();
    for export in asked(options) {
        let settings = Settings::of(export, options)?;
        names(&settings.names)?;
        if settings.annotations.needs_index() && !options.has_index() {
            return Err(Error::invalid("--annotation: an image for one platform has no index that it could be of")
                .with_hint("leave out index: and manifest-descriptor:"));
        }
        if matches!(export, Export::Archive { oci: false, .. }) && (has_several || options.provenance.is_some()) {
            return Err(Error::invalid("docker's archive has one image, and nothing that is said of it")
                .with_hint("-o type=oci,dest=FILE"));
        }
        match export {
            Export::Archive { to: Some(to), tar: false, .. } => place::check_directory(to)?,
            Export::Archive { to, .. } | Export::Tar { to } => place::check_file(to.as_deref())?,
            Export::Local { .. } | Export::Image { .. } | Export::CacheOnly => {}
        }
    }
    options.provenance.as_ref().map(Request::of).transpose()?;
    if let Some(sbom) = &options.sbom {
        Scanner::of(sbom)?;
        let goes_away = |export: &Export| matches!(export, Export::Archive { .. } | Export::Image { push: true, .. });
        if !options.exports.iter().any(goes_away) {
            return Err(Error::invalid("--sbom: its documents stand beside an image that is pushed or archived")
                .with_hint("--push, or -o type=oci,dest=FILE"));
        }
    }
    Ok(())
}

/// What becomes of a result if nobody says it.
static LISTED: [Export; 1] =
    [Export::Image { names: Vec::new(), push: false, store: true, attributes: BTreeMap::new() }];

/// What becomes of the result.
fn asked(options: &Options) -> &[Export] {
    if options.exports.is_empty() { &LISTED } else { &options.exports }
}

fn names(texts: &[String]) -> Result<Vec<Reference>> {
    let mut names = Vec::new();
    for text in texts {
        let name: Reference = text.parse().map_err(|error| Error::invalid(format!("--tag {text}: {error}")))?;
        if name.digest().is_some() {
            return Err(Error::invalid(format!("--tag {text}: a digest is not for anybody to choose")));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// When everything is said to have been made, if that is said.
///
/// # Errors
/// `Invalid` for what is no number of seconds.
pub(crate) fn epoch(options: &Options) -> Result<Option<u64>> {
    let Some(text) = options.build_args.get(EPOCH).filter(|text| !text.is_empty()) else { return Ok(None) };
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds < 1 << 33);
    seconds.map(Some).ok_or_else(|| {
        Error::invalid(format!("{EPOCH}={text}: it is no number of seconds since 1970"))
            .with_hint("SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)")
    })
}

impl<'a> Exporting<'a> {
    /// What is asked of the result of a build that has begun then and is done now.
    ///
    /// # Errors
    /// As [`check`].
    pub(crate) fn new(
        engine: &'a Engine,
        lease: &'a Lease,
        options: &'a Options,
        reporter: &'a Reporter<'a>,
        notes: &'a Notes,
        started: SystemTime,
    ) -> Result<Exporting<'a>> {
        Ok(Exporting {
            engine,
            lease,
            options,
            reporter,
            notes,
            started,
            finished: SystemTime::now(),
            invocation: ContainerId::generate()?.hex().chars().take(25).collect(),
            provenance: options.provenance.as_ref().map(Request::of).transpose()?,
        })
    }

    /// Does all that is asked for.
    ///
    /// # Errors
    /// Those of what is written.
    pub(crate) fn all(&self, images: &[Image]) -> Result<Built> {
        let mut built = Built::default();
        built.metadata.insert("buildx.build.ref".to_owned(), json!(format!("phial/phial/{}", self.invocation)));
        self.tell_provenance(images, &mut built);
        let mut prepared = None;
        for export in asked(self.options) {
            match export {
                Export::Local { to, attributes } => self.directory(images, to, attributes)?,
                Export::Tar { to } => self.files_archive(images, to.as_deref())?,
                Export::CacheOnly => {}
                Export::Image { .. } | Export::Archive { .. } => {
                    let prepared = match &mut prepared {
                        Some(prepared) => prepared,
                        none => none.insert(self.prepared_all(images)?),
                    };
                    self.image(export, prepared, &mut built)?;
                }
            }
        }
        Ok(built)
    }

    fn prepared_all<'i>(&self, images: &'i [Image]) -> Result<Vec<Prepared<'i>>> {
        self.reporter.during("exporting layers", |_| images.iter().map(|image| self.prepared(image)).collect())
    }

    fn image(&self, export: &Export, prepared: &[Prepared<'_>], built: &mut Built) -> Result<()> {
        let settings = Settings::of(export, self.options)?;
        let names = names(&[self.options.tags.as_slice(), settings.names.as_slice()].concat())?;
        let (root, own) = match export {
            Export::Archive { oci, to, tar, .. } => {
                let target = Target { oci: *oci, tar: *tar, to: to.as_deref() };
                (self.archive(prepared, &target, &names, &settings)?, 0)
            }
            Export::Image { push, store, .. } => {
                let made: Vec<Made> =
                    prepared.iter().map(|prepared| self.made(prepared, &settings)).collect::<Result<_>>()?;
                let own = listed::own(&made);
                if *store && !*push && made.len() > 1 && !names.is_empty() {
                    self.warn_of_names(&made[own]);
                }
                if *store {
                    self.reporter.during("exporting to image", |_| self.list(&made, &names, &settings))?;
                }
                let pushed = if *push { Some(self.push(prepared, &made, &names, &settings)?) } else { None };
                (pushed.unwrap_or_else(|| made[own].manifest.clone()), own)
            }
            _ => return Ok(()),
        };
        tell(built, &prepared[own], &root, &names, &settings);
        Ok(())
    }

    /// Here a name means one image.
    fn warn_of_names(&self, own: &Made) {
        let platform = own.manifest.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "the names are those of the image for {platform}, the others are listed by their digests: \
             --push and -o type=oci,dest=FILE keep all together"
        );
        self.reporter.tell(Event::Warning { rule: "Platforms".to_owned(), message, place: None, url: None });
    }

    fn tell_provenance(&self, images: &[Image], built: &mut Built) {
        let Some(facts) = self.facts() else { return };
        for image in images {
            let mut key = "buildx.build.provenance".to_owned();
            if self.options.has_several_platforms() {
                key = format!("{key}/{}", image.platform);
            }
            built.metadata.insert(key, facts.predicate(image));
        }
    }

    /// When files of an image were changed at the latest, if that is said.
    fn latest(&self, image: &Image) -> Option<u64> {
        image.epoch.filter(|_| !settings::keeps_times(self.options))
    }
}

/// What `--metadata-file` has, as buildx has it.
fn tell(built: &mut Built, image: &Prepared<'_>, root: &Descriptor, names: &[Reference], settings: &Settings) {
    let id = Digest::of(&image.config).to_string();
    let metadata = &mut built.metadata;
    metadata.insert("containerimage.config.digest".to_owned(), json!(id));
    metadata.insert("containerimage.digest".to_owned(), json!(root.digest));
    metadata.insert("containerimage.descriptor".to_owned(), root.document());
    if !names.is_empty() {
        let canonical = |name: &Reference| format!("{name}@{}", root.digest);
        let shown = |name: &Reference| if settings.canonical { canonical(name) } else { name.to_string() };
        metadata.insert("image.name".to_owned(), json!(names.iter().map(shown).collect::<Vec<_>>().join(",")));
    }
    built.image = Some(id);
}

/// An object without fields that are null.
fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, field| !field.is_null());
    }
    value
}
