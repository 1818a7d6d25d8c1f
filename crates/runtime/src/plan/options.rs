//! Mount options of an OCI configuration: which are attributes of the mount, which of the file system, which are for this
//! runtime.
//!
//! Names and meanings: `mount(8)`, runtime-spec `config.md` "Linux mount options"; `copy-symlink`, `src-nofollow` and
//! `dest-nofollow` are crun's. `subpath=…` is our own: what below the source is mounted, resolved by descriptor in it.

use std::ffi::CString;

use rustix::mount::{MountAttrFlags, MountFlags};
use sys::mount::{Change, Propagation};

use crate::error::{Error, ErrorKind, Result};

/// What a list of mount options asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// What is asked of this runtime.
    words: Vec<Word>,
    /// Attributes of the mount. `recursive` is of the propagation.
    pub(crate) change: Change,
    /// Attributes of the mount and of all below it.
    pub(crate) below: Change,
    /// Flags of the file system itself, as `mount(2)` has them.
    pub(crate) super_flags: MountFlags,
    /// Maps of ids, as crun's `idmap=…` has them.
    pub(crate) maps: Option<String>,
    /// What of the source is mounted (`subpath=…`), if not all.
    pub(crate) subpath: Option<String>,
    /// What goes to the file system.
    pub(crate) data: Vec<(CString, Option<CString>)>,
}

/// Options that the kernel does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Show something of the host.
    Bind,
    /// With everything mounted below it.
    RecursiveBind,
    /// Change what is mounted there already.
    Remount,
    /// A tmpfs begins with the files that it hides.
    CopyUp,
    /// Ids are shown differently.
    MapIds,
    /// Also in the mounts below.
    MapIdsBelow,
    /// A link of the host becomes a link.
    CopySymlink,
    /// A link of the host is mounted itself.
    SourceNoFollow,
    /// A link of the container is mounted upon.
    TargetNoFollow,
}

#[derive(Clone, Copy)]
enum Meaning {
    Attribute(Attribute),
    Below(Attribute),
    Propagation(Propagation, bool),
    Super(MountFlags, bool),
    Word(Word),
    /// Asks for what is the case anyway.
    Default,
}

#[derive(Clone, Copy)]
enum Attribute {
    Set(MountAttrFlags),
    Clear(MountAttrFlags),
    /// Replaces the access time mode.
    AccessTime(MountAttrFlags),
    /// Undoes an access time mode.
    NoAccessTime(MountAttrFlags),
}

/// `MS_I_VERSION`.
pub(super) const INODE_VERSION: MountFlags = MountFlags::from_bits_retain(1 << 23);

/// Flags of a file system that `fsconfig(2)` takes by name.
pub(super) const SUPER_WORDS: [(MountFlags, &std::ffi::CStr); 4] = [
    (MountFlags::SYNCHRONOUS, c"sync"),
    (MountFlags::DIRSYNC, c"dirsync"),
    (MountFlags::PERMIT_MANDATORY_FILE_LOCKING, c"mand"),
    (MountFlags::LAZYTIME, c"lazytime"),
];

fn attribute(option: &str) -> Option<Attribute> {
    use MountAttrFlags as Attr;
    Some(match option {
        "ro" => Attribute::Set(Attr::MOUNT_ATTR_RDONLY),
        "rw" => Attribute::Clear(Attr::MOUNT_ATTR_RDONLY),
        "nosuid" => Attribute::Set(Attr::MOUNT_ATTR_NOSUID),
        "suid" => Attribute::Clear(Attr::MOUNT_ATTR_NOSUID),
        "nodev" => Attribute::Set(Attr::MOUNT_ATTR_NODEV),
        "dev" => Attribute::Clear(Attr::MOUNT_ATTR_NODEV),
        "noexec" => Attribute::Set(Attr::MOUNT_ATTR_NOEXEC),
        "exec" => Attribute::Clear(Attr::MOUNT_ATTR_NOEXEC),
        "nosymfollow" => Attribute::Set(Attr::MOUNT_ATTR_NOSYMFOLLOW),
        "symfollow" => Attribute::Clear(Attr::MOUNT_ATTR_NOSYMFOLLOW),
        "nodiratime" => Attribute::Set(Attr::MOUNT_ATTR_NODIRATIME),
        "diratime" => Attribute::Clear(Attr::MOUNT_ATTR_NODIRATIME),
        "noatime" => Attribute::AccessTime(Attr::MOUNT_ATTR_NOATIME),
        "atime" => Attribute::NoAccessTime(Attr::MOUNT_ATTR_NOATIME),
        "relatime" => Attribute::AccessTime(Attr::MOUNT_ATTR_RELATIME),
        "norelatime" => Attribute::NoAccessTime(Attr::MOUNT_ATTR_RELATIME),
        "strictatime" => Attribute::AccessTime(Attr::MOUNT_ATTR_STRICTATIME),
        "nostrictatime" => Attribute::NoAccessTime(Attr::MOUNT_ATTR_STRICTATIME),
        _ => return None,
    })
}

