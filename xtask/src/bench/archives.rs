//! A large image on its way out: to a registry, and into a file.

use std::path::Path;

use end_to_end::Result;
use end_to_end::process::run;
use end_to_end::registry::Registry;

use super::peer::Peer;
use super::report::Table;
use super::rounds::{rounds_of, time};

type Peers = [Box<dyn Peer>];

/// A push to a registry that has nothing of the image.
pub(crate) fn push(peers: &[&dyn Peer], title: &str, image: &str, rounds: usize) -> Result<Table> {
    rounds_of(title, rounds, |_, samples| {
        for peer in peers {
            let registry = Registry::start()?;
            let name = registry.name("pushed:latest");
            run(&mut peer.tag(image, &name))?.success()?;
            samples(peer.name(), time(&mut peer.push(&name))?);
        }
        Ok(())
    })
}

/// An image in a file.
pub(crate) fn save(peers: &Peers, image: &str, rounds: usize, dir: &Path) -> Result<Table> {
    rounds_of("save of five layers, 800 MB, to a file", rounds, |_, samples| {
        for peer in peers {
            // Podman does not write over a file.
            let file = dir.join(format!("{}.tar", peer.name()));
            samples(peer.name(), time(&mut peer.save(image, &file))?);
            std::fs::remove_file(&file)?;
        }
        Ok(())
    })
}
