//! `diff`: what a container has changed in the files of its image. Owns the comparison of its upper directory with the layers below; what
//! overlayfs's marks mean is in the kernel's `overlayfs.rst`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use fsroot::{Dir, FileType, Metadata, Name, OFlags, Root, attributes};
use runtime::protocol::CONFIG_FILE;
use serde_json::Value;

use crate::create::UPPER;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::Container;

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
        let directory = self.paths().container(&container.record.id);
        let layers = self.layers(&self.store.image(&container.record.image)?);
        let open = |path: &std::path::Path| Root::open(path)?.dir().try_clone();
        let compared = (|| {
            let lower = layers.iter().map(|path| open(path)).collect::<fsroot::Result<Vec<_>>>()?;
            let mut compare = Compare { changes: Vec::new(), places: places(&directory.join(CONFIG_FILE)) };
            compare.directory(&open(&directory.join(UPPER))?, &lower, b"", 0)?;
            Ok(compare.changes)
        })();
        let mut changes: Vec<Change> =
            compared.map_err(|error: fsroot::Error| Error::new(ErrorKind::System, error.to_string()))?;
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(changes)
    }
}

/// Where the configuration mounts something: what is made there to mount on is nobody's change.
fn places(config: &std::path::Path) -> BTreeSet<Vec<u8>> {
    let config: Value =
        std::fs::read(config).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mounts = config["mounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    mounts
        .iter()
        .filter_map(|mount| mount["destination"].as_str())
        .map(|path| path.trim_end_matches('/').as_bytes().to_vec())
        .collect()
}

struct Compare {
    changes: Vec<Change>,
    places: BTreeSet<Vec<u8>>,
}

/// What the layers below have of a name: of directories, all that are merged, the topmost first.
struct Below {
    found: Metadata,
    topmost: Dir,
    name: OsString,
    merged: Vec<Dir>,
}

impl Compare {
    /// Compares what is in `upper`; true if anything in it counts as a change.
    fn directory(&mut self, upper: &Dir, lower: &[Dir], path: &[u8], depth: usize) -> fsroot::Result<bool> {
        let is_opaque = attributes::xattr(upper, b"trusted.overlay.opaque")?.is_some_and(|value| value == b"y");
        let mut any = false;
        let names = upper.names()?;
        if depth < DEPTH {
            for text in &names {
                any |= self.entry(upper, lower, path, text, depth)?;
            }
        }
        if is_opaque {
            // All that was there and is not any more.
            let mut hidden: BTreeSet<OsString> = BTreeSet::new();
            for dir in lower {
                hidden.extend(dir.names()?);
            }
            for text in hidden.into_iter().filter(|text| !names.contains(text)) {
                if below(lower, Name::from_os(&text)?)?.is_some() {
                    self.note(ChangeKind::Deleted, joined(path, text.as_bytes()));
                    any = true;
                }
            }
        }
        Ok(any)
    }

    fn entry(
        &mut self,
        upper: &Dir,
        lower: &[Dir],
        above: &[u8],
        text: &OsString,
        depth: usize,
    ) -> fsroot::Result<bool> {
        let (name, path) = (Name::from_os(text)?, joined(above, text.as_bytes()));
        let found = match upper.metadata(name) {
            Ok(found) => found,
            // It went while we were looking.
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let below = below(lower, name)?;
        if found.file_type == FileType::CharacterDevice && found.special_device == 0 {
            if below.is_some() {
                self.note(ChangeKind::Deleted, path);
                return Ok(true);
            }
            return Ok(false);
        }
        if !found.is_dir() {
            let is_place = below.is_none() && found.size == 0 && self.places.contains(&path);
            if !is_place {
                self.note(if below.is_some() { ChangeKind::Changed } else { ChangeKind::Added }, path);
            }
            return Ok(!is_place);
        }
        let merged = below.as_ref().map_or(&[][..], |below| &below.merged);
        let dir = upper.open_dir(name)?;
        let any = self.directory(&dir, merged, &path, depth + 1)?;
        match below {
            // Something was put in its place to mount on, or for what was.
            None if !any && self.leads_to_a_place(&path) => Ok(false),
            None => {
                self.note(ChangeKind::Added, path);
                Ok(true)
            }
            Some(below) => {
                let is_changed =
                    any || !same(&dir, &found, &below)? || (self.has_no_place(&path) && moved(&found, &below));
                if is_changed {
                    self.note(ChangeKind::Changed, path);
                }
                Ok(is_changed)
            }
        }
    }

    fn note(&mut self, kind: ChangeKind, path: Vec<u8>) {
        let path = std::os::unix::ffi::OsStringExt::from_vec(path);
        self.changes.push(Change { kind, path });
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

/// Whether a directory was only copied up because of something in it.
fn same(upper: &Dir, found: &Metadata, below: &Below) -> fsroot::Result<bool> {
    if !below.found.is_dir()
        || (found.mode, found.uid, found.gid) != (below.found.mode, below.found.uid, below.found.gid)
    {
        return Ok(false);
    }
    let attributes_of = |fd: &dyn std::os::fd::AsFd| {
        let names = attributes::xattr_names(fd.as_fd())?.into_iter();
        let names = names.filter(|name| !name.starts_with(b"trusted.overlay."));
        names.map(|name| Ok((attributes::xattr(fd.as_fd(), &name)?, name))).collect::<fsroot::Result<Vec<_>>>()
    };
    let lower = below.topmost.open(Name::from_os(&below.name)?, OFlags::PATH)?;
    Ok(attributes_of(upper)? == attributes_of(&lower)?)
}

/// Something in it came or went, even if nothing of it is left.
fn moved(found: &Metadata, below: &Below) -> bool {
    let time = |of: &Metadata| (of.modified.tv_sec, of.modified.tv_nsec);
    time(found) != time(&below.found)
}

/// What `lower`, directories of one path, the topmost first, have of `name`.
fn below(lower: &[Dir], name: Name<'_>) -> fsroot::Result<Option<Below>> {
    let mut below: Option<Below> = None;
    for dir in lower {
        let found = match dir.metadata(name) {
            Ok(found) => found,
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if (found.file_type == FileType::CharacterDevice && found.special_device == 0)
            || (below.is_some() && !found.is_dir())
        {
            break;
        }
        let opened = if found.is_dir() { Some(dir.open_dir(name)?) } else { None };
        let whole = below.get_or_insert(Below {
            found,
            topmost: dir.try_clone()?,
            name: name.as_os_str().to_owned(),
            merged: Vec::new(),
        });
        let Some(opened) = opened else { break };
        let is_opaque = attributes::xattr(&opened, b"trusted.overlay.opaque")?.is_some_and(|value| value == b"y");
        whole.merged.push(opened);
        if is_opaque {
            break;
        }
    }
    Ok(below)
}

fn joined(above: &[u8], name: &[u8]) -> Vec<u8> {
    [above, b"/", name].concat()
}
