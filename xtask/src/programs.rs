//! The built programs.

use std::path::PathBuf;

use end_to_end::{Failure, Result, target};

use crate::{say, setup};

/// Builds the release programs and returns the path of `phial`; `phial-runtime` lies beside it.
///
/// # Errors
/// cargo says why.
pub(crate) fn build() -> Result<PathBuf> {
    cargo_build(&["--release", "--locked", "-p", "phial", "-p", "phial-runtime"])?;
    Ok(path())
}

/// Builds `phial` so that it dies where a test tells it to, and returns its path.
///
/// # Errors
/// cargo says why.
pub(crate) fn build_with_fault_points() -> Result<PathBuf> {
    cargo_build(&["--locked", "-p", "phial", "--features", "fault-points"])?;
    Ok(target().join("x86_64-unknown-linux-musl/debug/phial"))
}

fn cargo_build(arguments: &[&str]) -> Result {
    let mut cargo = setup::cargo();
    cargo.arg("build").args(arguments);
    say::line(&format!("$ cargo build {}", arguments.join(" ")));
    let status = cargo.status()?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("cargo build {}: {status}", arguments.join(" ")))) }
}

/// Where `phial` is once it is built.
pub(crate) fn path() -> PathBuf {
    target().join("x86_64-unknown-linux-musl/release/phial")
}
