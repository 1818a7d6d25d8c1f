//! What one entry becomes on disk. Owns the order of the calls and the whiteouts (image-spec `layer.md`, "Whiteouts"; overlayfs's own form of
//! them); parses nothing, resolves no path.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use fsroot::{Dir, ErrorKind as FsKind, FileType, Name, Timestamps, attributes};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::archive::{Archive, Entry, Kind};
use super::header::is_zero;
use super::path::{Role, place, split};
use super::replaced::Replaced;
use super::tree::{Attributes, Id, TOP, Tree, is_whiteout};
use super::{Error, Limits, Result, Unpacked};

/// Files of at least this size are searched for runs of zeros, which become holes.
const HOLES_FROM: u64 = 256 << 10;
/// The unit of that search.
const HOLE: u64 = 64 << 10;
/// Bytes of ACLs of directories, which are kept until the end.
const MAX_ACLS: usize = 16 << 20;

/// Writes entries below one directory.
pub(super) struct Writer {
    tree: Tree,
    fresh: Fresh,
    acl_bytes: usize,
    /// Where entries go that are no layer's but a copy's; none for a layer.
    copy: Option<Copy>,
    replaced: Replaced,
    pub(super) done: Unpacked,
}

/// How entries are copied into a tree that is there already.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    /// The directory that their names are seen from.
    pub(super) into: Vec<u8>,
    /// Who owns everything, whatever the entries say.
    pub(super) owner: Option<(u32, u32)>,
    /// Whether nothing may give the owner's rights to others: a stranger's files become somebody's on the host.
    pub(super) harmless: bool,
}

impl Copy {
    /// Takes from an entry what would make its new owner's rights another's; whether it may be written at all.
    fn disarm(&self, entry: &mut Entry) -> bool {
        if self.harmless {
            entry.mode &= !0o6000;
            entry.xattrs.retain(|(key, _)| !key.starts_with(b"security.") && !key.starts_with(b"trusted."));
        }
        !(self.harmless && matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice))
    }
}

/// What a file is like that was just created here: it saves two system calls for each that is to be like that anyway.
struct Fresh {
    /// Mode bits that the umask, or a default ACL, takes away.
    masked: u32,
    /// None if it could not be found out.
    owner: Option<(u32, u32)>,
}

impl Writer {
    /// A writer into an empty directory. `replaced` is told of the files that do not stay.
    pub(super) fn new(dest: &fsroot::Root, replaced: Replaced, limits: &Limits) -> Result<Self> {
        let top = dest.dir().try_clone()?;
        let fresh = Fresh::probe(&top);
        let tree = Tree::new(top, limits.directories);
        Ok(Self { tree, fresh, acl_bytes: 0, copy: None, replaced, done: Unpacked::default() })
    }

    /// A writer into a tree that is there already, and may be in use.
    pub(super) fn copying(root: &fsroot::Root, copy: Copy, limits: &Limits) -> Result<Self> {
        let tree = Tree::new(root.dir().try_clone()?, limits.directories);
        let (fresh, replaced) = (Fresh::UNKNOWN, Replaced::unwanted());
        Ok(Self { tree, fresh, acl_bytes: 0, copy: Some(copy), replaced, done: Unpacked::default() })
    }

    /// Writes one entry; its contents are next in `archive`.
    pub(super) fn write<R: Read>(&mut self, entry: &mut Entry, archive: &mut Archive<'_, R>) -> Result<()> {
        let path = std::mem::take(&mut entry.path);
        let answer = match self.copy.clone() {
            None => self.write_at(&path, entry, archive),
            Some(copy) => self.copy_at(&copy, &path, entry, archive),
        };
        entry.path = path;
        answer.map_err(|error| error.at(&entry.path))
    }

