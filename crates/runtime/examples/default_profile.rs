//! Prints the default profile of system calls on this machine, as the `linux.seccomp` of a config.json.
//!
//! `cargo run --release -p runtime --example default_profile`

use oci_spec::runtime::Capabilities;
use runtime::seccomp::syscalls::Architecture;
use runtime::seccomp::{KernelVersion, ProfileContext, default_profile};

fn main() -> std::io::Result<()> {
    let capabilities = Capabilities::new();
    let kernel = KernelVersion::running();
    let context = ProfileContext { capabilities: &capabilities, architecture: Architecture::NATIVE, kernel };
    serde_json::to_writer_pretty(std::io::stdout().lock(), &default_profile(&context)).map_err(Into::into)
}
