//! `plan`: the steps that would make a container. Needs no root, and does nothing.

use std::process::ExitCode;

use runtime::plan::StartMode;
use serde::Serialize;

use super::cgroups;
use super::make::{Bundle, Choices};
use crate::command_line::{Global, Words};
use crate::failure::{Failure, Result, print, print_json};

/// A plan as JSON.
#[derive(Serialize)]
struct Printed {
    /// `CLONE_NEW*` bits of the clone.
    namespaces: u64,
    steps: Vec<String>,
    program: Vec<String>,
}

/// Prints the plan.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let bundle = Bundle::read(words)?;
    let rootfs = bundle.rootfs()?;
    let hierarchies = cgroups::hierarchies(global)?;
    let choices = Choices {
        id: "container".to_owned(),
        preserved: 0,
        start: StartMode::AtOnce,
        may_move_root: false,
        keyring: None,
        window: None,
    };
    let plan = bundle.plan(&rootfs, &hierarchies, choices)?;
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    let strings = plan.program.arguments.strings();
    let program = strings.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    match words.text("format")? {
        None | Some("text") => {
            let number = |(number, step): (usize, &String)| format!("{:>3}  {step}\n", number + 1);
            print(&steps.iter().enumerate().map(number).collect::<String>())?;
        }
        Some("json") => print_json(&Printed { namespaces: plan.namespaces, steps, program })?,
        Some(other) => return Err(Failure::new(format!("--format {other}: is neither text nor json"))),
    }
    Ok(ExitCode::SUCCESS)
}
