//! Directories that files are taken from: the build's own, and those that have names.
//!
//! A directory of the user's stays where it is: nothing of it is copied before a step wants it. What was read of it once is
//! remembered by what the kernel says of each file, so that an unchanged context costs a look at its files and no more.

/// What is known of the contents of files.
pub(crate) mod index;

use std::path::Path;

use dockerfile::ignore::Patterns;
use fsroot::{Follow, Root};
use store::{LayerWriter, Paths};

use crate::error::{Error, ErrorKind, Result};
use crate::files::Origin;
use index::Index;

/// Larger files with patterns are refused.
const MOST_PATTERNS: u64 = 4 << 20;

/// What is left out: the name of the file that says it, and what stands in it.
pub(crate) type IgnoreFile = (String, Vec<u8>);

/// A directory that files are taken from.
#[derive(Debug)]
pub(crate) struct Local {
    name: String,
    root: Root,
    patterns: Option<Patterns>,
    index: Index,
    /// What was brought in goes with it.
    _brought: Option<LayerWriter>,
}

impl Local {
    /// Opens a directory. What is left out is said in `ignored`, a file's name and its content; without, in `.dockerignore`.
    ///
    /// # Errors
    /// `NotFound` for one that is not there, `Invalid` for patterns that are none.
    pub(crate) fn open(name: &str, path: &Path, ignored: Option<IgnoreFile>, paths: &Paths) -> Result<Local> {
        let shown = path.display();
        let root = Root::open(path).map_err(|error| match error.kind() {
            fsroot::ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, format!("the context {shown}: there is no such directory"))
            }
            fsroot::ErrorKind::NotADirectory => {
                Error::invalid(format!("the context {shown}: it is a file, and a directory is wanted"))
                    .with_hint("name the directory, and the file with -f")
            }
            _ => Error::from(error),
        })?;
        let patterns = patterns(&root, ignored)?;
        let path = path.canonicalize().map_err(|error| Error::system(shown, error))?;
        let index = Index::of(&path, paths);
        Ok(Local { name: name.to_owned(), root, patterns, index, _brought: None })
    }

    /// One that was brought in, and goes with this.
    ///
    /// # Errors
    /// As of [`Local::open`].
    pub(crate) fn brought(
        name: &str,
        directory: LayerWriter,
        ignored: Option<IgnoreFile>,
        paths: &Paths,
    ) -> Result<Local> {
        let local = Local::open(name, &directory.path(), ignored, paths)?;
        Ok(Local { index: Index::forgetful(), _brought: Some(directory), ..local })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The patterns of what is left out.
    pub(crate) fn patterns(&self) -> Option<&Patterns> {
        self.patterns.as_ref()
    }

    /// As something that files are taken from.
    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin { root: &self.root, ignored: self.patterns.as_ref(), belongs_to_root: true, sums: &self.index }
    }

    /// An error about a path that is not there, with what can be done about it: it may be left out, or be called otherwise.
    pub(crate) fn hinted(&self, error: Error, path: &str) -> Error {
        let relative = path.trim_matches('/');
        if error.kind() != ErrorKind::NotFound || error.hint().is_some() {
            return error;
        }
        match self.root.metadata(relative, Follow::No) {
            Ok(found) if found.is_symlink() && self.root.metadata(relative, Follow::Yes).is_err() => {
                let target = self.root.read_link(relative).unwrap_or_default();
                return error.with_hint(format!("it is a link to {}, which is not in the context", target.display()));
            }
            Ok(_) => return error.with_hint("it is in the directory, and .dockerignore leaves it out"),
            Err(_) => {}
        }
        let (above, name) = relative.rsplit_once('/').unwrap_or((".", relative));
        let names = self.root.open_dir(above).and_then(|directory| directory.names()).unwrap_or_default();
        let names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        match notation::similar(name, names.iter().map(String::as_str)) {
            Some(meant) => error.with_hint(format!("did you mean {meant}?")),
            None => error,
        }
    }

    /// Keeps what was read for the next build.
    pub(crate) fn keep(&self) {
        self.index.keep();
    }
}

/// The patterns of what is left out of a directory: those of the file, or else of its `.dockerignore`.
///
/// # Errors
/// `Invalid` for patterns that are none.
pub(crate) fn patterns(root: &Root, ignored: Option<IgnoreFile>) -> Result<Option<Patterns>> {
    const NAME: &str = ".dockerignore";
    let (name, bytes) = match ignored {
        Some(ignored) => ignored,
        None => match root.read_regular(NAME, MOST_PATTERNS) {
            Ok(bytes) => (NAME.to_owned(), bytes),
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    let patterns = Patterns::parse(&bytes).map_err(|error| Error::invalid(format!("{name}: {error}")))?;
    Ok((!patterns.is_empty()).then_some(patterns))
}
