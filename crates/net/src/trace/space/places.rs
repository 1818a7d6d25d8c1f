//! The network namespaces of this host: those that a caller knows by name, and those that are found because a process lives
//! in them.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Space;
use crate::error::{Error, Result};
use crate::link::{Link, in_namespace};
use crate::netlink::{Attribute, Batch, Socket};

/// `RTM_GETNSID`, and what it answers.
const GETNSID: u16 = 90;
const NEWNSID: u16 = 88;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;

/// Where namespaces without processes have names.
const NAMED: [&str; 2] = ["/run/netns", "/run/docker/netns"];
/// How many namespaces are looked at, at most. Each takes a descriptor: where the process may have fewer (`RLIMIT_NOFILE`), those
/// beyond are not found.
const LIMIT: usize = 4096;

/// What a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one that containers are connected to.
    Host,
    /// A container's, which the caller has named.
    Container,
    /// One that was found.
    Other,
}

/// A namespace, not read yet.
#[derive(Debug)]
pub struct Place {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub role: Role,
    file: File,
    /// The number of its file, which names it.
    inode: u64,
}

/// A namespace, and what was read of it.
type Entry = (Place, OnceCell<Option<Space>>);

/// All namespaces.
#[derive(Debug)]
pub struct Places {
    spaces: Vec<Entry>,
    /// Those that were found, once somebody has looked.
    found: OnceCell<Vec<Entry>>,
}

impl Place {
    /// The namespace of a file: /proc/PID/ns/net, or one below /run/netns.
    ///
    /// # Errors
    /// `System` if it cannot be opened.
    pub fn open(name: impl Into<String>, role: Role, path: &Path) -> Result<Place> {
        let file = File::open(path).map_err(|error| Error::io(path.display(), &error))?;
        Place::of(name, role, file).map_err(|error| Error::io(path.display(), &error))
    }

    /// The namespace of an open file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn of(name: impl Into<String>, role: Role, file: File) -> std::io::Result<Place> {
        let inode = file.metadata()?.ino();
        Ok(Place { name: name.into(), role, file, inode })
    }

    /// Its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn try_clone(&self) -> std::io::Result<Place> {
        Ok(Place { name: self.name.clone(), role: self.role, file: self.file.try_clone()?, inode: self.inode })
    }
}

impl Places {
    /// The host's, and those that the caller knows. Containers that share the host's are the host.
    pub fn new(host: Place, containers: Vec<Place>) -> Places {
        let mut seen = BTreeSet::new();
        let all = std::iter::once(host).chain(containers);
        let spaces = all.filter(|place| seen.insert(place.inode)).map(|place| (place, OnceCell::new()));
        Places { spaces: spaces.collect(), found: OnceCell::new() }
    }

    /// The one with this number: 0 is the host.
    ///
    /// # Errors
    /// `NotFound` if it cannot be read.
    pub fn space(&self, number: usize) -> Result<&Space> {
        let missing = || Error::new(crate::ErrorKind::NotFound, "a network namespace is gone");
        let (place, space) = self.entry(number).ok_or_else(missing)?;
        let read = || place.try_clone().ok().and_then(|place| Space::read(place).ok());
        space.get_or_init(read).as_ref().ok_or_else(missing)
    }

    /// The number of the one that this file is.
    pub fn of_path(&self, path: &Path) -> Option<usize> {
        let inode = fs::metadata(path).ok()?.ino();
        self.spaces.iter().position(|(place, _)| place.inode == inode)
    }

    /// How many of them the caller knows.
    pub fn count(&self) -> usize {
        self.spaces.len()
    }

    /// The number of the one with this name. Names may be those of several: callers go by [`Places::of_path`].
    #[cfg(test)]
    pub(in crate::trace) fn named(&self, name: &str) -> Option<usize> {
        self.spaces.iter().position(|(place, _)| place.name == name)
    }

    /// The number of one that the caller knows and that has a link with this address, the host last.
    pub fn with_address(&self, address: std::net::IpAddr) -> Option<usize> {
        let has = |number: &usize| self.space(*number).is_ok_and(|space| space.has(address));
        (1..self.spaces.len()).chain([0]).find(has)
    }

    /// Where the other end of a link of a namespace is: the number of the namespace, and that of the link in it.
    pub fn peer(&self, of: usize, link: &Link) -> Option<(usize, u32)> {
        let peer = link.peer?;
        let Some(wanted) = link.peer_namespace else { return Some((of, peer)) };
        let here = self.space(of).ok()?;
        let mut socket = in_namespace(here.fd(), || Socket::open(None)).ok()?;
        let mut is = |place: &Place| identity(&mut socket, place.fd()) == Some(wanted);
        if let Some(number) = self.spaces.iter().position(|(place, _)| is(place)) {
            return Some((number, peer));
        }
        let number = self.found().iter().position(|(place, _)| is(place))?;
        Some((self.spaces.len() + number, peer))
    }

    fn entry(&self, number: usize) -> Option<&Entry> {
        match number.checked_sub(self.spaces.len()) {
            None => self.spaces.get(number),
            Some(number) => self.found().get(number),
        }
    }

    /// Namespaces in which processes live, or that have names, and that the caller did not name.
    fn found(&self) -> &[Entry] {
        self.found.get_or_init(|| {
            let mut seen: BTreeSet<u64> = self.spaces.iter().map(|(place, _)| place.inode).collect();
            let mut all = Vec::new();
            for (name, path) in named().into_iter().chain(of_processes()) {
                let Ok(place) = Place::open(name, Role::Other, &path) else { continue };
                if all.len() < LIMIT && seen.insert(place.inode) {
                    all.push((place, OnceCell::new()));
                }
            }
            all
        })
    }
}

/// By which number the namespace of a socket calls another one.
fn identity(socket: &mut Socket, other: BorrowedFd<'_>) -> Option<u32> {
    let mut batch = Batch::default();
    let descriptor = u32::try_from(other.as_raw_fd()).ok()?;
    batch.ask(GETNSID, &[0; 4], "the number of a namespace").u32(NETNSA_FD, descriptor);
    let mut number = None;
    let take = |_, answer: crate::netlink::Answer<'_>| {
        let attributes = answer.split::<4>().filter(|_| answer.kind == NEWNSID).map(|(_, attributes)| attributes);
        number = attributes.and_then(|attributes| attributes.get(NETNSA_NSID)).and_then(Attribute::u32);
    };
    socket.exchange(batch, take).ok()?;
    // All bits set: none.
    number.filter(|number| *number != u32::MAX)
}

fn named() -> Vec<(String, PathBuf)> {
    let entries = NAMED.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}

/// One process of each namespace: the one with the lowest number.
fn of_processes() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for pid in pids {
        let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
        let Ok(inode) = fs::metadata(&path).map(|metadata| metadata.ino()) else { continue };
        if seen.insert(inode) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            all.push((format!("{} ({pid})", name.trim()), path));
        }
    }
    all
}
