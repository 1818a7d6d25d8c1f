//! The files of a result, without an image around them: in a directory, or in an archive. Owns what happens to what is there
//! already; a symlink that is there leads nowhere.

use std::path::Path;

use fsroot::{Dir, Name, Root};
use image::layer::pack_several;
use rustix::process::{getegid, geteuid};

use super::settings::{LocalSettings, local};
use super::{Exporting, Image, place};
use crate::error::{Error, Result};
use crate::files::{Origin, Reading, Selection};
use crate::llb::message::file::Copy;
use crate::progress::Amount;

impl Exporting<'_> {
    /// Puts the files into a directory.
    ///
    /// # Errors
    /// Those of the copy.
    pub(super) fn directory(
        &self,
        images: &[Image],
        to: &Path,
        attributes: &std::collections::BTreeMap<String, String>,
    ) -> Result<()> {
        let settings = local(attributes)?;
        if settings.deletes && to.canonicalize().is_ok_and(|to| to.parent().is_none()) {
            return Err(Error::invalid("mode=delete: nothing else than the result would be left of this host")
                .with_hint("name a directory of its own"));
        }
        self.reporter.during(&format!("exporting to {}", to.display()), |step| {
            std::fs::create_dir_all(to).map_err(|error| Error::system(to.display(), error))?;
            let top = Root::open(to)?;
            let is_split = settings.split.unwrap_or(self.options.has_several_platforms());
            for image in images {
                let onto =
                    if is_split { below(&top, &directory_of(&image.platform))? } else { top.dir().try_clone()? };
                sys::fault::point("build: files begun");
                let bytes = self.files(image, onto, settings)?;
                sys::fault::point("build: files copied");
                self.reporter.progress(step, "copying files", Amount { current: bytes, total: Some(bytes) }, true);
            }
            Ok(())
        })
    }

    fn files(&self, image: &Image, onto: Dir, settings: LocalSettings) -> Result<u64> {
        let from = image.tree.open(self.engine.store())?;
        if settings.deletes {
            remove_others(from.as_ref().map(Root::dir), &onto, 0)?;
        }
        let Some(from) = from else { return Ok(0) };
        let onto = Root::from_fd(std::os::fd::OwnedFd::from(onto))?;
        let origin = Origin { root: &from, ignored: None, belongs_to_root: false, sums: &Reading };
        let copy = Copy {
            src: "/".to_owned(),
            dest: "/".to_owned(),
            mode: -1,
            timestamp: -1,
            dir_copy_contents: true,
            create_dest_path: true,
            always_replace: true,
            ..Copy::default()
        };
        // Who is not root can give nothing away.
        let owner = (!geteuid().is_root()).then(|| (geteuid().as_raw(), getegid().as_raw()));
        let copied = Selection::tree("/", &origin)?.copy(&copy, &origin, &onto, owner)?;
        Ok(copied.bytes)
    }

    /// Writes the files as an archive.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub(super) fn files_archive(&self, images: &[Image], to: Option<&Path>) -> Result<()> {
        self.reporter.during("exporting to an archive of files", |_| {
            let mut trees = Vec::new();
            for image in images {
                let is_split = self.options.has_several_platforms();
                let called = if is_split { directory_of(&image.platform).into_bytes() } else { Vec::new() };
                if let Some(root) = image.tree.open(self.engine.store())? {
                    trees.push((called, root.dir().try_clone()?));
                }
            }
            place::file(to, |out| Ok(pack_several(&trees, out).map(drop)?))
        })
    }
}

/// What the directory of a platform is called, as buildx calls it: `linux_arm_v7`.
fn directory_of(platform: &image::Platform) -> String {
    platform.to_string().replace('/', "_")
}

/// A directory that is made if it is not there.
fn below(top: &Root, name: &str) -> Result<Dir> {
    let name = Name::new(name)?;
    match top.dir().make_dir(name, 0o755) {
        Err(error) if error.kind() != fsroot::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    Ok(top.dir().open_dir(name)?)
}

/// Removes from a directory what another one has not.
fn remove_others(from: Option<&Dir>, onto: &Dir, depth: usize) -> Result<()> {
    /// As deep as a copy goes.
    const DEPTH: usize = 256;
    for text in onto.names()? {
        let name = Name::from_os(&text)?;
        let wanted = from.map(|from| from.metadata(name)).and_then(std::result::Result::ok);
        let is_dir = onto.metadata(name)?.is_dir();
        match (wanted, from) {
            (Some(wanted), Some(from)) if wanted.is_dir() && is_dir && depth < DEPTH => {
                remove_others(Some(&from.open_dir(name)?), &onto.open_dir(name)?, depth + 1)?;
            }
            // It is replaced.
            (Some(_), _) => {}
            (None, _) => onto.remove_all(name)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_another_has_not_is_removed_and_links_lead_nowhere() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = |name: &str| directory.path().join(name);
        for made in ["from/d", "onto/d/gone", "outside/kept"] {
            fs::create_dir_all(path(made)).expect("can be made");
        }
        fs::write(path("from/d/kept"), "").expect("can be written");
        fs::write(path("onto/d/kept"), "").expect("can be written");
        std::os::unix::fs::symlink(path("outside"), path("onto/link")).expect("can be made");
        std::os::unix::fs::symlink(path("outside"), path("onto/other")).expect("can be made");
        fs::create_dir(path("from/other")).expect("can be made");
        let open = |name: &str| Root::open(path(name)).expect("is there");
        remove_others(Some(open("from").dir()), open("onto").dir(), 0).expect("can be removed");
        assert!(path("onto/d/kept").exists() && path("outside/kept").exists());
        assert!(!path("onto/d/gone").exists() && fs::symlink_metadata(path("onto/link")).is_err());
    }

    #[test]
    fn directories_of_platforms() {
        let name = |text: &str| directory_of(&text.parse::<image::Platform>().expect("it is one").normal());
        assert_eq!([name("linux/amd64"), name("linux/arm/v7")], ["linux_amd64", "linux_arm_v7"]);
    }
}
