//! Mount options of an OCI configuration: which are flags of the mount, which belong to the file system.
//!
//! Names and meanings: `mount(8)`, runtime-spec `config-linux.md`.

use std::ffi::CString;

use rustix::mount::MountAttrFlags;
use sys::mount::{Change, Propagation};

use crate::error::{Error, ErrorKind, Result};

/// What a list of mount options asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// `bind` or `rbind` was named.
    pub(crate) bind: bool,
    /// `rbind` was named.
    pub(crate) recursive_bind: bool,
    /// Attributes of the mount.
    pub(crate) change: Change,
    /// What goes to the file system.
    pub(crate) data: Vec<(CString, Option<CString>)>,
}

enum Meaning {
    Set(MountAttrFlags),
    Clear(MountAttrFlags),
    /// Replaces the access time mode.
    AccessTime(MountAttrFlags),
    Propagation(Propagation, bool),
    Bind(bool),
    /// Asks for what is the case anyway.
    Default,
    Unsupported,
}

fn meaning(option: &str) -> Option<Meaning> {
    use MountAttrFlags as Attr;
    Some(match option {
        "bind" => Meaning::Bind(false),
        "rbind" => Meaning::Bind(true),
        "ro" => Meaning::Set(Attr::MOUNT_ATTR_RDONLY),
        "rw" => Meaning::Clear(Attr::MOUNT_ATTR_RDONLY),
        "nosuid" => Meaning::Set(Attr::MOUNT_ATTR_NOSUID),
        "suid" => Meaning::Clear(Attr::MOUNT_ATTR_NOSUID),
        "nodev" => Meaning::Set(Attr::MOUNT_ATTR_NODEV),
        "dev" => Meaning::Clear(Attr::MOUNT_ATTR_NODEV),
        "noexec" => Meaning::Set(Attr::MOUNT_ATTR_NOEXEC),
        "exec" => Meaning::Clear(Attr::MOUNT_ATTR_NOEXEC),
        "nosymfollow" => Meaning::Set(Attr::MOUNT_ATTR_NOSYMFOLLOW),
        "symfollow" => Meaning::Clear(Attr::MOUNT_ATTR_NOSYMFOLLOW),
        "nodiratime" => Meaning::Set(Attr::MOUNT_ATTR_NODIRATIME),
        "diratime" => Meaning::Clear(Attr::MOUNT_ATTR_NODIRATIME),
        "noatime" => Meaning::AccessTime(Attr::MOUNT_ATTR_NOATIME),
        "strictatime" => Meaning::AccessTime(Attr::MOUNT_ATTR_STRICTATIME),
        "relatime" | "atime" | "norelatime" | "nostrictatime" => Meaning::AccessTime(Attr::MOUNT_ATTR_RELATIME),
        "private" => Meaning::Propagation(Propagation::Private, false),
        "rprivate" => Meaning::Propagation(Propagation::Private, true),
        "slave" => Meaning::Propagation(Propagation::Slave, false),
        "rslave" => Meaning::Propagation(Propagation::Slave, true),
        "shared" => Meaning::Propagation(Propagation::Shared, false),
        "rshared" => Meaning::Propagation(Propagation::Shared, true),
        "unbindable" => Meaning::Propagation(Propagation::Unbindable, false),
        "runbindable" => Meaning::Propagation(Propagation::Unbindable, true),
        "defaults" | "async" | "nomand" | "loud" => Meaning::Default,
        "tmpcopyup" | "idmap" | "ridmap" | "rro" | "rrw" | "rnosuid" | "rsuid" | "rnodev" | "rdev" | "rnoexec"
        | "rexec" | "rnoatime" | "ratime" | "rrelatime" | "rstrictatime" | "rnodiratime" | "rdiratime"
        | "rnosymfollow" | "rsymfollow" | "remount" | "mand" | "copy-symlink" | "src-nofollow" | "dest-nofollow" => {
            Meaning::Unsupported
        }
        _ => return None,
    })
}

/// Whether this is an option of mounts that is carried out, and no word that is left to a file system.
pub fn knows(option: &str) -> bool {
    meaning(option).is_some_and(|meaning| !matches!(meaning, Meaning::Unsupported))
}

/// Reads the options of one mount; `file_system` decides whether unknown words can be the file system's.
pub(crate) fn parse(options: &[String], target: &str) -> Result<Options> {
    let none = MountAttrFlags::empty();
    let change = Change { set: none, clear: none, propagation: None, recursive: false };
    let mut parsed = Options { bind: false, recursive_bind: false, change, data: Vec::new() };
    for option in options {
        match meaning(option) {
            Some(meaning) => parsed.add(&meaning, option, target)?,
            None => parsed.data.push(data(option, target)?),
        }
    }
    Ok(parsed)
}

impl Options {
    fn add(&mut self, meaning: &Meaning, option: &str, target: &str) -> Result<()> {
        match *meaning {
            Meaning::Set(flag) => {
                self.change.set.insert(flag);
                self.change.clear.remove(flag);
            }
            Meaning::Clear(flag) => {
                self.change.set.remove(flag);
                self.change.clear.insert(flag);
            }
            Meaning::AccessTime(mode) => {
                self.change.set.remove(MountAttrFlags::MOUNT_ATTR__ATIME);
                self.change.set.insert(mode);
                self.change.clear.insert(MountAttrFlags::MOUNT_ATTR__ATIME);
            }
            Meaning::Propagation(propagation, recursive) => {
                self.change.propagation = Some(propagation);
                self.change.recursive |= recursive;
            }
            Meaning::Bind(recursive) => {
                self.bind = true;
                self.recursive_bind |= recursive;
            }
            Meaning::Default => {}
            Meaning::Unsupported => {
                let message = format!("mount on {target}: option {option} is not supported");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }
}

fn data(option: &str, target: &str) -> Result<(CString, Option<CString>)> {
    let invalid = |_| Error::new(ErrorKind::Invalid, format!("mount on {target}: option {option:?} has a zero byte"));
    let (key, value) = match option.split_once('=') {
        Some((key, value)) => (key, Some(CString::new(value).map_err(invalid)?)),
        None => (option, None),
    };
    Ok((CString::new(key).map_err(invalid)?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &str) -> Result<Options> {
        let words: Vec<String> = words.split(',').map(str::to_owned).collect();
        parse(&words, "/target")
    }

    #[test]
    fn flags_become_attributes_and_the_rest_data() {
        let parsed = options("nosuid,noexec,mode=755,size=64m,lazy").expect("valid");
        let expected = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        assert_eq!(parsed.change.set, expected);
        let data: Vec<String> = parsed.data.iter().map(|(key, value)| format!("{key:?}={value:?}")).collect();
        assert_eq!(data, ["\"mode\"=Some(\"755\")", "\"size\"=Some(\"64m\")", "\"lazy\"=None"]);
    }

    #[test]
    fn the_last_word_wins() {
        let parsed = options("ro,rw,noatime,relatime,rbind,rslave").expect("valid");
        assert_eq!(parsed.change.set, MountAttrFlags::MOUNT_ATTR_RELATIME);
        assert!(parsed.change.clear.contains(MountAttrFlags::MOUNT_ATTR_RDONLY));
        assert!(parsed.bind && parsed.recursive_bind && parsed.change.recursive);
        assert_eq!(parsed.change.propagation, Some(Propagation::Slave));
    }

    #[test]
    fn what_is_not_supported_is_an_error_that_names_it() {
        let error = options("nosuid,idmap").expect_err("not supported");
        assert_eq!(error.to_string(), "mount on /target: option idmap is not supported");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
