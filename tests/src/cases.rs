//! The cases of builds in `tests/data/build/`: Dockerfiles, what lies around them, and what becomes of them. One file a
//! group, one `[[case]]` a rule of the Dockerfile reference; `README.md` beside them says what the keys mean.
//!
//! Owns how a case is read and how it is put on disk; knows nothing of who builds it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};
use serde::Deserialize;

use crate::process::run;
use crate::{Context, Failure, Result, workspace};

/// When every file of a context was changed, in seconds since 1970.
const CHANGED: i64 = 1_704_164_645;

/// How archives are packed, by the end of their names; of those that match, the longest counts.
const PACKINGS: [(&str, &[&str]); 6] = [
    (".tar.gz", &["-z"]),
    (".tar.bz2", &["-j"]),
    (".tar.xz", &["-J"]),
    (".tar.zst", &["--zstd"]),
    (".tgz", &["-z"]),
    (".tar", &[]),
];

/// A build, and what becomes of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Case {
    /// What it is called, once among all.
    pub name: String,
    /// What it shows, in a sentence.
    pub rule: String,
    /// The Dockerfile.
    pub dockerfile: String,
    /// What that file is called in the context, if not `Dockerfile`.
    pub file: Option<String>,
    /// Files of the context with their contents; a name that ends with `/` is a directory.
    pub files: BTreeMap<String, String>,
    /// Files beside the context.
    pub beside: BTreeMap<String, String>,
    /// Files at `{http}`.
    pub served: BTreeMap<String, String>,
    /// Files of the first commit of `{git}/repo.git`, which has the tag `v1`; the second one adds `later`.
    pub repository: BTreeMap<String, String>,
    /// Symbolic links of the context, each with what it leads to.
    pub links: BTreeMap<String, String>,
    /// Hard links, each with the file that it is.
    pub hardlinks: BTreeMap<String, String>,
    /// Pipes.
    pub fifos: Vec<String>,
    /// Modes that are not 0644 and 0755, in octal.
    pub modes: BTreeMap<String, String>,
    /// Owners that are not `0:0`.
    pub owners: BTreeMap<String, String>,
    /// Directories of the context that are packed into an archive of their name.
    pub archives: Vec<String>,
    /// Options of `build`.
    pub flags: Vec<String>,
    /// The environment of `build`.
    pub environment: BTreeMap<String, String>,
    /// Images that are made before, by their names, each of a Dockerfile without a context.
    pub images: BTreeMap<String, String>,
    /// Whether the files of the image do not matter.
    pub ignore_tree: bool,
    /// Why `BuildKit` makes something else of it.
    pub differs: Option<String>,
    /// What becomes of it.
    pub expect: Expected,
}

/// What becomes of a build.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// Files that the image has besides those of `base`, one a line.
    pub tree: String,
    /// What its configuration has besides, as JSON.
    pub config: Option<String>,
    /// What it says of itself besides `linux` and `amd64`, as JSON.
    pub image: Option<String>,
    /// How many layers it has besides, if that is not the number of steps with a layer.
    pub layers: Option<usize>,
    /// Its history besides.
    pub history: Vec<String>,
    /// Nothing but this in the message.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    case: Vec<Case>,
}

/// Where the cases are.
pub fn directory() -> PathBuf {
    workspace().join("tests/data/build")
}

/// All cases with the names of their groups, in the order of the files.
///
/// # Errors
/// A file cannot be read, or two cases have one name.
pub fn all() -> Result<Vec<(String, Case)>> {
    let directory = directory();
    let entries = fs::read_dir(&directory).context(directory.display())?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    let mut cases: Vec<(String, Case)> = Vec::new();
    for file in files {
        let group = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let read: Group = toml::from_str(&fs::read_to_string(&file)?).context(file.display())?;
        for case in read.case {
            if cases.iter().any(|(_, other)| other.name == case.name) {
                return Err(Failure::new(format!("{}: two cases are called {}", file.display(), case.name)));
            }
            cases.push((group.clone(), case));
        }
    }
    Ok(cases)
}

