//! What makes a step of a build another one, and what does not; and what `--explain` says of it.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use end_to_end::{Output, Project, Result};

const FILE: &str = "FROM base
ARG BEFORE=1
RUN echo first
ARG AFTER=1
COPY taken mode dir /files/
RUN echo last
";

fn project() -> Result<Project> {
    let project = Project::new(FILE)?;
    for (path, content) in [("taken", "one"), ("mode", "x"), ("dir/one", "1"), ("dir/two", "2"), ("not-taken", "one")] {
        project.write(path, content)?;
    }
    project.write(".dockerignore", "dir/ignored\n")?;
    project.chmod("mode", 0o644)?;
    project.id(&[])?;
    Ok(project)
}

fn explained(project: &Project, flags: &[&str]) -> Result<Output> {
    project.build(&[&["--progress", "plain", "--explain"], flags].concat())?.exited(0)
}

/// Which of `first`, `COPY` and `last` are done anew, and that one of the lines says why.
fn check(project: &Project, flags: &[&str], anew: &[&str], why: &[&str]) -> Result {
    let said = explained(project, flags)?.stderr;
    let done = ["echo first", "COPY taken", "echo last"].into_iter().filter(|step| !is_cached(&said, step));
    assert_eq!(done.collect::<Vec<_>>(), anew, "{said}");
    for why in why {
        assert!(said.contains(why), "{why:?} is not said: {said}");
    }
    Ok(())
}

/// Whether the step whose name has this text was found in the cache.
fn is_cached(said: &str, step: &str) -> bool {
    let line = said.lines().find(|line| line.starts_with('#') && line.contains(step)).unwrap_or_default();
    let number = line.split(' ').next().unwrap_or_default();
    !number.is_empty() && said.lines().any(|line| line == format!("{number} CACHED"))
}

#[test]
fn what_is_no_other_step() -> Result {
    let project = project()?;
    check(&project, &[], &[], &[])?;
    let touched = FileTimes::new().set_modified(SystemTime::now() - Duration::from_hours(24));
    File::options().write(true).open(project.dir().join("taken"))?.set_times(touched)?;
    check(&project, &[], &[], &[])?;
    project.write("not-taken", "two")?;
    project.write("dir/ignored", "x")?;
    check(&project, &[], &[], &[])?;
    // The same content in another file of the same name.
    std::fs::remove_file(project.dir().join("taken"))?;
    project.write("taken", "one")?;
    check(&project, &[], &[], &[])?;
    // Whose it is on the host is nothing of a context.
    std::os::unix::fs::chown(project.dir().join("taken"), Some(1234), Some(1234))?;
    check(&project, &[], &[], &[])?;
    for flags in [["--label", "a=b"], ["--ulimit", "nofile=100"], ["-t", "app"]] {
        check(&project, &flags, &[], &[])?;
    }
    // Where somebody is found is no other step; that somebody is found is one.
    project.id(&["--add-host", "peer:192.0.2.7"])?;
    check(&project, &["--add-host", "peer:192.0.2.8"], &[], &[])?;
    // A comment, and an instruction that changes the configuration only.
    project.write("Dockerfile", &FILE.replace("RUN echo last", "# why\nLABEL a=b\nRUN echo last"))?;
    check(&project, &[], &[], &[])
}

#[test]
fn files() -> Result {
    let project = project()?;
    let after = ["COPY taken", "echo last"];
    project.write("taken", "two")?;
    check(&project, &[], &after, &["the file taken has changed: line 1 was \"one\" and is \"two\""])?;
    project.write("dir/one", "1\nthree")?;
    check(&project, &[], &after, &["the file dir/one has changed: line 1 has an end now (and 1 below it)"])?;
    project.chmod("mode", 0o755)?;
    check(&project, &[], &after, &["the file mode has changed: its mode was 644 and is 755"])?;
    project.write("dir/three", "3")?;
    check(&project, &[], &after, &["the file dir/three is new"])?;
    std::fs::remove_file(project.dir().join("dir/one"))?;
    check(&project, &[], &after, &["the file dir/one is gone"])?;
    std::fs::remove_file(project.dir().join("dir/two"))?;
    std::os::unix::fs::symlink("three", project.dir().join("dir/two"))?;
    check(&project, &[], &after, &["the file dir/two has changed"])?;
    check(&project, &[], &[], &[])?;
    // What was is there again.
    std::fs::remove_file(project.dir().join("dir/two"))?;
    project.write("dir/two", "2")?;
    check(&project, &[], &[], &[])
}

