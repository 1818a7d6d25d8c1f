//! What lives on each network: one file per network below /run, from which names, taken addresses and the firewall follow.
//!
//! A register has the network's definition and its endpoints. It is changed under one lock for all of them, by writing a
//! new file and renaming it: readers need no lock, and whoever is killed leaves the old file or the new one. An endpoint
//! belongs to a container that lives; when a supervisor was killed, whoever sees to the container takes it out.

use std::fs::{self, File};
use std::io::ErrorKind::NotFound;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::whole::Whole;
use crate::{Endpoint, Error, Network, Result};

/// Version of the file: raised when a reader of the one before would misunderstand.
const VERSION: u32 = 1;

/// Name of the lock of all registers of a store. No network has it: their files are named by ids.
const LOCK_FILE: &str = "lock";

/// A network and what lives on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Version of the file.
    version: u32,
    /// What the network is.
    pub network: Network,
    /// Endpoints, in the order in which they came.
    pub endpoints: Vec<Endpoint>,
}

/// Networks whose registers cannot be read, by their ids, and why.
pub type Unreadable = Vec<(String, Error)>;

/// The registers of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    directory: PathBuf,
}

/// The registers, which nobody else changes as long as this value lives.
#[derive(Debug)]
pub struct Locked<'a> {
    registers: &'a Registers,
    #[expect(dead_code, reason = "held for its lock")]
    lock: File,
}

impl Register {
    /// The register of a network on which nothing lives.
    pub fn new(network: Network) -> Register {
        Register { version: VERSION, network, endpoints: Vec::new() }
    }

    /// Reads one from an open file.
    ///
    /// # Errors
    /// `System` for what is not a register.
    pub fn from_file(file: &File, path: &Path) -> Result<Register> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut &*file, &mut bytes).map_err(|error| Error::io(path.display(), &error))?;
        let register: Register =
            serde_json::from_slice(&bytes).map_err(|error| Error::io(path.display(), &error.into()))?;
        if register.version != VERSION {
            let message = format!("{}: version {} is not {VERSION}", path.display(), register.version);
            return Err(Error::new(crate::ErrorKind::Unsupported, message));
        }
        Ok(register)
    }

    /// The endpoint of a container.
    pub fn of_container(&self, container: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.container == container)
    }
}

impl Registers {
    /// Those in `directory`, which need not be there.
    pub fn new(directory: impl Into<PathBuf>) -> Registers {
        Registers { directory: directory.into() }
    }

    /// The file of a network.
    pub fn path(&self, network: &str) -> PathBuf {
        self.directory.join(format!("{network}.json"))
    }

    /// A file that lies among them and is none.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The register of a network; None if nothing has ever lived on it since the boot.
    ///
    /// # Errors
    /// `System` for one that cannot be read.
    pub fn read(&self, network: &str) -> Result<Option<Register>> {
        let path = self.path(network);
        match File::open(&path) {
            Ok(file) => Register::from_file(&file, &path)
                .map(Some)
                .map_err(|error| error.with_hint("phial system check --repair writes it anew, from what runs")),
            Err(error) if error.kind() == NotFound => Ok(None),
            Err(error) => Err(Error::io(path.display(), &error)),
        }
    }

    /// All of them, by the ids of their networks.
    ///
    /// # Errors
    /// As [`Registers::read`].
    pub fn all(&self) -> Result<Vec<Register>> {
        self.ids()?.iter().filter_map(|id| self.read(id).transpose()).collect()
    }

    /// Those that can be read; of the others, the ids of their networks and why not.
    ///
    /// # Errors
    /// `System` when the directory cannot be read.
    pub fn readable(&self) -> Result<(Vec<Register>, Unreadable)> {
        let (mut readable, mut others) = (Vec::new(), Vec::new());
        for id in self.ids()? {
            match self.read(&id) {
                Ok(register) => readable.extend(register),
                Err(error) => others.push((id, error)),
            }
        }
        Ok((readable, others))
    }

    /// The ids of the networks that have one, whether it can be read or not.
    ///
    /// # Errors
    /// `System` when the directory cannot be read.
    pub fn ids(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(self.directory.display(), &error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Waits until nobody else changes them.
    ///
    /// # Errors
    /// `System` when the lock cannot be made.
    pub fn lock(&self) -> Result<Locked<'_>> {
        let lock = self.file(LOCK_FILE)?;
        rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))
            .map_err(|errno| Error::system(self.beside(LOCK_FILE).display(), errno))?;
        Ok(Locked { registers: self, lock })
    }

    /// Opens a file that lies among them and is none: there for its lock.
    ///
    /// # Errors
    /// `System` when it cannot be made.
    pub fn file(&self, name: &str) -> Result<File> {
        let path = self.beside(name);
        let open = || File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let opened = match open() {
            Err(error) if error.kind() == NotFound => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
                made.map_err(|error| Error::io(self.directory.display(), &error))?;
                open()
            }
            other => other,
        };
        opened.map_err(|error| Error::io(path.display(), &error))
    }
}

