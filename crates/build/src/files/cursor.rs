//! Directories that are open while a tree is walked in order. Owns their descriptors: what is next to a file is found without
//! a path being resolved again.

use fsroot::{Dir, Root};

use super::resolve::enter;
use super::{joined, split};
use crate::error::Result;

/// The directory that a walk is in, and those above it.
pub(super) struct Cursor<'a> {
    root: &'a Root,
    /// Open directories below the root, each with its path.
    open: Vec<(Vec<u8>, Dir)>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(root: &'a Root) -> Cursor<'a> {
        Cursor { root, open: Vec::new() }
    }

    /// The directory at this path, in which no component was a symlink.
    ///
    /// # Errors
    /// `Changed` if one of them is one now, or nothing.
    pub(super) fn dir(&mut self, path: &[u8]) -> Result<&Dir> {
        while self.open.last().is_some_and(|(open, _)| !is_at_or_below(path, open)) {
            self.open.pop();
        }
        loop {
            let (at, here) = self.open.last().map_or((&[][..], self.root.dir()), |(path, dir)| (&path[..], dir));
            if at.len() == path.len() {
                break;
            }
            let rest = if at.is_empty() { path } else { &path[at.len() + 1..] };
            let name = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
            let whole = joined(at, name);
            let dir = enter(here, name, || whole.clone())?;
            self.open.push((whole, dir));
        }
        Ok(self.open.last().map_or(self.root.dir(), |(_, dir)| dir))
    }

    /// The directory that this path is in, and its name there.
    pub(super) fn parent<'p>(&mut self, path: &'p [u8]) -> Result<(&Dir, &'p [u8])> {
        let (above, name) = split(path);
        Ok((self.dir(above)?, name))
    }
}

fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
