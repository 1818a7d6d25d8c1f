//! What commands see besides their layers, and who changes it meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use end_to_end::process::run;
use end_to_end::{Project, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::victim::Victim;

/// CVE-2024-23652: a command puts a link in the place of a directory that was made to be mounted in.
#[test]
fn a_mount_point_is_swapped_for_a_link() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let path = victim.path();
    let swaps = [
        // The directory below it, to one that is empty on the host.
        ("/x/empty", format!("mv /x /z; ln -s {path} /x")),
        ("/x/nothing", format!("mv /x /z; ln -s {path} /x")),
        ("/x/y/empty", format!("mv /x /z; mkdir /x; ln -s {path} /x/y")),
        ("/x/empty", format!("mv /x /z; ln -s ../../../../../../..{path} /x")),
    ];
    for (target, swap) in swaps {
        for kind in ["type=tmpfs", "type=cache,id=c", "type=secret,id=s", "from=base,source=/etc"] {
            let file = format!("FROM base\nRUN --mount={kind},target={target} {swap}; ls -l / > /seen\n");
            project.write("Dockerfile", &file)?;
            let output = project.build(&["--secret", "id=s,src=/etc/hostname"])?.exited(0)?;
            victim.is_unharmed(&project, &format!("{file}: {output:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn mounts_that_would_cover_what_isolates() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    for target in
        ["/", "/..", "/proc", "/proc/self", "/proc/sys", "/proc/../proc", "//proc//", "/dev/../proc/self/attr"]
    {
        for kind in ["type=tmpfs", "type=cache,id=c", "from=base,source=/etc", "type=secret,id=s"] {
            project.write("Dockerfile", &format!("FROM base\nRUN --mount={kind},target={target} true\n"))?;
            let output = project.build(&["--secret", "id=s,src=/etc/hostname"])?.exited(1)?;
            assert!(output.stderr.contains("phial: cannot build"), "{output:?}");
        }
    }
    // Over these it may be: it is the command's own view. What the kernel guards stays guarded.
    let over = "FROM base\nRUN --mount=type=tmpfs,target=/sys echo > /proc/sysrq-trigger; echo x > /proc/sys/kernel/core_pattern; true\n";
    project.write("Dockerfile", over)?;
    let before = std::fs::read("/proc/sys/kernel/core_pattern")?;
    let output = project.build(&[])?;
    assert_eq!(std::fs::read("/proc/sys/kernel/core_pattern")?, before);
    victim.is_unharmed(&project, &format!("{output:?}"))
}

/// CVE-2024-9675 of others: the id of a cache is no path.
#[test]
fn ids_are_no_paths() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let long = "x".repeat(5000);
    for id in ["..", ".", "../../../victim", "/etc", "a/../../b", "%2e%2e", "\\0", long.as_str()] {
        let file = format!("FROM base\nRUN --mount=type=cache,id={id},target=/c touch /c/file && ls /c > /seen\n");
        let seen = project.made(&file, &[], "cat /seen")?;
        assert_eq!(seen, "file", "{id}");
        project.write("Dockerfile", &format!("FROM base\nRUN --mount=type=secret,id={id} ls -R /run > /seen\n"))?;
        let output = project.build(&["--secret", &format!("id={id},src=/etc/hostname")])?;
        assert!(output.code < 2 && !output.stderr.contains("panicked"), "{output:?}");
        let namespace = format!("BUILDKIT_CACHE_MOUNT_NS={id}");
        project.made(&file, &["--build-arg", &namespace], "true")?;
        victim.is_unharmed(&project, "")?;
    }
    let volumes = project.phial().root().join("volumes");
    let names: Vec<_> = std::fs::read_dir(volumes)?.flatten().map(|entry| entry.file_name()).collect();
    assert!(names.iter().all(|name| name.to_string_lossy().starts_with("cache-")), "{names:?}");
    Ok(())
}

/// CVE-2024-23651, CVE-2021-30465: whoever shares a cache changes it while another command is started on it.
#[test]
fn names_in_a_shared_cache_are_swapped() -> Result {
    let mounts = "--mount=type=cache,id=c,target=/c --mount=type=tmpfs,target=/c/dir/empty --mount=type=secret,id=s,target=/c/dir/nothing";
    let project = Project::new("FROM base\nRUN --mount=type=cache,id=c,target=/c mkdir /c/dir\n")?;
    let victim = Victim::beside(&project)?;
    project.id(&[])?;
    let volume = project.phial().ok(&["volume", "ls", "-q"])?;
    let directory = project.phial().inspect(volume.trim())?["Mountpoint"].as_str().unwrap_or_default().to_owned();
    let (dir, link) = (Path::new(&directory).join("dir"), Path::new(&directory).join("link"));
    std::os::unix::fs::symlink(victim.path(), &link)?;
    project.write(
        "Dockerfile",
        &format!("FROM base\nRUN {mounts} cat /c/dir/secret /c/link/secret; touch /c/dir/made /c/link/made; true\n"),
    )?;
    let stop = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE);
            }
        });
        let flags = ["--no-cache", "--secret", "id=s,src=/etc/hostname"];
        let built: Result<Vec<_>> = (0..40).map(|_| project.build(&flags)).collect();
        stop.store(true, Ordering::Relaxed);
        built
    })?;
    assert!(said.iter().all(|output| output.code < 2), "{said:?}");
    victim.is_unharmed(&project, &format!("{said:?}"))
}

/// CVE-2025-4953: what is written to a mount is in no image.
#[test]
fn what_is_written_to_mounts_is_in_no_image() -> Result {
    const WORDS: &str = "written-to-a-mount-93aa";
    let project = Project::new(
        "FROM base AS from\nRUN mkdir /d\nFROM base\nRUN --mount=from=from,source=/d,target=/d,rw --mount=type=tmpfs,target=/t \
         --mount=target=/context,rw --mount=type=cache,target=/c \
         for dir in /d /t /context /c /dev/shm; do echo written-to-\"\"a-mount-93aa > $dir/file; done\n",
    )?;
    project.id(&[])?;
    let mut grep = std::process::Command::new("grep");
    let found = run(grep.args(["-r", "-a", "-l", "-e", WORDS]).arg(project.phial().root().join("layers")))?;
    assert_eq!((found.code, found.stdout.as_str()), (1, ""));
    assert_eq!(std::fs::read_dir(project.dir())?.count(), 1, "nothing is written to the context");
    Ok(())
}
