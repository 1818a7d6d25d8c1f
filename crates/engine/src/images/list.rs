//! What `images` lists: which images, and a line for each of their names.

use std::collections::HashMap;

use ::image::{ImageConfig, Reference};
use jiff::Timestamp;
use store::{Digest, ImageRecord};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::words::filter::Filters;
use crate::words::glob;
use crate::words::when;

/// What `images --filter` takes.
pub const IMAGE_FILTERS: &[&str] = &["before", "dangling", "label", "label!", "reference", "since", "until"];

/// One line of the list of images: an image has one for each of its names, or one without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSummary {
    /// The name without tag, as people write it; None for an image that lost its names.
    pub repository: Option<String>,
    /// The tag; None for an image kept by digest only, and for one without names.
    pub tag: Option<String>,
    /// The digest of the manifest, if the repository has the image by it.
    pub digest: Option<Digest>,
    /// The image's id.
    pub id: Digest,
    /// When it was built, RFC 3339.
    pub created: Option<String>,
    /// Bytes of its layers, unpacked.
    pub size: u64,
    /// What it shares and who uses it; None if nobody asked.
    pub usage: Option<ImageUsage>,
}

/// What an image takes, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUsage {
    /// Size of those of its layers that other images have as well.
    pub shared: u64,
    /// Size of the others.
    pub unique: u64,
    /// How many containers are made from it.
    pub containers: usize,
}

/// Which images are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageListOptions {
    /// Only those with such a name: `REPOSITORY[:TAG]`, with `*`, `?` and `[…]`.
    pub name: Option<String>,
    /// Only those that match.
    pub filters: Filters,
}

/// The filters, with what they name looked up.
struct Filter<'a> {
    options: &'a ImageListOptions,
    dangling: Option<bool>,
    before: Option<String>,
    since: Option<String>,
    until: Option<Timestamp>,
}

impl Engine {
    /// The lines of `images`, the newest image first.
    ///
    /// # Errors
    /// `Store`; `Invalid` for a filter that makes no sense, `NotFound` for one that names what is not there.
    pub fn images(&self, options: &ImageListOptions) -> Result<Vec<ImageSummary>> {
        let filter = Filter::new(self, options)?;
        let mut lines = Vec::new();
        for image in self.store.images()? {
            if filter.takes(&image) && self.has_labels(&image, &options.filters) {
                lines.extend(summaries(&image).into_iter().filter(|line| filter.shows(line)));
            }
        }
        Ok(lines)
    }

    /// The configuration is read only if somebody asks for labels; a damaged one has none.
    fn has_labels(&self, image: &ImageRecord, filters: &Filters) -> bool {
        if !filters.has("label") && !filters.has("label!") {
            return true;
        }
        let config = self.store.blob(&image.id).ok().and_then(|bytes| ImageConfig::parse(&bytes).ok());
        filters.labels(&config.map(|config| config.config.labels).unwrap_or_default())
    }
}

impl<'a> Filter<'a> {
    fn new(engine: &Engine, options: &'a ImageListOptions) -> Result<Filter<'a>> {
        let filters = &options.filters;
        let created = |key| {
            let last = filters.last(key).map(|name| engine.image(name).map(|found| found.created.unwrap_or_default()));
            last.transpose()
        };
        let until = filters.last("until").map(|text| {
            when::parse(text, Timestamp::now()).ok_or_else(|| {
                Error::invalid(format!("invalid filter 'until={text}': neither a time nor a duration such as 24h"))
            })
        });
        Ok(Filter {
            options,
            dangling: filters.switch("dangling")?,
            before: created("before")?,
            since: created("since")?,
            until: until.transpose()?,
        })
    }

    fn takes(&self, image: &ImageRecord) -> bool {
        let created = image.created.as_deref().unwrap_or_default();
        let time = created.parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
        self.dangling.is_none_or(|dangling| dangling == image.references.is_empty())
            && self.before.as_deref().is_none_or(|before| created < before)
            && self.since.as_deref().is_none_or(|since| created > since)
            && self.until.is_none_or(|until| time < until)
    }

    fn shows(&self, line: &ImageSummary) -> bool {
        self.options.name.as_deref().is_none_or(|name| is_called(line, name))
            && self.options.filters.any("reference", |name| is_called(line, name))
    }
}

/// Whether a name is one that people gave, and not the digest that came with it.
pub(crate) fn is_tag(name: &str) -> bool {
    !name.contains('@')
}

/// Whether a pattern with or without a tag means this name; docker's patterns leave out what the short form does.
fn is_called(line: &ImageSummary, pattern: &str) -> bool {
    let Some(repository) = &line.repository else { return false };
    let tagged = line.tag.as_ref().map(|tag| format!("{repository}:{tag}"));
    let digested = line.digest.as_ref().map(|digest| format!("{repository}@{digest}"));
    // docker.io/library/alpine is alpine; whoever writes it in full means the same.
    let familiar = pattern.strip_prefix("docker.io/").map(|rest| rest.strip_prefix("library/").unwrap_or(rest));
    let pattern = familiar.unwrap_or(pattern);
    let names = [Some(repository.clone()), tagged, digested];
    names.iter().flatten().any(|name| glob::matches(pattern, name))
}

fn summaries(image: &ImageRecord) -> Vec<ImageSummary> {
    let line = |repository, tag, digest| ImageSummary {
        repository,
        tag,
        digest,
        id: image.id,
        created: image.created.clone(),
        size: image.size,
        usage: None,
    };
    let named: Vec<Reference> = image.references.iter().filter_map(|name| name.parse().ok()).collect();
    let tagged: Vec<&Reference> = named.iter().filter(|reference| reference.tag().is_some()).collect();
    match (tagged.as_slice(), named.as_slice()) {
        ([], []) => vec![line(None, None, None)],
        ([], [first, ..]) => vec![line(Some(first.familiar_name()), None, first.digest().copied())],
        (tagged, named) => {
            let digests: HashMap<String, Digest> = named
                .iter()
                .rev()
                .filter_map(|reference| Some((reference.familiar_name(), *reference.digest()?)))
                .collect();
            let line = |reference: &&Reference| {
                let repository = reference.familiar_name();
                let digest = digests.get(&repository).copied();
                line(Some(repository), reference.tag().map(str::to_owned), digest)
            };
            tagged.iter().map(line).collect()
        }
    }
}
