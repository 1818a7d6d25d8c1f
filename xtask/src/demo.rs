//! `cargo xtask demo`: from a fresh machine to a running container, with every command in sight. What it runs has a
//! root of its own and leaves nothing but the build.

use std::path::Path;
use std::process::Command;

use end_to_end::phial::own_name;
use end_to_end::process::run;
use end_to_end::registry::Registry;
use end_to_end::{Context, Failure, Result, images};

use crate::{programs, say, setup};

const NEXT: &str = "
That was a container without a daemon, twice. What to try next:

  cargo run --release -- run hello                    the same again; nothing has to run before
  cargo run --release -- image bootstrap toolbox      an image with a shell that needs no registry
  cargo run --release -- run -it phial/toolbox        the shell
  cargo xtask test                                    every check and every test
";

/// Installs, builds, shows.
///
/// # Errors
/// What is missing, or the command that did not succeed.
pub(crate) fn main() -> Result {
    setup::build()?;
    setup::packages(setup::DEMO)?;
    let phase = say::Phase::begin("build");
    let phial = programs::build()?;
    phase.end("done");

    let dir = tempfile::Builder::new().prefix("phial-demo-").tempdir()?;
    let shown = scenes(&phial, dir.path());
    // Its default network stays as long as the host is up, for the next container.
    let network = own_name(&dir.path().join("root"))?;
    run(Command::new("ip").args(["link", "del", &network]))?;
    run(Command::new("nft").args(["delete", "table", "inet", &network]))?;
    shown?;
    say::text(NEXT);
    Ok(())
}

fn scenes(phial: &Path, dir: &Path) -> Result {
    let show = |arguments: &[&str]| show(phial, dir, arguments);
    say::line("\n== the image that is always there");
    show(&["run", "--rm", "hello"])?;

    say::line("\n== an image from a registry");
    let registry = Registry::start()?;
    say::line(&format!("docker-registry listens on {}; an image of two layers goes into it", registry.address()));
    images::busybox(dir)?.push(&registry, "demo:latest")?;
    let image = registry.name("demo");
    show(&["pull", &image])?;
    show(&["images"])?;
    show(&["run", "--rm", &image, "cat", "/etc/motd"])?;
    show(&["run", "--rm", "--hostname", "phial", &image, "sh", "-c", "echo \"process $$ on $(hostname)\"; ps"])
}

fn show(phial: &Path, dir: &Path, arguments: &[&str]) -> Result {
    let mut shown = Command::new("phial");
    say::command(shown.args(arguments.iter().map(|word| quoted(word))));
    let mut command = Command::new(phial);
    command.args(arguments).env("PHIAL_ROOT", dir.join("root")).env("PHIAL_RUN", dir.join("run"));
    let status = command.status().context(phial.display())?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`phial {}`: {status}", arguments.join(" "))))
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '"', '$', ';']) { format!("'{word}'") } else { word.to_owned() }
}
