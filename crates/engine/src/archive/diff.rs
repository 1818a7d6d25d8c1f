//! `diff`: what a container has changed in the files of its image. Owns the comparison of its upper directory with the layers below; what
//! overlayfs's marks mean is in the kernel's `overlayfs.rst`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use fsroot::{Dir, FileType, Metadata, Name, OFlags, Root, attributes};
use runtime::protocol::CONFIG_FILE;
use serde_json::Value;

use crate::containers::create::UPPER;
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// Directories in directories that are looked at; whoever goes deeper wants to trouble us.
const DEPTH: usize = 1024;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its contents or attributes are others, or those of something in it.
    Changed,
    /// It is gone.
    Deleted,
}

/// A file that is not as it was in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// Its path, absolute.
    pub path: OsString,
}

impl Engine {
    /// What a container has changed, in the order of the paths.
    ///
    /// # Errors
    /// `System` for what cannot be read.
    pub fn diff(&self, container: &Container) -> Result<Vec<Change>> {
        let upper = self.paths().container(&container.record.id).join(UPPER);
        let layers = self.layers(&self.store.image(&container.record.image)?);
        let compared = compare(&upper, &layers, places(&self.bundle(&container.record).join(CONFIG_FILE)));
        let mut changes = compared.map_err(|error| Error::new(ErrorKind::System, error.to_string()))?;
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(changes)
    }
}

/// Where the configuration mounts something: what is made there to mount on is nobody's change.
fn places(config: &Path) -> BTreeSet<Vec<u8>> {
    let config: Value =
        std::fs::read(config).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mounts = config["mounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    mounts
        .iter()
        .filter_map(|mount| mount["destination"].as_str())
        .map(|path| path.trim_end_matches('/').as_bytes().to_vec())
        .collect()
}

struct Compare<'a> {
    upper: &'a Path,
    /// The topmost first.
    layers: &'a [PathBuf],
    places: BTreeSet<Vec<u8>>,
    changes: Vec<Change>,
    /// Each after the one that it lies in.
    directories: Vec<Directory>,
}

/// A directory of the container's own. Without a descriptor: there can be more of them, and one can lie deeper, than a
/// process can have files open.
struct Directory {
    path: Vec<u8>,
    depth: usize,
    /// In which of [`Compare::directories`] it lies; the first lies in itself.
    above: usize,
    found: Metadata,
    below: Option<Below>,
    /// Whether anything in it counts as a change.
    any: bool,
}

/// What the layers below have of a name.
struct Below {
    found: Metadata,
    /// Which of the directories that were looked into has it.
    topmost: usize,
    /// Of directories, the layers whose directories are merged, the topmost first.
    merged: Vec<usize>,
    /// Of directories, whether it was only copied up because of something in it.
    same: bool,
}

/// A layer, and its directory of a path.
type Lower = (usize, Dir);

/// Everything that differs below `upper`, in no order.
fn compare(upper: &Path, layers: &[PathBuf], places: BTreeSet<Vec<u8>>) -> fsroot::Result<Vec<Change>> {
    let found = attributes::metadata(Root::open(upper)?.dir())?;
    let all = Below { found, topmost: 0, merged: (0..layers.len()).collect(), same: true };
    let first = Directory { path: Vec::new(), depth: 0, above: 0, found, below: Some(all), any: false };
    let mut compare = Compare { upper, layers, places, changes: Vec::new(), directories: vec![first] };
    let mut next = 0;
    while next < compare.directories.len() {
        match compare.directory(next) {
            // It went while we were looking.
            Err(error) if next > 0 && error.kind() == fsroot::ErrorKind::NotFound => {}
            other => other?,
        }
        next += 1;
    }
    // What lies in a directory decides about it.
    for index in (1..compare.directories.len()).rev() {
        compare.decide(index);
    }
    Ok(compare.changes)
}

