//! Every operation dies at every point at which it could leave something half done, in the command and in the
//! supervisor: after each death the store is whole, and the operation has happened or has not.

use end_to_end::faults::{self, Operation, at_every_point};
use end_to_end::leftovers::adopt_orphans;
use end_to_end::registry::Registry;
use end_to_end::{Phial, Result, images};

/// A registry, and the program that dies where it is told to.
struct Scene {
    phial: Phial,
    image: String,
    _registry: Registry,
}

impl Scene {
    fn new() -> Result<Scene> {
        adopt_orphans()?;
        let registry = images::registry()?;
        let image = registry.name(images::BUSYBOX);
        Ok(Scene { phial: faults::phial()?, image, _registry: registry })
    }

    fn with_image() -> Result<Scene> {
        let scene = Scene::new()?;
        scene.phial.ok(&["pull", &scene.image])?;
        Ok(scene)
    }
}

/// What `ps -a` says of the container called `name`; None if there is none.
fn status(phial: &Phial, name: &str) -> Result<Option<String>> {
    Ok(phial.ok(&["ps", "-a"])?.lines().find(|line| line.ends_with(name)).map(str::to_owned))
}

/// Removes everything that is a container.
fn no_containers(phial: &Phial) -> Result {
    phial.remove_containers()
}

/// How often the operation died, and that it was so often at least.
fn died(scene: &Scene, least: usize, operation: &Operation<'_>) -> Result {
    let deaths = at_every_point(&scene.phial, operation)?;
    assert!(deaths >= least, "`{}` died {deaths} times only", operation.words.join(" "));
    Ok(())
}

#[test]
fn pull() -> Result {
    let scene = Scene::new()?;
    let image = scene.image.as_str();
    let without = |phial: &Phial| {
        if phial.ok(&["images"])?.lines().count() <= 1 { Ok(()) } else { phial.ok(&["rmi", "-f", image]).map(drop) }
    };
    // What is listed is whole, and what is not can be had.
    let after = |phial: &Phial| phial.ok(&["run", "--rm", image, "true"]).map(drop);
    died(&scene, 8, &Operation { words: &["pull", image], before: &without, after: &after })
}

#[test]
fn rmi() -> Result {
    let scene = Scene::with_image()?;
    let image = scene.image.as_str();
    let before = |phial: &Phial| phial.ok(&["pull", image]).map(drop);
    let after = |phial: &Phial| phial.ok(&["run", "--rm", image, "true"]).map(drop);
    died(&scene, 3, &Operation { words: &["rmi", image], before: &before, after: &after })
}

#[test]
fn run_in_the_background() -> Result {
    let scene = Scene::with_image()?;
    let words = ["run", "-d", "--name", "web", &scene.image, "sleep", "1000"];
    let after = |phial: &Phial| {
        // Its supervisor may be on the way, and needs nobody.
        while status(phial, "web")?.is_some_and(|line| line.contains("Created")) {}
        match status(phial, "web")? {
            Some(line) if line.contains("Up ") => phial.ok(&["exec", "web", "true"]).map(drop),
            // Its supervisor was killed, and it with it.
            Some(line) if line.contains("Dead") => phial.ok(&["rm", "web"]).map(drop),
            Some(line) => panic!("neither running nor absent: {line}"),
            None => Ok(()),
        }
    };
    died(&scene, 12, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn run_to_the_end() -> Result {
    let scene = Scene::with_image()?;
    let words = ["run", "--rm", "--name", "once", &scene.image, "true"];
    let after = |phial: &Phial| {
        if status(phial, "once")?.is_some_and(|line| line.contains("Dead")) {
            phial.ok(&["rm", "once"])?;
        }
        phial.ok(&["run", "--rm", "--name", "once", &scene.image, "true"]).map(drop)
    };
    died(&scene, 12, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn rm() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.ok(&["run", "--name", "old", &scene.image, "true"]).map(drop)
    };
    let after = |phial: &Phial| match status(phial, "old")? {
        Some(line) => {
            assert!(line.contains("Exited (0)"), "{line}");
            Ok(())
        }
        None => Ok(()),
    };
    died(&scene, 4, &Operation { words: &["rm", "old"], before: &before, after: &after })
}

#[test]
fn rm_of_a_running_one() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.ok(&["run", "-d", "--name", "busy", &scene.image, "sleep", "1000"]).map(drop)
    };
    let after = |phial: &Phial| phial.ok(&["run", "--rm", "--name", "free", &scene.image, "true"]).map(drop);
    died(&scene, 4, &Operation { words: &["rm", "-f", "busy"], before: &before, after: &after })
}

/// The operation either happened or did not: `ps -a` shows the container with one of these words.
fn is_one_of(phial: &Phial, name: &str, words: &[&str]) -> Result {
    let line = status(phial, name)?.unwrap_or_else(|| "absent".to_owned());
    assert!(words.iter().any(|word| line.contains(word)), "none of {words:?}: {line}");
    Ok(())
}

#[test]
fn create() -> Result {
    let scene = Scene::with_image()?;
    let after = |phial: &Phial| match status(phial, "new")? {
        None => Ok(()),
        Some(_) => phial.ok(&["start", "new"]).map(drop),
    };
    let words = ["create", "--name", "new", &scene.image, "sleep", "1000"];
    died(&scene, 6, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn start() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.ok(&["create", "--name", "again", &scene.image, "sleep", "1000"])?;
        phial.ok(&["start", "again"])?;
        phial.ok(&["stop", "--time", "0", "again"]).map(drop)
    };
    let after = |phial: &Phial| {
        is_one_of(phial, "again", &["Up ", "Exited (137)", "Dead", "Created"])?;
        phial.ok(&["start", "again"])?;
        phial.ok(&["exec", "again", "true"]).map(drop)
    };
    died(&scene, 5, &Operation { words: &["start", "again"], before: &before, after: &after })
}

