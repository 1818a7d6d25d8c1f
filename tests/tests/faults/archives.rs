//! Files that go out, and in: what is there in the end is whole, and nothing lies beside it.

use std::fs;
use std::path::Path;

use end_to_end::faults::Operation;
use end_to_end::{Context, Phial, Result};

use super::scene::{Scene, died};

/// What is in a directory.
fn names(directory: &Path) -> Result<Vec<String>> {
    let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Writes an archive where there is none, and over another file: what is there is one or the other, whole, and nothing lies beside it.
fn writes_an_archive(scene: &Scene, command: &str, of: &str) -> Result {
    let directory = scene.phial.scratch().join("archives");
    fs::create_dir(&directory)?;
    let file = directory.join("one.tar");
    let words = [command, "-o", file.to_str().context("is text")?, of];
    scene.phial.ok(&words)?;
    let whole = fs::read(&file)?;
    for earlier in [None, Some("another")] {
        let before = |_: &Phial| {
            fs::remove_file(&file)?;
            earlier.map_or(Ok(()), |text| Ok(fs::write(&file, text)?))
        };
        let after = |phial: &Phial| {
            let found = names(&directory)?;
            if found.is_empty() {
                assert_eq!(earlier, None, "what was there is gone");
            } else {
                assert_eq!(found, ["one.tar"]);
                let found = fs::read(&file)?;
                assert!(found == whole || Some(&found[..]) == earlier.map(str::as_bytes), "it is neither");
            }
            phial.ok(&words)?;
            assert!(fs::read(&file)? == whole, "it is another one");
            Ok(())
        };
        died(scene, 1, &Operation { words: &words, before: &before, after: &after })?;
    }
    Ok(())
}

#[test]
fn save() -> Result {
    let scene = Scene::with_image()?;
    writes_an_archive(&scene, "save", &scene.image)
}

#[test]
fn export() -> Result {
    let scene = Scene::with_image()?;
    scene.phial.ok(&["create", "--network", "none", "--name", "source", &scene.image])?;
    writes_an_archive(&scene, "export", "source")
}

#[test]
fn cp() -> Result {
    let scene = Scene::with_image()?;
    let file = scene.phial.scratch().join("file");
    fs::write(&file, vec![b'x'; 1 << 20])?;
    let file = file.to_str().context("is text")?;
    scene.phial.ok(&["run", "-d", "--network", "none", "--name", "busy", &scene.image, "sleep", "1000"])?;
    let before = |phial: &Phial| phial.ok(&["exec", "busy", "rm", "-f", "/tmp/file"]).map(drop);
    let after = |phial: &Phial| {
        // It goes on, and is copied to again.
        phial.ok(&["cp", file, "busy:/tmp"])?;
        assert_eq!(phial.ok(&["exec", "busy", "stat", "-c", "%s", "/tmp/file"])?, "1048576");
        Ok(())
    };
    died(&scene, 2, &Operation { words: &["cp", file, "busy:/tmp"], before: &before, after: &after })
}
