//! `phial build`, as a user meets it: what is built, what it is made of, what commands see, and what is said when it fails.
//! The words are docker's and buildx's (docs.docker.com/reference/cli/docker/buildx/build).

mod agents;
mod asked;
mod commands;
mod elsewhere;
mod first;
mod inputs;
mod layouts;
mod limits;
mod messages;
mod mounts;
mod secrets;
mod shell;
mod shown;
