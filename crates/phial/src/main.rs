//! The program `phial`: its allocator, and the call into the library that is everything else.

use std::process::ExitCode;

/// The C library's allocator is several times slower with two threads, which unpack layers.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    phial::main()
}
