//! How the program is linked.

fn main() {
    // The relocations of a static-pie are all of one kind; packed they take a hundredth of the space, and of the pages
    // that every start reads.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    println!("cargo::rerun-if-changed=build.rs");
}
