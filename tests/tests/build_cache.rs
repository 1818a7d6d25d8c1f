//! What builds leave: found again, listed, removed while others build, moved to other hosts.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::process::Running;
use end_to_end::{Context, Output, Phial, Result, Stage};

/// A step that is never the same twice, unless it comes from the cache.
const RANDOM: &str = "RUN head -c 32 /dev/urandom > /random\n";

/// A context with a Dockerfile upon an image.
fn context(phial: &Phial, name: &str, image: &str, text: &str) -> Result<String> {
    let directory = phial.scratch().join(name);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("Dockerfile"), format!("FROM {image}\n{text}"))?;
    fs::write(directory.join("file"), "of the context\n")?;
    Ok(directory.to_str().context("is text")?.to_owned())
}

fn arguments<'a>(flags: &[&'a str], context: &'a str) -> Vec<&'a str> {
    [&["build", "--network", "none", "--progress", "plain"], flags, &[context]].concat()
}

fn build(phial: &Phial, flags: &[&str], context: &str) -> Result<Output> {
    phial.run(&arguments(flags, context))
}

/// Builds, and returns the image's id.
fn built(phial: &Phial, flags: &[&str], context: &str) -> Result<String> {
    build(phial, &[flags, &["-t", "built"]].concat(), context)?.exited(0)?;
    phial.ok(&["image", "inspect", "-f", "{{.Id}}", "built"])
}

/// The ids of the records of a kind.
fn records(phial: &Phial, kind: &str) -> Result<Vec<String>> {
    let found = phial.ok(&["builder", "du", "--filter", &format!("type={kind}"), "--format", "{{.ID}}"])?;
    Ok(found.lines().map(str::to_owned).collect())
}

fn volume(phial: &Phial, name: &str) -> PathBuf {
    phial.root().join("volumes").join(name).join("_data")
}

#[test]
fn what_builds_leave_is_listed_and_removed() -> Result {
    let Stage { phial, image, registry: _registry } = &Stage::busybox()?;
    let text = format!("{RANDOM}COPY file /file\nRUN --mount=type=cache,target=/cache echo kept > /cache/file\n");
    let context = context(phial, "a", image, &text)?;
    let first = built(phial, &[], &context)?;
    assert_eq!(built(phial, &[], &context)?, first, "all of it was done before");
    assert_eq!(records(phial, "regular")?.len(), 3);
    let mounts = records(phial, "exec.cachemount")?;
    assert_eq!(mounts.len(), 1);
    assert_eq!(fs::read_to_string(volume(phial, &mounts[0]).join("file"))?, "kept\n");
    let shown = phial.ok(&["builder", "du", "--verbose"])?;
    assert!(shown.contains(&format!("cached mount /cache in volume {}", mounts[0])), "{shown}");
    assert!(shown.contains("Usage count:   2"), "{shown}");
    let df = phial.ok(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Size}}"])?;
    assert!(df.ends_with("Build Cache 3 0B"), "the image has it all: {df}");

    // What the image has makes no room.
    phial.run(&["builder", "prune", "-f"])?.exited(0)?;
    assert_eq!((records(phial, "regular")?.len(), records(phial, "exec.cachemount")?.len()), (3, 0));
    assert_eq!(built(phial, &[], &context)?, first);
    phial.ok(&["rmi", "built"])?;
    let kept = phial.run(&["builder", "prune", "-f", "--filter", "until=1h"])?.exited(0)?;
    assert_eq!(kept.stdout, "Total reclaimed space: 0B\n");
    let df = phial.ok(&["system", "df", "-v"])?;
    assert!(df.contains("regular"), "{df}");
    let pruned = phial.run(&["system", "prune", "-f"])?.exited(0)?;
    assert!(pruned.stdout.contains("Deleted build cache objects:"), "{pruned:?}");
    assert_eq!(records(phial, "regular")?.len(), 0);
    assert_ne!(built(phial, &[], &context)?, first, "it was done anew");
    phial.run(&["system", "check"])?.exited(0)?;

    // What is known of the files of a context goes with the context.
    let known = || -> Result<usize> { Ok(fs::read_dir(phial.root().join("contexts"))?.count()) };
    phial.run(&["builder", "prune", "-f"])?.exited(0)?;
    let before = known()?;
    fs::remove_dir_all(&context)?;
    phial.run(&["builder", "prune", "-f"])?.exited(0)?;
    assert_eq!((before, known()?), (1, 0));
    Ok(())
}

