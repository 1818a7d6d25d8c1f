//! Compiled filters against everything that can say what they should do: a plain reading of the profile, Docker's own
//! profile, libseccomp, and the kernel.

#![expect(clippy::print_stderr, reason = "a test that could not run says so")]

/// A machine for classic BPF, as far as filters use it.
mod interpreter;
/// The calls worth asking about.
mod probes;
/// Profiles written with few words.
mod profiles;
/// What a profile says about a call, read without compiling it.
mod reference;

/// Programs against the reference: fixed profiles, and random ones.
mod decisions;
/// The default profile against Docker's.
mod docker;
/// The running kernel.
mod kernel;
/// Numbers and decisions against libseccomp.
mod libseccomp;
