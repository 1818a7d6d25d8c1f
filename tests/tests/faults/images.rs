//! Images that come, go and get names.

use std::fs;

use end_to_end::faults::Operation;
use end_to_end::registry::Registry;
use end_to_end::{Phial, Result};

use super::scene::{Scene, died};

#[test]
fn pull() -> Result {
    let scene = Scene::new()?;
    let image = scene.image.as_str();
    let without = |phial: &Phial| {
        if phial.ok(&["images"])?.lines().count() <= 1 { Ok(()) } else { phial.ok(&["rmi", "-f", image]).map(drop) }
    };
    // What is listed is whole, and what is not can be had.
    let after = |phial: &Phial| phial.ok(&["run", "--rm", "--network", "none", image, "true"]).map(drop);
    died(&scene, 8, &Operation { words: &["pull", image], before: &without, after: &after })
}

#[test]
fn rmi() -> Result {
    let scene = Scene::with_image()?;
    let image = scene.image.as_str();
    let before = |phial: &Phial| phial.ok(&["pull", image]).map(drop);
    let after = |phial: &Phial| phial.ok(&["run", "--rm", "--network", "none", image, "true"]).map(drop);
    died(&scene, 3, &Operation { words: &["rmi", image], before: &before, after: &after })
}

#[test]
fn tag() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        phial.run(&["rmi", "second:name"])?;
        Ok(())
    };
    let after = |phial: &Phial| {
        phial.ok(&["tag", &scene.image, "second:name"])?;
        phial.ok(&["run", "--rm", "--network", "none", "second:name", "true"]).map(drop)
    };
    died(&scene, 2, &Operation { words: &["tag", &scene.image, "second:name"], before: &before, after: &after })
}

#[test]
fn load() -> Result {
    let scene = Scene::with_image()?;
    let file = scene.phial.scratch().join("saved.tar");
    let file = file.to_str().expect("a temporary directory has a plain name");
    scene.phial.ok(&["save", "-o", file, &scene.image])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", &scene.image]).map(drop);
    let after = |phial: &Phial| {
        phial.ok(&["load", "-i", file])?;
        phial.ok(&["run", "--rm", "--network", "none", &scene.image, "true"]).map(drop)
    };
    died(&scene, 8, &Operation { words: &["load", "-i", file], before: &before, after: &after })
}

#[test]
fn import() -> Result {
    let scene = Scene::with_image()?;
    let file = scene.phial.scratch().join("exported.tar");
    let file = file.to_str().expect("a temporary directory has a plain name");
    scene.phial.ok(&["create", "--network", "none", "--name", "source", &scene.image])?;
    scene.phial.ok(&["export", "-o", file, "source"])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", "im:ported"]).map(drop);
    let after = |phial: &Phial| {
        if phial.ok(&["images", "-q", "im:ported"])?.is_empty() {
            phial.ok(&["import", file, "im:ported"])?;
        }
        phial.ok(&["run", "--rm", "--network", "none", "im:ported", "/bin/true"]).map(drop)
    };
    died(&scene, 4, &Operation { words: &["import", file, "im:ported"], before: &before, after: &after })
}

#[test]
fn commit() -> Result {
    let scene = Scene::with_image()?;
    scene.phial.ok(&[
        "run",
        "--network",
        "none",
        "--name",
        "changed",
        &scene.image,
        "sh",
        "-c",
        "echo kept > /kept",
    ])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", "of:changed"]).map(drop);
    let after = |phial: &Phial| {
        // What it was made of is as it was.
        phial.ok(&["cp", "changed:/kept", "-"])?;
        if phial.ok(&["images", "-q", "of:changed"])?.is_empty() {
            phial.ok(&["commit", "changed", "of:changed"])?;
        }
        assert_eq!(phial.ok(&["run", "--rm", "--network", "none", "of:changed", "cat", "/kept"])?, "kept");
        Ok(())
    };
    died(&scene, 4, &Operation { words: &["commit", "changed", "of:changed"], before: &before, after: &after })
}

#[test]
fn push() -> Result {
    let scene = Scene::with_image()?;
    let registry = Registry::start()?;
    let target = registry.name("app:1");
    scene.phial.ok(&["tag", &scene.image, &target])?;
    let nothing = |_: &Phial| Ok(());
    let after = |phial: &Phial| {
        phial.ok(&["push", &target])?;
        phial.ok(&["run", "--rm", "--network", "none", "--pull", "always", &target, "true"]).map(drop)
    };
    died(&scene, 6, &Operation { words: &["push", &target], before: &nothing, after: &after })
}

#[test]
fn image_prune() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        phial.ok(&["pull", &scene.image])?;
        phial.ok(&["tag", &scene.image, "second:name"]).map(drop)
    };
    let after = |phial: &Phial| phial.ok(&["run", "--rm", "--network", "none", &scene.image, "true"]).map(drop);
    died(&scene, 8, &Operation { words: &["image", "prune", "-af"], before: &before, after: &after })
}

#[test]
fn manifest_create() -> Result {
    let scene = Scene::with_image()?;
    let words = ["manifest", "create", "made:list", &scene.image];
    let before = |phial: &Phial| phial.run(&["manifest", "rm", "made:list"]).map(drop);
    let after = |phial: &Phial| {
        // It is there or it is not, and can be made.
        phial.run(&["manifest", "rm", "made:list"])?;
        phial.ok(&words)?;
        assert!(phial.ok(&["manifest", "inspect", "made:list"])?.contains("\"linux\""));
        Ok(())
    };
    died(&scene, 3, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn image_mount_and_unmount() -> Result {
    let scene = Scene::with_image()?;
    let unmounted = |phial: &Phial| phial.run(&["image", "unmount", &scene.image]).map(drop);
    let mounted = |phial: &Phial| phial.ok(&["image", "mount", &scene.image]).map(drop);
    let after = |phial: &Phial| {
        let place = phial.ok(&["image", "mount", &scene.image])?;
        assert!(fs::read_to_string(format!("{place}/etc/passwd"))?.starts_with("root:"));
        phial.ok(&["image", "unmount", &scene.image])?;
        assert_eq!(phial.ok(&["image", "mount"])?, "");
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        assert!(!mounts.contains(&phial.scratch().display().to_string()), "{mounts}");
        Ok(())
    };
    died(&scene, 3, &Operation { words: &["image", "mount", &scene.image], before: &unmounted, after: &after })?;
    died(&scene, 1, &Operation { words: &["image", "unmount", &scene.image], before: &mounted, after: &after })
}
