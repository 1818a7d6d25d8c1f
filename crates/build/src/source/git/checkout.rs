//! A commit's files in a directory, the same each time: modes as git knows them, times of the commit, no trace of where the
//! repository was while it was fetched.
//!
//! As little as possible is fetched: the commit alone where the server gives it, all of the history where it does not.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fsroot::{Dir, FileType, Name, Root, Timespec, Timestamps};
use rustix::fs::RenameFlags;

use super::address::Times;
use super::commit::check;
use super::program::Git;
use super::{Commit, GitAddress, GitAuth, is_whole_commit};
use crate::{Error, ErrorKind, Result};

/// Puts the files of a commit into a directory, which is empty and ours.
///
/// # Errors
/// What git says; `NotFound` for a commit or a directory that is not there, `Changed` for a commit that is not the expected one.
pub(crate) fn checkout(
    address: &GitAddress,
    commit: &Commit,
    auth: &GitAuth,
    into: &Path,
    keep_git_dir: bool,
) -> Result<()> {
    // Both come from elsewhere, and are arguments of git from here on.
    if !is_whole_commit(&commit.object) {
        return Err(Error::invalid(format!(
            "{:?}: it is no commit's whole name",
            super::super::printable(&commit.object)
        )));
    }
    let git = Git::new(address, auth)?;
    let part = address.directory.as_deref();
    let temporary = part.map(|_| tempfile::Builder::new().prefix(".checkout-").tempdir_in(into)).transpose();
    let temporary = temporary.map_err(|error| Error::system(into.display(), error))?;
    let work = temporary.as_ref().map_or(into, |temporary| temporary.path());
    let checkout = Checkout { git, address, commit, work };
    let made = checkout.make(keep_git_dir && part.is_none())?;
    if let Some((part, temporary)) = part.zip(temporary.as_ref()) {
        let name = temporary.path().file_name().unwrap_or_default().to_owned();
        checkout.take(part, &Root::open(into)?, Name::new(name.as_bytes())?)?;
    }
    drop(checkout);
    // What nobody has asked for goes with it.
    drop(temporary);
    finish(&Root::open(into)?, (address.times != Some(Times::Checkout)).then_some(made), keep_git_dir && part.is_none())
}

struct Checkout<'a> {
    git: Git,
    address: &'a GitAddress,
    commit: &'a Commit,
    /// Where the files go, and `.git` while it is needed.
    work: &'a Path,
}

