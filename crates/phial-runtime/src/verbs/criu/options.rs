//! What options of `checkpoint` and `restore` ask of criu, as a message (`criu_opts` of its `images/rpc.proto`).

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

use super::directory;
use super::wire::Message;
use crate::command_line::Words;
use crate::failure::{Failure, Result};

/// The annotation with a file of criu's own options.
const CONFIG_ANNOTATION: &str = "org.criu.config";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verbs) enum Kind {
    /// Write everything.
    Dump,
    /// Write memory, and let the container go on.
    PreDump,
    /// Make it again.
    Restore,
}

impl Kind {
    /// As a message has it.
    pub(super) fn number(self) -> u64 {
        match self {
            Kind::Dump => 1,
            Kind::Restore => 2,
            Kind::PreDump => 4,
        }
    }

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Dump => "DUMP",
            Kind::Restore => "RESTORE",
            Kind::PreDump => "PRE_DUMP",
        }
    }

    fn log(self) -> &'static str {
        if self == Kind::Restore { "restore.log" } else { "dump.log" }
    }
}

/// Options with a switch of the same meaning, and their fields.
const SWITCHES: [(&str, u32); 10] = [
    ("leave-running", 3),
    ("ext-unix-sk", 4),
    ("tcp-established", 5),
    ("shell-job", 7),
    ("file-locks", 8),
    ("auto-dedup", 16),
    ("link-remap", 18),
    ("tcp-skip-in-flight", 46),
    ("lazy-pages", 48),
    ("tcp-close", 52),
];

/// Options that are passed on as they are.
const TEXTS: [(&str, u32); 2] = [("lsm-profile", 53), ("lsm-mount-context", 63)];

/// Values of `--manage-cgroups-mode`, and criu's numbers for them.
const CGROUP_MODES: [(&str, u64); 5] = [("ignore", 0), ("soft", 3), ("full", 4), ("strict", 5), ("", 6)];

/// A request to criu.
#[derive(Debug)]
pub(in crate::verbs) struct Options {
    pub(super) kind: Kind,
    message: Message,
    /// Where images are.
    pub(in crate::verbs) images: PathBuf,
    log: PathBuf,
    /// Held open, because criu gets them by their numbers.
    directories: Vec<OwnedFd>,
}

impl Options {
    /// What the options of the command line say.
    pub(in crate::verbs) fn of(kind: Kind, words: &Words, spec: &Spec) -> Result<Options> {
        let images = words.path("image-path").unwrap_or_else(|| PathBuf::from("checkpoint"));
        let images = if kind == Kind::Restore { images } else { directory(images)? };
        let mut options = Options {
            kind,
            message: Message::default(),
            log: images.join(kind.log()),
            images,
            directories: Vec::new(),
        };
        let number = options.open(&options.images.clone())?;
        options.message.number(1, number);
        if let Some(work) = words.path("work-path") {
            let work = directory(work)?;
            let number = options.open(&work)?;
            options.message.number(17, number);
            options.log = work.join(kind.log());
        }
        // Level 4 is everything. Notices are how hooks come to be run; terminals whose master was outside come with one.
        options.message.number(9, 4).text(10, kind.log()).flag(12, true).flag(50, true);
        for (name, field) in SWITCHES {
            options.message.flag(field, words.has(name));
        }
        for (name, field) in TEXTS {
            if let Some(text) = words.text(name)? {
                options.message.text(field, text);
            }
        }
        options.cgroups(words)?;
        options.namespaces(words)?;
        options.memory(words)?;
        let config = spec.annotations().as_ref().and_then(|annotations| annotations.get(CONFIG_ANNOTATION));
        if let Some(file) = config.filter(|file| !file.is_empty()) {
            options.message.text(51, file);
        }
        Ok(options)
    }

