//! The directories of the layer that is being written. Owns the way from the name of a parent to its open descriptor; never decides what an
//! entry becomes.
//!
//! What is remembered is which directories this layer has, as a tree, and the descriptors of those in use. Whatever is not
//! in the tree is asked of the kernel, one name at a time. Symlinks are read and walked here, so the kernel follows none.

use std::collections::{HashMap, VecDeque};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use fsroot::{Dir, ErrorKind, FileType, Name, Timestamps};

use super::path::components;
use super::{Error, Result};

/// How many directories are open at once besides the top. Several layers are unpacked at a time, and 1024 descriptors is what a process
/// usually may have.
const MAX_OPEN: usize = 48;
/// As many symlinks as the kernel follows in one path.
const MAX_SYMLINKS: usize = 40;
/// What a directory gets that no entry describes.
const IMPLIED_MODE: u32 = 0o755;

/// A directory in the tree. Never used again for another one.
pub(super) type Id = usize;

/// The layer's top directory.
pub(super) const TOP: Id = 0;

/// The directories of one layer.
pub(super) struct Tree {
    nodes: Vec<Option<Node>>,
    top: Rc<Dir>,
    /// Nodes with an open descriptor, and some that had one, oldest first.
    open: VecDeque<Id>,
    /// The parent that was asked for last, and what it was found to be. Forgotten as soon as anything is replaced: a name
    /// that was a directory, or led to one, may be something else by then (CVE-2025-47290).
    last: Option<(Vec<u8>, Id)>,
    limit: usize,
}

struct Node {
    parent: Id,
    name: Box<[u8]>,
    children: HashMap<Box<[u8]>, Id>,
    dir: Option<Rc<Dir>>,
    /// Used since the oldest descriptors were last looked through.
    recent: bool,
    attributes: Option<Attributes>,
}

/// What a directory is to be like in the end. Set last, because entries that are made in a directory change its time, a set-group-id
/// directory hands its group down, and its owner may not be allowed to write.
#[derive(Debug, Clone)]
pub(super) struct Attributes {
    /// The mode that it was created with; none if it was there before or is not known.
    pub(super) created: Option<u32>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// None leaves the time as it is.
    pub(super) times: Option<Timestamps>,
    /// ACLs, which new files in the directory would inherit.
    pub(super) acls: Vec<(Vec<u8>, Vec<u8>)>,
}

enum Found {
    Directory(Id),
    Symlink(Vec<u8>),
    Nothing,
}

impl Tree {
    pub(super) fn new(top: Dir, limit: usize) -> Self {
        let node = Node::new(TOP, b"");
        Self { nodes: vec![Some(node)], top: Rc::new(top), open: VecDeque::new(), last: None, limit }
    }

    /// The directory that `path`, a text without `..`, leads to inside the layer. What is missing is made.
    pub(super) fn directory(&mut self, path: &[u8]) -> Result<Id> {
        if let Some((last, id)) = &self.last
            && last == path
        {
            return Ok(*id);
        }
        let id = self.walk(TOP, path, &mut 0, true)?.ok_or_else(|| Error::refused("has no parent directory"))?;
        let mut text = self.last.take().map_or_else(Vec::new, |(text, _)| text);
        text.clear();
        text.extend_from_slice(path);
        self.last = Some((text, id));
        Ok(id)
    }

    /// The directory that `path` leads to, if the layer has it.
    pub(super) fn find(&mut self, path: &[u8]) -> Result<Option<Id>> {
        self.walk(TOP, path, &mut 0, false)
    }

    /// The directory `name` in `parent`, if the layer has it.
    pub(super) fn child(&self, parent: Id, name: Name<'_>) -> Option<Id> {
        self.node(parent)?.children.get(name.as_bytes()).copied()
    }

    /// Makes the directory `name` in `parent`; `mode` is what it is to have in the end.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` of [`fsroot`] in the inner result, if there is anything of that name.
    pub(super) fn make(&mut self, parent: Id, name: Name<'_>, mode: u32) -> Result<fsroot::Result<Id>> {
        // Whatever its owner may do with it later: we have to write in it now.
        let created = if mode & 0o700 == 0o700 { mode & 0o777 } else { 0o700 };
        if let Err(error) = self.dir(parent)?.make_dir(name, created) {
            return Ok(Err(error));
        }
        let id = self.add(parent, name)?;
        let attributes = Attributes { created: Some(created), mode, uid: 0, gid: 0, times: None, acls: Vec::new() };
        self.set_attributes(id, attributes);
        Ok(Ok(id))
    }

    /// Takes a directory into the tree that is there already.
    pub(super) fn add(&mut self, parent: Id, name: Name<'_>) -> Result<Id> {
        if self.nodes.len() >= self.limit {
            return Err(Error::too_large(format_args!("more than {} directories", self.limit)));
        }
        let id = self.nodes.len();
        self.nodes.push(Some(Node::new(parent, name.as_bytes())));
        if let Some(node) = self.node_mut(parent) {
            node.children.insert(name.as_bytes().into(), id);
        }
        Ok(id)
    }

    /// Something is about to take the place of `name` in `parent`: forgets every directory below it. True if it was one.
    pub(super) fn forget(&mut self, parent: Id, name: Name<'_>) -> bool {
        self.last = None;
        let Some(id) = self.node_mut(parent).and_then(|node| node.children.remove(name.as_bytes())) else {
            return false;
        };
        let mut doomed = vec![id];
        while let Some(node) = doomed.pop().and_then(|id| self.nodes[id].take()) {
            doomed.extend(node.children.into_values());
        }
        true
    }