#[test]
fn two_changes_within_one_tick_of_the_clock() -> Result {
    let project = project()?;
    for round in 0..20 {
        project.write("taken", &format!("{round:03}"))?;
        let id = project.id(&[])?;
        assert_eq!(project.in_image(&id, "cat /files/taken")?, format!("{round:03}"));
    }
    Ok(())
}

#[test]
fn arguments_and_variables() -> Result {
    let project = project()?;
    let all = ["echo first", "COPY taken", "echo last"];
    let old_and_new = "the variable BEFORE was \"1\" and is \"2\"";
    check(&project, &["--build-arg", "BEFORE=2"], &all, &[old_and_new])?;
    check(&project, &["--build-arg", "AFTER=2"], &["echo last"], &["the variable AFTER was \"1\" and is \"2\""])?;
    check(&project, &["--build-arg", "AFTER=1"], &[], &[])?;
    check(&project, &["--build-arg", "HTTP_PROXY=http://proxy.invalid"], &[], &[])?;
    project.write("Dockerfile", &FILE.replace("COPY", "ENV NEW=yes\nCOPY"))?;
    check(&project, &[], &["echo last"], &["the variable NEW is new: \"yes\""])?;
    project.write("Dockerfile", &FILE.replace("ARG BEFORE=1", "WORKDIR /else"))?;
    check(&project, &[], &all, &["what it is done upon is not the same"])
}

#[test]
fn another_user() -> Result {
    let project = project()?;
    project.write("Dockerfile", &FILE.replace("RUN echo last", "USER reader\nRUN echo last"))?;
    check(&project, &[], &["echo last"], &["its flags or mounts are not the same"])
}

#[test]
fn the_image_below() -> Result {
    let project = project()?;
    let other = project.phial().run_with_input(
        &["build", "-q", "--network", "none", "-t", "base", "-"],
        format!("FROM {}\nRUN echo other > /other\n", project.stage.image).as_bytes(),
    )?;
    other.success()?;
    let all = ["echo first", "COPY taken", "echo last"];
    let said = explained(&project, &[])?.stderr;
    assert!(all.iter().all(|step| !is_cached(&said, step)), "{said}");
    let (_, image) = said.split_once("the image docker.io/library/base:latest was sha256:").unwrap_or_default();
    let (before, now) = image.lines().next().unwrap_or_default().split_once(" and is sha256:").unwrap_or_default();
    assert!(before.len() == 64 && now.len() == 64 && before != now, "{said}");
    // What comes after is not done anew because of the image, if another step is.
    check(&project, &["--build-arg", "BEFORE=2"], &all, &["a step before it was done anew"])
}

#[test]
fn files_that_a_command_sees() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=bind,source=dir,target=/from cat /from/one\n")?;
    project.write("dir/one", "1\n")?;
    project.id(&[])?;
    project.write("dir/one", "2\n")?;
    project.write("dir/two", "2\n")?;
    let said = explained(&project, &[])?.stderr;
    for why in ["the file dir/one has changed", "the file dir/two is new", "what it takes of /from has changed"] {
        assert!(said.contains(why), "{why:?} is not said: {said}");
    }
    Ok(())
}

#[test]
fn what_a_copy_of_a_stage_takes() -> Result {
    let two = |text: &str, more: &str| {
        format!(
            "FROM base AS from\nRUN echo {text} > /taken; echo {more} > /more\nFROM base\nCOPY --from=from /taken /\nRUN echo last\n"
        )
    };
    let project = Project::new(&two("one", "1"))?;
    project.id(&[])?;
    project.write("Dockerfile", &two("one", "2"))?;
    let said = explained(&project, &[])?.stderr;
    assert!(
        !is_cached(&said, "RUN echo one") && is_cached(&said, "COPY --from") && is_cached(&said, "RUN echo last"),
        "{said}"
    );
    project.write("Dockerfile", &two("two", "2"))?;
    let said = explained(&project, &[])?.stderr;
    assert!(!is_cached(&said, "COPY --from") && said.contains("what it takes of /taken has changed"), "{said}");
    Ok(())
}

#[test]
fn other_reasons() -> Result {
    let project = project()?;
    check(&project, &["--no-cache"], &["echo first", "COPY taken", "echo last"], &["--no-cache says so"])?;
    project.write("Dockerfile", &FILE.replace("echo last", "echo the very last"))?;
    let said = explained(&project, &[])?.stderr;
    assert!(said.contains("done for the first time"), "{said}");
    Ok(())
}
