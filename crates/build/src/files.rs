//! Changes of files: what `ADD`, `COPY` and `WORKDIR` do, as operations of the graph say it (`FileOp` of LLB).
//!
//! First it is found out what a copy takes ([`Selection`]), which reads directories and nothing else; then what decides
//! about the result is summed up ([`Selection::digest`]), and only if nobody has made that before it is copied. Between
//! any two of these a context may change: each file is looked at again when it was read, by its descriptor.
//!
//! Trees are strangers': every path is walked here one component at a time, each opened below the one before and none
//! through a symlink, which is read and walked as text from the root. So whoever changes a tree meanwhile can make a copy
//! fail, and can never make it take or change anything outside of the root.

/// What is done otherwise than the source has it: owner, mode and time.
mod attributes;
/// What is made and removed without a source.
mod change;
/// What files were before.
mod copies;
/// A selection becomes files.
mod copy;
/// Directories that are open while a tree is walked.
mod cursor;
/// Which files are there, and which of them are taken.
mod filter;
/// Permission bits as `chmod(1)` takes them.
mod mode;
/// Paths, walked below a root.
mod resolve;
/// What a copy takes.
mod selection;
/// What decides about the result of a copy.
mod sums;
/// Archives that `ADD` unpacks.
mod unpack;
/// Sources with wildcards.
mod wildcard;

#[cfg(test)]
mod tests;

pub(crate) use change::{make_directory, make_file, remove, symlink};
pub(crate) use copies::{MOST_COMPARED, earlier};
pub(crate) use selection::Selection;
pub(crate) use sums::{Reading, Sums};

use dockerfile::ignore::Patterns;
use fsroot::Root;

use crate::error::{Error, ErrorKind};

/// Whose something is: user and group.
pub(crate) type Ids = (u32, u32);

/// A tree that something is taken from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The tree.
    pub(crate) root: &'a Root,
    /// What is not there for anybody (`.dockerignore`).
    pub(crate) ignored: Option<&'a Patterns>,
    /// Whether all files are root's, whoever's they are, and devices are none: those of a context.
    pub(crate) belongs_to_root: bool,
    /// Whoever knows what is in files.
    pub(crate) sums: &'a dyn Sums,
}

/// A path for people: as it is, or with escapes where it is no text.
fn shown(path: &[u8]) -> String {
    format!("\"/{}\"", path.escape_ascii())
}

fn not_found(path: &[u8]) -> Error {
    Error::new(ErrorKind::NotFound, format!("{}: not found", shown(path)))
}

/// A file of which something else was seen before.
fn changed(path: &[u8]) -> Error {
    Error::new(ErrorKind::Changed, format!("{} was changed while it was copied", shown(path)))
        .with_hint("build again when nobody writes to it")
}

/// What stands before the last slash, and after it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

fn joined(above: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if above.is_empty() || name.is_empty() { b"" } else { b"/" };
    [above, slash, name].concat()
}
