//! `create`: a container whose process is ready and waits for `start`.

use std::process::ExitCode;

use super::make::{Begin, make};
use crate::command_line::{Global, Words};
use crate::failure::Result;

/// Creates a container.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    make(global, words, words.argument(0)?, Begin::Later)?;
    Ok(ExitCode::SUCCESS)
}
