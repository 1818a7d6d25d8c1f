//! Copies between two directories: what is asked for, what is there before, and what is there then.
//!
//! Trees are written as one word for each file, and read back the same way: `d/`, `f=content`, `l->target`, `h=>f` for a second name, then
//! `!755` for the mode and `@1:2` for the owner where they are not those that a new file has.

/// Where copies go, and what is in their way.
mod places;
/// Owners, modes, times and all that files have beside their content.
mod properties;
/// Somebody changes the source.
mod race;
/// Which files are taken.
mod selected;
/// What decides about the result.
mod sums;
/// Archives.
mod unpacked;
/// Without a source.
mod without_source;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use dockerfile::ignore::Patterns;
use fsroot::Root;
use tempfile::TempDir;

use super::copy::Copied;
use super::{Origin, Reading, Selection};
use crate::error::{Error, Result};
use crate::llb::message::file::Copy;

/// Two trees.
struct Scene {
    from: PathBuf,
    onto: PathBuf,
    _directory: TempDir,
}

impl Scene {
    fn new(from: &str, onto: &str) -> Scene {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let scene =
            Scene { from: directory.path().join("from"), onto: directory.path().join("onto"), _directory: directory };
        for (root, tree) in [(&scene.from, from), (&scene.onto, onto)] {
            fs::create_dir(root).expect("made");
            build(root, tree);
        }
        scene
    }

    /// Does with both what a test does.
    fn with<T>(&self, ignored: Option<&str>, work: impl FnOnce(&Origin<'_>, &Root) -> T) -> T {
        let (from, onto) = (Root::open(&self.from).expect("opens"), Root::open(&self.onto).expect("opens"));
        let ignored = ignored.map(|text| Patterns::parse(text.as_bytes()).expect("patterns"));
        let is_context = ignored.is_some();
        let origin = Origin { root: &from, ignored: ignored.as_ref(), belongs_to_root: is_context, sums: &Reading };
        work(&origin, &onto)
    }

    fn copy(&self, copy: &Copy) -> Result<Copied> {
        self.copy_for(copy, None, None)
    }

    fn copy_for(&self, copy: &Copy, ignored: Option<&str>, owner: Option<(u32, u32)>) -> Result<Copied> {
        self.with(ignored, |from, onto| Selection::of(copy, from)?.copy(copy, from, onto, owner))
    }
}

/// As the front end says it.
fn order(src: &str, dest: &str) -> Copy {
    Copy {
        src: src.to_owned(),
        dest: dest.to_owned(),
        mode: -1,
        timestamp: -1,
        follow_symlink: true,
        dir_copy_contents: true,
        create_dest_path: true,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        ..Copy::default()
    }
}

/// What is there after a copy, or why there is none.
fn check(from: &str, onto: &str, copy: &Copy, expected: &str) {
    let scene = Scene::new(from, onto);
    let found = match scene.copy(copy) {
        Ok(_) => listing(&scene.onto),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{} to {} of {from}, onto {onto}", copy.src, copy.dest);
}

fn build(root: &Path, tree: &str) {
    for word in tree.split_whitespace() {
        let (word, owner) = word.split_once('@').map_or((word, None), |(word, owner)| (word, owner.split_once(':')));
        let (word, mode) = word.split_once('!').map_or((word, None), |(word, mode)| (word, Some(mode)));
        let path = if let Some((name, target)) = word.split_once("->") {
            symlink(target, root.join(name)).expect(word);
            name
        } else if let Some((name, first)) = word.split_once("=>") {
            fs::hard_link(root.join(first), root.join(name)).expect(word);
            name
        } else if let Some((name, content)) = word.split_once('=') {
            fs::write(root.join(name), content).expect(word);
            name
        } else {
            fs::create_dir(root.join(word)).expect(word);
            word
        };
        let path = root.join(path);
        if let Some((user, group)) = owner {
            let number = |text: &str| Some(text.parse().expect("a number"));
            lchown(&path, number(user), number(group)).expect(word);
        }
        if let Some(mode) = mode {
            let mode = u32::from_str_radix(mode, 8).expect("a mode");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect(word);
        }
    }
}

/// What `build` would make it of, sorted.
fn listing(root: &Path) -> String {
    let mut words = Vec::new();
    list(root, "", &mut words);
    words.join(" ")
}

fn list(root: &Path, below: &str, words: &mut Vec<String>) {
    let names = fs::read_dir(root.join(below)).expect("lists").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    for name in names {
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let whole = root.join(&path);
        let found = whole.symlink_metadata().expect("is there");
        let (usual, mut word) = if found.is_dir() {
            (0o755, format!("{path}/"))
        } else if found.is_symlink() {
            (0o777, format!("{path}->{}", whole.read_link().expect("reads").display()))
        } else if found.is_file() {
            (0o644, format!("{path}={}", String::from_utf8_lossy(&fs::read(&whole).expect("reads"))))
        } else {
            (0o644, format!("{path}%{:o}:{}", found.mode() >> 12, found.rdev()))
        };
        if found.mode() & 0o7777 != usual {
            word = format!("{word}!{:o}", found.mode() & 0o7777);
        }
        if (found.uid(), found.gid()) != (0, 0) {
            word = format!("{word}@{}:{}", found.uid(), found.gid());
        }
        words.push(word);
        if found.is_dir() {
            list(root, &path, words);
        }
    }
}

fn message<T: std::fmt::Debug>(answer: Result<T>) -> String {
    answer.map_err(|error: Error| error.to_string()).expect_err("it is wrong")
}
