//! What is said: of what is done, of what is wrong, and to programs.

use end_to_end::{Context, Project, Result};
use serde_json::Value;

#[test]
fn what_is_wrong_is_shown_where_it_stands() -> Result {
    let project = Project::new("")?;
    let cases = [
        ("FROM base\nRUN true\nRUN echo out; echo err >&2; exit 37\n", "Dockerfile:3:1", "exit code 37"),
        ("FROM base\nCOPY absent /\n", "Dockerfile:2:1", "absent"),
        ("FROM base\nCOPY --from=nowhere /a /\n", "Dockerfile:2", "nowhere"),
        ("FROM base\nRUNN true\n", "Dockerfile:2:1", "did you mean RUN?"),
        ("FROM base\nRUN --mount=type=cach,target=/c true\n", "Dockerfile:2", "cach"),
        ("FROM base\nUSER nobody-here\nRUN true\n", "Dockerfile:3:1", "nobody-here"),
        ("FROM base\nCOPY --chown=nobody-here Dockerfile /\n", "Dockerfile:2:1", "nobody-here"),
        ("FROM base\nRUN [\"/no/such/program\"]\n", "Dockerfile:2:1", "/no/such/program"),
        ("", "", "begin with FROM"),
    ];
    let mut wrong = Vec::new();
    for (file, place, what) in cases {
        project.write("Dockerfile", file)?;
        let output = project.build(&[])?;
        let said = &output.stderr;
        let fine =
            output.code == 1 && said.contains(place) && said.contains(what) && said.contains("phial: cannot build");
        if !fine || said.contains("panicked") || !output.stdout.is_empty() {
            wrong.push(format!("{file:?} (expected {place} and {what}): {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn an_image_that_is_nowhere() -> Result {
    let project = Project::new("")?;
    let absent = project.stage.registry.name("absent:1");
    project.write("Dockerfile", &format!("FROM {absent}\nRUN true\n"))?;
    let output = project.build(&[])?.exited(1)?;
    assert!(output.stderr.contains("Dockerfile:1:6") && output.stderr.contains("not found"), "{output:?}");
    Ok(())
}

/// What was done before the step that fails is there the next time, and nothing of the step is.
#[test]
fn a_build_that_fails_leaves_what_it_has_done() -> Result {
    let project = Project::new("FROM base\nRUN cat /proc/uptime > /first\nRUN echo half > /second; exit 3\n")?;
    project.build(&["-t", "app"])?.exited(1)?;
    assert_ne!(project.phial().run(&["inspect", "app"])?.code, 0, "there is no image");
    let again = project.build(&["-t", "app"])?.exited(1)?;
    assert!(again.stderr.contains("CACHED"), "{again:?}");
    project.write("Dockerfile", "FROM base\nRUN cat /proc/uptime > /first\nRUN ls / > /second\n")?;
    let fixed = project.build(&["-t", "app"])?.exited(0)?;
    assert!(fixed.stderr.contains("CACHED"), "{fixed:?}");
    assert!(!project.in_image("app", "cat /second")?.contains("second.half"));
    end_to_end::faults::whole(project.phial())
}

#[test]
fn results_are_written_where_somebody_wants_them() -> Result {
    let project = Project::new("FROM base\nRUN echo x > /made\n")?;
    let (id, metadata) = (project.phial().scratch().join("id"), project.phial().scratch().join("metadata"));
    let (id_path, metadata_path) = (id.display().to_string(), metadata.display().to_string());
    let flags = ["-t", "app", "--iidfile", &id_path, "--metadata-file", &metadata_path];
    let printed = project.build(&[&["-q"], &flags[..]].concat())?.success()?;
    assert_eq!(std::fs::read_to_string(&id)?, printed.trim());
    assert_eq!(project.phial().inspect("app")?["Id"], printed.trim());
    let told: Value = serde_json::from_slice(&std::fs::read(&metadata)?)?;
    assert_eq!(told["containerimage.config.digest"], printed.trim());
    assert!(told["image.name"].as_str().context("a name")?.contains("app"), "{told}");
    // Of a build that fails there is no id, also if there was one before.
    project.write("Dockerfile", "FROM base\nRUN false\n")?;
    project.build(&flags)?.exited(1)?;
    assert!(!id.exists());
    Ok(())
}

#[test]
fn how_it_looks() -> Result {
    let project = Project::new("FROM base\nRUN printf 'one\\ntwo\\rthree\\n'; printf half\n")?;
    let plain = project.build(&["--progress", "plain"])?.exited(0)?;
    assert_eq!(plain.stdout, "");
    for line in ["one", "half"] {
        assert!(plain.stderr.lines().any(|said| said.starts_with('#') && said.ends_with(line)), "{plain:?}");
    }
    let quiet = project.build(&["-q"])?.exited(0)?;
    assert!(quiet.stderr.is_empty() && quiet.stdout.starts_with("sha256:"), "{quiet:?}");
    let raw = project.build(&["--progress", "rawjson", "--no-cache"])?.exited(0)?;
    let (mut logs, mut names) = (Vec::new(), Vec::new());
    for line in raw.stderr.lines().filter(|line| line.starts_with('{')) {
        let told: Value = serde_json::from_str(line)?;
        let list = |key: &str| told[key].as_array().cloned().unwrap_or_default();
        names.extend(list("vertexes").iter().filter_map(|one| one["name"].as_str().map(str::to_owned)));
        logs.extend(list("logs").iter().filter_map(|one| one["data"].as_str().map(str::to_owned)));
    }
    assert!(names.iter().any(|name| name.contains("RUN printf")) && !logs.is_empty(), "{raw:?}");
    let wrong = project.build(&["--progress", "loud"])?;
    assert!(wrong.code != 0 && wrong.stderr.contains("loud"), "{wrong:?}");
    Ok(())
}

#[test]
fn a_dockerfile_is_checked() -> Result {
    let project = Project::new("FROM base\nWORKDIR x\nMAINTAINER me\n")?;
    let found = project.build(&["--check"])?.exited(1)?;
    for rule in ["WorkdirRelativePath", "MaintainerDeprecated"] {
        assert!(found.stdout.contains(rule), "{found:?}");
    }
    assert_eq!(project.phial().ok(&["images", "-q"])?.lines().count(), 1, "nothing is built");
    project.write("Dockerfile", "# check=skip=all\nFROM base\nWORKDIR x\n")?;
    project.build(&["--check"])?.exited(0)?;
    project.write("Dockerfile", "# check=error=true\nFROM base\nMAINTAINER me\n")?;
    let refused = project.build(&[])?.exited(1)?;
    assert!(refused.stderr.contains("are errors here"), "{refused:?}");
    // Whoever builds has the last word.
    let asked = |value: &str| project.build(&["--build-arg", &format!("BUILDKIT_DOCKERFILE_CHECK={value}")]);
    asked("skip=MaintainerDeprecated;error=true")?.exited(0)?;
    project.write("Dockerfile", "# check=skip=all\nFROM base\nMAINTAINER me\n")?;
    let refused = asked("error=true")?.exited(1)?;
    assert!(refused.stderr.contains("are errors here"), "{refused:?}");
    let wrong = asked("loud=yes")?.exited(1)?;
    assert!(wrong.stderr.contains("--build-arg BUILDKIT_DOCKERFILE_CHECK=loud=yes"), "{wrong:?}");
    Ok(())
}
