//! Dockerfiles that are too much, and images that lead instructions out.

use end_to_end::{Project, Result};

use super::victim::Victim;

/// Each of them is refused for what it is.
#[test]
fn bombs() -> Result {
    let project = Project::new("")?;
    let doubled = format!("FROM base\nENV A=aaaaaaaaaaaaaaaa\n{}RUN true\n", "ENV A=$A$A$A$A$A$A$A$A\n".repeat(14));
    let arguments = format!("FROM base\nARG A=aaaaaaaaaaaaaaaa\n{}RUN true\n", "ARG A=$A$A$A$A$A$A$A$A\n".repeat(14));
    let replaced = format!("FROM base\nENV A=aaaaaaaaaaaaaaaa\n{}RUN true\n", "ENV A=${A//a/aaaaaaaa}\n".repeat(14));
    let many = (0..100).map(|number| format!("ENV B{number}=$A\n")).collect::<Vec<_>>().concat();
    let many = format!("FROM base\nENV A={}\n{many}RUN true\n", "a".repeat(60_000));
    let cases = [
        (doubled, "variables make more than"),
        (arguments, "variables make more than"),
        (replaced, "variables make more than"),
        (many, "the variables have"),
        (format!("FROM base\nRUN {}\n", "x".repeat(70_000)), "65535"),
        (format!("FROM base\nENV A={}{}\n", "${A:-".repeat(1000), "}".repeat(1000)), "64"),
        (format!("FROM base\n{}", "# comment\n".repeat(2_000_000)), "16777216"),
        ("FROM base\nONBUILD ONBUILD RUN true\n".to_owned(), "ONBUILD"),
        ("FROM base\nONBUILD FROM base\n".to_owned(), "ONBUILD"),
        (
            "FROM base\nCOPY --from=1 / /\nFROM base\nCOPY --from=0 / /\n".to_owned(),
            "there is no stage 1 before this one",
        ),
        ("FROM base AS a\nCOPY --from=a / /\n".to_owned(), "the stage \"a\" is this one"),
    ];
    for (file, said) in cases {
        project.write("Dockerfile", &file)?;
        let output = project.build(&["--pull=false"])?;
        let shown: String = file.chars().take(100).collect();
        assert_eq!(output.code, 1, "{shown}: {} bytes", output.stderr.len());
        assert!(output.stderr.contains(said) && !output.stderr.contains("panicked"), "{shown}: {output:?}");
    }
    // What a shell reads is the shell's.
    let nested = format!("FROM base\nRUN echo {}deep{} > /seen\n", "${A:-".repeat(1000), "}".repeat(1000));
    assert_eq!(project.made(&nested, &[], "cat /seen")?, "deep");
    Ok(())
}

/// Each of them is refused with its name, and what has a byte or a directory less is built.
#[test]
fn what_is_beside_a_dockerfile_has_bounds() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=secret,id=s wc -c < /run/secrets/s > /seen\n")?;
    let secret = project.phial().scratch().join("secret");
    let flag = format!("id=s,src={}", secret.display());
    std::fs::write(&secret, "x".repeat(500 * 1024))?;
    assert_eq!(project.in_image(&project.id(&["--secret", &flag])?, "cat /seen")?, "512000");
    std::fs::write(&secret, "x".repeat(500 * 1024 + 1))?;
    let refused = project.build(&["--no-cache", "--secret", &flag])?.exited(1)?;
    assert!(refused.stderr.contains("the secret s has 512001 bytes"), "{refused:?}");

    project.write("Dockerfile", "FROM base\nCOPY . /all\n")?;
    let pattern = "#".to_owned() + &"x".repeat((4 << 20) - 2) + "\n";
    project.write(".dockerignore", &pattern)?;
    project.id(&[])?;
    project.write(".dockerignore", &format!("{pattern}#"))?;
    let refused = project.build(&[])?.exited(1)?;
    assert!(refused.stderr.contains(".dockerignore"), "{refused:?}");
    std::fs::remove_file(project.dir().join(".dockerignore"))?;

    // So many below the context itself.
    let deep = |levels: usize| "d/".repeat(levels - 1) + "file";
    project.write(&deep(257), "deep")?;
    let id = project.id(&[])?;
    assert_eq!(project.in_image(&id, "find /all -name file -exec cat {} +")?, "deep");
    project.write(&deep(258), "deeper")?;
    let refused = project.build(&[])?.exited(1)?;
    assert!(refused.stderr.contains("directories are nested deeper than 256"), "{refused:?}");
    Ok(())
}

