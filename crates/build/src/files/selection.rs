//! What a copy takes. Owns the walk through the source: every directory is read once, nothing else is opened.

use std::collections::HashMap;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use dockerfile::ignore::Wildcard;
use dockerfile::path::clean;
use fsroot::{Dir, ErrorKind, FileType, Follow, Metadata, Name};

use super::filter::{Above, Filter};
use super::resolve::{Spot, enter, is_gone, resolve, without_slashes};
use super::{Origin, joined, not_found, shown, split, wildcard};
use crate::error::{Error, Result};
use crate::llb::message::file::Copy;

/// How deep directories may be nested: each costs a descriptor on both sides, of which a process has 1024.
const DEPTH: usize = 256;

/// What a copy takes, found but not yet touched: what is in files is not known, and may change.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// All files, each directory before what is in it, and what is in one sorted by name.
    pub(super) entries: Vec<Entry>,
    /// What the source means: one thing, or what its wildcards match.
    pub(super) sources: Vec<Source>,
}

/// One thing that the source of a copy means.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is called where it is copied into a directory; nothing if only its content is meant.
    pub(super) name: Vec<u8>,
    /// It and what is in it.
    pub(super) entries: Range<usize>,
    /// How much of their paths is not below it.
    prefix: usize,
}

/// One file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it is, from the root of the source; no component was a symlink.
    pub(super) path: Vec<u8>,
    /// What it was when it was found.
    pub(super) found: Metadata,
    /// Of a symlink, what it says.
    pub(super) target: Vec<u8>,
    /// Whether it is taken itself, or only on the way to what is taken.
    pub(super) is_taken: bool,
    /// Which file before it is the same one by another name.
    pub(super) first: Option<usize>,
}

impl Source {
    /// The path of an entry below this.
    pub(super) fn below<'e>(&self, entry: &'e Entry) -> &'e [u8] {
        entry.path.get(self.prefix..).unwrap_or_default()
    }
}

impl Selection {
    /// What `copy` takes of `from`.
    ///
    /// # Errors
    /// `NotFound`, naming the path, and `Invalid`.
    pub(crate) fn of(copy: &Copy, from: &Origin<'_>) -> Result<Selection> {
        let filter = Filter::of(from.ignored, &copy.include_patterns, &copy.exclude_patterns)?;
        let mut walk = Walk::new(from, filter);
        let follow = if copy.follow_symlink { Follow::Yes } else { Follow::No };
        let source = clean(&format!("/{}", copy.src));
        if copy.allow_wildcard && Wildcard::is_in(&source) {
            for path in wildcard::find(from.root, &source, follow)? {
                walk.source(&path, split(&path).1, follow, false)?;
            }
            if walk.selection.sources.is_empty() && !copy.allow_empty_wildcard {
                return Err(not_found(without_slashes(source.as_bytes())));
            }
        } else {
            let path = without_slashes(source.as_bytes());
            let name = if copy.src.ends_with("/.") { &[] } else { split(path).1 };
            walk.source(path, name, follow, true)?;
        }
        let missing = copy.required_paths.iter().find(|required| !walk.has(&clean(required)));
        match missing {
            Some(required) => Err(not_found(without_slashes(required.as_bytes()))),
            None => Ok(walk.selection),
        }
    }

    /// Everything at `path`, a directory or a file.
    ///
    /// # Errors
    /// `NotFound`, naming the path.
    pub(crate) fn tree(path: &str, from: &Origin<'_>) -> Result<Selection> {
        let mut walk = Walk::new(from, Filter::of(from.ignored, &[], &[])?);
        walk.source(without_slashes(path.as_bytes()), &[], Follow::Yes, true)?;
        Ok(walk.selection)
    }
}

struct Walk<'a> {
    from: &'a Origin<'a>,
    filter: Filter<'a>,
    selection: Selection,
    /// As which paths the sources were asked for.
    named: Vec<Vec<u8>>,
    /// Files with several names, by what tells files apart.
    links: HashMap<(u64, u64), usize>,
}