impl Case {
    /// Puts everything but the Dockerfile below a directory: the context in `context`, and so on.
    ///
    /// # Errors
    /// Of the file system, of `tar` and of `git`.
    pub fn lay_out(&self, dir: &Path) -> Result {
        let context = dir.join("context");
        for (name, files) in [("context", &self.files), ("beside", &self.beside), ("served", &self.served)] {
            fs::create_dir_all(dir.join(name))?;
            put(&dir.join(name), files)?;
        }
        for (name, target) in &self.links {
            make_parent(&context.join(name))?;
            symlink(target, context.join(name)).context(name)?;
        }
        for (name, file) in &self.hardlinks {
            fs::hard_link(context.join(file), context.join(name)).context(name)?;
        }
        for name in &self.fifos {
            mknodat(CWD, context.join(name), FileType::Fifo, Mode::from(0o644), 0).context(name)?;
        }
        for (name, owner) in &self.owners {
            let (user, group) = owner.split_once(':').context(format!("{name}: no owner in {owner}"))?;
            lchown(context.join(name), user.parse().ok(), group.parse().ok()).context(name)?;
        }
        for (name, mode) in &self.modes {
            let mode = u32::from_str_radix(mode, 8).context(name)?;
            fs::set_permissions(context.join(name), fs::Permissions::from_mode(mode)).context(name)?;
        }
        age(&context)?;
        self.archives.iter().try_for_each(|name| pack(&context.join(name)))?;
        if self.repository.is_empty() { Ok(()) } else { repository(dir, &self.repository) }
    }

    /// Writes the Dockerfile, in whose text everything is replaced that stands for something.
    ///
    /// # Errors
    /// Of the file system.
    pub fn write(&self, dir: &Path, dockerfile: &str) -> Result<PathBuf> {
        let file = dir.join("context").join(self.file.as_deref().unwrap_or("Dockerfile"));
        make_parent(&file)?;
        fs::write(&file, dockerfile)?;
        Ok(file)
    }
}

/// A text in which `{9 times x}` is `xxxxxxxxx`.
pub fn repeated(text: &str) -> String {
    let repeat = |(before, rest): (&str, &str)| {
        let (inner, after) = rest.split_once('}')?;
        let (times, what) = inner.split_once(" times ")?;
        Some(format!("{before}{}{}", what.repeat(times.parse().ok()?), repeated(after)))
    };
    let places = text.match_indices('{').map(|(at, _)| (&text[..at], &text[at + 1..]));
    places.into_iter().find_map(repeat).unwrap_or_else(|| text.to_owned())
}

fn put(dir: &Path, files: &BTreeMap<String, String>) -> Result {
    for (name, contents) in files {
        let path = dir.join(name);
        if name.ends_with('/') {
            make_parent(&path.join("file"))?;
        } else {
            make_parent(&path)?;
            fs::write(&path, repeated(contents)).context(name)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}

/// Makes the directories above a file, with the mode 0755 whatever the umask is.
fn make_parent(path: &Path) -> Result {
    let Some(parent) = path.parent() else { return Ok(()) };
    match fs::create_dir(parent) {
        Ok(()) => Ok(fs::set_permissions(parent, fs::Permissions::from_mode(0o755))?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) => make_parent(parent).and_then(|()| make_parent(path)),
    }
}

/// Gives everything below a directory the same time: who tells files apart by it is found out.
fn age(dir: &Path) -> Result {
    let time = Timespec { tv_sec: CHANGED, tv_nsec: 0 };
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            age(&entry.path())?;
        }
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

fn pack(path: &Path) -> Result {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let packing = PACKINGS.iter().find(|(end, _)| name.ends_with(end));
    let (_, flags) = packing.context(format!("{name}: there is no such kind of archive"))?;
    let unpacked = path.with_file_name(format!("{name}.unpacked"));
    fs::rename(path, &unpacked)?;
    let entries = fs::read_dir(&unpacked)?.flatten().map(|entry| entry.file_name());
    let mut tar = Command::new("tar");
    tar.arg("-c").args(*flags).args(["--numeric-owner", "--sort=name", "-f"]).arg(path).arg("-C").arg(&unpacked);
    run(tar.args(entries))?.success()?;
    Ok(fs::remove_dir_all(&unpacked)?)
}

fn repository(dir: &Path, files: &BTreeMap<String, String>) -> Result {
    let work = dir.join("repository");
    fs::create_dir(&work)?;
    git(&work, &["init", "-q", "-b", "main"])?;
    put(&work, files)?;
    git(&work, &["add", "-A"])?;
    git(&work, &["commit", "-q", "-m", "one"])?;
    git(&work, &["tag", "v1"])?;
    fs::write(work.join("later"), "later\n")?;
    git(&work, &["add", "-A"])?;
    git(&work, &["commit", "-q", "-m", "two"])?;
    let bare = dir.join("served/repo.git").display().to_string();
    git(&work, &["clone", "-q", "--bare", ".", &bare])?;
    Ok(())
}

/// `git`, with nothing of the user's own configuration.
///
/// # Errors
/// It says why.
pub fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for whose in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{whose}_NAME"), "a").env(format!("GIT_{whose}_EMAIL"), "a@example.org");
        git.env(format!("GIT_{whose}_DATE"), format!("@{CHANGED} +0000"));
    }
    run(git.arg("-C").arg(repository).args(arguments))?.success()
}