/// Two thousand stages, each of which wants the one before it twice, are two thousand stages.
#[test]
fn stages_that_use_each_other() -> Result {
    let stages = (1..2000)
        .map(|number| {
            let before = number - 1;
            format!(
                "FROM base AS s{number}\nCOPY --from=s{before} /etc/passwd /a\nCOPY --from=s{before} /etc/group /b\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let project = Project::new(&format!("FROM base AS s0\n{stages}"))?;
    project.id(&[]).map(drop)
}

/// CVE-2024-9341, CVE-2026-55686 and others: what the builder writes into a tree of a stranger goes into the tree.
#[test]
fn links_of_an_image_lead_nowhere() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let path = victim.path();
    project.write("file", "of the context")?;
    let evil = format!(
        "FROM base AS evil\nRUN mkdir -p /d && ln -s {path} /l && ln -s {path}/secret /f && ln -s ../../../../../..{path} /d/up\n"
    );
    let lines = [
        "COPY file /l/secret",
        "COPY file /l/made",
        "COPY file /f",
        "ADD file /d/up/made",
        "WORKDIR /l/made/deep",
        "WORKDIR /l\nCOPY file secret",
        "COPY --link file /l/secret",
        "COPY --chown=1:1 --chmod=777 file /f",
        "COPY --from=evil /l/secret /got",
        "COPY --from=evil /d/up /got",
        "COPY --from=evil /f /got",
        "RUN --mount=from=evil,source=/l,target=/m cat /m/secret",
        "RUN --mount=from=evil,source=/d/up,target=/m,rw touch /m/made /m/secret",
        "RUN --mount=type=cache,target=/c,from=evil,source=/l cat /c/secret",
        "RUN --mount=type=tmpfs,target=/l/made true",
        "RUN --mount=type=cache,target=/d/up/empty touch /d/up/empty/x",
        "RUN --mount=type=secret,id=s,target=/f,required=false cat /f",
        "VOLUME /l\nRUN touch /l/made",
        "USER 1000\nWORKDIR /d/up/made",
    ];
    for line in lines {
        project.write("Dockerfile", &format!("{evil}FROM evil\n{line}\n"))?;
        let output = project.build(&["--secret", "id=s,src=/etc/hostname"])?;
        assert!(output.code < 2 && !output.stderr.contains("panicked"), "{line}: {output:?}");
        victim.is_unharmed(&project, &format!("{line}: {output:?}"))?;
    }
    Ok(())
}

/// CVE-2026-47262, CVE-2024-9676: what names of users are looked up in is the image's, and may be anything.
#[test]
fn a_passwd_that_is_no_file() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let secret = format!("{}/secret", victim.path());
    for make in [
        format!("ln -s {secret}"),
        "mkfifo".to_owned(),
        "mkdir".to_owned(),
        "ln -s /dev/zero".to_owned(),
        "ln -s passwd".to_owned(),
    ] {
        for line in ["USER reader\nRUN id", "COPY --chown=reader Dockerfile /x", "USER reader\nWORKDIR /y"] {
            project.write("Dockerfile", &format!("FROM base\nRUN rm /etc/passwd && {make} /etc/passwd\n{line}\n"))?;
            let output = project.build(&[])?;
            assert!(output.code < 2 && !output.stderr.contains("panicked"), "{make}: {output:?}");
            victim.is_unharmed(&project, &format!("{make} {line}: {output:?}"))?;
        }
    }
    Ok(())
}
