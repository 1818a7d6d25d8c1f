//! Builds: what was made is whole or not there, and the next build makes what is missing.

use end_to_end::faults::{Operation, at_every_point};
use end_to_end::lan::Machine;
use end_to_end::{Phial, Project, Result};

const FILE: &str = "FROM base AS first
COPY file /file
RUN --mount=type=cache,target=/cache echo once >> /cache/lines; tr a-z A-Z < /file > /upper
FROM base
COPY --from=first /upper /upper
RUN --mount=type=tmpfs,target=/made/for/this cat /upper /upper > /twice
";

/// No image, and nothing in the cache.
fn nothing_built(phial: &Phial) -> Result {
    phial.run(&["rmi", "-f", "app"])?;
    phial.ok(&["builder", "prune", "-af"]).map(drop)
}

/// Whatever came of it: the next build comes to its end, and its image is right.
fn builds(project: &Project, flags: &[&str]) -> Result {
    project.build(&[&["-t", "app"], flags].concat())?.success()?;
    assert_eq!(project.in_image("app", "cat /twice; ls -d /made 2>/dev/null || echo gone")?, "HELLO\nHELLO\ngone");
    Ok(())
}

fn died(project: &Project, least: usize, operation: &Operation<'_>) -> Result {
    let deaths = at_every_point(project.phial(), operation)?;
    assert!(deaths >= least, "`{}` died {deaths} times only", operation.words.join(" "));
    Ok(())
}

fn project() -> Result<Project> {
    let project = Project::that_dies(FILE)?;
    project.write("file", "hello\n")?;
    Ok(project)
}

#[test]
fn build() -> Result {
    let project = project()?;
    let path = project.path();
    let words = ["build", "--network", "none", "-t", "app", &path];
    let after = |_: &Phial| builds(&project, &[]);
    died(&project, 45, &Operation { words: &words, before: &nothing_built, after: &after })
}

#[test]
fn build_of_what_was_built() -> Result {
    let project = project()?;
    let path = project.path();
    let words = ["build", "--network", "none", "--no-cache", "-t", "app", &path];
    builds(&project, &[])?;
    let before = |_: &Phial| Ok(());
    // The image that was there is there, or the new one is.
    let after = |_: &Phial| {
        assert_eq!(project.in_image("app", "cat /twice")?, "HELLO\nHELLO");
        builds(&project, &[])
    };
    died(&project, 100, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn build_of_nothing_new() -> Result {
    let project = project()?;
    let path = project.path();
    let words = ["build", "--network", "none", "-t", "app", &path];
    builds(&project, &[])?;
    let before = |phial: &Phial| phial.run(&["rmi", "-f", "app"]).map(drop);
    let after = |_: &Phial| builds(&project, &[]);
    died(&project, 2, &Operation { words: &words, before: &before, after: &after })
}

#[test]
fn build_on_a_network() -> Result {
    let (host, mut project) =
        (Machine::new()?, Project::that_dies("FROM base\nRUN echo HELLO > /twice; echo HELLO >> /twice\n")?);
    project.stage.phial.enter(&host);
    project.phial().ok(&["network", "create", "--subnet", "10.99.0.0/24", "web"])?;
    let path = project.path();
    let words = ["build", "--network", "web", "-t", "app", &path];
    let after = |phial: &Phial| {
        builds(&project, &["--network", "web"])?;
        // The address and all that a command had there is free.
        phial.ok(&["run", "--rm", "--network", "web", "--ip", "10.99.0.2", "app", "true"]).map(drop)
    };
    died(&project, 25, &Operation { words: &words, before: &nothing_built, after: &after })
}
