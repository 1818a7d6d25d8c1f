//! The language of Dockerfiles: from bytes to instructions, of which each knows its lines.
//!
//! Three steps: bytes become [`Statement`]s (lines joined, here-documents read, arguments split), these become
//! [`Instruction`]s (every flag and argument checked), and those become [`Stages`]. What these mean for one build, with the
//! values of all variables, [`evaluate`] says, and what looks wrong in them [`check`] does.
//!
//! Everything here is pure: no file is opened, nothing is run. It knows nothing of images and of builds. A Dockerfile comes
//! from strangers, so whatever it contains, it is read in bounded time and depth, or refused with the line and the word
//! that are wrong.
//!
//! Source: the Dockerfile reference, <https://docs.docker.com/reference/dockerfile/>, up to syntax 1.26. Where it is silent,
//! what `BuildKit` takes and refuses decides, because that is what Dockerfiles are written for.

/// What it says and probably does not mean.
pub mod check;
/// Variables in their order.
mod environment;
/// Why a Dockerfile is refused, and where.
mod error;
/// What it means for one build.
pub mod evaluate;
/// Files that are left out.
pub mod ignore;
/// Statements as instructions, with all their flags checked.
pub mod instruction;
/// Paths as texts.
pub mod path;
/// Errors for people.
mod report;
/// Instructions by stages.
mod stages;
/// A file as statements: continuation lines joined, heredocs read, arguments split.
pub mod statement;
/// Quotes, escapes and variables.
pub mod word;

pub use environment::Environment;
pub use error::{Error, ErrorKind, Result};
pub use instruction::{Instruction, Kind};
pub use report::Look;
pub use stages::{Stage, Stages};
pub use statement::{Dockerfile, Lines, Statement};
