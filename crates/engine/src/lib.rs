//! From a request to a supervised container: what is behind `phial run`, `exec`, `ps` and the rest.

pub mod config;
mod error;

pub use error::{Error, ErrorKind, Result};