fn meaning(option: &str) -> Option<Meaning> {
    if let Some(attribute) = attribute(option) {
        return Some(Meaning::Attribute(attribute));
    }
    if let Some(attribute) = option.strip_prefix('r').and_then(attribute) {
        return Some(Meaning::Below(attribute));
    }
    Some(match option {
        "bind" => Meaning::Word(Word::Bind),
        "rbind" => Meaning::Word(Word::RecursiveBind),
        "remount" => Meaning::Word(Word::Remount),
        "tmpcopyup" => Meaning::Word(Word::CopyUp),
        "idmap" => Meaning::Word(Word::MapIds),
        "ridmap" => Meaning::Word(Word::MapIdsBelow),
        "copy-symlink" => Meaning::Word(Word::CopySymlink),
        "src-nofollow" => Meaning::Word(Word::SourceNoFollow),
        "dest-nofollow" => Meaning::Word(Word::TargetNoFollow),
        "private" => Meaning::Propagation(Propagation::Private, false),
        "rprivate" => Meaning::Propagation(Propagation::Private, true),
        "slave" => Meaning::Propagation(Propagation::Slave, false),
        "rslave" => Meaning::Propagation(Propagation::Slave, true),
        "shared" => Meaning::Propagation(Propagation::Shared, false),
        "rshared" => Meaning::Propagation(Propagation::Shared, true),
        "unbindable" => Meaning::Propagation(Propagation::Unbindable, false),
        "runbindable" => Meaning::Propagation(Propagation::Unbindable, true),
        "sync" => Meaning::Super(MountFlags::SYNCHRONOUS, true),
        "async" => Meaning::Super(MountFlags::SYNCHRONOUS, false),
        "dirsync" => Meaning::Super(MountFlags::DIRSYNC, true),
        "mand" => Meaning::Super(MountFlags::PERMIT_MANDATORY_FILE_LOCKING, true),
        "nomand" => Meaning::Super(MountFlags::PERMIT_MANDATORY_FILE_LOCKING, false),
        "lazytime" => Meaning::Super(MountFlags::LAZYTIME, true),
        "nolazytime" => Meaning::Super(MountFlags::LAZYTIME, false),
        "iversion" => Meaning::Super(INODE_VERSION, true),
        "noiversion" => Meaning::Super(INODE_VERSION, false),
        // These two say how much the kernel writes into its log when it refuses.
        "defaults" | "silent" | "loud" => Meaning::Default,
        _ => return None,
    })
}

/// Whether this is an option of mounts that is carried out, and no word that is left to a file system.
pub fn knows(option: &str) -> bool {
    meaning(option).is_some()
}

/// Reads the options of one mount; what has no meaning here is the file system's.
pub(crate) fn parse(options: &[String], target: &str) -> Result<Options> {
    let mut parsed = Options {
        words: Vec::new(),
        change: Change::NONE,
        below: Change { recursive: true, ..Change::NONE },
        super_flags: MountFlags::empty(),
        maps: None,
        subpath: None,
        data: Vec::new(),
    };
    for option in options {
        if let Some(subpath) = option.strip_prefix("subpath=") {
            parsed.subpath = Some(subpath.to_owned());
            continue;
        }
        if let Some((word @ ("idmap" | "ridmap"), maps)) = option.split_once('=') {
            parsed.words.push(if word == "idmap" { Word::MapIds } else { Word::MapIdsBelow });
            parsed.maps = Some(maps.to_owned());
            continue;
        }
        match meaning(option) {
            Some(meaning) => parsed.add(meaning),
            None => parsed.data.push(data(option, target)?),
        }
    }
    Ok(parsed)
}

impl Options {
    /// Whether this was asked for.
    pub(crate) fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }

    /// Whether the file system is told `name=…`.
    pub(crate) fn has_data(&self, name: &std::ffi::CStr) -> bool {
        self.data.iter().any(|(key, _)| key.as_c_str() == name)
    }

    fn add(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Attribute(attribute) => attribute.change(&mut self.change),
            Meaning::Below(attribute) => attribute.change(&mut self.below),
            Meaning::Propagation(propagation, recursive) => {
                self.change.propagation = Some(propagation);
                self.change.recursive = recursive;
            }
            Meaning::Super(flag, on) => self.super_flags.set(flag, on),
            Meaning::Word(word) => self.words.push(word),
            Meaning::Default => {}
        }
    }
}

