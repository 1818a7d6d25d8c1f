//! How much room a tree takes that strangers filled: the bytes of its files, each counted once whatever its names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use fsroot::{Name, Root};

/// Bytes below a directory; 0 if it is not there. What goes away meanwhile, and what lies deeper than a path can say,
/// is not counted.
pub(crate) fn tree(path: &Path) -> u64 {
    let Ok(root) = Root::open(path) else { return 0 };
    let (mut bytes, mut seen) = (0_u64, HashSet::new());
    let mut directories = vec![PathBuf::from(".")];
    while let Some(relative) = directories.pop() {
        let Ok(directory) = root.open_dir(&relative) else { continue };
        for name in directory.names().unwrap_or_default() {
            let metadata = Name::from_os(&name).and_then(|name| directory.metadata(name));
            let Ok(metadata) = metadata else { continue };
            if metadata.is_dir() {
                directories.push(relative.join(&name));
            } else if metadata.links < 2 || seen.insert((metadata.device, metadata.inode)) {
                bytes = bytes.saturating_add(metadata.size);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_links_count_once_and_symlinks_lead_nowhere() {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/b")).expect("can be made");
        std::fs::write(at("a/b/file"), [0; 1000]).expect("can be written");
        std::fs::hard_link(at("a/b/file"), at("link")).expect("can be linked");
        std::os::unix::fs::symlink("/usr", at("usr")).expect("can be linked");
        assert_eq!(tree(dir.path()), 1000 + 4);
        assert_eq!(tree(&at("nowhere")), 0);
    }
}
