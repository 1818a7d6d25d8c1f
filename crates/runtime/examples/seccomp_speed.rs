//! How long it takes to make and to compile the default profile. A measurement, no promise: it prints.
//!
//! `cargo run --release -p runtime --example seccomp_speed`

use std::io::Write;
use std::time::{Duration, Instant};

use oci_spec::runtime::Capabilities;
use runtime::seccomp::syscalls::Architecture;
use runtime::seccomp::{KernelVersion, ProfileContext, compile, default_profile};

fn main() {
    let capabilities = Capabilities::new();
    let context = ProfileContext {
        capabilities: &capabilities,
        architecture: Architecture::NATIVE,
        kernel: KernelVersion::running(),
    };
    let profile = default_profile(&context);
    let length = compile(&profile).expect("the profile compiles").program().len();
    let made = median(|| default_profile(&context));
    let compiled = median(|| compile(&profile));
    let words = format!("default profile: made in {made:?}, compiled in {compiled:?} to {length} instructions\n");
    // A closed stdout is nobody's loss.
    std::io::stdout().write_all(words.as_bytes()).ok();
}

fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<_> = (0..1001)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
