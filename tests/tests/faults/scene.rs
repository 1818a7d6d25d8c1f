//! What these tests begin with: a registry, an image of it, and the program that dies where it is told to.

use end_to_end::faults::{self, Operation, at_every_point};
use end_to_end::registry::Registry;
use end_to_end::{Phial, Result, images};

/// A registry, and the program that dies where it is told to.
pub(crate) struct Scene {
    pub(crate) phial: Phial,
    pub(crate) image: String,
    _registry: Registry,
}

impl Scene {
    pub(crate) fn new() -> Result<Scene> {
        let registry = images::registry()?;
        let image = registry.name(images::BUSYBOX);
        Ok(Scene { phial: faults::phial()?, image, _registry: registry })
    }

    pub(crate) fn with_image() -> Result<Scene> {
        let scene = Scene::new()?;
        scene.phial.ok(&["pull", &scene.image])?;
        Ok(scene)
    }
}

/// What `ps -a` says of the container called `name`; None if there is none.
pub(crate) fn status(phial: &Phial, name: &str) -> Result<Option<String>> {
    Ok(phial.ok(&["ps", "-a"])?.lines().find(|line| line.ends_with(name)).map(str::to_owned))
}

/// The operation either happened or did not: `ps -a` shows the container with one of these words.
pub(crate) fn is_one_of(phial: &Phial, name: &str, words: &[&str]) -> Result {
    let line = status(phial, name)?.unwrap_or_else(|| "absent".to_owned());
    assert!(words.iter().any(|word| line.contains(word)), "none of {words:?}: {line}");
    Ok(())
}

/// What `ps -a` says of it once its supervisor, which may be on the way and needs nobody, has begun.
pub(crate) fn status_begun(phial: &Phial, name: &str) -> Result<Option<String>> {
    loop {
        let found = status(phial, name)?;
        if !found.as_ref().is_some_and(|line| line.contains("Created")) {
            return Ok(found);
        }
    }
}

/// Removes everything that is a container.
pub(crate) fn no_containers(phial: &Phial) -> Result {
    phial.remove_containers()
}

/// The same, and then makes one.
pub(crate) fn only(phial: &Phial, words: &[&str]) -> Result {
    no_containers(phial)?;
    phial.ok(words).map(drop)
}

/// How often the operation died, and that it was so often at least.
pub(crate) fn died(scene: &Scene, least: usize, operation: &Operation<'_>) -> Result {
    let deaths = at_every_point(&scene.phial, operation)?;
    assert!(deaths >= least, "`{}` died {deaths} times only", operation.words.join(" "));
    Ok(())
}
