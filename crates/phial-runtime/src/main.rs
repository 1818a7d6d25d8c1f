//! The small program that makes containers: runc's verbs, and the supervisor that stays with each container of `phial`.

/// Words to verbs.
mod command_line;
/// Containers that this program has made, on disk and in the kernel.
mod container;
/// What is said when a verb did not work, and where.
mod failure;
/// Files of this program's own, whole.
mod files;
/// Running from memory that nothing can change.
mod sealed;
/// The process that stays with a container of `phial`.
mod supervise;
/// JSON values as types of the specification.
mod typed;
/// What each verb does.
mod verbs;

/// The allocator of musl maps and unmaps pages for every kind of size that comes and goes: fifty system calls in the
/// life of `run`, where this one makes three.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::process::ExitCode {
    command_line::run(std::env::args_os().skip(1))
}