    /// An entry of a copy: its name means nothing but itself.
    fn copy_at<R: Read>(
        &mut self,
        copy: &Copy,
        path: &[u8],
        entry: &mut Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<()> {
        if let Some((uid, gid)) = copy.owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        if !copy.disarm(entry) {
            self.done.devices_left_out += 1;
            return Ok(());
        }
        let below = |path: &[u8]| [&copy.into, &b"/"[..], path].concat();
        if entry.kind == Kind::HardLink {
            entry.link = below(&entry.link);
        }
        // The top is there, and stays as it is.
        if split(path)?.1.is_none() {
            return Ok(());
        }
        let path = below(path);
        let (parent, Some(name)) = split(&path)? else { return Ok(()) };
        self.named(parent, name, entry, archive)
    }

    fn write_at<R: Read>(&mut self, path: &[u8], entry: &mut Entry, archive: &mut Archive<'_, R>) -> Result<()> {
        let place = place(path)?;
        let name = match place.role {
            Role::Aufs => return Ok(()),
            Role::Top => return self.top(entry),
            Role::Opaque => {
                let parent = self.tree.directory(place.parent)?;
                return self.tree.make_opaque(parent);
            }
            Role::Whiteout(name) => {
                let parent = self.tree.directory(place.parent)?;
                return self.whiteout(parent, name);
            }
            Role::Named(name) => name,
        };
        self.named(place.parent, name, entry, archive)
    }

    fn named<R: Read>(
        &mut self,
        parent: &[u8],
        name: Name<'_>,
        entry: &mut Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<()> {
        let parent = self.tree.directory(parent)?;
        if entry.kind == Kind::Directory {
            return self.directory(parent, name, entry);
        }
        let dir = self.tree.dir(parent)?;
        match entry.kind {
            Kind::File => self.file(parent, &dir, name, entry, archive),
            Kind::HardLink => self.hardlink(parent, &dir, name, &entry.link),
            Kind::Symlink => {
                self.replacing(parent, &dir, name, || dir.symlink(&entry.link, name))?;
                self.finish_special(&dir, name, entry, false)
            }
            Kind::CharDevice => self.special(parent, &dir, name, entry, FileType::CharacterDevice),
            Kind::BlockDevice => self.special(parent, &dir, name, entry, FileType::BlockDevice),
            Kind::Fifo => self.special(parent, &dir, name, entry, FileType::Fifo),
            Kind::Directory => Ok(()),
        }
    }

    fn file<R: Read>(
        &mut self,
        parent: Id,
        dir: &Dir,
        name: Name<'_>,
        entry: &Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<()> {
        let file = self.replacing(parent, dir, name, || dir.create_file(name, entry.mode & 0o777))?;
        match &entry.map {
            None => contents(&file, entry.stored, archive)?,
            Some(map) => {
                for &(offset, length) in &map.parts {
                    copy(&file, offset, length, archive)?;
                }
                truncate(&file, map.size)?;
            }
        }
        self.done.bytes += entry.stored;
        // In this order: a change of owner clears set-id bits and capabilities, writing clears capabilities.
        if self.fresh.owner != Some((entry.uid, entry.gid)) {
            attributes::set_owner(&file, entry.uid, entry.gid)?;
        }
        if entry.mode & (self.fresh.masked | 0o7000) != 0 {
            attributes::set_mode(&file, entry.mode)?;
        }
        for (key, value) in &entry.xattrs {
            self.xattr(entry.kind, key, value, |key, value| attributes::set_xattr(&file, key, value))?;
        }
        Ok(attributes::set_times(&file, &times(entry))?)
    }

    fn hardlink(&mut self, parent: Id, dir: &Dir, name: Name<'_>, link: &[u8]) -> Result<()> {
        let absent =
            || Error::refused(format_args!("is a hard link to \"{}\", which its layer lacks", link.escape_ascii()));
        let (above, Some(target)) = split(link).map_err(|_| absent())? else { return Err(absent()) };
        let from = self.tree.find(above)?.ok_or_else(absent)?;
        if (from, target.as_bytes()) == (parent, name.as_bytes()) {
            return Ok(());
        }
        if self.tree.child(from, target).is_some() {
            let link = link.escape_ascii();
            return Err(Error::refused(format_args!("is a hard link to \"{link}\", which is a directory")));
        }
        let from = self.tree.dir(from)?;
        // Owner, mode and times are those of the target: the entry has no say in them (CVE-2021-32760).
        match self.replacing(parent, dir, name, || from.hardlink(target, dir, name)) {
            Err(error) if error.is_absent() => Err(absent()),
            answer => answer,
        }
    }

    fn special(&mut self, parent: Id, dir: &Dir, name: Name<'_>, entry: &Entry, kind: FileType) -> Result<()> {
        self.replacing(parent, dir, name, || dir.mknod(name, kind, entry.mode & 0o777, entry.device))?;
        self.finish_special(dir, name, entry, true)
    }

    /// Owner, mode and times of what cannot be opened.
    fn finish_special(&mut self, dir: &Dir, name: Name<'_>, entry: &Entry, has_mode: bool) -> Result<()> {
        if self.fresh.owner != Some((entry.uid, entry.gid)) {
            dir.set_owner(name, entry.uid, entry.gid)?;
        }
        if has_mode && entry.mode & (self.fresh.masked | 0o7000) != 0 {
            dir.set_mode(name, entry.mode)?;
        }
        for (key, value) in &entry.xattrs {
            self.xattr(entry.kind, key, value, |key, value| dir.set_xattr(name, key, value))?;
        }
        Ok(dir.set_times(name, &times(entry))?)
    }

    fn directory(&mut self, parent: Id, name: Name<'_>, entry: &mut Entry) -> Result<()> {
        let id = match self.tree.child(parent, name) {
            Some(id) => id,
            None => self.make(parent, name, entry.mode)?,
        };
        self.describe(id, entry)
    }

    fn make(&mut self, parent: Id, name: Name<'_>, mode: u32) -> Result<Id> {
        match self.tree.make(parent, name, mode)? {
            Ok(id) => return Ok(id),
            Err(error) if error.kind() == FsKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let dir = self.tree.dir(parent)?;
        if dir.metadata(name)?.is_dir() {
            return self.tree.add(parent, name);
        }
        if self.copy.is_some() {
            return Err(Error::refused("is a directory, and there is something else of that name"));
        }
        let hidden = is_whiteout(&dir, name)?;
        self.clear(parent, &dir, name)?;
        let id = self.tree.make(parent, name, mode)??;
        if hidden {
            self.tree.make_opaque(id)?;
        }
        Ok(id)
    }

    /// Keeps what `id` is to be like in the end, and sets what can be set now.
    fn describe(&mut self, id: Id, entry: &mut Entry) -> Result<()> {
        let mut acls = Vec::new();
        for (key, value) in std::mem::take(&mut entry.xattrs) {
            if key.starts_with(b"system.posix_acl_") {
                self.acl_bytes += key.len() + value.len();
                if self.acl_bytes > MAX_ACLS {
                    return Err(Error::too_large(format_args!("ACLs of directories of more than {MAX_ACLS} bytes")));
                }
                acls.push((key, value));
            } else {
                let dir = self.tree.dir(id)?;
                self.xattr(Kind::Directory, &key, &value, |key, value| attributes::set_xattr(&dir, key, value))?;
            }
        }
        let created = self.tree.attributes(id).and_then(|earlier| earlier.created);
        let (mode, uid, gid) = (entry.mode, entry.uid, entry.gid);
        let wanted = Attributes { created, mode, uid, gid, times: Some(times(entry)), acls };
        self.tree.set_attributes(id, wanted);
        Ok(())
    }

    fn top(&mut self, entry: &mut Entry) -> Result<()> {
        if entry.kind != Kind::Directory {
            return Err(Error::refused("is the top of the layer, and not a directory"));
        }
        self.describe(TOP, entry)
    }

    fn whiteout(&mut self, parent: Id, name: Name<'_>) -> Result<()> {
        if let Some(id) = self.tree.child(parent, name) {
            // Whiteouts mean lower layers only: the directory of this one stays, and hides the lower one.
            return self.tree.make_opaque(id);
        }
        let dir = self.tree.dir(parent)?;
        match dir.mknod(name, FileType::CharacterDevice, 0, 0) {
            // What this layer has of that name hides the lower file itself, symlink or whatever it is.
            Err(error) if error.kind() == FsKind::AlreadyExists => Ok(()),
            answer => Ok(answer?),
        }
    }

    /// Does `create`, after clearing what has the name already: the last entry of a name is the one that counts.
    fn replacing<T>(
        &mut self,
        parent: Id,
        dir: &Dir,
        name: Name<'_>,
        create: impl Fn() -> fsroot::Result<T>,
    ) -> Result<T> {
        match create() {
            Err(error) if error.kind() == FsKind::AlreadyExists => {
                self.clear(parent, dir, name)?;
                Ok(create()?)
            }
            answer => Ok(answer?),
        }
    }

    fn clear(&mut self, parent: Id, dir: &Dir, name: Name<'_>) -> Result<()> {
        if self.copy.is_some() {
            if dir.metadata(name)?.is_dir() {
                return Err(Error::refused("is no directory, and there is one of that name"));
            }
            return Ok(dir.unlink(name)?);
        }
        let (tree, entry) = (&mut self.tree, self.done.entries);
        self.replaced.keep(dir, name, entry, || tree.path(parent, name));
        tree.forget(parent, name);
        Ok(dir.remove_all(name)?)
    }

    /// Sets one extended attribute, unless it is none that a layer may bring.
    fn xattr(
        &mut self,
        kind: Kind,
        key: &[u8],
        value: &[u8],
        set: impl FnOnce(&[u8], &[u8]) -> fsroot::Result<()>,
    ) -> Result<()> {
        // Those of overlayfs would redirect directories and files to others, and SELinux labels are the host's.
        let ours = [&b"trusted.overlay."[..], b"user.overlay.", b"security.selinux"];
        if ours.iter().any(|prefix| key.starts_with(prefix)) {
            return Ok(());
        }
        match set(key, value) {
            Err(error) if error.kind() == FsKind::Unsupported => {}
            // The kernel knows user attributes only of files and directories.
            Err(error)
                if error.kind() == FsKind::PermissionDenied && key.starts_with(b"user.") && kind != Kind::File => {}
            answer => return Ok(answer?),
        }
        self.done.xattrs_lost += 1;
        Ok(())
    }

    /// Gives all directories what they are to be like in the end.
    pub(super) fn finish(mut self) -> Result<(Unpacked, Replaced)> {
        for id in self.tree.deepest_first() {
            let Some(wanted) = self.tree.attributes(id).cloned() else { continue };
            self.settle(id, &wanted)?;
        }
        Ok((self.done, self.replaced))
    }

    fn settle(&mut self, id: Id, wanted: &Attributes) -> Result<()> {
        let owner = (wanted.uid, wanted.gid);
        let right_owner = self.fresh.owner == Some(owner) && id != TOP;
        let right_mode = wanted.created == Some(wanted.mode) && wanted.mode & self.fresh.masked == 0;
        // Most directories need nothing but their time, for which they need not be opened again.
        if right_owner
            && right_mode
            && wanted.acls.is_empty()
            && let Some((parent, name)) = self.tree.position(id)
        {
            let Some(times) = &wanted.times else { return Ok(()) };
            let name = name.to_vec();
            return Ok(self.tree.dir(parent)?.set_times(Name::new(&name)?, times)?);
        }
        let dir: Rc<Dir> = self.tree.dir(id)?;
        attributes::set_owner(&*dir, wanted.uid, wanted.gid)?;
        attributes::set_mode(&*dir, wanted.mode)?;
        for (key, value) in &wanted.acls {
            self.xattr(Kind::Directory, key, value, |key, value| attributes::set_xattr(&*dir, key, value))?;
        }
        if let Some(times) = &wanted.times {
            attributes::set_times(&*dir, times)?;
        }
        Ok(())
    }
}

impl Fresh {
    /// Every attribute is set on every file.
    const UNKNOWN: Self = Self { masked: 0o777, owner: None };

    /// Creates a file without a name and looks at it. Where that cannot be done every attribute is set on every file.
    fn probe(top: &Dir) -> Self {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(top, ".", flags, Mode::from_raw_mode(0o777)) else { return Self::UNKNOWN };
        match (attributes::metadata(&file), attributes::metadata(top)) {
            // Below a set-group-id directory every new directory is one too.
            (Ok(found), Ok(top)) if top.mode & 0o2000 == 0 => {
                Self { masked: 0o777 & !found.mode, owner: Some((found.uid, found.gid)) }
            }
            _ => Self::UNKNOWN,
        }
    }
}

fn times(entry: &Entry) -> Timestamps {
    Timestamps { last_access: entry.mtime, last_modification: entry.mtime }
}

/// Writes `size` bytes, leaving holes where a large file has long runs of zeros.
fn contents<R: Read>(file: &OwnedFd, size: u64, archive: &mut Archive<'_, R>) -> Result<()> {
    if size < HOLES_FROM {
        return copy(file, 0, size, archive);
    }
    let mut at = 0;
    while let Some(data) = archive.data(size)? {
        let (mut start, mut end) = (0, 0);
        while end < data.len() {
            // Up to the next multiple in the file, because holes are made of its blocks.
            let position = at + end as u64;
            let length =
                usize::try_from(HOLE - position % HOLE).map_or(data.len(), |length| length.min(data.len() - end));
            if is_zero(&data[end..end + length]) {
                write_all(file, at + start as u64, &data[start..end])?;
                start = end + length;
            }
            end += length;
        }
        write_all(file, at + start as u64, &data[start..])?;
        at += data.len() as u64;
    }
    truncate(file, size)
}

/// Writes the next `length` bytes at `offset`.
fn copy<R: Read>(file: &OwnedFd, mut offset: u64, length: u64, archive: &mut Archive<'_, R>) -> Result<()> {
    let end = offset + length;
    while offset < end {
        let Some(data) = archive.data(end - offset)? else { break };
        write_all(file, offset, data)?;
        offset += data.len() as u64;
    }
    Ok(())
}

fn write_all(file: &OwnedFd, mut offset: u64, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        match rustix::io::pwrite(file, data, offset) {
            Ok(0) => return Err(Error::write("pwrite", Errno::IO)),
            Ok(count) => {
                data = &data[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::write("pwrite", errno)),
        }
    }
    Ok(())
}

fn truncate(file: &OwnedFd, size: u64) -> Result<()> {
    rustix::fs::ftruncate(file, size).map_err(|errno| Error::write("ftruncate", errno))
}
