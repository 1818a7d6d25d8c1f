//! The built programs.

use std::path::PathBuf;

use end_to_end::{Failure, Result, target};

use crate::{say, setup};

/// Builds the release programs and returns the path of `phial`; `phial-runtime` lies beside it.
///
/// # Errors
/// cargo says why.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = setup::cargo();
    cargo.args(["build", "--release", "--locked", "-p", "phial", "-p", "phial-runtime"]);
    say::line("$ cargo build --release --locked -p phial -p phial-runtime");
    let status = cargo.status()?;
    if !status.success() {
        return Err(Failure::new(format!("cargo build --release: {status}")));
    }
    Ok(path())
}

/// Where `phial` is once it is built.
pub(crate) fn path() -> PathBuf {
    target().join("x86_64-unknown-linux-musl/release/phial")
}
