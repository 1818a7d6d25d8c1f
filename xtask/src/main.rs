//! `cargo xtask`: everything that is done with this repository besides `cargo build`.

/// `cargo xtask bench`.
mod bench;
/// `cargo xtask breakout`.
mod breakout;
/// `cargo xtask demo`.
mod demo;
/// The built programs.
mod programs;
/// What goes to the terminal.
mod say;
/// Debian packages, the Rust target and cargo's tools.
mod setup;
/// `cargo xtask test`.
mod test;
/// The words of the command line.
mod verbs;

fn main() -> std::process::ExitCode {
    verbs::main(std::env::args().skip(1).collect())
}
