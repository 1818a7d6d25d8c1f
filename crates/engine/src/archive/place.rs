//! What `cp` does with slashes, dots and what is there already (docker's documentation of `docker cp`). Owns the rules; looks at the two file
//! systems, and changes nothing.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use fsroot::{ErrorKind as FsKind, FileType, Follow, OFlags, Root, attributes};

use crate::error::{Error, ErrorKind, Result};

/// Symlinks that are followed at the end of a destination.
const SYMLINKS: usize = 40;

/// A path as it was typed, cleaned as docker does: `..` shortens what stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cleaned {
    /// Without a slash in front or behind, `.` and `..`; empty for the root.
    pub(super) path: Vec<u8>,
    /// It ends in a slash, so it must be a directory.
    pub(super) is_directory: bool,
    /// It ends in `.`: what is in the directory is meant, and not itself.
    pub(super) contents: bool,
}

impl Cleaned {
    pub(super) fn new(text: &[u8]) -> Cleaned {
        let mut names: Vec<&[u8]> = Vec::new();
        for name in text.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        let last = text.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_root = names.is_empty();
        Cleaned {
            path: names.join(&b'/'),
            is_directory: matches!(last, b"" | b"." | b".."),
            contents: last == b"." || is_root,
        }
    }

    /// The last name; empty for the root.
    pub(super) fn name(&self) -> &[u8] {
        split(&self.path).1
    }

    fn shown(&self) -> String {
        format!("/{}", self.path.escape_ascii())
    }
}

/// The directory that a path names something in, and the name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// What is copied.
pub(super) struct Source {
    /// Open as a path.
    pub(super) file: OwnedFd,
    pub(super) is_directory: bool,
    pub(super) path: Cleaned,
}

impl Source {
    /// Looks for what `path` means in `root`; with `follow` the target of a symlink at its end.
    ///
    /// # Errors
    /// `NotFound`.
    pub(super) fn find(root: &Root, path: Cleaned, follow: bool) -> Result<Source> {
        let mut text = if path.path.is_empty() { b".".to_vec() } else { path.path.clone() };
        if path.is_directory {
            // The kernel follows a symlink that a slash follows, and wants a directory.
            text.push(b'/');
        }
        let follow = if follow { Follow::Yes } else { Follow::No };
        let file =
            root.open_file(OsStr::from_bytes(&text), OFlags::PATH, follow).map_err(|error| match error.kind() {
                FsKind::NotFound => Error::not_found(format!("{}: no such file or directory", path.shown())),
                FsKind::NotADirectory => Error::invalid(format!("{}: not a directory", path.shown())),
                _ => Error::new(ErrorKind::System, format!("{}: {error}", path.shown())),
            })?;
        let found = attributes::metadata(&file).map_err(|error| wrong(&path, &error))?;
        Ok(Source { file, is_directory: found.is_dir(), path })
    }
}

/// Where it is copied to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// A directory that is there.
    pub(super) directory: Vec<u8>,
    /// What the copy is called in it; nothing for the contents of a directory.
    pub(super) called: Vec<u8>,
}

impl Destination {
    /// Judges what a copy of `source` to `path` in `root` means.
    ///
    /// # Errors
    /// `NotFound` for a directory that must be there, `Invalid` for a directory over a file.
    pub(super) fn find(root: &Root, path: &Cleaned, source: &Source) -> Result<Destination> {
        let (path, found) = followed(root, path)?;
        match found {
            Some(FileType::Directory) if source.path.contents && source.is_directory => {
                Ok(Destination { directory: path.path, called: Vec::new() })
            }
            Some(FileType::Directory) => Ok(Destination { directory: path.path, called: source.path.name().to_vec() }),
            Some(_) if source.is_directory => {
                Err(Error::invalid(format!("cannot copy a directory to a file: {}", path.shown())))
            }
            Some(_) if path.is_directory => Err(Error::invalid(format!("{}: not a directory", path.shown()))),
            Some(FileType::RegularFile | FileType::Symlink) => Ok(beside(&path)),
            Some(_) => Err(Error::invalid(format!("{}: neither a file nor a directory", path.shown()))),
            None if path.is_directory && !source.is_directory => {
                let message = format!("{}/: no such directory, and cp makes none for a file", path.shown());
                Err(Error::not_found(message))
            }
            None => {
                let destination = beside(&path);
                existing_directory(root, &Cleaned { path: destination.directory.clone(), ..path })?;
                Ok(destination)
            }
        }
    }

    /// Judges where the entries of an archive go.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for what is no directory.
    pub(super) fn of_archive(root: &Root, path: &Cleaned) -> Result<Destination> {
        let (path, _) = followed(root, path)?;
        existing_directory(root, &path)?;
        Ok(Destination { directory: path.path, called: Vec::new() })
    }
}

fn beside(path: &Cleaned) -> Destination {
    let (directory, called) = split(&path.path);
    Destination { directory: directory.to_vec(), called: called.to_vec() }
}

fn existing_directory(root: &Root, path: &Cleaned) -> Result<()> {
    let text = if path.path.is_empty() { &b"."[..] } else { &path.path };
    match root.metadata(OsStr::from_bytes(text), Follow::Yes) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::invalid(format!("{}: not a directory", path.shown()))),
        Err(error) if error.kind() == FsKind::NotFound => {
            Err(Error::not_found(format!("{}: no such directory", path.shown())))
        }
        Err(error) => Err(wrong(path, &error)),
    }
}

/// Follows the symlinks at the end of a destination, also to what is not there yet; and what is there.
fn followed(root: &Root, path: &Cleaned) -> Result<(Cleaned, Option<FileType>)> {
    let mut path = path.clone();
    for _ in 0..SYMLINKS {
        if path.path.is_empty() {
            return Ok((path, Some(FileType::Directory)));
        }
        let text = OsStr::from_bytes(&path.path);
        let found = match root.metadata(text, Follow::No) {
            Ok(found) => found,
            Err(error) if error.kind() == FsKind::NotFound => return Ok((path, None)),
            Err(error) if error.kind() == FsKind::NotADirectory => {
                return Err(Error::invalid(format!("{}: not a directory", path.shown())));
            }
            Err(error) => return Err(wrong(&path, &error)),
        };
        if !found.is_symlink() {
            return Ok((path, Some(found.file_type)));
        }
        let target = root.read_link(text).map_err(|error| wrong(&path, &error))?;
        let target = target.as_os_str().as_bytes();
        let whole = match target.first() {
            Some(b'/') => target.to_vec(),
            _ => [split(&path.path).0, b"/", target].concat(),
        };
        path.path = Cleaned::new(&whole).path;
    }
    Err(Error::invalid(format!("{}: too many symlinks", path.shown())))
}

fn wrong(path: &Cleaned, error: &fsroot::Error) -> Error {
    Error::new(ErrorKind::System, format!("{}: {error}", path.shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let check = |text: &str, path: &str, is_directory: bool, contents: bool| {
            let want = Cleaned { path: path.as_bytes().to_vec(), is_directory, contents };
            assert_eq!(Cleaned::new(text.as_bytes()), want, "{text}");
        };
        check("/a/b", "a/b", false, false);
        check("a//b/", "a/b", true, false);
        check("/a/b/.", "a/b", true, true);
        check("/a/../b", "b", false, false);
        check("/a/..", "", true, true);
        check("/../../x", "x", false, false);
        check("/", "", true, true);
        check("", "", true, true);
        check(".", "", true, true);
        check("./a", "a", false, false);
        check("/a/b/..", "a", true, false);
    }
}
