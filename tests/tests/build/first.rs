//! The first build of a user, and the second one.

use end_to_end::{Project, Result};

const PROGRAM: &str = "FROM base AS build
WORKDIR /src
COPY greeting .
RUN tr a-z A-Z < greeting > shouted

FROM base
LABEL from=file
ENV WHO=world
COPY --from=build /src/shouted /shouted
CMD echo \"$(cat /shouted) $WHO\"
";

#[test]
fn an_image_is_built_and_runs() -> Result {
    let project = Project::new(PROGRAM)?;
    project.write("greeting", "hello")?;
    project.build(&["-t", "app", "-t", "app:two"])?.success()?;
    for name in ["app", "app:two"] {
        assert_eq!(project.phial().ok(&["run", "--rm", "--network", "none", name])?, "HELLO world");
    }
    // What a stage was built with is no part of the image.
    assert_eq!(project.in_image("app", "ls -d /src 2>/dev/null || echo gone")?, "gone");
    Ok(())
}

#[test]
fn the_second_time_everything_is_there() -> Result {
    let project = Project::new(PROGRAM)?;
    project.write("greeting", "hello")?;
    let first = project.id(&["-t", "app"])?;
    assert!(first.starts_with("sha256:"), "{first}");
    let said = project.build(&["-t", "again", "--progress", "plain"])?.exited(0)?.stderr;
    assert_eq!(project.phial().inspect("again")?["Id"], first);
    for step in ["WORKDIR /src", "COPY greeting .", "RUN tr", "COPY --from=build"] {
        let line = said.lines().find(|line| line.contains(step)).unwrap_or_default();
        let number = line.split(' ').next().unwrap_or_default();
        assert!(said.contains(&format!("{number} CACHED")), "{step} was done anew: {said}");
    }
    Ok(())
}

#[test]
fn what_is_done_anew_is_another_image() -> Result {
    let project =
        Project::new("FROM base AS one\nRUN cat /proc/uptime > /one\nFROM one\nRUN cat /proc/uptime > /two\n")?;
    let first = project.id(&[])?;
    assert_eq!(project.id(&[])?, first);
    let everything = project.id(&["--no-cache"])?;
    assert_ne!(everything, first);
    // Who does not say it takes what was made last.
    assert_eq!(project.id(&[])?, everything);
    let one = |id: &str| project.in_image(id, "cat /one");
    let two = |id: &str| project.in_image(id, "cat /two");
    assert_ne!((one(&first)?, two(&first)?), (one(&everything)?, two(&everything)?));
    let filtered = project.id(&["--no-cache-filter", "one"])?;
    assert_ne!(one(&filtered)?, one(&everything)?);
    let last = project.id(&["--no-cache-filter", "stage-1"])?;
    assert_eq!(one(&last)?, one(&filtered)?);
    assert_ne!(two(&last)?, two(&filtered)?);
    Ok(())
}

#[test]
fn stages_that_nobody_uses_are_not_built() -> Result {
    let project = Project::new(
        "FROM base AS broken\nRUN false\nFROM base AS first\nRUN echo 1 > /made\nFROM base AS second\nRUN echo 2 > /made\n",
    )?;
    assert_eq!(project.in_image(&project.id(&[])?, "cat /made")?, "2");
    assert_eq!(project.in_image(&project.id(&["--target", "first"])?, "cat /made")?, "1");
    assert_eq!(project.in_image(&project.id(&["--target", "FIRST"])?, "cat /made")?, "1");
    project.build(&["--target", "broken"])?.exited(1)?;
    let wrong = project.build(&["--target", "third"])?.exited(1)?;
    assert!(wrong.stderr.contains("third"), "{wrong:?}");
    Ok(())
}

#[test]
fn arguments_and_labels() -> Result {
    let project = Project::new(
        "ARG TAG=none\nFROM base\nARG TAG\nARG GIVEN=default\nARG OTHER\nLABEL both=file own=file\n\
         RUN echo \"$TAG $GIVEN $OTHER\" > /values\n",
    )?;
    let flags = ["--build-arg", "GIVEN=flag", "--build-arg", "FROM_OUTSIDE", "--build-arg", "OTHER"];
    let mut command =
        project.command(&[&["-q", "-t", "app", "--label", "both=flag", "--label", "new"], &flags[..]].concat());
    end_to_end::process::run(command.env("OTHER", "outside"))?.success()?;
    assert_eq!(project.in_image("app", "cat /values")?, "none flag outside");
    let inspected = project.phial().inspect("app")?;
    let labels = &inspected["Config"]["Labels"];
    assert_eq!((&labels["both"], &labels["own"], &labels["new"]), (&"flag".into(), &"file".into(), &"".into()));
    Ok(())
}
