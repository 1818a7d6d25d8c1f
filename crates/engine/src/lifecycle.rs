//! What happens to a container after it was started: what state it is in, how it is ended and removed.

mod remove;
mod settle;
mod state;
mod stop;

#[cfg(test)]
mod tests;

pub use remove::RemoveOptions;
pub use state::{Container, State};
