//! Directories that are kept between builds (`RUN --mount=type=cache`): volumes, which `volume ls` lists and everybody can look
//! at, export and remove.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::VolumeConfig;
use fsroot::Root;
use store::{Digest, Hold, NameHold};

use super::file::of_stage;
use super::prepare::nth;
use super::{Job, Value};
use crate::error::{Error, Result};
use crate::files::Selection;
use crate::llb::message::exec::{CacheSharing, ExecOp, Mount, MountType};
use crate::llb::message::file::Copy;
use crate::tree::Tree;

/// The label of such volumes; its value is the id of the directory.
pub(crate) const LABEL: &str = "phial.build.cache";

/// More of one name are not made: so many commands cannot run at once.
const MOST_PRIVATE: usize = 1000;

/// A directory that is kept, for a command that is about to run.
pub(super) struct Kept {
    path: PathBuf,
    /// Nobody removes it meanwhile, and nobody else has it unless it is shared.
    _hold: NameHold,
}

impl Kept {
    /// Where it is on the host.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Job<'_> {
    /// The directories of a command's mounts, by their ids: one that is mounted twice is the same directory. Whoever waits for
    /// one has only such as come before it in the order of their ids, so that no two commands wait for each other.
    ///
    /// # Errors
    /// Those of volumes.
    pub(super) fn keep_all(&self, exec: &ExecOp, inputs: &[Value<'_>]) -> Result<BTreeMap<String, Kept>> {
        let mut mounts = BTreeMap::new();
        for mount in exec.mounts.iter().filter(|mount| mount.mount_type() == MountType::Cache) {
            let id = mount.cache_opt.as_ref().map(|options| options.id.clone()).unwrap_or_default();
            mounts.entry(id).or_insert(mount);
        }
        let mut all = BTreeMap::new();
        for (id, mount) in mounts {
            let begins_with = nth(inputs, mount.input).map(|value| self.tree(value)).transpose()?;
            all.insert(id, self.keep(mount, begins_with.as_ref())?);
        }
        Ok(all)
    }

    /// The directory of a mount, which is made if it is not there, with what it begins with.
    fn keep(&self, mount: &Mount, begins_with: Option<&Tree>) -> Result<Kept> {
        let options = mount.cache_opt.clone().unwrap_or_default();
        let first = volume_name(&options.id);
        let (name, hold) = match options.sharing() {
            CacheSharing::Shared => self.held(first, Hold::Shared)?,
            CacheSharing::Locked => self.held(first, Hold::Alone)?,
            CacheSharing::Private => self.free_one(&first)?,
        };
        let labels = [(LABEL.to_owned(), options.id.clone())].into();
        let config = VolumeConfig { name: Some(name.clone()), labels, ..VolumeConfig::default() };
        let fill = begins_with.map(|tree| |path: &Path| self.fill(path, tree, &mount.selector));
        self.engine.create_filled_volume(&config, fill)?;
        self.store().note_volume_used(&name);
        let path = self.store().paths().volume_data(&name);
        Ok(Kept { path, _hold: hold })
    }

    fn held(&self, name: String, how: Hold) -> Result<(String, NameHold)> {
        let hold = self.waited(|| Ok(self.store().try_hold_volume(&name, how)?))?;
        Ok((name, hold))
    }

    /// The first of its name that nobody else has now.
    fn free_one(&self, first: &str) -> Result<(String, NameHold)> {
        for number in 0..MOST_PRIVATE {
            let name = if number == 0 { first.to_owned() } else { format!("{first}-{number}") };
            if let Some(hold) = self.store().try_hold_volume(&name, Hold::Alone)? {
                return Ok((name, hold));
            }
        }
        Err(Error::invalid(format!("{MOST_PRIVATE} commands have a cache mount {first} of their own already")))
    }

    /// What the directory begins with.
    fn fill(&self, path: &Path, tree: &Tree, selector: &str) -> Result<()> {
        let Some(from) = tree.open(self.store())? else { return Ok(()) };
        let onto = Root::open(path)?;
        let copy = Copy {
            src: if selector.is_empty() { "/".to_owned() } else { selector.to_owned() },
            dest: "/".to_owned(),
            mode: -1,
            timestamp: -1,
            dir_copy_contents: true,
            create_dest_path: true,
            ..Copy::default()
        };
        let origin = of_stage(&from);
        Selection::of(&copy, &origin)?.copy(&copy, &origin, &onto, None)?;
        let found = from.metadata(copy.src.trim_start_matches('/'), fsroot::Follow::Yes);
        if let Ok(found) = found {
            fsroot::attributes::set_owner(onto.dir(), found.uid, found.gid)?;
            fsroot::attributes::set_mode(onto.dir(), found.mode)?;
        }
        Ok(())
    }
}

/// The volume of a cache mount: what of its id can be in a name, and what tells it from others.
pub(crate) fn volume_name(id: &str) -> String {
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let words: String = id.chars().map(allowed).collect();
    let words = words.trim_matches('-');
    let words = &words[words.len().saturating_sub(40)..];
    format!("cache-{}-{}", words.trim_start_matches('-'), Digest::of(id.as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_has_a_name_of_its_own() {
        assert_eq!(
            volume_name("/root/.cache/go"),
            format!("cache-root--cache-go-{}", Digest::of(b"/root/.cache/go").short())
        );
        assert_ne!(volume_name("/a/b"), volume_name("/a-b"));
        for id in ["", "..", "../../etc", "a/../b", "\u{e4}\0\n", &"x".repeat(1000)] {
            let name = volume_name(id);
            assert!(
                name.len() < 80 && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'),
                "{name}"
            );
        }
    }
}