impl Compare<'_> {
    /// Compares what is in one of the directories, and adds those in it.
    fn directory(&mut self, index: usize) -> fsroot::Result<()> {
        let (path, depth) = (self.directories[index].path.clone(), self.directories[index].depth);
        let upper = walk(self.upper, &path)?;
        let merged = self.directories[index].below.as_ref().map_or(&[][..], |below| &below.merged);
        let lower = merged.iter().map(|layer| Ok((*layer, walk(&self.layers[*layer], &path)?)));
        let lower: Vec<Lower> = lower.collect::<fsroot::Result<_>>()?;
        let names = upper.names()?;
        if depth < DEPTH {
            for text in &names {
                self.entry(&upper, &lower, index, text)?;
            }
        }
        if is_opaque(&upper)? {
            // All that was there and is not any more.
            let mut hidden: BTreeSet<OsString> = BTreeSet::new();
            for (_, dir) in &lower {
                hidden.extend(dir.names()?);
            }
            for text in hidden.into_iter().filter(|text| !names.contains(text)) {
                if below(&lower, Name::from_os(&text)?)?.is_some() {
                    self.note(ChangeKind::Deleted, joined(&path, text.as_bytes()), index);
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, upper: &Dir, lower: &[Lower], above: usize, text: &OsString) -> fsroot::Result<()> {
        let (name, path) = (Name::from_os(text)?, joined(&self.directories[above].path, text.as_bytes()));
        let found = match upper.metadata(name) {
            Ok(found) => found,
            // It went while we were looking.
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut below = below(lower, name)?;
        if is_whiteout(&found) {
            if below.is_some() {
                self.note(ChangeKind::Deleted, path, above);
            }
            return Ok(());
        }
        if !found.is_dir() {
            let is_place = below.is_none() && found.size == 0 && self.places.contains(&path);
            if !is_place {
                self.note(if below.is_some() { ChangeKind::Changed } else { ChangeKind::Added }, path, above);
            }
            return Ok(());
        }
        if let Some(below) = &mut below {
            below.same = same(&upper.open_dir(name)?, &found, &lower[below.topmost].1, name, &below.found)?;
        }
        let depth = self.directories[above].depth + 1;
        self.directories.push(Directory { path, depth, above, found, below, any: false });
        Ok(())
    }

    /// Notes one of the directories, all in which have been decided about, if it counts as a change.
    fn decide(&mut self, index: usize) {
        let Directory { path, above, found, below, any, .. } = &self.directories[index];
        let kind = match below {
            // Something was put in its place to mount on, or for what was.
            None if !any && self.leads_to_a_place(path) => return,
            None => ChangeKind::Added,
            Some(below) if *any || !below.same || (self.has_no_place(path) && moved(found, below)) => {
                ChangeKind::Changed
            }
            Some(_) => return,
        };
        let (path, above) = (path.clone(), *above);
        self.note(kind, path, above);
    }

    /// `above`: the directory in which it is.
    fn note(&mut self, kind: ChangeKind, path: Vec<u8>, above: usize) {
        let path = std::os::unix::ffi::OsStringExt::from_vec(path);
        self.changes.push(Change { kind, path });
        self.directories[above].any = true;
    }

    fn leads_to_a_place(&self, path: &[u8]) -> bool {
        self.places.contains(path) || !self.has_no_place(path)
    }

    /// True if nothing is mounted below `path`.
    fn has_no_place(&self, path: &[u8]) -> bool {
        let start = [path, b"/"].concat();
        !self.places.range(start.clone()..).next().is_some_and(|place| place.starts_with(&start))
    }
}

/// The directory `path` below `root`, opened one component at a time and through no symlink.
fn walk(root: &Path, path: &[u8]) -> fsroot::Result<Dir> {
    let mut dir = Root::open(root)?.dir().try_clone()?;
    for component in path.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        dir = dir.open_dir(Name::new(component)?)?;
    }
    Ok(dir)
}

/// Whether a directory was only copied up because of something in it. `lower`, in which it has the name, is the topmost
/// that has it.
fn same(upper: &Dir, found: &Metadata, lower: &Dir, name: Name<'_>, below: &Metadata) -> fsroot::Result<bool> {
    if !below.is_dir() || (found.mode, found.uid, found.gid) != (below.mode, below.uid, below.gid) {
        return Ok(false);
    }
    let attributes_of = |fd: &dyn std::os::fd::AsFd| {
        let names = attributes::xattr_names(fd.as_fd())?.into_iter();
        let names = names.filter(|name| !name.starts_with(b"trusted.overlay."));
        names.map(|name| Ok((attributes::xattr(fd.as_fd(), &name)?, name))).collect::<fsroot::Result<Vec<_>>>()
    };
    Ok(attributes_of(upper)? == attributes_of(&lower.open(name, OFlags::PATH)?)?)
}

/// Something in it came or went, even if nothing of it is left.
fn moved(found: &Metadata, below: &Below) -> bool {
    let time = |of: &Metadata| (of.modified.tv_sec, of.modified.tv_nsec);
    time(found) != time(&below.found)
}

/// What `lower`, directories of one path, the topmost first, have of `name`.
fn below(lower: &[Lower], name: Name<'_>) -> fsroot::Result<Option<Below>> {
    let mut below: Option<Below> = None;
    for (index, (layer, dir)) in lower.iter().enumerate() {
        let found = match dir.metadata(name) {
            Ok(found) => found,
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if is_whiteout(&found) || (below.is_some() && !found.is_dir()) {
            break;
        }
        let is_dir = found.is_dir();
        let whole = below.get_or_insert(Below { found, topmost: index, merged: Vec::new(), same: false });
        if !is_dir {
            break;
        }
        whole.merged.push(*layer);
        if is_opaque(&dir.open_dir(name)?)? {
            break;
        }
    }
    Ok(below)
}

fn is_whiteout(found: &Metadata) -> bool {
    found.file_type == FileType::CharacterDevice && found.special_device == 0
}

fn is_opaque(dir: &Dir) -> fsroot::Result<bool> {
    Ok(attributes::xattr(dir, b"trusted.overlay.opaque")?.is_some_and(|value| value == b"y"))
}

fn joined(above: &[u8], name: &[u8]) -> Vec<u8> {
    [above, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::process::{Resource, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn a_tree_can_be_deeper_than_descriptors_reach() {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(limit.current.unwrap_or(u64::MAX).min(1024));
        setrlimit(Resource::Nofile, limit).expect("less is allowed");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let deep: PathBuf = std::iter::repeat_n("d", 300).collect();
        let trees = ["upper", "one", "two"].map(|name| directory.path().join(name));
        for tree in &trees {
            fs::create_dir_all(tree.join(&deep)).expect("made");
        }
        fs::write(trees[0].join(&deep).join("new"), "").expect("written");
        let changes = compare(&trees[0], &trees[1..], BTreeSet::new()).expect("compares");
        assert_eq!(changes.len(), 301);
        let added: Vec<&Change> = changes.iter().filter(|change| change.kind == ChangeKind::Added).collect();
        assert_eq!(added.len(), 1);
        assert_eq!(Path::new(&added[0].path), Path::new("/").join(deep).join("new"));
    }
}
