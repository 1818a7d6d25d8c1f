//! Directories that files are taken from: the build's own, and those that have names.
//!
//! A directory of the user's stays where it is: nothing of it is copied before a step wants it. What was read of it once is
//! remembered by what the kernel says of each file, so that an unchanged context costs a look at its files and no more.

/// What is known of the contents of files.
pub(crate) mod index;

use std::path::{Path, PathBuf};

use dockerfile::ignore::Patterns;
use fsroot::Root;
use store::Paths;
use tempfile::TempDir;

use crate::error::{Error, ErrorKind, Result};
use crate::files::Origin;
use index::Index;

/// Larger files with patterns are refused.
const MOST_PATTERNS: u64 = 4 << 20;

/// A directory that files are taken from.
#[derive(Debug)]
pub(crate) struct Local {
    root: Root,
    path: PathBuf,
    patterns: Option<Patterns>,
    index: Index,
    /// What was brought in goes with it.
    _brought: Option<TempDir>,
}

impl Local {
    /// Opens a directory. What is left out is said in `ignored`, a file's name and its content; without, in `.dockerignore`.
    ///
    /// # Errors
    /// `NotFound` for one that is not there, `Invalid` for patterns that are none.
    pub(crate) fn open(path: &Path, ignored: Option<(String, Vec<u8>)>, paths: &Paths) -> Result<Local> {
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
        Ok(Local { root, path, patterns, index, _brought: None })
    }

    /// One that was brought in, and goes with this.
    pub(crate) fn brought(directory: TempDir, below: &Path, paths: &Paths) -> Result<Local> {
        let local = Local::open(&directory.path().join(below), None, paths)?;
        Ok(Local { index: Index::forgetful(), _brought: Some(directory), ..local })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its root.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// The patterns of what is left out.
    pub(crate) fn patterns(&self) -> Option<&Patterns> {
        self.patterns.as_ref()
    }

    /// As something that files are taken from.
    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin { root: &self.root, ignored: self.patterns.as_ref(), belongs_to_root: true, sums: &self.index }
    }

    /// Keeps what was read for the next build.
    pub(crate) fn keep(&self) {
        self.index.keep();
    }
}

fn patterns(root: &Root, ignored: Option<(String, Vec<u8>)>) -> Result<Option<Patterns>> {
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
