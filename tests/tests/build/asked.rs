//! What is asked of a Dockerfile, and of a build: `--call`, `--graph`, for which front end a file is, and under which names
//! docker has the command.

use end_to_end::{Project, Result};
use serde_json::Value;

const FILE: &str = "\
ARG TAG=latest

# tools compiles
FROM base AS tools
# LEVEL is how much
ARG LEVEL=1
RUN --mount=type=secret,id=token,required --mount=type=ssh --mount=type=cache,id=objects,target=/o touch /o/x

FROM tools AS other
RUN false

FROM base
WORKDIR relative
COPY --from=tools /etc/motd /
";

#[test]
fn questions_are_answered_and_nothing_is_built() -> Result {
    let project = Project::new(FILE)?;
    let targets = project.build(&["--call", "targets"])?.success()?;
    let names: Vec<_> = targets.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(names, ["TARGET", "tools", "other", "(default)"], "{targets}");
    assert!(targets.contains("compiles"), "{targets}");

    let flags = ["--call", "outline", "--target", "tools", "--build-arg", "LEVEL=7"];
    let outline = project.build(&flags)?.success()?;
    for line in ["TARGET: tools", "LEVEL 7 is how much", "token true", "default", "objects"] {
        let is_there = |said: &str| said.split_whitespace().collect::<Vec<_>>().join(" ") == line;
        assert!(outline.lines().any(is_there), "{line}: {outline}");
    }
    let json = project.build(&["--call", "outline,format=json", "--target", "tools"])?.success()?;
    let told: Value = serde_json::from_str(&json)?;
    assert_eq!(
        (&told["name"], &told["args"][0]["value"], &told["secrets"][0]["required"]),
        (&"tools".into(), &"1".into(), &true.into())
    );
    assert_eq!(told["args"][0]["location"]["ranges"][0]["start"]["line"], 6);

    let found = project.build(&["--call", "check"])?.exited(1)?;
    assert!(found.stdout.contains("WorkdirRelativePath") && found.stdout.contains("Dockerfile:13"), "{found:?}");
    let json = project.build(&["--call", "check,format=json,ignorestatus=true"])?.success()?;
    let told: Value = serde_json::from_str(&json)?;
    assert_eq!(told["warnings"][0]["ruleName"], "WorkdirRelativePath");
    let wrong = project.build(&["--call", "outlines"])?.exited(1)?;
    assert!(wrong.stderr.contains("did you mean outline?"), "{wrong:?}");
    assert_eq!(project.phial().ok(&["images", "-q"])?.lines().count(), 1, "nothing is built");
    assert_eq!(project.phial().ok(&["builder", "du", "-q"]).unwrap_or_default(), "");
    Ok(())
}

/// What a file of another language means, nobody here knows.
#[test]
fn files_for_other_front_ends_are_refused() -> Result {
    let project = Project::new("")?;
    let cases = [
        ("# syntax=docker/dockerfile-extra:1\nFROM base\n", "docker/dockerfile-extra:1"),
        ("# syntax=registry.example/front:1\nRUNN it\n", "registry.example/front:1"),
        ("#!/usr/bin/env build\n# syntax=registry.example/front:1\nkey: value\n", "registry.example/front:1"),
        ("{\"syntax\": \"registry.example/front:1\"}\n", "registry.example/front:1"),
    ];
    for (file, name) in cases {
        project.write("Dockerfile", file)?;
        for flags in [&[][..], &["--check"], &["--call", "outline"]] {
            let refused = project.build(flags)?.exited(1)?;
            let why = format!("syntax={name}: front ends that are images are not run");
            assert!(refused.stderr.contains(&why) && refused.stdout.is_empty(), "{flags:?}: {refused:?}");
        }
    }
    let given = ["--build-arg", "BUILDKIT_SYNTAX=registry.example/front:1"];
    project.write("Dockerfile", "# syntax=docker/dockerfile:1\nFROM base\n")?;
    let refused = project.build(&given)?.exited(1)?;
    assert!(refused.stderr.contains("front ends that are images are not run"), "{refused:?}");
    for ours in ["docker/dockerfile:1.7-labs", "docker.io/docker/dockerfile:1", "docker/dockerfile@sha256:0"] {
        project.write("Dockerfile", &format!("# syntax={ours}\nFROM base\nRUN echo \"{ours}\" > /made\n"))?;
        project.id(&[])?;
    }
    Ok(())
}

