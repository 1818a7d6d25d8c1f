//! Names of containers on the networks of one container, as the networks' registers have them at the moment of a question.

use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustix::fs::{fstat, stat};

use super::name::Name;
use crate::register::Register;
use crate::{Endpoint, Result};

/// The networks whose names are answered, the first one asked first.
#[derive(Debug, Default)]
pub(super) struct Zone {
    networks: Vec<Names>,
}

/// What is known of a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    Unknown,
    /// Somebody has it.
    Known,
}

/// Names on one network.
#[derive(Debug)]
struct Names {
    path: PathBuf,
    /// What was read last.
    read: Option<Read>,
}

/// A register, arranged for looking up.
#[derive(Debug)]
struct Read {
    /// The file that it was read from. While it is open, no other file has its number: a register is replaced by renaming,
    /// so that the name leads to another file as soon as anything has changed.
    #[expect(dead_code, reason = "held for its number")]
    file: File,
    /// Its device and number.
    identity: (u64, u64),
    /// A dot and the network's name in lower case, which may follow each name.
    suffix: Box<str>,
    /// Names in lower case and whose they are, sorted.
    names: Vec<(Box<str>, u32)>,
    /// Addresses and whose they are, sorted.
    addresses: Vec<(IpAddr, u32)>,
    /// Containers: the name by which it is told, and addresses.
    owners: Vec<(Box<str>, [Option<IpAddr>; 2])>,
}

impl Zone {
    /// Of the networks with these registers.
    pub(super) fn new(registers: Vec<PathBuf>) -> Zone {
        Zone { networks: registers.into_iter().map(|path| Names { path, read: None }).collect() }
    }

    /// Reads what has changed: one system call per network if nothing has.
    pub(super) fn refresh(&mut self) {
        self.networks.iter_mut().for_each(Names::refresh);
    }

    /// Appends the addresses of a name that `wanted` says yes to: those on the first network that has any.
    pub(super) fn addresses(&self, name: &Name, wanted: fn(&IpAddr) -> bool, found: &mut Vec<IpAddr>) -> Known {
        let mut known = Known::Unknown;
        for read in self.networks.iter().filter_map(|names| names.read.as_ref()) {
            for owner in read.owners_of(name.as_bytes()) {
                known = Known::Known;
                let (_, addresses) = &read.owners[owner];
                found.extend(addresses.iter().flatten().filter(|address| wanted(address)));
            }
            if !found.is_empty() {
                break;
            }
        }
        known
    }

    /// What the container with an address is called, with the name of its network.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<String> {
        self.networks.iter().filter_map(|names| names.read.as_ref()).find_map(|read| {
            let place = read.addresses.binary_search_by(|(found, _)| found.cmp(&address)).ok()?;
            let (name, _) = read.owners.get(read.addresses[place].1 as usize)?;
            Some(format!("{name}{}", read.suffix))
        })
    }
}

impl Names {
    fn refresh(&mut self) {
        let now = stat(&self.path).map(|found| (found.st_dev, found.st_ino));
        match (&self.read, now) {
            (Some(read), Ok(identity)) if read.identity == identity => {}
            (_, Ok(_)) => {
                // One that cannot be read says nothing against what was known before.
                if let Ok(read) = Read::new(&self.path) {
                    self.read = Some(read);
                }
            }
            (_, Err(_)) => self.read = None,
        }
    }
}

impl Read {
    fn new(path: &Path) -> Result<Read> {
        let file = File::open(path).map_err(|error| crate::Error::io(path.display(), &error))?;
        let found = fstat(&file).map_err(|errno| crate::Error::system(path.display(), errno))?;
        let Register { network, endpoints, .. } = Register::from_file(&file, path)?;
        let mut read = Read {
            file,
            identity: (found.st_dev, found.st_ino),
            suffix: format!(".{}", network.name.to_ascii_lowercase()).into(),
            names: Vec::new(),
            addresses: Vec::new(),
            owners: Vec::new(),
        };
        if network.names {
            (0..).zip(&endpoints).for_each(|(number, endpoint)| read.add(number, endpoint));
        }
        read.names.sort_unstable();
        read.names.dedup();
        read.names.shrink_to_fit();
        read.addresses.sort_unstable();
        Ok(read)
    }

    fn add(&mut self, number: u32, endpoint: &Endpoint) {
        let addresses = [endpoint.ipv4.map(IpAddr::V4), endpoint.ipv6.map(IpAddr::V6)];
        self.addresses.extend(addresses.iter().flatten().map(|address| (*address, number)));
        let names = endpoint.names.iter().map(|name| (name.to_ascii_lowercase().into(), number));
        self.names.extend(names);
        self.owners.push((endpoint.names.first().map_or("", String::as_str).into(), addresses));
    }

    /// Who is called that: a name alone, or with the network's.
    fn owners_of(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let short = name.strip_suffix(self.suffix.as_bytes());
        [Some(name), short].into_iter().flatten().flat_map(|name| {
            let from = self.names.partition_point(|(found, _)| found.as_bytes() < name);
            let same = self.names[from..].iter().take_while(move |(found, _)| found.as_bytes() == name);
            same.map(|(_, owner)| *owner as usize)
        })
    }
}
