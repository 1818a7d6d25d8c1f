//! The command line of Phial: parse, call, print. What is worth testing lives in `engine`.

/// Words to commands, and what is said about words that make no sense.
mod command_line;
/// The commands, one file each.
mod commands;
/// What can come next on a command line, for shells.
mod completion;
/// Where things lie, and the engine on them.
mod context;
/// The two programs inside this one.
mod embedded;
/// What is said when a command did not work, and exit statuses.
mod failure;
/// Manual pages.
mod man;
/// Tables, sizes, progress bars.
mod output;
/// What docker's command line has and this one not yet.
mod unsupported;

use std::process::ExitCode;

/// Runs the command of this process's arguments. Exit statuses are docker's.
pub fn main() -> ExitCode {
    command_line::run(std::env::args_os().collect())
}
