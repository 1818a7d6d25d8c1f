//! For tests: the root directory of a container, made of the files that this program reads.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Gone with the value.
pub(crate) struct Container(TempDir);

impl Container {
    pub(crate) fn new(files: &[(&str, &str)]) -> Container {
        let container = Container(tempfile::tempdir().expect("a temporary directory"));
        for (path, text) in files {
            fs::write(container.place(path), text).expect("a file");
        }
        container
    }

    pub(crate) fn with_links(self, links: &[(&str, &str)]) -> Container {
        for (path, target) in links {
            symlink(target, self.place(path)).expect("a link");
        }
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    fn place(&self, path: &str) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a file in a directory")).expect("a directory");
        path
    }
}
