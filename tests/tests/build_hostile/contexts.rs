//! Contexts that lead out: links, races, and Dockerfiles that are something else than files.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use end_to_end::process::run;
use end_to_end::{Project, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::victim::Victim;

/// How often a race is run.
const ROUNDS: usize = 40;

#[test]
fn links_of_a_context_mean_what_they_mean_in_it() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let dir = project.dir();
    symlink(victim.path(), dir.join("absolute"))?;
    symlink("../victim", dir.join("up"))?;
    symlink(format!("../../../../../../../..{}/secret", victim.path()), dir.join("file"))?;
    project.write("inside/file", "of the context")?;
    let lines = [
        "COPY absolute/secret /got",
        "COPY up/secret /got",
        "COPY file /got",
        "ADD file /got",
        "COPY absolute /got",
        "COPY ../victim/secret /got",
        "COPY inside/../../victim/secret /got",
        "COPY up/* /got/",
        "COPY --parents up/./secret /got/",
        "RUN --mount=source=absolute,target=/m cat /m/secret > /got",
        "RUN --mount=source=up,target=/m cat /m/secret > /got",
        "RUN --mount=source=file,target=/m cat /m > /got",
        "RUN --mount=source=../victim,target=/m cat /m/secret > /got",
        "RUN --mount=target=/m cat /m/up/secret > /got",
    ];
    for line in lines {
        project.write("Dockerfile", &format!("FROM base\n{line}\n"))?;
        let output = project.build(&[])?.exited(1)?;
        victim.is_unharmed(&project, &format!("{line}: {output:?}"))?;
    }
    // All of it, where links stay links.
    let got = project.made(
        "FROM base\nCOPY . /got\n",
        &[],
        "readlink /got/absolute; readlink /got/up; cat /got/file 2>&1 | grep -c canary; true",
    )?;
    assert_eq!(got, format!("{}\n../victim\n0", victim.path()));
    victim.is_unharmed(&project, &got)
}

/// A stranger who writes into the context while it is built.
#[test]
fn a_directory_of_a_context_is_swapped_for_a_link() -> Result {
    let project = Project::new(
        "FROM base\nCOPY dir /copied\nCOPY dir/secret /one\nRUN --mount=source=dir,target=/m cat /m/* > /seen\n",
    )?;
    let victim = Victim::beside(&project)?;
    project.write("dir/secret", "of the context")?;
    let (dir, link) = (project.dir().join("dir"), project.dir().join("link"));
    symlink("../victim", &link)?;
    let stop = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE);
            }
        });
        let built: Result<Vec<_>> = (0..ROUNDS).map(|_| project.build(&["--no-cache"])).collect();
        stop.store(true, Ordering::Relaxed);
        built
    })?;
    assert!(said.iter().all(|output| output.code < 2), "{said:?}");
    victim.is_unharmed(&project, &format!("{said:?}"))
}

/// CVE-2022-4122, CVE-2022-4123 and CVE-2026-44517 of others.
#[test]
fn a_dockerfile_that_is_no_file() -> Result {
    let project = Project::new("FROM base\nRUN false\n")?;
    let victim = Victim::beside(&project)?;
    let secret = format!("{}/secret", victim.path());
    let makes: [&[&str]; 8] = [
        &["ln", "-s", &secret],
        &["ln", "-s", "../victim/secret"],
        &["ln", "-s", "/dev/zero"],
        &["ln", "-s", "pipe"],
        &["mkfifo"],
        &["mkdir"],
        &["mknod-zero"],
        &["ln", "-s", "Dockerfile"],
    ];
    run(Command::new("mkfifo").arg(project.dir().join("pipe")))?.success()?;
    for name in ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"] {
        for make in makes {
            let path = project.dir().join(name);
            project.write("Dockerfile", "FROM base\nCOPY Dockerfile /\n")?;
            let _ = std::fs::remove_file(&path);
            let command = if make == ["mknod-zero"] {
                run(Command::new("mknod").arg(&path).args(["c", "1", "5"]))?
            } else {
                run(Command::new(make[0]).args(&make[1..]).arg(&path))?
            };
            command.success()?;
            for flags in [&[][..], &["--check"]] {
                let output = project.build(flags)?;
                let text = format!("{name} made by {make:?}: {output:?}");
                assert!(name != "Dockerfile" || output.code == 1, "{text}");
                victim.is_unharmed(&project, &text)?;
            }
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
        }
    }
    Ok(())
}
