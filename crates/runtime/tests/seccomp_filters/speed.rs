//! How long it takes to make and to compile the default profile. A measurement, no promise: it prints.
//!
//! `cargo test --release -p runtime --test seccomp_filters -- --ignored --nocapture speed`

use std::time::{Duration, Instant};

use oci_spec::runtime::Capabilities;
use runtime::seccomp::syscalls::Architecture;
use runtime::seccomp::{KernelVersion, ProfileContext, compile, default_profile};

#[test]
#[ignore = "a measurement, to be run in release mode"]
fn default_profile_and_its_compilation() {
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
    eprintln!("default profile: made in {made:?}, compiled in {compiled:?} to {length} instructions");
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