    /// The descriptor of a directory.
    pub(super) fn dir(&mut self, id: Id) -> Result<Rc<Dir>> {
        if id == TOP {
            return Ok(Rc::clone(&self.top));
        }
        // From the nearest open directory above it downwards.
        let mut closed = Vec::new();
        let mut next = id;
        let mut dir = loop {
            if next == TOP {
                break Rc::clone(&self.top);
            }
            let Some(node) = self.node_mut(next) else { return Err(Error::refused("was removed")) };
            if let Some(dir) = &node.dir {
                node.recent = true;
                break Rc::clone(dir);
            }
            closed.push(next);
            next = node.parent;
        };
        for id in closed.into_iter().rev() {
            let Some(node) = self.nodes[id].as_mut() else { continue };
            dir = Rc::new(dir.open_dir(Name::new(&node.name)?)?);
            node.dir = Some(Rc::clone(&dir));
            node.recent = true;
            self.open.push_back(id);
            self.close_oldest();
        }
        Ok(dir)
    }

    /// Says what `id` is to be like in the end.
    pub(super) fn set_attributes(&mut self, id: Id, attributes: Attributes) {
        if let Some(node) = self.node_mut(id) {
            node.attributes = Some(attributes);
        }
    }

    /// What `id` was to be like so far.
    pub(super) fn attributes(&self, id: Id) -> Option<&Attributes> {
        self.node(id)?.attributes.as_ref()
    }

    /// All directories, each before the one that it is in: the parent's name and its own, and what it is to be like.
    pub(super) fn deepest_first(&self) -> impl Iterator<Item = Id> + use<> {
        // A directory is always added after its parent.
        (0..self.nodes.len()).rev()
    }

    /// The parent of `id` and its name there; none for the top, and for what was removed.
    pub(super) fn position(&self, id: Id) -> Option<(Id, &[u8])> {
        self.node(id).filter(|_| id != TOP).map(|node| (node.parent, &*node.name))
    }

    /// The names that lead to `name` in `id` from the top.
    pub(super) fn path(&self, id: Id, name: Name<'_>) -> Vec<u8> {
        let above = std::iter::successors(self.position(id), |(parent, _)| self.position(*parent));
        let mut names: Vec<&[u8]> = above.map(|(_, name)| name).collect();
        names.reverse();
        names.push(name.as_bytes());
        names.join(&b'/')
    }

    fn walk(&mut self, start: Id, path: &[u8], symlinks: &mut usize, make: bool) -> Result<Option<Id>> {
        let mut here = start;
        for component in components(path) {
            // Only in the target of a symlink.
            if component == b".." {
                here = self.node(here).map_or(TOP, |node| node.parent);
                continue;
            }
            let name = Name::new(component).map_err(|error| Error::refused(&error))?;
            if let Some(child) = self.child(here, name) {
                here = child;
                continue;
            }
            let found = if make { self.enter(here, name)? } else { self.look(here, name)? };
            here = match found {
                Found::Directory(id) => id,
                Found::Nothing => return Ok(None),
                Found::Symlink(target) => {
                    *symlinks += 1;
                    if *symlinks > MAX_SYMLINKS {
                        return Err(Error::refused("leads through too many symlinks of its layer"));
                    }
                    let start = if target.starts_with(b"/") { TOP } else { here };
                    match self.walk(start, &target, symlinks, make)? {
                        Some(id) => id,
                        None => return Ok(None),
                    }
                }
            };
        }
        Ok(Some(here))
    }

    /// Goes to `name`, which is no directory of the tree, and makes one if there is nothing.
    fn enter(&mut self, here: Id, name: Name<'_>) -> Result<Found> {
        match self.make(here, name, IMPLIED_MODE)? {
            Ok(id) => return Ok(Found::Directory(id)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        match self.look(here, name)? {
            Found::Nothing => {}
            found => return Ok(found),
        }
        // A whiteout: the directory hides what lower layers have, as the whiteout did.
        let dir = self.dir(here)?;
        if !is_whiteout(&dir, name)? {
            return Err(Error::refused(format_args!("lies below {name}, which is not a directory")));
        }
        dir.unlink(name)?;
        let id = self.make(here, name, IMPLIED_MODE)??;
        self.make_opaque(id)?;
        Ok(Found::Directory(id))
    }

    /// What `name` is, which is no directory of the tree.
    fn look(&mut self, here: Id, name: Name<'_>) -> Result<Found> {
        let dir = self.dir(here)?;
        match dir.metadata(name) {
            Ok(found) if found.is_symlink() => Ok(Found::Symlink(dir.read_link(name)?.as_bytes().to_vec())),
            Ok(found) if found.is_dir() => self.add(here, name).map(Found::Directory),
            Ok(_) => Ok(Found::Nothing),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Hides all that lower layers have in `id` (kernel documentation, `overlayfs.rst`, "whiteouts and opaque directories").
    pub(super) fn make_opaque(&mut self, id: Id) -> Result<()> {
        Ok(fsroot::attributes::set_xattr(self.dir(id)?, b"trusted.overlay.opaque", b"y")?)
    }

    fn close_oldest(&mut self) {
        while self.open.len() > MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            let Some(node) = self.node_mut(oldest) else { continue };
            if std::mem::take(&mut node.recent) {
                self.open.push_back(oldest);
            } else {
                node.dir = None;
            }
        }
    }

    fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)?.as_ref()
    }

    fn node_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id)?.as_mut()
    }
}

impl Node {
    fn new(parent: Id, name: &[u8]) -> Self {
        Self { parent, name: name.into(), children: HashMap::new(), dir: None, recent: false, attributes: None }
    }
}

/// True if `name` is what overlayfs hides a lower file with.
pub(super) fn is_whiteout(dir: &Dir, name: Name<'_>) -> Result<bool> {
    let found = dir.metadata(name)?;
    Ok(found.file_type == FileType::CharacterDevice && found.special_device == 0)
}
