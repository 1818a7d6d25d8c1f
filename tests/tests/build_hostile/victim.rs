//! What is on the host and is none of a build's business.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::run;
use end_to_end::{Project, Result};

/// Nothing else has these words.
const CANARY: &str = "canary-of-the-host-51e7";

/// A directory of the host, and what it looked like.
pub(crate) struct Victim {
    dir: PathBuf,
    before: Vec<String>,
}

impl Victim {
    /// Beside the project: `../victim` of its directory.
    pub(crate) fn beside(project: &Project) -> Result<Victim> {
        let dir = project.phial().scratch().join("victim");
        fs::create_dir_all(dir.join("empty"))?;
        fs::write(dir.join("secret"), CANARY)?;
        fs::write(dir.join("nothing"), "")?;
        let before = looks(&dir)?;
        Ok(Victim { dir, before })
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        self.dir.display().to_string()
    }

    /// Nothing of it was changed, and nothing of it is in the store, nor in what was said.
    pub(crate) fn is_unharmed(&self, project: &Project, said: &str) -> Result {
        assert_eq!(looks(&self.dir)?, self.before, "the host was changed");
        assert!(!said.contains(CANARY), "{said}");
        let mut grep = Command::new("grep");
        let found =
            run(grep.args(["-r", "-a", "-l", "-e", CANARY]).args([project.phial().root(), project.phial().run_dir()]))?;
        assert_eq!((found.code, found.stdout.as_str()), (1, ""), "a file of the host is in the store");
        Ok(())
    }
}

/// All that can be seen of each file, but when it was read.
fn looks(dir: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path)?;
        let times = (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
        lines.push(format!(
            "{} {:o} {} {} {} {times:?}",
            path.display(),
            found.mode(),
            found.uid(),
            found.ino(),
            found.size()
        ));
        if found.is_dir() {
            left.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
        }
    }
    lines.sort();
    Ok(lines)
}
