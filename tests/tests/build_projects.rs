//! Projects as people have them, twelve in eight languages and as many styles of Dockerfiles (`tests/data/projects/`): each is
//! built on a Debian with its compilers, run, and asked; and built once more, which does nothing and gives the same image.
//!
//! `PROJECT=name` in the environment takes one of them alone. Debian's packages come through the default network, from
//! where mmdebstrap takes them as well.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use end_to_end::followed::Followed;
use end_to_end::process::{Running, run_with_input};
use end_to_end::projects::{self, Project, Run, Serves};
use end_to_end::{Context, Failure, Phial, Result, images};

/// The names under which projects know the image with everything that compiles.
const TOOLCHAINS: [&str; 7] =
    ["gcc:12", "golang:1.19", "nginx:1.22", "node:18", "php:8.2-cli", "python:3.11", "rust:1-slim"];

/// The network that servers and those who ask them are on.
const NETWORK: &str = "projects";

#[test]
fn projects_are_built_and_do_what_they_are_for() -> Result {
    let mut all = projects::all()?;
    let wanted = std::env::var("PROJECT").ok();
    all.retain(|project| wanted.as_ref().is_none_or(|wanted| *wanted == project.name));
    assert!(!all.is_empty(), "there is no such project");
    let phial = prepared()?;
    let mut wrong = String::new();
    for project in &all {
        if let Err(failure) = check(&phial, project) {
            writeln!(wrong, "{}: {failure}\n", project.name).context(&project.name)?;
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    Ok(())
}

/// A program with the images that projects begin with.
fn prepared() -> Result<Phial> {
    let (registry, phial) = (images::registry()?, Phial::new()?);
    let debian = registry.name(images::DEBIAN_PLAIN);
    for (image, names) in
        [(registry.name(images::BUSYBOX), &["busybox"][..]), (debian, &["debian:plain", "debian:bookworm-slim"])]
    {
        phial.ok(&["pull", &image])?;
        names.iter().try_for_each(|name| phial.ok(&["tag", &image, name]).map(drop))?;
    }
    let toolchains = projects::directory().join("toolchains");
    phial.ok(&["build", "--progress", "plain", "-t", "toolchains", &toolchains.display().to_string()])?;
    TOOLCHAINS.iter().try_for_each(|name| phial.ok(&["tag", "toolchains", name]).map(drop))?;
    // A name has an address of IPv6 as well otherwise, at which not every server listens, and busybox tries no second one.
    phial.ok(&["network", "create", "--ipv6=false", NETWORK])?;
    Ok(phial)
}

fn check(phial: &Phial, project: &Project) -> Result {
    let id = build(phial, project)?.0;
    for run in &project.run {
        check_run(phial, project, run)?;
    }
    if let Some(serves) = &project.serves {
        check_server(phial, project, serves)?;
    }
    let (again, anew) = build(phial, project)?;
    same("the image of the second build", &again, &id)?;
    same("what the second build has done anew", &anew.join("\n"), "")
}

/// The id of the image, and the steps that were done for it.
fn build(phial: &Phial, project: &Project) -> Result<(String, Vec<String>)> {
    let (flags, directory) = (project.flags(), project.directory().display().to_string());
    let mut words = vec!["build", "--progress", "plain", "-t", &project.name];
    words.extend(flags.iter().map(String::as_str));
    words.push(&directory);
    let output = phial.run(&words)?.exited(0)?;
    let id = phial.inspect(&project.name)?["Id"].as_str().context("an image has an id")?.to_owned();
    let steps: Vec<(&str, &str)> = output.stderr.lines().filter_map(step).collect();
    let cached: BTreeSet<&str> = output.stderr.lines().filter_map(|line| line.strip_suffix(" CACHED")).collect();
    // With --link a step is two operations of one name, and the second only lays layers upon others.
    let names: BTreeSet<&str> =
        steps.iter().filter(|(number, _)| cached.contains(number)).map(|(_, name)| *name).collect();
    let anew = steps.iter().filter(|(_, name)| !names.contains(name));
    Ok((id, anew.map(|(_, name)| (*name).to_owned()).collect()))
}

/// The number and name of a step that makes a layer, in the line in which it is named.
fn step(line: &str) -> Option<(&str, &str)> {
    let (number, name) = line.split_once(' ')?;
    let (place, instruction) = name.strip_prefix('[')?.split_once("] ")?;
    let makes_a_layer = place.contains('/') && !instruction.starts_with("FROM ");
    (number.starts_with('#') && makes_a_layer).then_some((number, name))
}

fn check_run(phial: &Phial, project: &Project, run: &Run) -> Result {
    let mut words = vec!["run", "--rm", "-i", "--network", "none", &project.name];
    words.extend(run.arguments.iter().map(String::as_str));
    let printed = run_with_input(&mut phial.command(&words), run.input.as_bytes())?.success()?;
    same(&format!("what it prints with {:?}", run.arguments), printed.trim_end(), &run.prints)
}

/// Starts a server and asks it by its name from another container.
fn check_server(phial: &Phial, project: &Project, serves: &Serves) -> Result {
    let mut words = vec!["run", "-d", "--network", NETWORK, "--name", &project.name];
    words.extend(serves.flags.iter().map(String::as_str));
    words.push(&project.name);
    phial.ok(&words)?;
    match &serves.ready {
        Some(ready) => await_line(phial, &project.name, ready)?,
        None => Followed::events(phial, &project.name)?.wait_for("health_status: healthy")?,
    }
    let url = format!("http://{}:{}{}", project.name, serves.port, serves.path);
    let answer = phial.ok(&["run", "--rm", "--network", NETWORK, "busybox", "wget", "-q", "-O", "-", &url])?;
    same(&format!("the answer at {url}"), answer.trim_end(), &serves.answers)?;
    // A server that cannot be stopped in order would be killed, and say so with its code.
    phial.ok(&["stop", &project.name])?;
    phial.ok(&["rm", "-v", &project.name]).map(drop)
}

/// Waits until a container has said this, on either of its outputs.
fn await_line(phial: &Phial, name: &str, part: &str) -> Result {
    let (reader, writer) = std::io::pipe()?;
    let mut command = phial.command(&["logs", "-f", name]);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let _logs = Running::spawn(&mut command)?;
    // The end of the pipe is seen when the other side is closed everywhere.
    drop(command);
    let mut said = String::new();
    for line in BufReader::new(reader).lines() {
        let line = line?;
        if line.contains(part) {
            return Ok(());
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(Failure::new(format!("{name} has ended without saying {part:?}:\n{said}")))
}

fn same(what: &str, is: &str, expected: &str) -> Result {
    if is == expected {
        return Ok(());
    }
    Err(Failure::new(format!("{what} is {is:?}, not {expected:?}")))
}
