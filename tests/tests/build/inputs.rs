//! Where the Dockerfile and the files come from.

use std::io::Write;
use std::process::{Command, Stdio};

use end_to_end::image::digest_of;
use end_to_end::origins::Origin;
use end_to_end::process::{program, run};
use end_to_end::registry::Registry;
use end_to_end::{Context, Project, Result};

const COPIES: &str = "FROM base\nCOPY . /all\n";

#[test]
fn the_file_has_another_name() -> Result {
    let project = Project::new("FROM base\nRUN echo default > /made\n")?;
    project.write("docker/Other", "FROM base\nCOPY seen /made\n")?;
    project.write("seen", "of the context\n")?;
    project.write("docker/Other.dockerignore", "unseen\n")?;
    let other = project.dir().join("docker/Other").display().to_string();
    assert_eq!(project.in_image(&project.id(&["-f", &other])?, "cat /made")?, "of the context");
    let absent = project.dir().join("absent").display().to_string();
    let wrong = project.build(&["-f", &absent])?.exited(1)?;
    assert!(wrong.stderr.contains("absent"), "{wrong:?}");
    Ok(())
}

#[test]
fn the_file_comes_from_standard_input() -> Result {
    let project = Project::new("FROM base\nRUN false\n")?;
    project.write("greeting", "hello\n")?;
    let words = ["build", "-q", "--network", "none", "-f", "-", &project.path()];
    let id = project.phial().run_with_input(&words, b"FROM base\nCOPY greeting /\n")?.success()?;
    assert_eq!(project.in_image(id.trim(), "cat /greeting")?, "hello");
    let without_files = ["build", "-q", "--network", "none", "-"];
    let id = project.phial().run_with_input(&without_files, b"FROM base\nRUN echo alone > /made\n")?.success()?;
    assert_eq!(project.in_image(id.trim(), "cat /made")?, "alone");
    let wrong = project.phial().run_with_input(&without_files, b"FROM base\nCOPY greeting /\n")?.exited(1)?;
    assert!(wrong.stderr.contains("name a directory instead of -"), "{wrong:?}");
    let both = project.phial().run_with_input(&["build", "-f", "-", "-"], b"FROM base\n")?;
    assert!(both.code != 0 && both.stderr.contains("standard input"), "{both:?}");
    Ok(())
}

#[test]
fn all_files_come_from_standard_input() -> Result {
    let project = Project::new(COPIES)?;
    project.write("deep/file", "of an archive\n")?;
    project.write("left-out", "x")?;
    project.write(".dockerignore", "left-out\n")?;
    project.write("Other", "FROM base\nRUN echo other > /made\n")?;
    for compression in ["", "--gzip", "--bzip2", "--xz", "--zstd"] {
        let mut tar = Command::new("tar");
        tar.args(["-C", &project.path(), "-c"]).args(Some(compression).filter(|flag| !flag.is_empty())).arg(".");
        let archive = tar.stderr(Stdio::inherit()).output()?;
        assert!(archive.status.success(), "tar {compression}");
        let words = ["build", "-q", "--network", "none", "-"];
        let id = project.phial().run_with_input(&words, &archive.stdout)?.success()?;
        assert_eq!(
            project.in_image(id.trim(), "cat /all/deep/file; ls /all")?,
            "of an archive\nDockerfile\nOther\ndeep"
        );
        let words = ["build", "-q", "--network", "none", "-f", "Other", "-"];
        let id = project.phial().run_with_input(&words, &archive.stdout)?.success()?;
        assert_eq!(project.in_image(id.trim(), "cat /made")?, "other");
    }
    Ok(())
}

#[test]
fn what_is_ignored_is_not_there() -> Result {
    let project = Project::new(COPIES)?;
    for file in ["kept", "logs/a.log", "logs/keep.log", "deep/er/secret", "Dockerfile.other"] {
        project.write(file, "x")?;
    }
    project.write(".dockerignore", "# comment\n**/*.log\n!logs/keep.log\n**/secret\nDockerfile*\n.dockerignore\n")?;
    let id = project.id(&[])?;
    assert_eq!(project.in_image(&id, "cd /all; find . -type f | sort")?, "./kept\n./logs/keep.log");
    let wrong = project.build(&["--check"])?;
    assert_eq!(wrong.code, 0, "{wrong:?}");
    Ok(())
}

#[test]
fn other_directories_and_images_have_names() -> Result {
    let project = Project::new(
        "FROM other AS first\nCOPY --from=more file /file\nRUN --mount=from=more,target=/more cat /more/file > /seen\n",
    )?;
    let more = project.phial().scratch().join("more");
    std::fs::create_dir(&more)?;
    std::fs::write(more.join("file"), "more\n")?;
    let directory = format!("more={}", more.display());
    let image = format!("other=docker-image://{}", project.stage.image);
    let id = project.id(&["--build-context", &directory, "--build-context", &image])?;
    assert_eq!(project.in_image(&id, "cat /file /seen /etc/motd")?, "more\nmore\na small vessel for amd64");
    let wrong = project.build(&["--build-context", &image, "--build-context", "more=/absent"])?.exited(1)?;
    assert!(wrong.stderr.contains("--build-context more=/absent"), "{wrong:?}");
    Ok(())
}

