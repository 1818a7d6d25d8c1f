//! From a directory to a tar stream: the other direction of [`super::unpack`]. Owns the walk, its order, and what overlayfs's marks become
//! (image-spec `layer.md`, "Whiteouts"; kernel documentation, `overlayfs.rst`); never follows a symlink, never takes a path.
//!
//! The tree may belong to an adversary who changes it meanwhile: a running container. So everything is looked at through a
//! descriptor that opens nothing (`O_PATH`) before it is opened, a file that shrinks is filled up with zeros, and neither depth nor
//! the number of open descriptors is his to choose.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use fsroot::{Dir, FileType, Metadata, Name, OFlags, attributes};

use super::archive::{Entry, Kind};
use super::encode::{headers, pad};
use super::input::BLOCK;
use super::sink::Sink;
use super::{Error, Result};

/// Directories that are open at once. One that is returned to later is opened again from the top.
const MAX_OPEN: usize = 48;
/// `PATH_MAX`: nothing longer could be unpacked again.
const MAX_PATH: usize = 4096;

/// Bytes that the first names of files with several names may take up, while their other names have not been met.
const MAX_LINKS: usize = 256 << 20;
/// What one of them takes beside its path.
const LINK_COST: usize = 64;

/// How a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a layer of overlayfs: its whiteouts and opaque directories become those of image layers.
    Layer,
    /// As it is.
    Plain,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    /// Bytes of file contents.
    pub bytes: u64,
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of the archive.
    pub length: u64,
    /// Bytes that an archive with one header for each entry would have: what docker says that it has copied.
    pub plain_length: u64,
    /// Entries that were changed after the time that all is to be said to be older than.
    pub late: u64,
}

/// Writes all of `top`, itself included (`./`), as one archive.
///
/// Names are sorted by their bytes and a directory comes before what is in it, so the same tree gives the same bytes.
/// Kept are type, mode, numeric owner, time with nanoseconds, extended attributes, devices and hard links;
/// sockets are left out, and so are SELinux labels, which are the host's.
///
/// # Errors
/// `Read` and `Write`; `Refused` for what no layer can hold: a file whose name is a whiteout's, and what
/// overlayfs's own features `redirect_dir` and `metacopy` leave.
pub fn pack(top: &Dir, form: Form, out: impl Write) -> Result<Packed> {
    let mut packer = Packer::new(form, out);
    packer.tree(top.try_clone()?, Vec::new())?;
    packer.finish()
}

/// As [`pack`], where nothing is said to have been changed after `latest` (seconds since 1970): reproducible builds want the time of
/// their source and not of the build (<https://reproducible-builds.org/specs/source-date-epoch>).
///
/// # Errors
/// As [`pack`].
pub fn pack_until(top: &Dir, form: Form, latest: i64, out: impl Write) -> Result<Packed> {
    let mut packer = Packer { latest: Some(latest), ..Packer::new(form, out) };
    packer.tree(top.try_clone()?, Vec::new())?;
    packer.finish()
}

/// Writes several trees as they are as one archive, each below the name that stands with it.
///
/// # Errors
/// As [`pack`].
pub fn pack_several(trees: &[(Vec<u8>, Dir)], out: impl Write) -> Result<Packed> {
    let mut packer = Packer::new(Form::Plain, out);
    for (called, top) in trees {
        packer.tree(top.try_clone()?, called.clone())?;
    }
    packer.finish()
}

/// What [`pack_until`] would write, without reading the contents of files.
///
/// # Errors
/// As [`pack`].
pub fn measure_until(top: &Dir, form: Form, latest: i64) -> Result<Packed> {
    let mut packer = Packer { latest: Some(latest), is_measuring: true, ..Packer::new(form, std::io::sink()) };
    packer.tree(top.try_clone()?, Vec::new())?;
    packer.finish()
}

/// Writes what `file` is open as (`O_PATH`), with all that is below it, as one archive in which it is called `called`: `a`, `a/b`, or
/// nothing at all for the contents of a directory.
///
/// # Errors
/// As [`pack`].
pub fn pack_opened(file: &OwnedFd, called: &[u8], out: impl Write) -> Result<Packed> {
    let mut packer = Packer::new(Form::Plain, out);
    let found = attributes::metadata(file)?;
    if found.is_dir() {
        let dir = attributes::reopen(file, OFlags::RDONLY | OFlags::DIRECTORY)?;
        packer.tree(Dir::from_fd(dir)?, called.to_vec())?;
    } else {
        packer.file(file, &found, called).map_err(|error| error.at(called))?;
    }
    packer.finish()
}

/// What [`pack`] would write, without reading the contents of files.
///
/// # Errors
/// As [`pack`].
pub fn measure(top: &Dir, form: Form) -> Result<Packed> {
    let mut packer = Packer::new(form, std::io::sink());
    packer.is_measuring = true;
    packer.tree(top.try_clone()?, Vec::new())?;
    packer.finish()
}

