//! Points at which a program that is being tested can be made to die, as `kill -9` or a power cut would have it.
//!
//! Each names a moment between two steps that others can see: before and after a rename, before and after a commit.
//! They exist in builds with the feature `fault-points` only, which nothing that is installed has; elsewhere a point is
//! no code at all. Two variables of the environment say what happens:
//!
//! - `PHIAL_FAULT=NAME#N`: who passes the point `NAME` for the `N`th time, counted from 1, dies there.
//! - `PHIAL_FAULT_LOG=FILE`: every name is added to the file as it is passed, so that a test learns which there are;
//!   who dies adds `died at NAME`.

/// Names the point and the time at which a process dies.
pub const DIE_AT: &str = "PHIAL_FAULT";
/// Names the file that the names go to.
pub const LOG: &str = "PHIAL_FAULT_LOG";

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
    let variable = |name: &str| {
        let value = std::env::var(name).ok()?;
        std::ffi::CString::new(format!("{name}={value}")).ok()
    };
    [DIE_AT, LOG].into_iter().filter_map(variable).collect()
}

/// Nothing: there are no points.
#[cfg(not(feature = "fault-points"))]
pub(crate) fn environment() -> Vec<std::ffi::CString> {
    Vec::new()
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// How often the point that kills was passed.
    static PASSED: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn pass(name: &str) {
        log(&format!("{name}\n"));
        let Ok(wanted) = std::env::var(super::DIE_AT) else { return };
        let (wanted, time) = wanted.split_once('#').unwrap_or((&wanted, "1"));
        if wanted != name {
            return;
        }
        let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
        if time.parse() == Ok(passed) {
            log(&format!("died at {name}\n"));
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    /// One write: several processes add to the file.
    fn log(line: &str) {
        if let Some(path) = std::env::var_os(super::LOG)
            && let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(path)
        {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
