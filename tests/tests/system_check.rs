//! `phial system check`: what is damaged is found and named, and what can be repaired is.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::{Context, Output, Result, Stage};

/// Changes one byte in the middle of a file.
fn flip(path: &Path) -> Result {
    let mut bytes = fs::read(path).context(path.display())?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context(format!("{} is empty", path.display()))? ^= 0x20;
    fs::write(path, bytes).context(path.display())
}

fn only(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).context(directory.display())? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

fn check(stage: &Stage, flags: &[&str]) -> Result<Output> {
    stage.phial.run(&[&["system", "check"], flags].concat())
}

/// It is found, named in one line, repaired, and the image can be pulled and run again.
fn found_and_repulled(stage: &Stage, named: &[&str]) -> Result {
    let found = check(stage, &[])?.exited(1)?;
    let line = found.stdout.lines().next().unwrap_or_default().to_owned();
    for part in named.iter().chain(&["--repair", "phial pull"]) {
        assert!(line.contains(part), "{part}: {found:?}");
    }
    assert!(found.stdout.contains(": 1 problem"), "{found:?}");
    let repaired = check(stage, &["--repair"])?.exited(0)?;
    assert!(repaired.stdout.starts_with("repaired: image "), "{repaired:?}");
    assert_eq!(stage.phial.ok(&["images", "-q"])?, "", "the damaged image is gone");
    stage.phial.ok(&["pull", &stage.image])?;
    assert_eq!(stage.sh(&[], "echo whole")?, "whole");
    let whole = check(stage, &[])?.exited(0)?;
    assert!(whole.stdout.contains("all is well"), "{whole:?}");
    Ok(())
}

#[test]
fn a_store_without_faults_is_well() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    stage.phial.run(&["run", "--name", "job", &stage.image, "true"])?.exited(0)?;
    let output = check(&stage, &[])?.exited(0)?;
    assert!(output.stdout.starts_with("checked 1 image, ") && output.stdout.contains("2 containers"), "{output:?}");
    assert!(!output.stdout.contains("without a comparison"), "every layer was read: {output:?}");
    check(&stage, &["--quick", "--repair"])?.exited(0)?;
    assert_eq!(stage.phial.ok(&["ps", "-q"])?.lines().count(), 1, "what runs goes on");
    Ok(())
}

#[test]
fn a_flipped_byte_in_any_blob_is_found() -> Result {
    let stage = Stage::busybox()?;
    let blobs = only(&stage.phial.root().join("blobs/sha256"))?;
    assert_eq!(blobs.len(), 2, "a manifest and a configuration: {blobs:?}");
    for blob in blobs {
        flip(&blob)?;
        let digest = blob.file_name().context("has a name")?.to_string_lossy().into_owned();
        found_and_repulled(&stage, &[&digest, &stage.image, "was changed on disk"])?;
    }
    Ok(())
}

#[test]
fn a_flipped_byte_in_a_layer_is_found() -> Result {
    let stage = Stage::busybox()?;
    let layers = only(&stage.phial.root().join("layers"))?;
    let file = layers.iter().map(|layer| layer.join("fs/bin/busybox")).find(|file| file.exists());
    flip(&file.context("a layer has busybox")?)?;
    found_and_repulled(&stage, &["layer sha256:", "was changed on disk", &stage.image])
}

#[test]
fn a_missing_layer_and_a_missing_file_are_found() -> Result {
    let stage = Stage::busybox()?;
    let layers = only(&stage.phial.root().join("layers"))?;
    fs::remove_dir_all(layers.first().context("there is a layer")?)?;
    found_and_repulled(&stage, &["layer sha256:", "is missing"])?;
    let layers = only(&stage.phial.root().join("layers"))?;
    let file = layers.iter().map(|layer| layer.join("fs/etc/passwd")).find(|file| file.exists());
    fs::remove_file(file.context("a layer has users")?)?;
    found_and_repulled(&stage, &["layer "])
}

#[test]
fn what_runs_is_not_pulled_from_under_its_feet() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    let layers = only(&stage.phial.root().join("layers"))?;
    let file = layers.iter().map(|layer| layer.join("fs/etc/passwd")).find(|file| file.exists());
    flip(&file.context("a layer has users")?)?;
    let output = check(&stage, &["--repair"])?.exited(1)?;
    assert!(output.stdout.contains("phial stop web, then phial system check --repair"), "{output:?}");
    stage.phial.ok(&["exec", "web", "true"])?;
    stage.phial.ok(&["stop", "-t", "0", "web"])?;
    check(&stage, &["--repair"])?.exited(0)?;
    stage.phial.ok(&["pull", &stage.image])?;
    // The container has its image back.
    check(&stage, &[])?.exited(0)?;
    Ok(())
}

