//! What happens to a container after it was started: what state it is in, how it is ended and removed.

/// Removing what nobody uses.
mod prune;
/// What a crash has left.
mod recover;
mod remove;
/// Starting what runs once more.
mod restart;
mod settle;
mod state;
mod stop;
/// Names, limits and policies of containers that are there.
mod update;

#[cfg(test)]
mod tests;

pub use prune::{CONTAINER_PRUNE_FILTERS, Pruned, VOLUME_PRUNE_FILTERS};
pub use recover::Outcome;
pub(crate) use recover::UNKNOWN;
pub use remove::RemoveOptions;
pub(crate) use remove::{end_lost, end_noted};
pub(crate) use state::read;
pub use state::{Container, State};
pub use stop::StopOptions;
pub use update::Update;
