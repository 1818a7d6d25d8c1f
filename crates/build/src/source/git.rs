//! Repositories: what an address means, which commit its reference is now, and that commit's files in a directory.
//!
//! The program `git` does it, with a configuration that is ours alone: none of the user's or of the system's, no hooks, no
//! helpers, no prompts, and four ways to reach a repository. What the repository says about itself is never run.
//!
//! Source: `BuildKit`'s `source/git`, `util/gitutil` and `frontend/dockerfile/dfgitutil`, 0.32; `git-config(1)`.

/// What people write.
mod address;
/// A commit's files.
mod checkout;
/// Which commit a reference means.
mod commit;
/// The program.
mod program;
/// Between an address and an operation of a graph.
mod source;

pub(crate) use address::{GitAddress, checked_checksum};
pub(crate) use checkout::checkout;
pub(crate) use commit::{Commit, is_whole_commit, resolve};
pub(crate) use program::GitAuth;

#[cfg(test)]
mod tests;