impl Checkout<'_> {
    /// Says when the commit was made.
    fn make(&self, keep_git_dir: bool) -> Result<SystemTime> {
        let Commit { object, reference, .. } = self.commit;
        let format = if object.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
        self.run(&["-c", "init.defaultBranch=master", "init", "--quiet", "--template=", format, "."])?;
        self.run(&["remote", "add", "--", "origin", &self.git.remote])?;
        self.fetch()?;
        let peel = |what: &str| self.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", what]);
        let found = peel(&format!("{object}^{{commit}}"))?;
        check(self.address, &[Some(object), Some(&found)])?;
        if keep_git_dir && reference.starts_with("refs/") {
            self.run(&["update-ref", "--end-of-options", reference, object])?;
        }
        self.run(&["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", &found, "--"])?;
        if self.address.submodules != Some(false) && self.work.join(".gitmodules").symlink_metadata().is_ok() {
            self.submodules()?;
        }
        let time = self.line(&["log", "-1", "--format=%ct", &found, "--"])?;
        let root = Root::open(self.work)?;
        if keep_git_dir {
            for name in ["FETCH_HEAD", "ORIG_HEAD", "logs"] {
                root.remove_all(Path::new(".git").join(name))?;
            }
        } else {
            root.remove_all(".git")?;
        }
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(time.parse().unwrap_or_default()))
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        self.git.run(Some(self.work), arguments)
    }

    fn tried(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>> {
        self.git.tried(Some(self.work), arguments)
    }

    fn line(&self, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.run(arguments)?).trim().to_owned())
    }

    /// The commit, by its own name, by its reference, or with everything that the server has.
    fn fetch(&self) -> Result<()> {
        const ALONE: [&str; 6] = ["fetch", "--quiet", "--depth=1", "--no-tags", "--", "origin"];
        const ALL: [&str; 6] = ["fetch", "--quiet", "--tags", "--", "origin", "+refs/heads/*:refs/remotes/origin/*"];
        let Commit { object, reference, .. } = self.commit;
        let of = |what: &str| [&ALONE[..], &[what]].concat().into_iter().map(ToOwned::to_owned).collect::<Vec<_>>();
        let mut ways = vec![of(object)];
        if reference.starts_with("refs/") {
            ways.push(of(reference));
        }
        ways.push(ALL.map(ToOwned::to_owned).to_vec());
        let mut complaint = String::new();
        for way in ways {
            let mut arguments: Vec<&str> = way.iter().map(String::as_str).collect();
            if self.work.join(".git/shallow").exists() && !arguments.contains(&"--depth=1") {
                arguments.insert(1, "--unshallow");
            }
            match self.tried(&arguments)? {
                Ok(_) if self.tried(&["cat-file", "-e", object])?.is_ok() => return Ok(()),
                Ok(_) => {}
                Err(why) if is_refusal(&why) => complaint = why,
                Err(why) => return Err(self.git.error(&why)),
            }
        }
        if complaint.is_empty() {
            let message = format!("{}: it has no commit {object}", self.git.shown());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Err(self.git.error(&complaint))
    }

    /// The repositories in it. They are not asked for where that is more than their servers give.
    fn submodules(&self) -> Result<()> {
        const UPDATE: [&str; 5] = ["submodule", "--quiet", "update", "--init", "--recursive"];
        let shallow = [&UPDATE[..], &["--depth=1"]].concat();
        if self.tried(&shallow)?.is_err() {
            self.run(&UPDATE)?;
        }
        Ok(())
    }

    /// Moves what is in a directory of the repository to the top of `into`. The repository may have made it, or one above it,
    /// a symlink to anywhere; nobody means that.
    fn take(&self, part: &str, into: &Root, work: Name<'_>) -> Result<()> {
        let wrong = |why: &str| {
            let message = format!("{}: {} {why}", self.git.shown(), super::super::printable(part));
            Error::new(ErrorKind::NotFound, message)
        };
        let mut from = into.dir().open_dir(work)?;
        for name in part.split('/') {
            from = from.open_dir(Name::new(name)?).map_err(|error| match error.kind() {
                fsroot::ErrorKind::NotFound => wrong("is not in it"),
                _ => wrong("is no directory of it"),
            })?;
        }
        for name in from.names()? {
            let name = Name::new(name.as_bytes())?;
            from.rename(name, into.dir(), name, RenameFlags::NOREPLACE)?;
        }
        Ok(())
    }
}

/// Whether a server only does not give what it was asked for, and may give more.
fn is_refusal(complaint: &str) -> bool {
    const WORDS: [&str; 6] =
        ["not our ref", "unadvertised object", "shallow", "--depth", "remote ref", "Unable to find"];
    WORDS.iter().any(|word| complaint.contains(word))
}

/// Makes the tree what it would be on every host: umask and clock have no part in it.
fn finish(root: &Root, made: Option<SystemTime>, keep_git_dir: bool) -> Result<()> {
    let mut open = vec![PathBuf::from(".")];
    while let Some(path) = open.pop() {
        let dir = root.open_dir(&path)?;
        for name in dir.names()? {
            let below = if path == Path::new(".") { PathBuf::from(&name) } else { path.join(&name) };
            let is_git = name == ".git";
            let name = Name::new(name.as_bytes())?;
            if is_git && !keep_git_dir {
                // Of a repository in this one: it names a directory that is gone.
                dir.remove_all(name)?;
                continue;
            }
            if set(&dir, name, made)? {
                open.push(below);
            }
        }
        if let Some(made) = made {
            fsroot::attributes::set_times(&dir, &times(made))?;
        }
    }
    fsroot::attributes::set_mode(root, 0o755)?;
    Ok(())
}

/// Whether it is a directory.
fn set(dir: &Dir, name: Name<'_>, at: Option<SystemTime>) -> Result<bool> {
    let found = dir.metadata(name)?;
    let mode = match (found.file_type, found.mode & 0o100, found.mode & 0o200) {
        (FileType::Directory, _, _) | (FileType::RegularFile, 1.., _) => Some(0o755),
        (FileType::RegularFile, 0, 0) => Some(0o444),
        (FileType::RegularFile, 0, _) => Some(0o644),
        _ => None,
    };
    if let Some(mode) = mode.filter(|mode| *mode != found.mode) {
        dir.set_mode(name, mode)?;
    }
    if let Some(at) = at {
        dir.set_times(name, &times(at))?;
    }
    Ok(found.is_dir())
}

fn times(at: SystemTime) -> Timestamps {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(since.subsec_nanos()) };
    Timestamps { last_access: time, last_modification: time }
}
