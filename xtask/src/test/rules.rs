//! The rules of the house that neither the compiler nor clippy knows: dependencies point downwards, tokio stays out of
//! the small program, `unsafe` stays where it is argued, and files stay of a size that is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::run;
use end_to_end::{Context, Failure, Result, workspace};
use serde_json::Value;

use crate::setup;

/// Which of the workspace's crates each of them may use.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("sys", &[]),
    ("fsroot", &["sys"]),
    ("runtime", &["fsroot", "sys"]),
    ("net", &["sys"]),
    ("store", &["fsroot", "sys"]),
    ("image", &["store", "fsroot", "sys"]),
    ("engine", &["dockerfile", "image", "store", "runtime", "net", "fsroot", "sys", "notation"]),
    ("build", &["engine", "image", "dockerfile", "store", "fsroot", "sys", "notation"]),
    ("notation", &[]),
    ("dockerfile", &["notation"]),
    ("hello", &[]),
    ("go-template", &[]),
    ("phial-runtime", &["runtime", "net", "fsroot", "sys", "notation"]),
    (
        "phial",
        &[
            "build",
            "engine",
            "dockerfile",
            "go-template",
            "image",
            "store",
            "runtime",
            "net",
            "fsroot",
            "sys",
            "notation",
        ],
    ),
];

/// Those that must do without an asynchronous runtime, in all that they use.
const SYNCHRONOUS: [&str; 4] = ["phial-runtime", "net", "store", "hello"];

/// Files in which the `unsafe_code` lint may be lifted.
const UNSAFE: [&str; 2] = ["crates/sys/src/", "crates/runtime/src/launch/"];

/// Past this, a second thing lives in the file.
const LONGEST: usize = 600;

/// Dependencies point downwards, and tokio is at the network edge only.
pub(super) fn dependencies() -> Result {
    let metadata =
        run(setup::cargo().args(["metadata", "--locked", "--no-deps", "--format-version", "1"]))?.success()?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let mut wrong: Vec<String> = packages.iter().flat_map(upward).collect();
    for name in SYNCHRONOUS {
        let tree = run(&mut tree(name))?.success()?;
        if tree.lines().any(|line| line.starts_with("tokio ")) {
            wrong.push(format!("{name} depends on tokio: 'cargo tree -p {name} -i tokio' shows how"));
        }
    }
    verdict(&wrong)
}

fn tree(package: &str) -> Command {
    let mut cargo = setup::cargo();
    cargo.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--package", package]);
    cargo
}

fn upward(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = MAY_USE.iter().find(|(crate_name, _)| *crate_name == name) else {
        return Vec::new();
    };
    let used = package["dependencies"].as_array().into_iter().flatten();
    // Tests may use what they like; a dependency with a path is one of ours.
    let ours = used.filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev");
    let names = ours.filter_map(|dependency| dependency["name"].as_str());
    let upward = names.filter(|used| !allowed.contains(used));
    upward.map(|used| format!("{name} must not depend on {used}")).collect()
}

/// What can be seen in the text of the sources.
pub(super) fn check() -> Result {
    let mut wrong = Vec::new();
    for file in sources(&workspace())? {
        let text = fs::read_to_string(&file).context(file.display())?;
        let name = file.strip_prefix(workspace()).unwrap_or(&file).display().to_string();
        wrong.extend(in_file(&name, &text).into_iter().map(|what| format!("{name}: {what}")));
    }
    verdict(&wrong)
}

fn in_file(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") {
        wrong.push("does not begin with //!, which says what the file owns and what it never does".to_owned());
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        wrong.push(format!("{lines} lines: more than {LONGEST}"));
    }
    let lifted = ["allow(unsafe_code", "expect(unsafe_code"].iter().any(|attribute| text.contains(attribute));
    if lifted && !UNSAFE.iter().any(|place| name.starts_with(place)) && !name.ends_with("rules.rs") {
        wrong.push(format!("unsafe code belongs into {}", UNSAFE.join(" or ")));
    }
    let globs = text.lines().filter(|line| is_glob_import(line));
    wrong.extend(globs.map(|line| format!("`{}` is a glob import", line.trim())));
    wrong
}

/// A `prelude` is made to be taken whole, and a module of tests takes what it tests.
fn is_glob_import(line: &str) -> bool {
    let import = line.trim_start().starts_with("use ") && line.contains("::*");
    import && !line.contains("prelude::*") && !line.contains("super::*")
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut dirs = ["crates", "tests", "xtask"].map(|dir| root.join(dir)).to_vec();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).context(dir.display())? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn verdict(wrong: &[String]) -> Result {
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n  "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_seen_to_be_broken() {
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        let cases = [
            ("crates/a/src/lib.rs", "//! Fine.\n", 0),
            ("crates/a/src/lib.rs", "fn a() {}\n", 1),
            ("crates/a/src/lib.rs", long.as_str(), 1),
            ("crates/a/src/lib.rs", "//! A.\nuse std::io::*;\n", 1),
            ("crates/a/src/lib.rs", "//! A.\nuse proptest::prelude::*;\n", 0),
            ("crates/a/src/lib.rs", "//! A.\nmod tests {\n    use super::*;\n}\n", 0),
            ("crates/a/src/lib.rs", "//! A.\n#![expect(unsafe_code, reason = \"x\")]\n", 1),
            ("crates/sys/src/lib.rs", "//! A.\n#![expect(unsafe_code, reason = \"x\")]\n", 0),
        ];
        for (name, text, expected) in cases {
            let wrong = in_file(name, text);
            assert_eq!(wrong.len(), expected, "{name}: {wrong:?}");
        }
    }
}
