//! Contexts that are elsewhere: what is at an address, and repositories.

use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::cases::git;
use end_to_end::origins::Origin;
use end_to_end::process::run;
use end_to_end::{Context, Project, Result};

/// An empty directory beside the project, for what a server has.
fn served(project: &Project) -> Result<PathBuf> {
    let served = project.phial().scratch().join("served");
    std::fs::create_dir_all(&served)?;
    Ok(served)
}

/// The repository `app.git` with these files, below a directory.
fn repository(below: &Path, files: &[(&str, &str)]) -> Result<PathBuf> {
    let repository = below.join("app.git");
    std::fs::create_dir_all(&repository)?;
    git(&repository, &["init", "-q", "-b", "main"])?;
    for (name, text) in files {
        let path = repository.join(name);
        std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        std::fs::write(path, text)?;
    }
    git(&repository, &["add", "-A"])?;
    git(&repository, &["commit", "-q", "-m", "one"])?;
    Ok(repository)
}

fn build(project: &Project, flags: &[&str], context: &str) -> Result<end_to_end::Output> {
    project.phial().run(&[&["build", "-q", "--network", "none"], flags, &[context]].concat())
}

#[test]
fn an_archive_or_a_dockerfile_at_an_address() -> Result {
    let project = Project::new("FROM base\nRUN false\n")?;
    let (served, tree) = (served(&project)?, project.phial().scratch().join("tree"));
    std::fs::create_dir_all(tree.join("deep"))?;
    let files = [
        ("Dockerfile", "FROM base\nCOPY . /all\n"),
        ("Other", "FROM base\nCOPY deep/file /other\n"),
        ("deep/file", "of an archive\n"),
        ("left-out", ""),
        (".dockerignore", "left-out\n"),
    ];
    files.iter().try_for_each(|(name, text)| std::fs::write(tree.join(name), text))?;
    let mut tar = Command::new("tar");
    run(tar.arg("-C").arg(&tree).arg("-czf").arg(served.join("app.tar.gz")).arg("."))?.success()?;
    // Told by what it is, and not by its name.
    std::fs::copy(served.join("app.tar.gz"), served.join("app"))?;
    std::fs::write(served.join("alone"), "FROM base\nRUN echo alone > /made\n")?;
    let web = Origin::http(&served)?;
    let at = |name: &str| format!("http://{}/{name}", web.address());
    // The file is there, and the context here.
    let id = build(&project, &["-f", &at("alone")], &project.path())?.success()?;
    assert_eq!(project.in_image(id.trim(), "cat /made")?, "alone");
    for name in ["app.tar.gz", "app"] {
        let id = build(&project, &[], &at(name))?.success()?;
        let seen = project.in_image(id.trim(), "cat /all/deep/file; ls -A /all")?;
        assert_eq!(seen, "of an archive\n.dockerignore\nDockerfile\nOther\ndeep");
    }
    let id = build(&project, &["-f", "Other"], &at("app.tar.gz"))?.success()?;
    assert_eq!(project.in_image(id.trim(), "cat /other")?, "of an archive");
    let id = build(&project, &[], &at("alone"))?.success()?;
    assert_eq!(project.in_image(id.trim(), "cat /made")?, "alone");
    // What is there is asked for each time.
    std::fs::write(served.join("alone"), "FROM base\nRUN echo changed > /made\n")?;
    let id = build(&project, &[], &at("alone"))?.success()?;
    assert_eq!(project.in_image(id.trim(), "cat /made")?, "changed");
    let absent = build(&project, &[], &at("absent"))?.exited(1)?;
    assert!(absent.stderr.contains("404") && absent.stderr.contains("/absent"), "{absent:?}");
    std::fs::write(served.join("alone"), format!("FROM base\n{}", "# a comment\n".repeat(400_000)))?;
    let long = build(&project, &[], &at("alone"))?.exited(1)?;
    assert!(long.stderr.contains("no Dockerfile has more than 4194304 bytes"), "{long:?}");
    Ok(())
}

