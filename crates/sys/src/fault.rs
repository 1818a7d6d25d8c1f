//! Points at which a program that is being tested can be made to die, as `kill -9` or a power cut would have it.
//!
//! Each names a moment between two steps that others can see: before and after a rename, before and after a commit.
//! They exist in builds with the feature `fault-points` only, which nothing that is installed has; elsewhere a point is
//! no code at all. The variable `PHIAL_FAULTS` of the environment names a directory, and two files in it say what
//! happens, also to a supervisor that runs already:
//!
//! - `die-at` has a line `NAME#N`: who passes the point `NAME` for the `N`th time since, counted from 1, dies there;
//! - `passed` gets every name as it is passed, so that a test learns which there are; who dies adds `died at NAME`.

/// Names the directory.
pub const DIRECTORY: &str = "PHIAL_FAULTS";

/// Passes the point called `name`. Not for the child of a clone: it allocates.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "fault-points")]
    armed::pass(name);
    #[cfg(not(feature = "fault-points"))]
    let _ = name;
}

/// What a program that this one starts, with an otherwise empty environment, is told of all this: `NAME=VALUE`.
#[cfg(feature = "fault-points")]
pub(crate) fn environment() -> Vec<std::ffi::CString> {
    let directory = std::env::var(DIRECTORY).ok();
    directory.and_then(|path| std::ffi::CString::new(format!("{DIRECTORY}={path}")).ok()).into_iter().collect()
}

/// Nothing: there are no points.
#[cfg(not(feature = "fault-points"))]
pub(crate) fn environment() -> Vec<std::ffi::CString> {
    Vec::new()
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::io::Write;
    use std::path::Path;
    use std::sync::Mutex;

    /// The point that kills, and how often it was passed since that was said.
    static PASSED: Mutex<(String, usize)> = Mutex::new((String::new(), 0));

    pub(super) fn pass(name: &str) {
        let Some(directory) = std::env::var_os(super::DIRECTORY) else { return };
        let directory = Path::new(&directory);
        log(directory, &format!("{name}\n"));
        let Ok(wanted) = std::fs::read_to_string(directory.join("die-at")) else { return };
        if wanted.trim_end().rsplit_once('#').is_some_and(|(point, time)| point == name && is_its_turn(&wanted, time)) {
            log(directory, &format!("died at {name}\n"));
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    fn is_its_turn(wanted: &str, time: &str) -> bool {
        let Ok(mut passed) = PASSED.lock() else { return false };
        if passed.0 != wanted {
            *passed = (wanted.to_owned(), 0);
        }
        passed.1 += 1;
        time.parse() == Ok(passed.1)
    }

    /// One write: several processes add to the file.
    fn log(directory: &Path, line: &str) {
        if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(directory.join("passed")) {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
