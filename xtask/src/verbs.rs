//! The words of the command line, and the one place where an error becomes a line and an exit code: 0 done, 1 not
//! done, 2 not understood.

use std::process::ExitCode;

use end_to_end::{Failure, Result};

use crate::{bench, breakout, demo, say, setup, test};

const HELP: &str = "\
usage: cargo xtask VERB

  demo             install what the build needs, build, run a container, pull an image and run that
  test [FILTER…]   install what the tests need, run every check and every test, the tests once more in a virtual
                   machine; with a filter, those tests only, and not there
  test --vm [FILTER…]   only those tests in the virtual machine
  bench [OPTION…]  compare with docker, podman and containerd, side by side; 'bench --help' lists the options
  breakout [OPTION…]   try every known way out of a container, on phial-runtime or others; 'breakout --help'
  setup            install what build and tests need, and nothing else
";

/// Does what the words say.
pub(crate) fn main(words: Vec<String>) -> ExitCode {
    let mut words = words.into_iter();
    let verb = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let result = match verb.as_str() {
        "" | "help" | "-h" | "--help" => {
            say::text(HELP);
            return ExitCode::SUCCESS;
        }
        "demo" => root("demo").and_then(|()| demo::main()),
        "test" => root("test").and_then(|()| test::main(&rest)),
        "bench" if rest.iter().any(|word| word == "--help") => {
            say::text(bench::HELP);
            return ExitCode::SUCCESS;
        }
        "bench" => root("bench").and_then(|()| bench::main(&rest)),
        "breakout" if rest.iter().any(|word| word == "--help") => {
            say::text(breakout::HELP);
            return ExitCode::SUCCESS;
        }
        "breakout" => root("breakout").and_then(|()| breakout::main(&rest)),
        bench::INSIDE => bench::inside(&rest),
        "setup" => root("setup").and_then(|()| setup::all()),
        _ => {
            say::error(&format!("there is no verb `{verb}`\n{HELP}"));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn root(verb: &str) -> Result {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "root is missing: '{verb}' installs packages and starts containers (rootless comes later); as root: cargo xtask {verb}"
    )))
}