#[test]
fn named_contexts_are_elsewhere() -> Result {
    let project = Project::new(
        "FROM base\nCOPY --from=files deep/file /of-repository\nCOPY --from=page / /page/\n\
         RUN --mount=from=files,target=/m cat /m/top > /mounted; ls -A /m >> /mounted\n",
    )?;
    let served = served(&project)?;
    let repository = repository(&served, &[("deep/file", "one\n"), ("top", "top\n")])?;
    std::fs::write(served.join("page"), "served\n")?;
    let (web, repositories) = (Origin::http(&served)?, Origin::git(&served)?);
    let files = format!("files=git://{}/app.git#main", repositories.address());
    let page = format!("page=http://{}/page", web.address());
    let flags = ["--build-context", &files, "--build-context", &page];
    let seen = |id: &str| project.in_image(id, "cat /of-repository /page/context; ls /page; cat /mounted");
    let first = project.id(&flags)?;
    assert_eq!(seen(&first)?, "one\nserved\ncontext\ntop\ndeep\ntop");
    assert_eq!(project.id(&flags)?, first, "nothing has changed");
    // Both are asked whether they are what they were.
    std::fs::write(repository.join("deep/file"), "two\n")?;
    git(&repository, &["commit", "-q", "-a", "-m", "two"])?;
    std::fs::write(served.join("page"), "changed\n")?;
    assert_eq!(seen(&project.id(&flags)?)?, "two\nchanged\ncontext\ntop\ndeep\ntop");
    let absent = files.replace("#main", "#absent");
    let wrong = project.build(&["--build-context", &absent, "--build-context", &page])?.exited(1)?;
    assert!(wrong.stderr.contains("absent"), "{wrong:?}");
    Ok(())
}

#[test]
fn a_repository_is_kept_if_somebody_wants_it() -> Result {
    let project = Project::new("")?;
    let served = served(&project)?;
    let file = "FROM base\nCOPY . /all\n";
    let repository = repository(&served, &[("Dockerfile", file), ("file", "of a repository\n")])?;
    let commit = git(&repository, &["rev-parse", "HEAD"])?;
    let origin = Origin::git(&served)?;
    let address = format!("git://{}/app.git", origin.address());
    let seen = |flags: &[&str]| -> Result<String> {
        let id = build(&project, flags, &address)?.success()?;
        project.in_image(id.trim(), "cat /all/file; cat /all/.git/HEAD 2>/dev/null || echo none")
    };
    assert_eq!(seen(&[])?, "of a repository\nnone");
    let kept = format!("of a repository\n{}", commit.trim());
    assert_eq!(seen(&["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"])?, kept);
    assert_eq!(seen(&["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=0"])?, "of a repository\nnone");
    Ok(())
}

/// What a server calls its branches is no option of git.
#[test]
fn a_branch_that_looks_like_an_option() -> Result {
    let project = Project::new("")?;
    let served = served(&project)?;
    let repository = repository(&served, &[("Dockerfile", "FROM base\nCOPY file /file\n"), ("file", "fetched\n")])?;
    let origin = Origin::git(&served)?;
    let address = format!("git://{}/app.git", origin.address());
    let touched = project.phial().scratch().join("touched");
    for name in ["-x", "--upload-pack=touch", &format!("--upload-pack=touch${{IFS}}{}", touched.display())] {
        // git itself makes no such branch, and takes one that is there.
        let branch = repository.join(".git/refs/heads").join(name);
        std::fs::create_dir_all(branch.parent().context("it is in a directory")?)?;
        std::fs::write(&branch, git(&repository, &["rev-parse", "main"])?)?;
        std::fs::write(repository.join(".git/HEAD"), format!("ref: refs/heads/{name}\n"))?;
        let id = build(&project, &[], &address)?.success()?;
        assert_eq!(project.in_image(id.trim(), "cat /file")?, "fetched", "{name}");
        let named = build(&project, &[], &format!("{address}#{name}"))?.exited(1)?;
        assert!(named.stderr.contains("it is no branch, tag or commit"), "{named:?}");
        assert!(!touched.exists(), "{name} was run");
    }
    Ok(())
}