#[test]
fn what_a_build_uses_is_not_taken_from_it() -> Result {
    let Stage { phial, image, registry: _registry } = &Stage::busybox()?;
    let mount = "RUN --mount=type=cache,target=/cache ";
    let first = context(phial, "a", image, &format!("{RANDOM}{mount}true\n"))?;
    build(phial, &["--output", "type=cacheonly"], &first)?.exited(0)?;
    let cache = records(phial, "exec.cachemount")?.pop().context("there is a mount")?;
    let [started, go] = ["started", "go"].map(|name| volume(phial, &cache).join(name));
    for fifo in [&started, &go] {
        rustix::fs::mkfifoat(rustix::fs::CWD, fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    }
    let text = format!("{RANDOM}{mount}echo begun > /cache/started && read go < /cache/go && echo \"$go\" > /went\n");
    let second = context(phial, "b", image, &text)?;
    let mut running = Running::start(&mut phial.command(&arguments(&["-t", "built"], &second)))?;
    // Opening a fifo waits for the other side: from here on, the command runs.
    assert_eq!(fs::read_to_string(&started)?, "begun\n");
    let shown = phial.ok(&["builder", "du", "--filter", "inuse=true", "--format", "{{.ID}}"])?;
    assert_eq!(shown, cache);
    phial.run(&["builder", "prune", "-af"])?.exited(0)?;
    assert_eq!(records(phial, "regular")?.len(), 0, "the step before it was forgotten");
    assert_eq!(records(phial, "exec.cachemount")?, [cache.as_str()]);
    let refused = phial.run(&["volume", "rm", &cache])?.exited(1)?;
    assert!(refused.stderr.contains("volume is in use - [a command of a build]"), "{refused:?}");
    fs::write(&go, "on\n")?;
    assert_eq!(running.wait()?, 0);
    let files = phial.ok(&["run", "--rm", "--network", "none", "built", "sh", "-c", "cat /went; wc -c < /random"])?;
    assert_eq!(files, "on\n32");
    phial.run(&["system", "check"])?.exited(0)?;
    phial.run(&["builder", "prune", "-af"])?.exited(0)?;
    assert_eq!(records(phial, "exec.cachemount")?.len(), 0);
    assert_eq!(phial.ok(&["run", "--rm", "--network", "none", "built", "cat", "/went"])?, "on");
    Ok(())
}

#[test]
fn what_many_want_at_once_is_done_once() -> Result {
    let Stage { phial, image, registry: _registry } = &Stage::busybox()?;
    let context = context(phial, "a", image, RANDOM)?;
    let tags: Vec<String> = (0..6).map(|number| format!("built:{number}")).collect();
    let start = |tag: &String| Running::start(&mut phial.command(&arguments(&["-t", tag], &context)));
    let builds = tags.iter().map(start).collect::<Result<Vec<_>>>()?;
    for mut running in builds {
        assert_eq!(running.wait()?, 0);
    }
    let ids = phial.ok(&["images", "-q", "--no-trunc", "built"])?;
    let first = ids.lines().next().context("there are images")?;
    assert_eq!(ids.lines().collect::<Vec<_>>(), [first], "one image with all the names");
    assert_eq!(records(phial, "regular")?.len(), 1);
    Ok(())
}

#[test]
fn damage_is_found_and_forgotten() -> Result {
    let Stage { phial, image, registry: _registry } = &Stage::busybox()?;
    let context = context(phial, "a", image, "RUN echo one > /one\nRUN echo two > /two\n")?;
    build(phial, &["--output", "type=cacheonly"], &context)?.exited(0)?;
    phial.run(&["system", "check"])?.exited(0)?;
    let layer = |file: &str| -> Result<PathBuf> {
        let mut layers = fs::read_dir(phial.root().join("layers"))?.flatten().map(|entry| entry.path());
        layers.find(|layer| layer.join("fs").join(file).exists()).context("a layer has it")
    };
    fs::write(layer("two")?.join("fs/two"), "something else")?;
    let found = phial.run(&["system", "check"])?.exited(1)?;
    assert!(found.stdout.contains("was changed on disk"), "{found:?}");
    assert!(phial.run(&["system", "check", "--quick"])?.exited(0).is_ok());
    fs::remove_dir_all(layer("one")?)?;
    let found = phial.run(&["system", "check", "--quick"])?.exited(1)?;
    assert!(found.stdout.contains("RUN echo one > /one: layer"), "{found:?}");
    phial.run(&["system", "check", "--repair"])?.exited(0)?;
    assert_eq!(records(phial, "regular")?.len(), 0, "one was made upon the other");
    built(phial, &[], &context)?;
    assert_eq!(phial.ok(&["run", "--rm", "--network", "none", "built", "cat", "/one", "/two"])?, "one\ntwo");
    phial.run(&["system", "check"])?.exited(0)?;
    Ok(())
}

#[test]
fn a_cache_mount_moves_to_another_host() -> Result {
    let Stage { phial, image, registry: _registry } = &Stage::busybox()?;
    let mount = "RUN --mount=type=cache,id=mine,target=/cache ";
    let writes = "mkdir /cache/d && echo kept > /cache/d/file && chown 7:8 /cache/d && chmod 600 /cache/d/file";
    let writing = context(phial, "a", image, &format!("{mount}{writes}\n"))?;
    build(phial, &["--output", "type=cacheonly"], &writing)?.exited(0)?;
    let cache = records(phial, "exec.cachemount")?.pop().context("there is a mount")?;
    let archive = phial.scratch().join("cache.tar");
    let archive = archive.to_str().context("is text")?;
    phial.ok(&["volume", "export", "-o", archive, &cache])?;

    let other = Phial::new()?;
    other.ok(&["pull", image])?;
    assert_eq!(other.ok(&["volume", "import", "--label", "phial.build.cache=mine", &cache, archive])?, cache);
    assert_eq!(records(&other, "exec.cachemount")?, [cache.as_str()]);
    let reads = "sh -c 'cat /cache/d/file; stat -c %u:%g:%a /cache/d /cache/d/file' > /seen";
    let reading = context(&other, "a", image, &format!("{mount}{reads}\n"))?;
    build(&other, &["-t", "built"], &reading)?.exited(0)?;
    let seen = other.ok(&["run", "--rm", "--network", "none", "built", "cat", "/seen"])?;
    assert_eq!(seen, "kept\n7:8:755\n0:0:600");

    // Into one that is there; and what is no archive changes nothing.
    fs::write(volume(&other, &cache).join("more"), "stays")?;
    let bytes = fs::read(archive)?;
    other.run_with_input(&["volume", "import", &cache, "-"], &bytes)?.exited(0)?;
    assert_eq!(fs::read_to_string(volume(&other, &cache).join("more"))?, "stays");
    other.run_with_input(&["volume", "import", "new", "-"], b"no archive at all, only some text")?.exited(1)?;
    assert!(!other.ok(&["volume", "ls", "-q"])?.contains("new"));
    hostile(&other)
}

/// An archive whose names lead out of the volume.
fn hostile(phial: &Phial) -> Result {
    let tree = phial.scratch().join("hostile");
    fs::create_dir_all(&tree)?;
    std::os::unix::fs::symlink("/", tree.join("out"))?;
    let archive = phial.scratch().join("hostile.tar");
    let target = phial.scratch().join("escaped");
    let name = format!("out{}", target.display());
    fs::write(tree.join("file"), "x")?;
    let script = "tar -C \"$0\" -cf \"$1\" out && tar -C \"$0\" --transform \"s,^file,$2,\" -rf \"$1\" file";
    let made = end_to_end::process::run(
        std::process::Command::new("sh").args(["-c", script]).args([&tree, &archive]).arg(&name),
    )?;
    made.exited(0)?;
    phial.run(&["volume", "import", "hostile", archive.to_str().context("is text")?])?;
    assert!(!Path::new(&target).exists(), "nothing was written outside");
    Ok(())
}
