//! Ten thousand containers, one after another: nothing of any of them is left.

use std::fs;
use std::path::Path;

use end_to_end::bundle::Bundle;
use end_to_end::{Context, Result};

const CONTAINERS: usize = 10_000;

/// Entries of a directory whose names begin as ours do, below every hierarchy of cgroups.
fn cgroups(id: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    for directory in hierarchies.chain([root.to_owned()]) {
        let entries = fs::read_dir(&directory)?.flatten().map(|entry| entry.path().display().to_string());
        found.extend(entries.filter(|path| path.contains(id)));
    }
    Ok(found)
}

/// Lines of /proc/self/mountinfo that concern this bundle.
fn mounts(bundle: &Bundle) -> Result<usize> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(table.lines().filter(|line| line.contains(&bundle.path().display().to_string())).count())
}

/// Names in the runtime's directory, and below the bundle.
fn files(bundle: &Bundle) -> Result<Vec<String>> {
    let state = bundle.path().join("state");
    let entries = fs::read_dir(state).context("state")?.chain(fs::read_dir(bundle.path())?);
    Ok(entries.flatten().map(|entry| entry.path().display().to_string()).collect())
}

/// Processes of a session keyring, mounts in other namespaces and the like would show here: who still runs the program.
fn processes(bundle: &Bundle) -> Result<usize> {
    let root = bundle.path().display().to_string();
    let of_bundle = |entry: &fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&root)
    };
    Ok(fs::read_dir("/proc")?.flatten().filter(of_bundle).count())
}

#[test]
fn ten_thousand_containers_leave_nothing() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    let id = bundle.id();
    bundle.ok(&["run", &id])?;
    let before = files(&bundle)?;
    for _ in 1..CONTAINERS {
        bundle.ok(&["run", &id])?;
    }
    assert_eq!(files(&bundle)?, before);
    assert_eq!(cgroups(&id)?, Vec::<String>::new());
    assert_eq!(mounts(&bundle)?, 0);
    assert_eq!(processes(&bundle)?, 0);
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(())
}
