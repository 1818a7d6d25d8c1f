//! Containers and images as docker describes them to programs: the JSON of `inspect`.
//!
//! Source: Docker Engine API 1.51, `ContainerInspect` and `ImageInspect`. Fields of what Phial has not are there with
//! the value that means "none", where programs read them without asking.

mod container;
mod image;
mod mounts;
mod networks;
mod state;

pub(crate) use container::{exposed_ports, labels};