    fn cgroups(&mut self, words: &Words) -> Result<()> {
        let given = words.text("manage-cgroups-mode")?.unwrap_or_default();
        let mode = CGROUP_MODES.iter().find(|(name, _)| *name == given).ok_or_else(|| {
            Failure::new(format!("--manage-cgroups-mode {given}: is none of soft, full, strict and ignore"))
        })?;
        self.message.flag(24, true).number(34, mode.1);
        Ok(())
    }

    fn namespaces(&mut self, words: &Words) -> Result<()> {
        let mut bits = 0;
        for name in words.texts("empty-ns")? {
            if name != "network" {
                return Err(Failure::new(format!(
                    "--empty-ns {name}: namespace {name:?} is not supported: network is"
                )));
            }
            bits |= sys::clone::namespace::NETWORK;
        }
        if bits != 0 {
            self.message.number(38, bits);
        }
        Ok(())
    }

    /// Memory written before, or sent elsewhere.
    fn memory(&mut self, words: &Words) -> Result<()> {
        if let Some(parent) = words.text("parent-path")? {
            let invalid = |why: &str| Failure::new(format!("invalid --parent-path {parent}: {why}"));
            if Path::new(parent).is_absolute() {
                return Err(invalid("must be relative, from the image path on"));
            }
            if !self.images.join(parent).is_dir() {
                return Err(invalid("there is no such directory"));
            }
            self.message.text(14, parent);
        }
        if words.value("parent-path").is_some() || self.kind == Kind::PreDump {
            self.message.flag(15, true);
        }
        if let Some(server) = words.text("page-server")? {
            let invalid = || Failure::new(format!("--page-server {server}: is not ADDRESS:PORT"));
            let (address, port) =
                server.rsplit_once(':').filter(|(address, _)| !address.is_empty()).ok_or_else(invalid)?;
            let address = address.trim_start_matches('[').trim_end_matches(']');
            let port: u16 = port.parse().map_err(|_| invalid())?;
            let mut place = Message::default();
            place.text(1, address).number(2, port.into());
            self.message.message(11, &place);
        }
        Ok(())
    }

    /// Which process is written.
    pub(in crate::verbs) fn process(&mut self, pid: i32) {
        self.message.number(2, u64::try_from(pid).unwrap_or_default());
    }

    /// The root file system.
    pub(in crate::verbs) fn root(&mut self, root: &Path) {
        self.message.text(13, &root.to_string_lossy());
    }

    /// A mount that comes from outside: its place in the container, and on a restore what is there.
    pub(in crate::verbs) fn mount(&mut self, place: &str, source: &str) {
        let mut mount = Message::default();
        mount.text(1, place).text(2, source);
        self.message.message(23, &mount);
    }

    /// Something else that comes from outside, in criu's words.
    pub(in crate::verbs) fn external(&mut self, what: &str) {
        self.message.text(37, what);
    }

    /// The cgroup by which processes are frozen.
    pub(in crate::verbs) fn freezer(&mut self, directory: &Path) {
        self.message.text(44, &directory.to_string_lossy());
    }

    /// The process that is made becomes a child of ours, in these cgroups.
    pub(in crate::verbs) fn restored(&mut self, cgroups: &[(String, String)]) {
        self.message.flag(6, true).flag(26, true);
        for (controllers, path) in cgroups {
            let mut root = Message::default();
            root.text(1, controllers).text(2, path);
            self.message.message(25, &root);
        }
    }

    /// A descriptor that the process gets in place of one that it had.
    pub(in crate::verbs) fn inherit(&mut self, key: &str, descriptor: i32) {
        let mut inherited = Message::default();
        inherited.text(1, key).number(2, u64::try_from(descriptor).unwrap_or_default());
        self.message.message(27, &inherited);
    }

    fn open(&mut self, directory: &Path) -> Result<u64> {
        let file = File::open(directory).map_err(|error| Failure::system(directory.display(), error))?;
        let file = OwnedFd::from(file);
        let number = u64::try_from(file.as_raw_fd()).unwrap_or_default();
        self.directories.push(file);
        Ok(number)
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn log(&self) -> PathBuf {
        self.log.clone()
    }
}
