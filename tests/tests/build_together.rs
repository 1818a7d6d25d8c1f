//! Several builds at once, and builds that do not come to their end: what is the same is done once, what was done stays, and
//! nothing else is left.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use end_to_end::faults::whole;
use end_to_end::process::{self, Running, arguments};
use end_to_end::{Failure, Project, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

/// Runs builds at once, each of which must succeed.
fn at_once(commands: Vec<std::process::Command>) -> Result {
    let mut running = Vec::new();
    for mut command in commands {
        running.push(Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?);
    }
    running.iter_mut().try_for_each(|build| match build.wait()? {
        0 => Ok(()),
        code => Err(Failure::new(format!("a build has ended with {code}"))),
    })
}

#[test]
fn what_is_the_same_is_done_once() -> Result {
    let project = Project::new(
        "FROM base\nRUN --mount=type=cache,target=/cache echo x >> /cache/lines; ls -R / > /dev/null\nRUN echo second\n",
    )?;
    at_once((0..6).map(|number| project.command(&["-q", "-t", &format!("app:{number}")])).collect())?;
    let counted = "FROM base\nRUN --mount=type=cache,target=/cache wc -l < /cache/lines > /seen\n";
    let ids = project.phial().ok(&["images", "-q", "--no-trunc", "app"])?;
    assert_eq!(ids.lines().collect::<BTreeSet<_>>().len(), 1, "{ids}");
    assert_eq!(project.made(counted, &[], "cat /seen")?, "1");
    whole(project.phial())
}

#[test]
fn many_builds_of_different_steps() -> Result {
    let project = Project::new("")?;
    let words =
        |number: usize| format!("FROM base\nRUN echo shared > /shared\nRUN echo {number} > /number\nCOPY file /\n");
    project.write("file", "of the context\n")?;
    let files: Vec<_> = (0..12).map(|number| format!("Dockerfile.{number}")).collect();
    for (number, file) in files.iter().enumerate() {
        project.write(file, &words(number))?;
    }
    let command = |(number, file): (usize, &String)| {
        let path = project.dir().join(file).display().to_string();
        project.command(&["-q", "-t", &format!("app:{number}"), "-f", &path])
    };
    at_once(files.iter().enumerate().map(command).collect())?;
    for number in 0..files.len() {
        let seen = project.in_image(&format!("app:{number}"), "cat /shared /number /file")?;
        assert_eq!(seen, format!("shared\n{number}\nof the context"));
    }
    whole(project.phial())
}

#[test]
fn caches_are_shared_locked_or_private() -> Result {
    let project = Project::new("")?;
    // Those who can be there at once wait for each other; of those who cannot, nobody finds what another one is at.
    let together = "until test $(wc -l < /meet/lines) = 3; do :; done";
    let alone = "mkdir /c/busy || echo together >> /c/together; ls -R / > /dev/null; rmdir /c/busy";
    for (sharing, script) in [("shared", together), ("locked", alone), ("private", together)] {
        let mount = format!("--mount=type=cache,id={sharing},target=/c,sharing={sharing}");
        let script = format!("echo x >> /c/lines; echo x >> /meet/lines; {script}");
        let meet = format!("--mount=type=cache,id=meet-{sharing},target=/meet");
        let commands = (0..3).map(|number| -> Result<_> {
            let file = format!("Dockerfile.{sharing}.{number}");
            project.write(&file, &format!("FROM base\nRUN {mount} {meet} : {number}; {script}\n"))?;
            Ok(project.command(&["-q", "-f", &project.dir().join(&file).display().to_string()]))
        });
        at_once(commands.collect::<Result<_>>()?)?;
        let seen = format!("FROM base\nRUN {mount} wc -l < /c/lines > /seen; ls /c >> /seen\n");
        let seen = project.made(&seen, &[], "cat /seen")?;
        let expected = match sharing {
            "shared" | "locked" => "3\nlines",
            _ => "1\nlines",
        };
        assert_eq!(seen, expected, "{sharing}");
    }
    let all = project.phial().ok(&["volume", "ls", "-q"])?;
    assert_eq!(all.lines().filter(|name| name.starts_with("cache-private")).count(), 3, "{all}");
    whole(project.phial())
}

/// The processes in containers that have this word in their command line.
fn with_word(word: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let words = arguments(*pid);
        words.first().is_some_and(|program| program == "sleep") && words.iter().any(|one| one == word)
    };
    process::all().into_iter().map(|process| process.pid).filter(has).collect()
}