struct Packer<W> {
    form: Form,
    /// Contents are counted and not read.
    is_measuring: bool,
    /// When all was changed at the latest, in seconds since 1970.
    latest: Option<i64>,
    sink: Sink<W>,
    links: Links,
    done: Packed,
}

/// A directory whose names are being gone through.
struct Level {
    /// None while it is closed: deeper ones needed the descriptor.
    dir: Option<Dir>,
    name: OsString,
    path: Vec<u8>,
    /// What is left of it, the last first.
    names: Vec<OsString>,
    device: u64,
}

impl<W: Write> Packer<W> {
    fn new(form: Form, out: W) -> Self {
        let (sink, links) = (Sink::new(out), Links::new(MAX_LINKS));
        Self { form, is_measuring: false, latest: None, sink, links, done: Packed::default() }
    }

    fn finish(mut self) -> Result<Packed> {
        self.done.length = self.sink.end()?;
        self.done.plain_length += 2 * BLOCK as u64;
        Ok(self.done)
    }

    /// The directory `top`, called `path`, with all that is below it.
    fn tree(&mut self, top: Dir, path: Vec<u8>) -> Result<()> {
        let root = top.try_clone()?;
        let mut levels: Vec<Level> = Vec::new();
        levels.extend(self.enter(top, OsString::new(), path, None)?);
        while let Some(level) = levels.last_mut() {
            let Some(text) = level.names.pop() else {
                levels.pop();
                continue;
            };
            let name = Name::from_os(&text)?;
            let path = joined(&level.path, name);
            let device = level.device;
            if level.dir.is_none() {
                reopen(&root, &mut levels)?;
            }
            let Some(Level { dir: Some(dir), .. }) = levels.last() else { continue };
            match self.leaf(dir, name, path) {
                Ok(None) => {}
                Ok(Some((child, path))) => {
                    if let Some(level) = self.enter(child, text, path, Some(device))? {
                        levels.push(level);
                        close_far(&mut levels);
                    }
                }
                // It was removed since its directory was read.
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes a directory's own entry, and reads its names.
    fn enter(&mut self, dir: Dir, name: OsString, path: Vec<u8>, above: Option<u64>) -> Result<Option<Level>> {
        let found = attributes::metadata(&dir)?;
        let marks = self.directory(&dir, &found, &path)?;
        if above.is_some_and(|above| above != found.device) && is_pseudo(&dir) {
            return Ok(None);
        }
        let mut names = dir.names()?;
        names.sort_by(|one, other| other.cmp(one));
        if marks.opaque {
            let name = if path.is_empty() { b".wh..wh..opq".to_vec() } else { [&path[..], b"/.wh..wh..opq"].concat() };
            self.entry(&Entry { path: name, ..Entry::default() })?;
        }
        Ok(Some(Level { dir: Some(dir), name, path, names, device: found.device }))
    }

    fn directory(&mut self, dir: &Dir, found: &Metadata, path: &[u8]) -> Result<Marks> {
        let mut entry = self.described(found, Kind::Directory, if path.is_empty() { b"." } else { path });
        let marks = self.xattrs(dir, &mut entry)?;
        self.entry(&entry)?;
        Ok(marks)
    }

    /// Writes `name`, unless it is a directory: that comes back opened, with its path.
    fn leaf(&mut self, dir: &Dir, name: Name<'_>, path: Vec<u8>) -> Result<Option<(Dir, Vec<u8>)>> {
        let seen = dir.open(name, OFlags::PATH)?;
        let found = attributes::metadata(&seen)?;
        if path.len() > MAX_PATH {
            return Err(Error::refused(format_args!("has a path of more than {MAX_PATH} bytes")).at(&path[..64]));
        }
        let answer = match found.file_type {
            FileType::Directory => {
                let opened = attributes::reopen(&seen, OFlags::RDONLY | OFlags::DIRECTORY)?;
                return Ok(Some((Dir::from_fd(opened)?, path)));
            }
            FileType::CharacterDevice if self.form == Form::Layer && found.special_device == 0 => self.whiteout(&path),
            _ if self.form == Form::Layer && name.as_bytes().starts_with(b".wh.") => {
                Err(Error::refused("has a name that means a deleted file in a layer"))
            }
            _ => self.file(&seen, &found, &path),
        };
        answer.map(|()| None).map_err(|error| error.at(&path))
    }

    fn file(&mut self, seen: &OwnedFd, found: &Metadata, path: &[u8]) -> Result<()> {
        if let Some(link) = self.links.first(found) {
            let entry = Entry { link, ..self.described(found, Kind::HardLink, path) };
            return self.entry(&entry);
        }
        let kind = match found.file_type {
            FileType::RegularFile => return self.regular(seen, found, path),
            FileType::Symlink => Kind::Symlink,
            FileType::CharacterDevice => Kind::CharDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            FileType::Fifo => Kind::Fifo,
            // A socket means nothing without the process that listens.
            _ => return Ok(()),
        };
        let mut entry = self.described(found, kind, path);
        if kind == Kind::Symlink {
            entry.link = attributes::link_target(seen)?.into_vec();
        }
        self.xattrs(seen, &mut entry)?;
        self.links.remember(found, path)?;
        self.entry(&entry)
    }

    fn regular(&mut self, seen: &OwnedFd, found: &Metadata, path: &[u8]) -> Result<()> {
        let file = attributes::reopen(seen, OFlags::RDONLY)?;
        let mut entry = Entry { stored: found.size, ..self.described(found, Kind::File, path) };
        if self.xattrs(&file, &mut entry)?.whiteout && found.size == 0 {
            return self.whiteout(path);
        }
        self.links.remember(found, path)?;
        self.entry(&entry)?;
        if self.is_measuring {
            self.sink.pass(entry.stored);
        } else {
            self.sink.file(&file, entry.stored)?;
        }
        self.done.bytes += entry.stored;
        self.done.plain_length += entry.stored.next_multiple_of(BLOCK as u64);
        pad(self.sink.buffer(), entry.stored);
        Ok(())
    }

    fn described(&mut self, found: &Metadata, kind: Kind, path: &[u8]) -> Entry {
        let mut mtime = found.modified;
        if let Some(latest) = self.latest
            && (mtime.tv_sec > latest || (mtime.tv_sec == latest && mtime.tv_nsec > 0))
        {
            (mtime.tv_sec, mtime.tv_nsec) = (latest, 0);
            self.done.late += 1;
        }
        Entry {
            path: path.to_vec(),
            kind,
            mode: if kind == Kind::Symlink { 0o777 } else { found.mode },
            uid: found.uid,
            gid: found.gid,
            mtime,
            device: found.special_device,
            ..Entry::default()
        }
    }

    fn whiteout(&mut self, path: &[u8]) -> Result<()> {
        let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let path = [&path[..name], b".wh.", &path[name..]].concat();
        self.entry(&Entry { path, ..Entry::default() })
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        headers(entry, self.sink.buffer());
        self.done.entries += 1;
        self.done.plain_length += BLOCK as u64;
        self.sink.flush_if_full()
    }

    /// Puts the extended attributes of `fd` into `entry`, and says what overlayfs noted there.
    fn xattrs(&self, fd: impl std::os::fd::AsFd, entry: &mut Entry) -> Result<Marks> {
        let mut marks = Marks::default();
        for key in attributes::xattr_names(&fd)? {
            if let Some(mark) = key.strip_prefix(b"trusted.overlay.") {
                if self.form == Form::Layer {
                    let value = attributes::xattr(&fd, &key)?.unwrap_or_default();
                    marks.note(mark, &value)?;
                }
            } else if !matches!(&*key, b"security.selinux" | b"security.ima" | b"security.evm") {
                let Some(value) = attributes::xattr(&fd, &key)? else { continue };
                entry.xattrs.push((key, value));
            }
        }
        Ok(marks)
    }
}

/// Files with several names that were written under the first of them, until the last has been met.
struct Links {
    first: HashMap<(u64, u64), First>,
    /// Bytes that may still be kept: how many names there are is for whoever made the tree to say.
    room: usize,
}

struct First {
    path: Vec<u8>,
    /// Names that have not been met.
    missing: u64,
}

impl Links {
    fn new(room: usize) -> Self {
        Self { first: HashMap::new(), room }
    }

    /// The first name of a file that has now been met under another one.
    fn first(&mut self, found: &Metadata) -> Option<Vec<u8>> {
        if found.links <= 1 {
            return None;
        }
        let key = (found.device, found.inode);
        let first = self.first.get_mut(&key)?;
        first.missing -= 1;
        if first.missing > 0 {
            return Some(first.path.clone());
        }
        let last = self.first.remove(&key)?;
        self.room += last.path.len() + LINK_COST;
        Some(last.path)
    }

    fn remember(&mut self, found: &Metadata, path: &[u8]) -> Result<()> {
        if found.links > 1 {
            let Some(room) = self.room.checked_sub(path.len() + LINK_COST) else {
                let why =
                    "has several names, and is one such file too many: the first names of all take too much memory";
                return Err(Error::refused(why));
            };
            self.room = room;
            let first = First { path: path.to_vec(), missing: found.links - 1 };
            // A name that came and went made this one look like the last of another.
            if let Some(other) = self.first.insert((found.device, found.inode), first) {
                self.room += other.path.len() + LINK_COST;
            }
        }
        Ok(())
    }
}

/// What overlayfs noted about a file.
#[derive(Default)]
struct Marks {
    opaque: bool,
    whiteout: bool,
}

impl Marks {
    fn note(&mut self, mark: &[u8], value: &[u8]) -> Result<()> {
        match mark {
            b"opaque" => self.opaque = value == b"y",
            b"whiteout" => self.whiteout = true,
            b"redirect" => {
                return Err(Error::refused("was renamed by overlayfs's redirect_dir, which no layer can tell"));
            }
            b"metacopy" => return Err(Error::refused("has its contents in another layer (overlayfs's metacopy)")),
            // Notes for the kernel: where a copy came from, and the like.
            _ => {}
        }
        Ok(())
    }
}

fn joined(parent: &[u8], name: Name<'_>) -> Vec<u8> {
    let mut path = Vec::with_capacity(parent.len() + 1 + name.as_bytes().len());
    if !parent.is_empty() {
        path.extend_from_slice(parent);
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    path
}

/// Closes the directory that is farthest from the one at work.
fn close_far(levels: &mut [Level]) {
    if let Some(far) = levels.len().checked_sub(MAX_OPEN + 1) {
        levels[far].dir = None;
    }
}

/// Opens the directory at work again, one name after the other from the top.
fn reopen(root: &Dir, levels: &mut [Level]) -> Result<()> {
    let mut dir = root.try_clone()?;
    for level in levels.iter().skip(1) {
        dir = dir.open_dir(Name::from_os(&level.name)?)?;
    }
    if let Some(last) = levels.last_mut() {
        last.dir = Some(dir);
    }
    Ok(())
}

/// True for file systems that show the kernel's state: their files have neither size nor end.
fn is_pseudo(dir: &Dir) -> bool {
    /// `PROC_SUPER_MAGIC`, `SYSFS_MAGIC`, `CGROUP_SUPER_MAGIC`, `CGROUP2_SUPER_MAGIC`, debugfs, tracefs, securityfs, mqueue, bpf, devpts.
    const PSEUDO: [rustix::fs::FsWord; 10] = [
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0x1980_0202,
        0xcafe_4a11,
        0x1cd1,
    ];
    rustix::fs::fstatfs(dir).is_ok_and(|found| PSEUDO.contains(&found.f_type))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn look(path: &std::path::Path) -> Metadata {
        attributes::metadata(fs::File::open(path).expect("it is there")).expect("it can be looked at")
    }

    #[test]
    fn a_first_name_is_kept_until_the_last_was_met_and_takes_bounded_room() {
        let tree = tempfile::tempdir().expect("a directory");
        let (one, two) = (tree.path().join("one"), tree.path().join("two"));
        for (path, others) in [(&one, 2), (&two, 1)] {
            fs::write(path, "").expect("a file");
            for other in 0..others {
                fs::hard_link(path, path.with_extension(other.to_string())).expect("a link");
            }
        }
        let (one, two) = (look(&one), look(&two));
        let room = 3 + LINK_COST;
        let mut links = Links::new(room);
        assert_eq!(links.first(&one), None);
        links.remember(&one, b"one").expect("there is room for one");
        links.remember(&two, b"two").expect_err("there is none for two");
        assert_eq!(links.first(&one).as_deref(), Some(&b"one"[..]));
        assert_eq!(links.first(&one).as_deref(), Some(&b"one"[..]));
        assert_eq!((links.first.len(), links.room), (0, room), "the last name was met");
        links.remember(&two, b"two").expect("there is room again");
    }

    #[test]
    fn nothing_is_later_than_it_is_said_to_be() {
        use super::super::{Limits, Owner, extract};
        let (tree, out) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let (old, new) = (tree.path().join("old"), tree.path().join("new"));
        for (path, seconds) in [(&old, 1_000), (&new, 3_000)] {
            fs::write(path, "x").expect("a file");
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(seconds * 1000 + 500);
            fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("has a time");
        }
        let top = fsroot::Root::open(tree.path()).expect("opens");
        let mut archive = Vec::new();
        let packed = pack_until(top.dir(), Form::Layer, 2_000, &mut archive).expect("is packed");
        let measured = measure_until(top.dir(), Form::Layer, 2_000).expect("is measured");
        assert_eq!((packed.late, measured), (2, packed), "the directory itself, and the new file");
        let into = fsroot::Root::open(out.path()).expect("opens");
        extract(archive.as_slice(), &into, b"", Owner::Own, &Limits::default()).expect("is unpacked");
        let time = |name: &str| look(&out.path().join(name)).modified;
        assert_eq!((time("old").tv_sec, time("old").tv_nsec), (1_000, 500_000_000));
        assert_eq!((time("new").tv_sec, time("new").tv_nsec), (2_000, 0));
        assert_eq!(measure_until(top.dir(), Form::Layer, i64::MAX).expect("is measured").late, 0);
    }
}
