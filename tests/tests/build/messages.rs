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
    // The step that has looked for it has not come to its end.
    let of_step =
        output.stderr.lines().skip_while(|line| !line.contains("load metadata for")).nth(1).context("a line")?;
    assert!(of_step.contains(" ERROR: ") && of_step.contains("not found"), "{output:?}");
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

/// What cannot be written is refused before anything is built, and what was there stays; an error of the build is not hidden by one
/// of the picture; nothing stands behind an archive.
#[test]
fn what_is_written_beside_the_image() -> Result {
    let project = Project::new("FROM base\nRUN echo x > /made\n")?;
    let scratch = project.phial().scratch();
    let id = scratch.join("id").display().to_string();
    std::fs::write(&id, "earlier")?;
    let absent = scratch.join("absent/file").display().to_string();
    for flag in ["--graph", "--metadata-file", "--iidfile"] {
        let given = [format!("{flag}={absent}"), format!("--iidfile={id}")];
        let given: Vec<&str> = given.iter().map(String::as_str).take(if flag == "--iidfile" { 1 } else { 2 }).collect();
        let refused = project.build(&given)?.exited(1)?;
        assert!(refused.stderr.contains(&absent) && !refused.stderr.contains("DONE"), "{flag}: {refused:?}");
        assert_eq!(std::fs::read_to_string(&id)?, "earlier", "{flag}");
    }
    let refused = project.build(&["-o", "type=cacheonly", "--iidfile", &id])?.exited(1)?;
    assert!(refused.stderr.contains("there is no image") && !refused.stderr.contains("DONE"), "{refused:?}");

    let several =
        ["--platform", "linux/amd64,linux/arm64", "-o", "type=local,dest=out,mode=delete,platform-split=false"];
    for (flags, what) in [
        (&["--cache-to", "type=registry,ref=127.0.0.1:1/a,compression=zsdt"][..], "did you mean zstd?"),
        (&["--cache-from", "type=local,src=absent,tag=b"], "\"tag\""),
        (&["--provenance", "mod=max"], "did you mean mode?"),
        (&["-o", "type=oci,dest=a.tar,annotation-manifest[nowhere/x/y/z].a=b"], "nowhere/x/y/z"),
        (&several, "mode=delete,platform-split=false"),
    ] {
        let refused = project.build(flags)?.exited(1)?;
        assert!(refused.stderr.contains(what) && !refused.stderr.contains("DONE"), "{what}: {refused:?}");
    }

    let archive = project.phial().scratch().join("archive.tar");
    let output = project.command(&["-q", "-o", "type=oci,dest=-"]).stdout(std::fs::File::create(&archive)?).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.starts_with("sha256:"), "{said}");
    let bytes = std::fs::read(&archive)?;
    assert!(bytes.len() % 512 == 0 && bytes.ends_with(&[0; 1024]), "{} bytes", bytes.len());

    // Whatever becomes of the picture: what is known of the image is written, and the error of the build is told.
    let drawn = project.build(&["--graph", "/dev/full", "--iidfile", &id])?.exited(1)?;
    assert!(drawn.stderr.contains("cannot draw the build"), "{drawn:?}");
    assert!(std::fs::read_to_string(&id)?.starts_with("sha256:"));
    project.write("Dockerfile", "FROM base\nRUN exit 41\n")?;
    let failed = project.build(&["--graph", "/dev/full"])?.exited(1)?;
    assert!(failed.stderr.contains("exit code 41") && failed.stderr.contains("cannot draw the build"), "{failed:?}");
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
fn what_is_not_what_it_looks_like() -> Result {
    let project = Project::new("FROM base\nCOPY link /\n")?;
    std::os::unix::fs::symlink("/etc/passwd", project.dir().join("link"))?;
    let wrong = project.build(&[])?.exited(1)?;
    assert!(wrong.stderr.contains("it is a link to /etc/passwd, which is not in the context"), "{wrong:?}");
    // The beginning of an image's id is a name like any other.
    let id = project.phial().ok(&["images", "-q", "--no-trunc", "base"])?;
    let part = id.trim().trim_start_matches("sha256:").get(..12).unwrap_or_default().to_owned();
    project.write("Dockerfile", &format!("FROM {part}\n"))?;
    let wrong = project.build(&[])?.exited(1)?;
    assert!(wrong.stderr.contains(&format!("docker.io/library/{part}:latest")), "{wrong:?}");
    project.write("Dockerfile", &format!("FROM {}\n", id.trim()))?;
    project.build(&[])?.exited(0)?;
    // A secret is there, whoever wants it.
    let wrong = project.build(&["--secret", "id=s,src=/absent/file"])?.exited(1)?;
    assert!(wrong.stderr.contains("--secret id=s,src=/absent/file: No such file"), "{wrong:?}");
    let wrong = project.build(&["--platform", "foo"])?;
    assert!(wrong.code != 0 && wrong.stderr.contains("invalid platform \"foo\""), "{wrong:?}");
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
    std::fs::remove_file(project.dir().join("Dockerfile"))?;
    let absent = project.build(&["--check"])?.exited(1)?;
    assert!(absent.stderr.contains("there is no Dockerfile") && absent.stderr.contains("-f FILE"), "{absent:?}");
    project.write("dockerfile", "FROM base\nWORKDIR x\n")?;
    assert!(project.build(&["--check"])?.exited(1)?.stdout.contains("dockerfile:2"), "it is a name as well");
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
