//! Builds the two programs that `phial` carries inside itself, `phial-runtime` and `hello`, and tells the compiler
//! where they are. They are always optimised, whatever the profile of `phial`: they are what a container's start
//! costs, and what stays in memory with each container.

use std::env::{self, var_os};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Crates that the two programs are made of.
const CRATES: [&str; 7] = ["notation", "sys", "fsroot", "net", "runtime", "phial-runtime", "hello"];

/// How they are compiled: small, in one piece, and without unwinding.
const PROFILE: [&str; 5] = ["opt-level=\"s\"", "lto=\"fat\"", "codegen-units=1", "panic=\"abort\"", "strip=true"];

/// Variables that describe this build and must not reach the other one: flags for coverage, clippy in place of the
/// compiler, the outer job server (whose descriptors are not passed on).
const OURS: [&str; 14] = [
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "MAKEFLAGS",
    "MFLAGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
];
const OURS_BY_PREFIX: [&str; 6] =
    ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PROFILE_", "DEP_"];

fn main() {
    let workspace = variable("CARGO_MANIFEST_DIR").join("../..");
    for name in CRATES {
        let directory = workspace.join("crates").join(name);
        println!("cargo::rerun-if-changed={}", directory.join("src").display());
        println!("cargo::rerun-if-changed={}", directory.join("Cargo.toml").display());
    }
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(name).display());
    }
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let target_dir = target_dir();
    build(&workspace, &target, &target_dir);
    let programs = target_dir.join(target).join("release");
    println!("cargo::rustc-env=PHIAL_RUNTIME={}", programs.join("phial-runtime").display());
    println!("cargo::rustc-env=PHIAL_RUNTIME_BUILD={}", hash(&programs.join("phial-runtime")));
    println!("cargo::rustc-env=PHIAL_HELLO={}", programs.join("hello").display());
}

/// Tells one build from another; nothing rests on its being hard to forge.
fn hash(program: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    std::fs::read(program).unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn variable(name: &str) -> PathBuf {
    var_os(name).unwrap_or_else(|| panic!("cargo sets {name}")).into()
}

/// A target directory of its own, because the outer cargo holds the lock of the usual one. Beside the profiles, so
/// that all of them share one build of the programs.
fn target_dir() -> PathBuf {
    let out = variable("OUT_DIR");
    let profile = out.ancestors().find(|path| path.file_name() == Some(OsStr::new("build"))).and_then(Path::parent);
    let name = if has_fault_points() { "embedded-with-fault-points" } else { "embedded" };
    profile.and_then(Path::parent).unwrap_or(&out).join(name)
}

/// Whether this is the build that tests kill at chosen points: then the programs it carries are such builds as well.
fn has_fault_points() -> bool {
    var_os("CARGO_FEATURE_FAULT_POINTS").is_some()
}

fn build(workspace: &Path, target: &str, target_dir: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--package", "phial-runtime", "--package", "hello"]);
    cargo.args(["--target", target, "--target-dir"]).arg(target_dir);
    if has_fault_points() {
        cargo.args(["--features", "phial-runtime/fault-points"]);
    }
    for setting in PROFILE {
        cargo.arg("--config").arg(format!("profile.release.{setting}"));
    }
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if OURS.contains(&&*text) || OURS_BY_PREFIX.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    match cargo.current_dir(workspace).stdin(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(_) => println!(
            "cargo::error=phial-runtime and hello, which phial carries, do not build: \
             'cargo build --release -p phial-runtime -p hello' shows why"
        ),
        Err(error) => println!("cargo::error=cargo does not start to build phial-runtime and hello: {error}"),
    }
}