/// Operations on one container that runs: each leaves it running, paused, ended or lost, and removable.
fn on_a_running_one(words: &[&str], least: usize, can_be: &[&str]) -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.ok(&["run", "-d", "--name", "busy", &scene.image, "sleep", "1000"]).map(drop)
    };
    let after = |phial: &Phial| {
        is_one_of(phial, "busy", can_be)?;
        phial.ok(&["rm", "-f", "busy"]).map(drop)
    };
    died(&scene, least, &Operation { words, before: &before, after: &after })
}

#[test]
fn stop() -> Result {
    on_a_running_one(&["stop", "--time", "0", "busy"], 4, &["Up ", "Exited (137)", "Dead"])
}

#[test]
fn restart() -> Result {
    on_a_running_one(&["restart", "--time", "0", "busy"], 8, &["Up ", "Exited (137)", "Dead", "Created"])
}

#[test]
fn pause() -> Result {
    on_a_running_one(&["pause", "busy"], 2, &["(Paused)", "Up ", "Dead"])
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
        phial.ok(&["run", "--rm", "second:name", "true"]).map(drop)
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
        phial.ok(&["run", "--rm", &scene.image, "true"]).map(drop)
    };
    died(&scene, 8, &Operation { words: &["load", "-i", file], before: &before, after: &after })
}

#[test]
fn commit() -> Result {
    let scene = Scene::with_image()?;
    scene.phial.ok(&["run", "--name", "changed", &scene.image, "sh", "-c", "echo kept > /kept"])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", "of:changed"]).map(drop);
    let after = |phial: &Phial| {
        // What it was made of is as it was.
        phial.ok(&["cp", "changed:/kept", "-"])?;
        if phial.ok(&["images", "-q", "of:changed"])?.is_empty() {
            phial.ok(&["commit", "changed", "of:changed"])?;
        }
        assert_eq!(phial.ok(&["run", "--rm", "of:changed", "cat", "/kept"])?, "kept");
        Ok(())
    };
    died(&scene, 4, &Operation { words: &["commit", "changed", "of:changed"], before: &before, after: &after })
}

#[test]
fn import() -> Result {
    let scene = Scene::with_image()?;
    let file = scene.phial.scratch().join("exported.tar");
    let file = file.to_str().expect("a temporary directory has a plain name");
    scene.phial.ok(&["create", "--name", "source", &scene.image])?;
    scene.phial.ok(&["export", "-o", file, "source"])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", "im:ported"]).map(drop);
    let after = |phial: &Phial| {
        if phial.ok(&["images", "-q", "im:ported"])?.is_empty() {
            phial.ok(&["import", file, "im:ported"])?;
        }
        phial.ok(&["run", "--rm", "im:ported", "/bin/true"]).map(drop)
    };
    died(&scene, 4, &Operation { words: &["import", file, "im:ported"], before: &before, after: &after })
}

#[test]
fn rename() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.ok(&["create", "--name", "one", &scene.image, "true"]).map(drop)
    };
    let after = |phial: &Phial| {
        let names = phial.ok(&["ps", "-a", "--format", "{{.Names}}"])?;
        assert!(names == "one" || names == "two", "{names}");
        phial.ok(&["start", "-a", &names]).map(drop)
    };
    died(&scene, 2, &Operation { words: &["rename", "one", "two"], before: &before, after: &after })
}

#[test]
fn volume_create_and_rm() -> Result {
    let scene = Scene::new()?;
    let none = |phial: &Phial| phial.run(&["volume", "rm", "-f", "data"]).map(drop);
    let one = |phial: &Phial| phial.ok(&["volume", "create", "data"]).map(drop);
    let usable = |phial: &Phial| {
        phial.ok(&["volume", "create", "data"])?;
        phial.ok(&["volume", "inspect", "data"]).map(drop)
    };
    died(&scene, 3, &Operation { words: &["volume", "create", "data"], before: &none, after: &usable })?;
    died(&scene, 2, &Operation { words: &["volume", "rm", "data"], before: &one, after: &usable })
}

#[test]
fn first_use_of_a_volume() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.run(&["volume", "rm", "-f", "filled"]).map(drop)
    };
    // Whatever died, the next to use it finds all that the image has there.
    let count = ["run", "--rm", "-v", "filled:/bin", &scene.image, "/bin/busybox", "sh", "-c", "ls /bin | wc -l"];
    let all = scene.phial.ok(&["run", "--rm", &scene.image, "sh", "-c", "ls /bin | wc -l"])?;
    let after = |phial: &Phial| {
        assert_eq!(phial.ok(&count)?, all);
        Ok(())
    };
    let words = ["run", "--rm", "-v", "filled:/bin", &scene.image, "/bin/busybox", "true"];
    died(&scene, 12, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn rm_with_anonymous_volumes() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        phial.run(&["volume", "prune", "-f"])?;
        phial.ok(&["run", "--name", "old", "-v", "/anonymous", &scene.image, "true"]).map(drop)
    };
    let after = |phial: &Phial| {
        phial.run(&["rm", "-v", "old"])?;
        phial.ok(&["volume", "prune", "-f"])?;
        assert_eq!(phial.ok(&["volume", "ls", "-q"])?, "");
        Ok(())
    };
    died(&scene, 4, &Operation { words: &["rm", "-v", "old"], before: &before, after: &after })
}
