//! Containers that are made, begin, end and go.

use end_to_end::faults::Operation;
use end_to_end::{Phial, Result};

use super::scene::{Scene, died, is_one_of, no_containers, only, status, status_begun};

#[test]
fn run_in_the_background() -> Result {
    let scene = Scene::with_image()?;
    let words = ["run", "-d", "--network", "none", "--name", "web", &scene.image, "sleep", "1000"];
    let after = |phial: &Phial| {
        match status_begun(phial, "web")? {
            Some(line) if line.contains("Up ") => phial.ok(&["exec", "web", "true"]).map(drop),
            // Its supervisor was killed, and it with it.
            Some(line) if line.contains("Dead") => phial.ok(&["rm", "web"]).map(drop),
            Some(line) => panic!("neither running nor absent: {line}"),
            None => Ok(()),
        }
    };
    died(&scene, 95, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn run_to_the_end() -> Result {
    let scene = Scene::with_image()?;
    let words = ["run", "--rm", "--network", "none", "--name", "once", &scene.image, "true"];
    let after = |phial: &Phial| {
        if status(phial, "once")?.is_some_and(|line| line.contains("Dead")) {
            phial.ok(&["rm", "once"])?;
        }
        phial.ok(&["run", "--rm", "--network", "none", "--name", "once", &scene.image, "true"]).map(drop)
    };
    died(&scene, 140, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn create() -> Result {
    let scene = Scene::with_image()?;
    let after = |phial: &Phial| match status(phial, "new")? {
        None => Ok(()),
        Some(_) => phial.ok(&["start", "new"]).map(drop),
    };
    let words = ["create", "--network", "none", "--name", "new", &scene.image, "sleep", "1000"];
    died(&scene, 40, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn start() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        only(phial, &["create", "--network", "none", "--name", "again", &scene.image, "sleep", "1000"])?;
        phial.ok(&["start", "again"])?;
        phial.ok(&["stop", "--time", "0", "again"]).map(drop)
    };
    let after = |phial: &Phial| {
        is_one_of(phial, "again", &["Up ", "Exited (137)", "Dead", "Created"])?;
        phial.ok(&["start", "again"])?;
        phial.ok(&["exec", "again", "true"]).map(drop)
    };
    died(&scene, 11, &Operation { words: &["start", "again"], before: &before, after: &after })
}

#[test]
fn rename() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| only(phial, &["create", "--network", "none", "--name", "one", &scene.image, "true"]);
    let after = |phial: &Phial| {
        let names = phial.ok(&["ps", "-a", "--format", "{{.Names}}"])?;
        assert!(names == "one" || names == "two", "{names}");
        phial.ok(&["start", "-a", &names]).map(drop)
    };
    died(&scene, 2, &Operation { words: &["rename", "one", "two"], before: &before, after: &after })
}

#[test]
fn rm() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| only(phial, &["run", "--network", "none", "--name", "old", &scene.image, "true"]);
    let after = |phial: &Phial| match status(phial, "old")? {
        Some(line) => {
            assert!(line.contains("Exited (0)"), "{line}");
            Ok(())
        }
        None => Ok(()),
    };
    died(&scene, 18, &Operation { words: &["rm", "old"], before: &before, after: &after })
}

#[test]
fn rm_of_a_running_one() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        only(phial, &["run", "-d", "--network", "none", "--name", "busy", &scene.image, "sleep", "1000"])
    };
    let after = |phial: &Phial| {
        phial.ok(&["run", "--rm", "--network", "none", "--name", "free", &scene.image, "true"]).map(drop)
    };
    died(&scene, 20, &Operation { words: &["rm", "-f", "busy"], before: &before, after: &after })
}

#[test]
fn prune() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        for name in ["one", "two"] {
            phial.ok(&["run", "--network", "none", "--name", name, &scene.image, "true"])?;
        }
        Ok(())
    };
    let after = |phial: &Phial| {
        for name in ["one", "two"] {
            if status(phial, name)?.is_some() {
                is_one_of(phial, name, &["Exited (0)"])?;
                phial.ok(&["start", "-a", name])?;
            }
        }
        Ok(())
    };
    died(&scene, 38, &Operation { words: &["container", "prune", "-f"], before: &before, after: &after })
}

#[test]
fn prune_of_the_system() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.ok(&["pull", &scene.image])?;
        phial.ok(&["run", "-d", "--network", "none", "--name", "busy", &scene.image, "sleep", "1000"])?;
        phial.ok(&["run", "--network", "none", "--name", "old", "-v", "/anonymous", &scene.image, "true"]).map(drop)
    };
    let after = |phial: &Phial| {
        // What is used stays.
        phial.ok(&["exec", "busy", "true"])?;
        if status(phial, "old")?.is_some() {
            phial.ok(&["start", "-a", "old"])?;
        }
        phial.ok(&["system", "prune", "-f", "--volumes"])?;
        assert_eq!((phial.ok(&["volume", "ls", "-q"])?, status(phial, "old")?), (String::new(), None));
        Ok(())
    };
    died(&scene, 24, &Operation { words: &["system", "prune", "-f", "--volumes"], before: &before, after: &after })
}
