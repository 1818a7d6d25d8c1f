//! The names that are in the store at this moment. A store that is not there is not made.

use engine::{Engine, ImageListOptions, ListOptions};

use super::Candidate;
use crate::context::Context;

/// Which containers fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Containers {
    All,
    /// Those with processes.
    Running,
    /// Those that can be started.
    Stopped,
    /// Those that can go on.
    Paused,
}

fn engine(context: &Context) -> Option<Engine> {
    let exists = context.paths().is_ok_and(|paths| paths.database().exists());
    if exists { context.engine().ok() } else { None }
}

/// Names of containers, and ids for who types one.
pub(super) fn containers(context: &Context, which: Containers, typed: &str) -> Vec<Candidate> {
    let options = ListOptions { all: true, ..ListOptions::default() };
    let list = engine(context).and_then(|engine| engine.list(&options).ok()).unwrap_or_default();
    let fits = list.iter().filter(|container| match which {
        Containers::All => true,
        Containers::Running => matches!(container.state, "running" | "paused" | "restarting"),
        Containers::Stopped => matches!(container.state, "created" | "exited" | "dead"),
        Containers::Paused => container.state == "paused",
    });
    let mut found = Vec::new();
    for container in fits {
        let about = format!("{}, {}", container.image, container.status);
        if !typed.is_empty() && container.id.starts_with(typed) {
            found.push(Candidate::new(&container.id[..typed.len().clamp(12, 64)], &about));
        }
        found.push(Candidate::new(&container.name, about));
    }
    found
}

/// Names of images, and ids for who types one.
pub(super) fn images(context: &Context, typed: &str) -> Vec<Candidate> {
    let options = ImageListOptions::default();
    let list = engine(context).and_then(|engine| engine.images(&options).ok()).unwrap_or_default();
    let mut found = Vec::new();
    for image in list {
        let id = image.id.hex();
        let name = match (&image.repository, &image.tag, &image.digest) {
            (Some(repository), Some(tag), _) => Some(format!("{repository}:{tag}")),
            (Some(repository), None, Some(digest)) => Some(format!("{repository}@{digest}")),
            _ => None,
        };
        if name.is_none() || (!typed.is_empty() && id.starts_with(typed)) {
            found.push(Candidate::new(&id[..typed.len().clamp(12, 64)], name.clone().unwrap_or_default()));
        }
        found.extend(name.map(|name| Candidate::new(name, image.id.short())));
    }
    found
}

/// Names of networks.
pub(super) fn networks(context: &Context) -> Vec<Candidate> {
    let list = engine(context).and_then(|engine| engine.store().networks().ok()).unwrap_or_default();
    list.into_iter().map(|network| Candidate::new(network.name, "network")).collect()
}

/// Names of volumes.
pub(super) fn volumes(context: &Context) -> Vec<Candidate> {
    let list = engine(context).and_then(|engine| engine.store().volumes().ok()).unwrap_or_default();
    list.into_iter().map(|volume| Candidate::new(volume.name, "volume")).collect()
}
