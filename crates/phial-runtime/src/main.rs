//! The small program that makes containers: runc's verbs, and the supervisor that stays with each container of `phial`.

/// Words to verbs.
mod command_line;
/// Containers that this program has made, on disk and in the kernel.
mod container;
/// What is said when a verb did not work, and where.
mod failure;
/// Files that are there whole or not at all.
mod files;
/// Running from memory that nothing can change.
mod sealed;
/// The process that stays with a container of `phial`.
mod supervise;
/// What each verb does.
mod verbs;

fn main() -> std::process::ExitCode {
    command_line::run(std::env::args_os().skip(1))
}