/// A build that is ended by a signal while a command of it runs; `word` tells the command from others.
fn ended_by(project: &Project, flags: &[&str], word: &str, signal: Signal) -> Result {
    let mut command = project.command(flags);
    let mut build = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let mut inside = with_word(word);
    while inside.is_empty() {
        assert!(build.is_alive(), "the build has ended before");
        inside = with_word(word);
    }
    let ends = inside.iter().filter_map(|pid| pidfd_open(Pid::from_raw(*pid)?, PidfdFlags::empty()).ok());
    let ends: Vec<_> = ends.collect();
    build.signal(signal)?;
    build.wait()?;
    for end in &ends {
        rustix::event::poll(&mut [rustix::event::PollFd::new(end, rustix::event::PollFlags::IN)], None)?;
    }
    assert_eq!(with_word(word), Vec::<i32>::new());
    Ok(())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing is left of a build that was ended, once the next command has looked.
fn nothing_is_left(project: &Project) -> Result {
    let phial = project.phial();
    // A supervisor goes when its container has; until then it is as one that runs.
    loop {
        assert_eq!(phial.containers()?, Vec::<String>::new());
        let live = names(&phial.run_dir().join("containers"));
        if live.is_empty() {
            break;
        }
    }
    whole(phial)?;
    // Whatever is pruned, this is cleared away.
    phial.ok(&["builder", "prune", "-f", "--filter", "until=10000h"])?;
    assert_eq!(names(&phial.root().join("tmp")), Vec::<String>::new());
    assert_eq!(names(&phial.root().join("containers")), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_build_that_is_killed_leaves_what_it_has_done() -> Result {
    for (signal, word) in [(Signal::KILL, "1234567"), (Signal::INT, "1234568"), (Signal::TERM, "1234569")] {
        let project = Project::new(&format!(
            "FROM base\nRUN cat /proc/uptime > /first\nRUN --mount=type=cache,target=/c,sharing=locked sleep {word} & sleep {word}\n"
        ))?;
        ended_by(&project, &["-q"], word, signal)?;
        nothing_is_left(&project)?;
        // The lock of the cache is free, and what was done before is there.
        project.write(
            "Dockerfile",
            "FROM base\nRUN cat /proc/uptime > /first\nRUN --mount=type=cache,target=/c,sharing=locked true\n",
        )?;
        let again = project.build(&[])?.exited(0)?;
        assert_eq!(again.stderr.matches("CACHED").count(), 2, "{again:?}");
    }
    Ok(())
}

#[test]
fn a_build_on_a_network_that_is_killed() -> Result {
    let project = Project::new("FROM base\nRUN sleep 1234570\n")?;
    project.phial().ok(&["network", "create", "building"])?;
    ended_by(&project, &["-q", "--network", "building"], "1234570", Signal::KILL)?;
    nothing_is_left(&project)?;
    project.phial().ok(&["network", "rm", "building"]).map(drop)
}

#[test]
fn two_builds_wait_for_a_third_that_is_killed() -> Result {
    let project = Project::new("")?;
    // The first one waits for as long as it likes; who comes after it finds the file, and does not.
    let file =
        "FROM base\nRUN --mount=type=cache,target=/c if mkdir /c/begun; then sleep 1234571; fi; echo done > /made\n";
    project.write("Dockerfile", file)?;
    let start = || Running::start(project.command(&["-q"]).stdout(Stdio::null()).stderr(Stdio::null()));
    let mut first = start()?;
    while with_word("1234571").is_empty() {
        assert!(first.is_alive(), "the build has ended before");
    }
    let (mut second, mut third) = (start()?, start()?);
    first.signal(Signal::KILL)?;
    first.wait()?;
    assert_eq!((second.wait()?, third.wait()?), (0, 0));
    assert_eq!(project.in_image(&project.id(&[])?, "cat /made")?, "done");
    nothing_is_left(&project)
}

#[test]
fn a_stage_that_fails_ends_the_others() -> Result {
    let project = Project::new(
        "FROM base AS long\nRUN --mount=type=cache,target=/c touch /c/begun; sleep 1234572\n\
         FROM base AS short\nRUN --mount=type=cache,target=/c until test -e /c/begun; do :; done; exit 7\n\
         FROM base\nCOPY --from=long /etc/passwd /1\nCOPY --from=short /etc/passwd /2\n",
    )?;
    let failed = project.build(&[])?.exited(1)?;
    assert!(failed.stderr.contains("exit code 7") && failed.stderr.contains("Dockerfile:4:1"), "{failed:?}");
    assert_eq!(with_word("1234572"), Vec::<i32>::new());
    nothing_is_left(&project)
}