impl Locked<'_> {
    /// The registers themselves.
    pub fn registers(&self) -> &Registers {
        self.registers
    }

    /// Replaces the register of a network.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, register: &Register) -> Result<()> {
        let (path, beside) = (self.registers.path(&register.network.id), self.unfinished(&register.network.id));
        let written = serde_json::to_vec(register).map_err(Into::into).and_then(|json| fs::write(&beside, json));
        sys::fault::point("network: register written");
        written.and_then(|()| fs::rename(&beside, &path)).map_err(|error| Error::io(path.display(), &error))?;
        sys::fault::point("network: register replaced");
        Ok(())
    }

    /// Removes the register of a network that is gone.
    ///
    /// # Errors
    /// Those of the file system; none if there is no such file.
    pub fn remove(&self, network: &str) -> Result<()> {
        let remove = |path: PathBuf| match fs::remove_file(&path) {
            Err(error) if error.kind() != NotFound => Err(Error::io(path.display(), &error)),
            _ => Ok(()),
        };
        // Somebody may have been killed while he wrote.
        remove(self.unfinished(network)).and(remove(self.registers.path(network)))
    }

    /// Where a register is written before it has its name.
    fn unfinished(&self, network: &str) -> PathBuf {
        self.registers.beside(&format!(".{network}"))
    }

    /// Begins the register of a network anew, whatever is there.
    ///
    /// # Errors
    /// As [`Locked::write`].
    pub fn begin(&self, network: &Network) -> Result<()> {
        Whole::forget(self)?;
        self.write(&Register::new(network.clone()))
    }

    /// The register of a network, which is as defined there: what is known may be older.
    ///
    /// # Errors
    /// As [`Registers::read`].
    pub(crate) fn of(&self, network: &Network) -> Result<Register> {
        match self.registers.read(&network.id)? {
            Some(register) if register.network == *network => Ok(register),
            known => {
                Whole::forget(self)?;
                let endpoints = known.map(|known| known.endpoints).unwrap_or_default();
                Ok(Register { endpoints, ..Register::new(network.clone()) })
            }
        }
    }

    /// Notes a container's place on a network, in place of what was noted of it.
    ///
    /// # Errors
    /// As [`Registers::read`] and [`Locked::write`].
    pub fn note(&self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        let mut register = self.of(network)?;
        if register.of_container(&endpoint.container) == Some(endpoint) {
            return Ok(());
        }
        register.endpoints.retain(|known| known.container != endpoint.container);
        register.endpoints.push(endpoint.clone());
        self.write(&register)
    }

    /// Changes the register of a network that has one, if `change` says that it has changed something.
    ///
    /// # Errors
    /// As [`Registers::read`] and [`Locked::write`].
    pub fn change(&self, network: &str, change: impl FnOnce(&mut Register) -> bool) -> Result<()> {
        let Some(mut register) = self.registers.read(network)? else { return Ok(()) };
        if change(&mut register) { self.write(&register) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::lease;
    use crate::lease::tests::{network, wish};

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let registers = Registers::new(directory.path().join("networks"));
        assert_eq!(registers.all().expect("none"), []);
        let locked = registers.lock().expect("a lock");
        let mut register = Register::new(network("10.0.0.0/24"));
        let endpoint = lease(&mut register, &wish("a"), &|_| false).expect("a lease").endpoint;
        locked.write(&register).expect("is written");
        let register = registers.read(&"1".repeat(64)).expect("is one").expect("is there");
        assert_eq!(register.of_container(&endpoint.container), Some(&endpoint));
        assert_eq!(registers.all().expect("one"), [register]);
        locked.remove(&"1".repeat(64)).expect("is removed");
        assert_eq!(registers.all().expect("none"), []);
    }

    #[test]
    fn a_register_of_the_first_version_is_read() {
        let text = include_str!("register/1.json");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.json");
        fs::write(&path, text).expect("is written");
        let register = Registers::new(directory.path()).read("x").expect("is one").expect("is there");
        assert_eq!(register.network.name, "web");
        assert_eq!(register.endpoints[0].names, ["a"]);
    }
}
