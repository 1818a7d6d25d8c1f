//! The small program that stays with a container.

mod arguments;
mod supervise;

fn main() -> std::process::ExitCode {
    arguments::dispatch(std::env::args().skip(1))
}