#[test]
fn registries_are_asked_when_somebody_wants_it() -> Result {
    let registry = Registry::start()?;
    let name = registry.name("app:1");
    let project = Project::new(&format!("FROM {name}\nRUN echo upon > /upon\n"))?;
    let push = |text: &str| -> Result {
        let id = {
            let words = ["build", "-q", "--network", "none", "-t", &name, "-"];
            project
                .phial()
                .run_with_input(&words, format!("FROM base\nRUN echo {text} > /base\n").as_bytes())?
                .success()?
        };
        project.phial().ok(&["push", &name])?;
        project.phial().ok(&["rmi", "-f", id.trim()]).map(drop)
    };
    push("one")?;
    let base = |flags: &[&str]| project.in_image(&project.id(flags)?, "cat /base");
    assert_eq!(base(&[])?, "one", "it is fetched because it is not here");
    let first = project.phial().ok(&["inspect", "--format", "{{.Id}}", &name])?;
    push("two")?;
    project.phial().ok(&["rmi", "-f", &name]).or_else(|_| Ok::<_, end_to_end::Failure>(String::new()))?;
    assert_eq!(base(&[])?, "two", "{first} is not here any more");
    push("three")?;
    project.phial().ok(&["pull", &name])?;
    project.write("Dockerfile", &format!("FROM {name}\nRUN echo upon > /upon\n"))?;
    assert_eq!(base(&["--pull"])?, "three");
    drop(registry);
    assert_eq!(base(&[])?, "three", "what is here needs no registry");
    let gone = project.build(&["--pull"])?.exited(1)?;
    assert!(gone.stderr.contains(&name), "{gone:?}");
    Ok(())
}

#[test]
fn a_repository_is_a_context() -> Result {
    let project = Project::new("FROM base\nRUN false\n")?;
    let repository = project.phial().scratch().join("repositories/app.git");
    std::fs::create_dir_all(repository.join("sub"))?;
    std::fs::write(repository.join("sub/Dockerfile"), "FROM base\nCOPY file /file\n")?;
    std::fs::write(repository.join("sub/file"), "of a repository\n")?;
    for words in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "one"]] {
        let mut git = Command::new(program("git", "git")?);
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]).arg(&repository).args(words);
        run(&mut git)?.success()?;
    }
    let origin = Origin::git(&project.phial().scratch().join("repositories"))?;
    let address = format!("git://{}/app.git#main:sub", origin.address());
    let build = |address: &str| project.phial().run(&["build", "-q", "--network", "none", address]);
    let id = build(&address)?.success()?;
    assert_eq!(
        project.in_image(id.trim(), "cat /file; ls -d /.git 2>/dev/null || echo none")?,
        "of a repository\nnone"
    );
    let wrong = build(&address.replace("main", "absent"))?.exited(1)?;
    assert!(wrong.stderr.contains("absent"), "{wrong:?}");
    Ok(())
}

#[test]
fn what_is_at_an_address_is_asked_for_and_counts_as_it_is() -> Result {
    let project = Project::new("")?;
    let served = project.phial().scratch().join("served");
    std::fs::create_dir(&served)?;
    let web = Origin::http(&served)?;
    let address = format!("http://{}/file", web.address());
    let file = |flags: &str| project.write("Dockerfile", &format!("FROM base\nADD {flags} {address} /file\n"));
    let checksum = format!("--checksum={}", digest_of(b"two")?);
    std::fs::write(served.join("file"), "one")?;
    file("")?;
    let one = project.id(&[])?;
    assert_eq!(project.in_image(&one, "cat /file")?, "one");
    assert_eq!(project.id(&[])?, one, "it has not changed");
    // It is what it was, and is not what is wanted.
    file(&checksum)?;
    let wrong = project.build(&[])?.exited(1)?;
    assert!(wrong.stderr.contains("its checksum is sha256:"), "{wrong:?}");
    file("")?;
    std::fs::write(served.join("file"), "two")?;
    assert_eq!(project.in_image(&project.id(&[])?, "cat /file")?, "two");
    file(&checksum)?;
    drop(web);
    assert_eq!(project.in_image(&project.id(&[])?, "cat /file")?, "two", "nobody has to be asked");
    Ok(())
}

/// Who asks is nothing that others see (CVE-2023-26054).
#[test]
fn passwords_of_addresses_are_nobody_elses() -> Result {
    let project = Project::new("FROM base\nCOPY --from=files / /files/\n")?;
    let served = project.phial().scratch().join("served");
    std::fs::create_dir(&served)?;
    std::fs::write(served.join("plain"), "fetched")?;
    let web = Origin::http(&served)?;
    let files = format!("files=http://me:hush-4711@{}/plain", web.address());
    let layout = project.phial().scratch().join("layout");
    let target = format!("type=oci,tar=false,dest={}", layout.display());
    let flags = ["--build-context", &files, "--provenance", "mode=max", "-o", &target, "--explain"];
    let told = project.build(&flags)?.exited(0)?;
    assert!(!format!("{}{}", told.stdout, told.stderr).contains("hush-4711"), "{told:?}");
    let usage = project.phial().ok(&["builder", "du", "--verbose"])?;
    assert!(usage.contains("plain") && !usage.contains("hush-4711"), "{usage}");
    let id = project.id(&["--build-context", &files])?;
    assert_eq!(project.in_image(&id, "cat /files/context")?, "fetched");
    let mut seen = 0;
    for blob in std::fs::read_dir(layout.join("blobs/sha256"))? {
        let text = String::from_utf8_lossy(&std::fs::read(blob?.path())?).into_owned();
        seen += usize::from(text.contains("plain"));
        assert!(!text.contains("hush-4711"), "{text}");
    }
    assert!(seen > 0, "the provenance names the address");
    Ok(())
}

#[test]
fn an_archive_that_ends_too_early_is_refused() -> Result {
    let project = Project::new(COPIES)?;
    project.write("file", &"x".repeat(100_000))?;
    let archive = Command::new("tar").args(["-C", &project.path(), "-cz", "."]).output()?.stdout;
    let mut child = project.phial().command(&["build", "-q", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(&archive[..archive.len() / 2])?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("archive"), "{said}");
    Ok(())
}
