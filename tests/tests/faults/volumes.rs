//! Volumes, and their first content.

use end_to_end::faults::Operation;
use end_to_end::{Phial, Result};

use super::scene::{Scene, died, no_containers};

#[test]
fn volume_create_and_rm() -> Result {
    let scene = Scene::new()?;
    let none = |phial: &Phial| phial.run(&["volume", "rm", "-f", "data"]).map(drop);
    let one = |phial: &Phial| phial.ok(&["volume", "create", "data"]).map(drop);
    let usable = |phial: &Phial| {
        phial.ok(&["volume", "create", "data"])?;
        phial.ok(&["volume", "inspect", "data"]).map(drop)
    };
    died(&scene, 5, &Operation { words: &["volume", "create", "data"], before: &none, after: &usable })?;
    died(&scene, 5, &Operation { words: &["volume", "rm", "data"], before: &one, after: &usable })
}

#[test]
fn first_use_of_a_volume() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.run(&["volume", "rm", "-f", "filled"]).map(drop)
    };
    // Whatever died, the next to use it finds all that the image has there.
    let count = [
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        "filled:/bin",
        &scene.image,
        "/bin/busybox",
        "sh",
        "-c",
        "ls /bin | wc -l",
    ];
    let all = scene.phial.ok(&["run", "--rm", "--network", "none", &scene.image, "sh", "-c", "ls /bin | wc -l"])?;
    let after = |phial: &Phial| {
        assert_eq!(phial.ok(&count)?, all);
        Ok(())
    };
    let words = ["run", "--rm", "--network", "none", "-v", "filled:/bin", &scene.image, "/bin/busybox", "true"];
    died(&scene, 155, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn rm_with_anonymous_volumes() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.run(&["volume", "prune", "-f"])?;
        phial.ok(&["run", "--network", "none", "--name", "old", "-v", "/anonymous", &scene.image, "true"]).map(drop)
    };
    let after = |phial: &Phial| {
        phial.run(&["rm", "-v", "old"])?;
        phial.ok(&["volume", "prune", "-f"])?;
        assert_eq!(phial.ok(&["volume", "ls", "-q"])?, "");
        Ok(())
    };
    died(&scene, 20, &Operation { words: &["rm", "-v", "old"], before: &before, after: &after })
}

#[test]
fn prune() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.run(&["volume", "rm", "-f", "kept"])?;
        phial.ok(&[
            "run",
            "--network",
            "none",
            "--name",
            "user",
            "-v",
            "kept:/kept",
            &scene.image,
            "sh",
            "-c",
            "echo kept > /kept/file",
        ])?;
        for name in ["one", "two"] {
            phial.ok(&["volume", "create", name])?;
        }
        Ok(())
    };
    let after = |phial: &Phial| {
        phial.ok(&["volume", "prune", "-af"])?;
        assert_eq!(phial.ok(&["volume", "ls", "-q"])?, "kept");
        assert_eq!(
            phial.ok(&["run", "--rm", "--network", "none", "-v", "kept:/kept", &scene.image, "cat", "/kept/file"])?,
            "kept"
        );
        Ok(())
    };
    died(&scene, 11, &Operation { words: &["volume", "prune", "-af"], before: &before, after: &after })
}