#[test]
fn a_damaged_container_is_named_and_can_be_removed() -> Result {
    let stage = Stage::busybox()?;
    stage.phial.run(&["run", "--name", "job", &stage.image, "true"])?.exited(0)?;
    let id = stage.phial.ok(&["ps", "-aq", "--no-trunc"])?;
    let directory = stage.phial.root().join("containers").join(id);
    fs::write(directory.join("config.json"), "{")?;
    fs::remove_dir_all(directory.join("upper"))?;
    let output = check(&stage, &[])?.exited(1)?;
    for part in ["container job: ", "config.json", "upper is missing", "phial rm -f job", "2 problems"] {
        assert!(output.stdout.contains(part), "{part}: {output:?}");
    }
    stage.phial.ok(&["rm", "-f", "job"])?;
    check(&stage, &[])?.exited(0)?;
    Ok(())
}

#[test]
fn garbage_is_counted_and_collected_on_repair() -> Result {
    let stage = Stage::busybox()?;
    let stray = "ab".repeat(32);
    let (layer, trash) = (stage.phial.root().join("layers").join(&stray), stage.phial.root().join("tmp/trash-x"));
    fs::create_dir_all(layer.join("fs"))?;
    fs::create_dir_all(&trash)?;
    let output = check(&stage, &[])?.exited(0)?;
    assert!(output.stdout.contains("left by killed commands: 1 layer, 1 unfinished piece"), "{output:?}");
    check(&stage, &["--repair"])?.exited(0)?;
    assert!(!layer.exists() && !trash.exists());
    Ok(())
}

/// Damages the database, and expects that commands say so, that nothing is collected meanwhile, and that a repair begins a
/// new one and keeps containers aside.
fn database(damage: impl FnOnce(&Path) -> Result) -> Result {
    let stage = Stage::busybox()?;
    stage.phial.run(&["run", "--name", "job", &stage.image, "sh", "-c", "echo kept > /data"])?.exited(0)?;
    let root = stage.phial.root();
    // What is in the log is written first, so that the database itself is what counts.
    for name in ["phial.db-wal", "phial.db-shm"] {
        if let Err(error) = fs::remove_file(root.join(name)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
    damage(&root.join("phial.db"))?;
    let output = stage.phial.run(&["ps", "-a"])?.exited(1)?;
    assert!(output.stderr.contains("phial system check") && output.stderr.contains("phial.db"), "{output:?}");
    assert_eq!(only(&root.join("containers"))?.len(), 1, "nothing is collected");
    let output = check(&stage, &[])?.exited(1)?;
    assert!(output.stdout.starts_with("database ") && output.stdout.contains("--repair"), "{output:?}");
    let output = check(&stage, &["--repair"])?.exited(0)?;
    let aside = only(&root)?.into_iter().find(|path| path.to_string_lossy().contains("damaged-"));
    let aside = aside.context("the old database is kept")?;
    assert!(output.stdout.contains(&aside.display().to_string()), "{output:?}");
    let kept = only(&aside.join("containers"))?;
    assert_eq!(fs::read_to_string(kept.first().context("the container is kept")?.join("upper/data"))?, "kept\n");
    stage.phial.ok(&["pull", &stage.image])?;
    assert_eq!(stage.sh(&[], "echo whole")?, "whole");
    check(&stage, &[])?.exited(0)?;
    Ok(())
}

#[test]
fn an_empty_database_is_found() -> Result {
    database(|path| fs::write(path, "").context(path.display()))
}

#[test]
fn a_missing_database_is_found() -> Result {
    database(|path| fs::remove_file(path).context(path.display()))
}

#[test]
fn a_truncated_database_is_found() -> Result {
    database(|path| {
        let bytes = fs::read(path)?;
        fs::write(path, &bytes[..bytes.len() / 3]).context(path.display())
    })
}

#[test]
fn a_database_of_something_else_is_found() -> Result {
    database(|path| fs::write(path, "no database at all, but text of some length".repeat(100)).context(path.display()))
}
