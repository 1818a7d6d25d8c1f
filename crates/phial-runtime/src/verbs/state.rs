//! `state`: one container, as JSON.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::hooks;
use crate::command_line::{Global, Words};
use crate::container::Container;
use crate::failure::{Result, print_json};

/// The state of the specification, with what runc adds.
#[derive(Serialize)]
struct State<'a> {
    #[serde(flatten)]
    specified: hooks::State<'a>,
    rootfs: &'a Path,
    created: &'a str,
    owner: &'a str,
}

/// Prints the state.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    let spec = container.config()?;
    let saved = &container.saved;
    let specified = hooks::State::of(&container, &spec)?;
    print_json(&State { specified, rootfs: &saved.rootfs, created: &saved.created, owner: "" })?;
    Ok(ExitCode::SUCCESS)
}