/// What stands in the elements of a picture, each with what it is in; every element that is opened is closed.
fn elements(svg: &str) -> Vec<(String, String)> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("{part:?} is no tag"));
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{part:?} closes what is not open");
        } else if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
        assert!(!text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").contains('&'), "{text:?}");
        found.push((tag.to_owned(), text.to_owned()));
    }
    assert_eq!(open, Vec::<String>::new(), "all is closed");
    found
}

/// The class of a step's group in a picture, and what is said below its name.
fn drawn(svg: &str, step: &str) -> Option<(String, String)> {
    let all = elements(svg);
    let title = all.iter().position(|(tag, text)| tag == "title" && text.contains(step))?;
    let class = all.get(title.checked_sub(1)?)?.0.clone();
    let said = all[title..].iter().find(|(tag, _)| tag.starts_with("text class=\"dim\""))?;
    Some((class, said.1.clone()))
}

#[test]
fn a_build_is_drawn() -> Result {
    let project = Project::new("FROM base AS one\nRUN echo '<one> & two' > /x\nFROM base\nCOPY --from=one /x /y\n")?;
    let file = project.phial().scratch().join("build.svg");
    let path = file.display().to_string();
    let draw = |flags: &[&str]| -> Result<String> {
        project.build(&[&["--graph", &path], flags].concat())?;
        Ok(std::fs::read_to_string(&file)?)
    };
    let first = draw(&[])?;
    assert!(first.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "), "{first}");
    for step in ["RUN echo '&lt;one&gt; &amp; two'", "COPY --from=one /x /y"] {
        let (class, said) = drawn(&first, step).unwrap_or_else(|| panic!("{step} is not drawn: {first}"));
        assert_eq!(class, "g class=\"done\"");
        let seconds = said.strip_suffix(" s").and_then(|seconds| seconds.parse::<f64>().ok());
        assert!(seconds.is_some(), "{said}");
    }
    let stages: Vec<_> = elements(&first).into_iter().filter(|(tag, _)| tag.contains("\"stage\"")).collect();
    assert!(stages.iter().any(|(_, name)| name == "one"), "{stages:?}");
    assert!(first.contains("<path d="), "one step waits for another: {first}");
    let again = draw(&[])?;
    for step in ["RUN echo", "COPY --from=one"] {
        assert_eq!(drawn(&again, step), Some(("g class=\"cached\"".to_owned(), "cached".to_owned())), "{again}");
    }
    // Also a build that fails.
    project.write("Dockerfile", "FROM base\nRUN exit 3\n")?;
    let failed = draw(&[])?;
    assert_eq!(drawn(&failed, "RUN exit 3").map(|(class, _)| class).as_deref(), Some("g class=\"failed\""));
    let nowhere = project.build(&["--graph", "/no/such/directory/build.svg"])?.exited(1)?;
    assert!(nowhere.stderr.contains("/no/such/directory/build.svg"), "{nowhere:?}");
    Ok(())
}

#[test]
fn the_command_has_all_its_names() -> Result {
    let project = Project::new("FROM base\nRUN echo built > /made\n")?;
    let (id, path) = (project.id(&[])?, project.path());
    for name in [&["buildx", "build"][..], &["builder", "build"], &["image", "build"], &["build"]] {
        let words = [name, &["--network", "none", "-q", "-t", "named", &path]].concat();
        assert_eq!(project.phial().ok(&words)?, id, "{name:?}");
        assert_eq!(project.phial().inspect("named")?["Id"], id, "{name:?}");
        project.phial().ok(&["rmi", "named"])?;
    }
    Ok(())
}
