//! Annotations: what is said of a manifest, of an index, and of a manifest where an index names it. Pure: docker's `--annotation`
//! and the attributes `annotation.KEY`, `annotation-index.KEY` and so on of `--output`.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Pairs of keys and values.
pub(super) type Pairs = BTreeMap<String, String>;

/// All annotations, by what they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    manifest: Vec<Of>,
    descriptor: Vec<Of>,
    /// Of the index.
    pub(super) index: Pairs,
}

/// An annotation, and the platform whose image it is of; None is all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Of {
    platform: Option<String>,
    key: String,
    value: String,
}

/// What an annotation can be of.
const KINDS: [&str; 4] = ["manifest", "manifest-descriptor", "index", "index-descriptor"];

impl Annotations {
    /// Adds one as `--annotation` has it: `KEY`, `index:KEY`, `manifest[linux/amd64]:KEY`.
    ///
    /// # Errors
    /// `Invalid` for what nothing can be said of.
    pub(super) fn add(&mut self, text: &str, value: &str) -> Result<()> {
        // A key may have colons itself.
        let (kind, key) = match text.split_once(':') {
            Some((before, key)) if KINDS.contains(&before.split('[').next().unwrap_or(before)) => (before, key),
            _ => ("manifest", text),
        };
        self.put(kind, key, value)
    }

    /// Adds one as `--output` has it: `annotation.KEY`, `annotation-index.KEY`; false for what is none.
    ///
    /// # Errors
    /// As [`Annotations::add`].
    pub(super) fn add_attribute(&mut self, name: &str, value: &str) -> Result<bool> {
        let Some(rest) = name.strip_prefix("annotation") else { return Ok(false) };
        let Some((kind, key)) = rest.split_once('.') else { return Ok(false) };
        let kind = match kind.strip_prefix('-') {
            Some(kind) => kind.to_owned(),
            None => format!("manifest{kind}"),
        };
        self.put(&kind, key, value).map(|()| true)
    }

    fn put(&mut self, kind: &str, key: &str, value: &str) -> Result<()> {
        let (kind, platform) = match kind.split_once('[') {
            None => (kind, None),
            Some((kind, rest)) => {
                let text = rest.strip_suffix(']').unwrap_or(rest);
                let platform = text.parse::<image::Platform>();
                let wrong = |error| Error::invalid(format!("the annotation {key} is of the platform {text}: {error}"));
                (kind, Some(platform.map_err(wrong)?.normal().to_string()))
            }
        };
        if key.is_empty() {
            return Err(Error::invalid(format!("an annotation of the {kind} has no key")));
        }
        let of = Of { platform, key: key.to_owned(), value: value.to_owned() };
        match kind {
            "manifest" => self.manifest.push(of),
            "manifest-descriptor" => self.descriptor.push(of),
            "index" => drop(self.index.insert(of.key, of.value)),
            _ => {
                return Err(Error::invalid(format!(
                    "the annotation {key} is of the {kind}, which is not written here"
                ))
                .with_hint("manifest, manifest-descriptor and index can have annotations"));
            }
        }
        Ok(())
    }

    /// Those of the manifest of an image.
    pub(super) fn of_manifest(&self, platform: &image::Platform) -> Pairs {
        chosen(&self.manifest, platform)
    }

    /// Those of the manifest where the index names it.
    pub(super) fn of_descriptor(&self, platform: &image::Platform) -> Pairs {
        chosen(&self.descriptor, platform)
    }

    /// Whether there are some that need an index.
    pub(super) fn needs_index(&self) -> bool {
        !self.index.is_empty() || !self.descriptor.is_empty()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.manifest.is_empty() && !self.needs_index()
    }
}

fn chosen(all: &[Of], platform: &image::Platform) -> Pairs {
    let platform = platform.to_string();
    let fits = |of: &&Of| of.platform.as_ref().is_none_or(|wanted| *wanted == platform);
    all.iter().filter(fits).map(|of| (of.key.clone(), of.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_annotations_go() {
        let mut all = Annotations::default();
        for (text, value) in [("a", "1"), ("manifest:b:c", "2"), ("index:d", "3"), ("manifest-descriptor:e", "4")] {
            all.add(text, value).expect("it is one");
        }
        all.add("manifest[linux/arm64]:f", "5").expect("it is one");
        all.add("org.example:g", "6").expect("its key has a colon");
        let platform = |text: &str| text.parse::<image::Platform>().expect("it is one").normal();
        let shown = |pairs: Pairs| pairs.into_iter().map(|(key, value)| key + "=" + &value).collect::<Vec<_>>();
        assert_eq!(shown(all.of_manifest(&platform("linux/amd64"))), ["a=1", "b:c=2", "org.example:g=6"]);
        assert_eq!(shown(all.of_manifest(&platform("linux/arm64"))), ["a=1", "b:c=2", "f=5", "org.example:g=6"]);
        assert_eq!(shown(all.of_descriptor(&platform("linux/amd64"))), ["e=4"]);
        assert_eq!(shown(all.index), ["d=3"]);
    }

    #[test]
    fn attributes_of_outputs() {
        let mut all = Annotations::default();
        assert!(all.add_attribute("annotation.a.b", "1").expect("it is one"));
        assert!(all.add_attribute("annotation-index.c", "2").expect("it is one"));
        assert!(all.add_attribute("annotation[linux/amd64].d", "3").expect("it is one"));
        assert!(!all.add_attribute("compression", "gzip").expect("it is another one"));
        assert_eq!(all.manifest.len(), 2);
        for name in ["annotation-index-descriptor.a", "annotation-what.a", "annotation.", "annotation[a/b/c/d].a"] {
            all.add_attribute(name, "").expect_err(name);
        }
    }
}