impl Attribute {
    /// The last word about an attribute wins.
    fn change(self, change: &mut Change) {
        let modes = MountAttrFlags::MOUNT_ATTR__ATIME;
        match self {
            Attribute::Set(flag) => {
                change.set.insert(flag);
                change.clear.remove(flag);
            }
            Attribute::Clear(flag) => {
                change.set.remove(flag);
                change.clear.insert(flag);
            }
            // The modes are numbers in a field, not bits: the kernel wants all of it cleared.
            Attribute::AccessTime(mode) => {
                change.set = (change.set - modes) | mode;
                change.clear.insert(modes);
            }
            Attribute::NoAccessTime(mode) => {
                if !change.clear.contains(modes) || change.set & modes == mode {
                    change.set.remove(modes);
                    change.clear.insert(modes);
                }
            }
        }
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

    fn options(words: &str) -> Options {
        let words: Vec<String> = words.split(',').map(str::to_owned).collect();
        parse(&words, "/target").expect("valid")
    }

    #[test]
    fn flags_become_attributes_and_the_rest_data() {
        let parsed = options("nosuid,noexec,mode=755,size=64m,lazy,sync,lazytime,nolazytime,iversion");
        let expected = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        assert_eq!(parsed.change.set, expected);
        let data: Vec<String> = parsed.data.iter().map(|(key, value)| format!("{key:?}={value:?}")).collect();
        assert_eq!(data, ["\"mode\"=Some(\"755\")", "\"size\"=Some(\"64m\")", "\"lazy\"=None"]);
        assert_eq!(parsed.super_flags, MountFlags::SYNCHRONOUS | INODE_VERSION);
    }

    #[test]
    fn the_last_word_wins() {
        let parsed = options("ro,rw,noatime,relatime,rbind,rslave");
        assert_eq!(parsed.change.set, MountAttrFlags::MOUNT_ATTR_RELATIME);
        assert!(parsed.change.clear.contains(MountAttrFlags::MOUNT_ATTR_RDONLY));
        assert!(parsed.has(Word::RecursiveBind) && parsed.change.recursive && parsed.below.is_none());
        assert_eq!(parsed.change.propagation, Some(Propagation::Slave));
    }

    #[test]
    fn a_word_that_undoes_an_access_time_undoes_only_that() {
        for (words, mode) in [
            ("noatime,norelatime", MountAttrFlags::MOUNT_ATTR_NOATIME),
            ("noatime,atime", MountAttrFlags::MOUNT_ATTR_RELATIME),
            ("strictatime,nostrictatime", MountAttrFlags::MOUNT_ATTR_RELATIME),
            ("atime", MountAttrFlags::MOUNT_ATTR_RELATIME),
        ] {
            let change = options(words).change;
            assert_eq!(change.set & MountAttrFlags::MOUNT_ATTR__ATIME, mode, "{words}");
            assert!(change.clear.contains(MountAttrFlags::MOUNT_ATTR__ATIME), "{words}");
        }
    }

    #[test]
    fn an_r_before_an_attribute_makes_it_recursive() {
        use MountAttrFlags as Attr;
        for (word, set, clear) in [
            ("rro", Attr::MOUNT_ATTR_RDONLY, Attr::empty()),
            ("rrw", Attr::empty(), Attr::MOUNT_ATTR_RDONLY),
            ("rnosuid", Attr::MOUNT_ATTR_NOSUID, Attr::empty()),
            ("rsuid", Attr::empty(), Attr::MOUNT_ATTR_NOSUID),
            ("rnodev", Attr::MOUNT_ATTR_NODEV, Attr::empty()),
            ("rdev", Attr::empty(), Attr::MOUNT_ATTR_NODEV),
            ("rnoexec", Attr::MOUNT_ATTR_NOEXEC, Attr::empty()),
            ("rexec", Attr::empty(), Attr::MOUNT_ATTR_NOEXEC),
            ("rnodiratime", Attr::MOUNT_ATTR_NODIRATIME, Attr::empty()),
            ("rdiratime", Attr::empty(), Attr::MOUNT_ATTR_NODIRATIME),
            ("rnoatime", Attr::MOUNT_ATTR_NOATIME, Attr::MOUNT_ATTR__ATIME),
            ("ratime", Attr::empty(), Attr::MOUNT_ATTR__ATIME),
            ("rrelatime", Attr::empty(), Attr::MOUNT_ATTR__ATIME),
            ("rnorelatime", Attr::empty(), Attr::MOUNT_ATTR__ATIME),
            ("rstrictatime", Attr::MOUNT_ATTR_STRICTATIME, Attr::MOUNT_ATTR__ATIME),
            ("rnostrictatime", Attr::empty(), Attr::MOUNT_ATTR__ATIME),
            ("rnosymfollow", Attr::MOUNT_ATTR_NOSYMFOLLOW, Attr::empty()),
            ("rsymfollow", Attr::empty(), Attr::MOUNT_ATTR_NOSYMFOLLOW),
        ] {
            let parsed = options(word);
            assert_eq!((parsed.below.set, parsed.below.clear), (set, clear), "{word}");
            assert!(parsed.change.is_none() && parsed.data.is_empty(), "{word}");
        }
    }
}