impl<'a> Walk<'a> {
    fn new(from: &'a Origin<'a>, filter: Filter<'a>) -> Walk<'a> {
        Walk { from, filter, selection: Selection::default(), named: Vec::new(), links: HashMap::new() }
    }

    /// Adds what is at `path`. Whether it was asked for by name decides whether it must be there.
    fn source(&mut self, path: &[u8], name: &[u8], follow: Follow, is_named: bool) -> Result<()> {
        let spot = resolve(self.from.root, path, follow, None)?;
        let found = match spot.found {
            Some(found) => found,
            None if spot.is_root() => fsroot::attributes::metadata(&spot.dir)?,
            None => return Err(not_found(path)),
        };
        let (start, prefix) = (self.selection.entries.len(), spot.path.len() + usize::from(!spot.path.is_empty()));
        let exists =
            if found.is_dir() { self.tree(spot, found, prefix)? } else { self.single(&spot, found, is_named)? };
        if !exists && is_named {
            return Err(not_found(path).with_hint("a pattern in .dockerignore leaves it out"));
        }
        let entries = start..self.selection.entries.len();
        if !entries.is_empty() {
            self.selection.sources.push(Source { name: name.to_vec(), entries, prefix });
            self.named.push(path.to_vec());
        }
        Ok(())
    }

    /// A source that is no directory; whether it is there.
    fn single(&mut self, spot: &Spot, found: Metadata, is_named: bool) -> Result<bool> {
        if !self.filter.source(&spot.path).exists {
            return Ok(false);
        }
        if is_named && !self.can_copy(&found) {
            let what = shown(&spot.path);
            return Err(Error::invalid(format!("{what} is a {:?}, which cannot be copied", found.file_type)));
        }
        self.add_file(&spot.dir, &spot.name, spot.path.clone(), found)?;
        Ok(true)
    }

    /// A source that is a directory; whether it is there.
    fn tree(&mut self, spot: Spot, found: Metadata, prefix: usize) -> Result<bool> {
        let seen = self.filter.source(&spot.path);
        if !seen.may_have {
            return Ok(false);
        }
        let (at, path) = (self.selection.entries.len(), spot.path.clone());
        self.add(Entry { path: path.clone(), found, target: Vec::new(), is_taken: true, first: None });
        let has_some = self.directory(&spot.into_dir(None)?, &path, prefix, &seen.above, 0)?;
        let exists = seen.exists || has_some;
        if !exists {
            self.selection.entries.truncate(at);
        }
        Ok(exists)
    }

    /// Adds what is in a directory; whether anything is.
    fn directory(&mut self, dir: &Dir, path: &[u8], prefix: usize, above: &Above, depth: usize) -> Result<bool> {
        if depth > DEPTH {
            return Err(Error::invalid(format!("{}: directories are nested deeper than {DEPTH}", shown(path))));
        }
        let mut names: Vec<Vec<u8>> = dir.names()?.into_iter().map(OsStringExt::into_vec).collect();
        names.sort();
        let mut has_some = false;
        for name in names {
            let found = match dir.metadata(Name::new(&name)?) {
                Ok(found) => found,
                // It was removed since the directory was read.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let path = joined(path, &name);
            let seen = self.filter.look(&path, &path[prefix..], above);
            if !found.is_dir() {
                has_some |= seen.exists;
                if seen.exists && seen.is_taken {
                    self.add_file(dir, &name, path, found)?;
                }
                continue;
            }
            if !seen.may_have {
                has_some |= seen.exists;
                continue;
            }
            let at = self.selection.entries.len();
            let is_taken = seen.is_taken;
            self.add(Entry { path: path.clone(), found, target: Vec::new(), is_taken, first: None });
            let inside = enter(dir, &name, || path.clone())?;
            let exists = self.directory(&inside, &path, prefix, &seen.above, depth + 1)? || seen.exists;
            has_some |= exists;
            if self.selection.entries.len() == at + 1 && !(exists && is_taken) {
                self.selection.entries.truncate(at);
            }
        }
        Ok(has_some)
    }

    /// Adds what is no directory, unless it is of a kind that is not copied.
    fn add_file(&mut self, dir: &Dir, name: &[u8], path: Vec<u8>, found: Metadata) -> Result<()> {
        if !self.can_copy(&found) {
            return Ok(());
        }
        let target = if found.is_symlink() {
            match dir.read_link(Name::new(name)?) {
                Ok(target) => target.as_bytes().to_vec(),
                Err(error) if is_gone(&error) || error.kind() == ErrorKind::InvalidPath => {
                    return Err(super::changed(&path));
                }
                Err(error) => return Err(error.into()),
            }
        } else {
            Vec::new()
        };
        let first = if found.is_file() && found.links > 1 {
            let (this, key) = (self.selection.entries.len(), (found.device, found.inode));
            Some(*self.links.entry(key).or_insert(this)).filter(|first| *first != this)
        } else {
            None
        };
        self.add(Entry { path, found, target, is_taken: true, first });
        Ok(())
    }

    fn add(&mut self, entry: Entry) {
        self.selection.entries.push(entry);
    }

    /// Sockets mean nothing where nobody listens. Devices are a stage's only: a context of somebody could name the host's. And a
    /// character device 0:0 says to overlayfs that a file of the layer below is gone.
    fn can_copy(&self, found: &Metadata) -> bool {
        match found.file_type {
            FileType::RegularFile | FileType::Symlink | FileType::Fifo => true,
            FileType::CharacterDevice if found.special_device == 0 => false,
            FileType::CharacterDevice | FileType::BlockDevice => !self.from.belongs_to_root,
            _ => false,
        }
    }

    /// Whether a path, as it was asked for, was found, or something in it.
    fn has(&self, path: &str) -> bool {
        let path = without_slashes(path.as_bytes());
        let sources = self.selection.sources.iter().zip(&self.named);
        sources.into_iter().any(|(source, named)| {
            let mut entries = self.selection.entries[source.entries.clone()].iter();
            entries.any(|entry| {
                let whole = joined(named, source.below(entry));
                path.is_empty()
                    || whole.strip_prefix(path).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
            })
        })
    }
}
