//! Files of an image, read from its layers without mounting them.
//!
//! The layers of a container lie on the host as directories; only the container's own mount namespace has them as one
//! tree. To find a user's number before that, this walks them as overlayfs would: the topmost layer that has a name wins,
//! a whiteout (character device 0:0) or an opaque directory hides what is below, and symlinks are followed in
//! the merged tree. Every step opens one component of one layer and follows nothing, so no path of a stranger is ever
//! resolved by the kernel.
//!
//! Source: Documentation/filesystems/overlayfs.rst.

#[cfg(test)]
mod tests;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use fsroot::{Dir, ErrorKind, FileType, Name, OFlags, Root, attributes};

use crate::error::{Context, Error, Result};

/// As many symlinks as the kernel follows in one path.
const MOST_SYMLINKS: usize = 40;

/// Layers as one tree.
pub(crate) struct Merged {
    /// The topmost first.
    layers: Vec<Root>,
}

/// What one layer says about a path.
enum Look {
    Found(OwnedFd),
    /// The component of this index is a symlink to this target.
    Symlink(usize, Vec<u8>),
    /// Neither this layer nor one below it has the path.
    Hidden,
    /// Another layer may have it.
    Below,
}

impl Merged {
    /// Opens the layers, the topmost first.
    ///
    /// # Errors
    /// `System` when one is not there.
    pub(crate) fn open<'a>(layers: impl IntoIterator<Item = &'a PathBuf>) -> Result<Merged> {
        let open = |path: &'a PathBuf| Root::open(path).map_err(wrong);
        Ok(Merged { layers: layers.into_iter().map(open).collect::<Result<_>>()? })
    }

    /// The content of the regular file at `path`; None when there is none.
    ///
    /// # Errors
    /// `Invalid` for what is not a regular file, is larger than `most` bytes, or hides behind too many symlinks.
    pub(crate) fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(found) = self.find(path)? else { return Ok(None) };
        let metadata = attributes::metadata(&found).map_err(wrong)?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("the image's {path} is not a regular file")));
        }
        if metadata.size > most {
            return Err(Error::invalid(format!("the image's {path} is larger than {most} bytes")));
        }
        let file = std::fs::File::from(attributes::reopen(&found, OFlags::RDONLY).map_err(wrong)?);
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content).context(|| format!("reading the image's {path}"))?;
        Ok(Some(content))
    }

    /// Where the directory `path` lies in the merged tree once all symlinks are followed; None when there is none.
    ///
    /// # Errors
    /// `Conflict` for what is there and is no directory.
    pub(crate) fn directory(&self, path: &str) -> Result<Option<Vec<Vec<u8>>>> {
        let Some((components, found)) = self.find_at(path)? else { return Ok(None) };
        if attributes::metadata(&found).map_err(wrong)?.is_dir() {
            return Ok(Some(components));
        }
        Err(Error::conflict(format!("the image has a file at {path}, and no directory")))
    }

    /// The directories of the layers that make up one directory of the merged tree, the topmost first. `components` are
    /// names of directories, and of no symlinks.
    pub(crate) fn parts(&self, components: &[Vec<u8>]) -> Result<Vec<Dir>> {
        let mut parts = Vec::new();
        for layer in &self.layers {
            if !add_part(layer.dir(), components, &mut parts).map_err(wrong)? {
                break;
            }
        }
        Ok(parts)
    }

    fn find(&self, path: &str) -> Result<Option<OwnedFd>> {
        Ok(self.find_at(path)?.map(|(_, found)| found))
    }

    fn find_at(&self, path: &str) -> Result<Option<(Vec<Vec<u8>>, OwnedFd)>> {
        let mut components = Vec::new();
        push(&mut components, path.as_bytes());
        if components.is_empty() {
            return Ok(None);
        }
        for _ in 0..MOST_SYMLINKS {
            match self.look(&components)? {
                Look::Found(file) => return Ok(Some((components, file))),
                Look::Hidden | Look::Below => return Ok(None),
                Look::Symlink(index, target) => {
                    let rest = components.split_off(index + 1);
                    components.pop();
                    push(&mut components, &target);
                    components.extend(rest);
                }
            }
        }
        Err(Error::invalid(format!("the image's {path} hides behind too many symlinks")))
    }

    fn look(&self, components: &[Vec<u8>]) -> Result<Look> {
        for layer in &self.layers {
            match look_in(layer.dir(), components).map_err(wrong)? {
                Look::Below => {}
                answer => return Ok(answer),
            }
        }
        Ok(Look::Below)
    }
}

fn look_in(layer: &Dir, components: &[Vec<u8>]) -> fsroot::Result<Look> {
    let mut walked = vec![layer.try_clone()?];
    for (index, component) in components.iter().enumerate() {
        let (name, dir) = (Name::new(component)?, &walked[index]);
        let found = match dir.open(name, OFlags::PATH) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(if any_opaque(&walked)? { Look::Hidden } else { Look::Below });
            }
            Err(error) => return Err(error),
        };
        let metadata = attributes::metadata(&found)?;
        match metadata.file_type {
            FileType::CharacterDevice if metadata.special_device == 0 => return Ok(Look::Hidden),
            FileType::Symlink => return Ok(Look::Symlink(index, dir.read_link(name)?.as_bytes().to_vec())),
            _ if index + 1 == components.len() => return Ok(Look::Found(found)),
            FileType::Directory => walked.push(Dir::from_fd(found)?),
            _ => return Ok(Look::Hidden),
        }
    }
    Ok(Look::Hidden)
}

/// Adds what one layer has of a directory; false when the layers below it do not count any more. One descriptor at a
/// time: a directory of an image can lie deeper than a process can have files open.
fn add_part(layer: &Dir, components: &[Vec<u8>], parts: &mut Vec<Dir>) -> fsroot::Result<bool> {
    let mut dir = layer.try_clone()?;
    let mut hides = is_opaque(&dir)?;
    for component in components {
        let found = match dir.open(Name::new(component)?, OFlags::PATH) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(!hides),
            Err(error) => return Err(error),
        };
        if !attributes::metadata(&found)?.is_dir() {
            return Ok(false);
        }
        dir = Dir::from_fd(found)?;
        hides |= is_opaque(&dir)?;
    }
    parts.push(Dir::from_fd(attributes::reopen(&dir, OFlags::RDONLY | OFlags::DIRECTORY)?)?);
    Ok(!hides)
}

fn any_opaque(walked: &[Dir]) -> fsroot::Result<bool> {
    for dir in walked {
        if is_opaque(dir)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_opaque(dir: &Dir) -> fsroot::Result<bool> {
    Ok(attributes::xattr(dir, b"trusted.overlay.opaque")?.is_some_and(|value| value == b"y"))
}

/// Adds the components of `path`, which `..` shortens: what stands before it is no symlink here.
fn push(components: &mut Vec<Vec<u8>>, path: &[u8]) {
    if path.first() == Some(&b'/') {
        components.clear();
    }
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            name => components.push(name.to_vec()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn wrong(error: fsroot::Error) -> Error {
    Error::new(crate::ErrorKind::System, format!("looking into the image's layers: {error}"))
}
