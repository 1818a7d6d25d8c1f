//! The first content of a volume: a copy of what the image has at the path, read from its layers as overlayfs would merge
//! them.
//!
//! The image is hostile: nothing of it is opened but regular files, by descriptor, one component at a time; symlinks are
//! copied as text, devices are made anew and never opened, and holes stay holes, so that a file that only claims to be
//! large costs nothing. The directory that is filled is the store's, and nobody else knows it yet.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use fsroot::{Contents, Dir, FileType, Metadata, Name, OFlags, Root, Timestamps, attributes};

use crate::error::{Context, Error, ErrorKind, Result};
use crate::images::merged::Merged;

/// Copies the directory `from` of the merged tree, with its own owner, mode and times, into the directory `into`.
///
/// # Errors
/// `System`, naming the file.
pub(super) fn fill(image: &Merged, from: &[Vec<u8>], into: &Path) -> Result<()> {
    let mut copy = Copy {
        image,
        from,
        root: Root::open(into).map_err(wrong)?,
        linked: HashMap::new(),
        contents: Contents::default(),
    };
    let (mut todo, mut made) = (vec![PathBuf::new()], Vec::new());
    while let Some(directory) = todo.pop() {
        copy.directory(&directory, &mut todo)?;
        made.push(directory);
    }
    // The deepest first: what is made in a directory changes its times. Opened once more: an image has more directories
    // than a process can have open.
    for directory in made.iter().rev() {
        copy.describe(directory)?;
    }
    Ok(())
}

/// A copy on the way. Paths are relative to both trees.
struct Copy<'a> {
    image: &'a Merged,
    from: &'a [Vec<u8>],
    root: Root,
    /// Where the first name of a file lies that has several.
    linked: HashMap<(u64, u64), PathBuf>,
    contents: Contents,
}

impl Copy<'_> {
    /// Copies what is in a directory, and adds those in it to what is to be done.
    fn directory(&mut self, path: &Path, todo: &mut Vec<PathBuf>) -> Result<()> {
        let target = self.open(path)?;
        let mut seen = HashSet::new();
        for part in self.parts(path)? {
            for name in part.names().map_err(wrong)? {
                let bytes = name.clone().into_vec();
                if !seen.insert(bytes) {
                    continue;
                }
                let path = path.join(&name);
                if self.entry(&part, &name, &target, &path)? {
                    todo.push(path);
                }
            }
        }
        Ok(())
    }

    /// What the layers have of a directory, the topmost first.
    fn parts(&self, path: &Path) -> Result<Vec<Dir>> {
        let mut components = self.from.to_vec();
        components.extend(path.components().map(|component| component.as_os_str().as_bytes().to_vec()));
        self.image.parts(&components)
    }

    fn open(&self, path: &Path) -> Result<Dir> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        self.root.open_dir(path).map_err(wrong)
    }

    /// Copies one thing; whether it is a directory, which so far is empty.
    fn entry(&mut self, from: &Dir, name: &OsStr, to: &Dir, path: &Path) -> Result<bool> {
        let name = Name::from_os(name).map_err(wrong)?;
        let source = from.open(name, OFlags::PATH).map_err(wrong)?;
        let found = attributes::metadata(&source).map_err(wrong)?;
        match found.file_type {
            FileType::Directory => {
                to.make_dir(name, 0o700).map_err(wrong)?;
                return Ok(true);
            }
            // A whiteout.
            FileType::CharacterDevice if found.special_device == 0 => return Ok(false),
            FileType::Symlink => {
                let target = from.read_link(name).map_err(wrong)?;
                to.symlink(target.as_bytes(), name).map_err(wrong)?;
            }
            _ if self.link(&found, path)? => return Ok(false),
            FileType::RegularFile => {
                let made = to.create_file(name, 0o600).map_err(wrong)?;
                let source = attributes::reopen(&source, OFlags::RDONLY).map_err(wrong)?;
                self.contents
                    .copy(source.as_fd(), made.as_fd(), found.size)
                    .context(|| format!("copying the image's {}", path.display()))?;
            }
            kind => to.mknod(name, kind, 0o600, found.special_device).map_err(wrong)?,
        }
        let made = to.open(name, OFlags::PATH).map_err(wrong)?;
        describe(&source, &found, &made)?;
        to.set_times(name, &times(&found)).map_err(wrong)?;
        Ok(false)
    }

    /// Whether the file has been copied under another name, and now has this one too.
    fn link(&mut self, found: &Metadata, path: &Path) -> Result<bool> {
        if found.links < 2 {
            return Ok(false);
        }
        if let Some(first) = self.linked.get(&(found.device, found.inode)) {
            return self.root.hardlink(first, path).map(|()| true).map_err(wrong);
        }
        self.linked.insert((found.device, found.inode), path.to_owned());
        Ok(false)
    }

    fn describe(&self, path: &Path) -> Result<()> {
        let gone = || Error::new(ErrorKind::System, format!("copying the image's files: {} is gone", path.display()));
        let from = &self.parts(path)?.into_iter().next().ok_or_else(gone)?;
        let (found, made) = (attributes::metadata(from).map_err(wrong)?, self.open(path)?);
        describe(from, &found, &made)?;
        attributes::set_times(&made, &times(&found)).map_err(wrong)
    }
}

/// Owner, mode and extended attributes. In this order: a change of owner takes set-id bits and capabilities away.
fn describe(source: &impl std::os::fd::AsFd, found: &Metadata, made: &impl AsFd) -> Result<()> {
    attributes::set_owner(made, found.uid, found.gid).map_err(wrong)?;
    if found.is_symlink() {
        return Ok(());
    }
    attributes::set_mode(made, found.mode).map_err(wrong)?;
    for key in attributes::xattr_names(source).map_err(wrong)? {
        // Those of overlayfs say something about layers, and SELinux labels are the host's.
        let ours = [&b"trusted.overlay."[..], b"user.overlay.", b"security.selinux"];
        if ours.iter().any(|prefix| key.starts_with(prefix)) {
            continue;
        }
        let Some(value) = attributes::xattr(source, &key).map_err(wrong)? else { continue };
        match attributes::set_xattr(made, &key, &value) {
            Err(error) if error.kind() == fsroot::ErrorKind::Unsupported => {}
            other => other.map_err(wrong)?,
        }
    }
    Ok(())
}

fn times(found: &Metadata) -> Timestamps {
    Timestamps { last_access: found.modified, last_modification: found.modified }
}

fn wrong(error: fsroot::Error) -> Error {
    Error::system("copying the image's files", error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::process::{Resource, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn more_directories_than_descriptors() {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(limit.current.unwrap_or(u64::MAX).min(1024));
        setrlimit(Resource::Nofile, limit).expect("less is allowed");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (layer, into) = (directory.path().join("layer"), directory.path().join("into"));
        for number in 0..1100 {
            fs::create_dir_all(layer.join(format!("usr/{number}"))).expect("made");
        }
        fs::create_dir(&into).expect("made");
        let image = Merged::open([&layer]).expect("opens");
        fill(&image, &[b"usr".to_vec()], &into).expect("is filled");
        assert_eq!(fs::read_dir(&into).expect("lists").count(), 1100);
    }
}
