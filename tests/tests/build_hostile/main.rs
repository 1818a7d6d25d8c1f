//! Builds of strangers: Dockerfiles, contexts, archives and repositories that want something of the host. Nothing outside of the
//! context and of the container is read or written, and everything ends (rows of the builder in the published breakouts; each
//! test names its own).

mod archives;
mod contexts;
mod dockerfiles;
mod mounts;
mod victim;
