//! `cp`: every case of docker's documentation, held against Debian's docker; containers that do not run, volumes, archives, and
//! containers that change their files meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use end_to_end::engines::Docker;
use end_to_end::process::{Output, run, run_with_input};
use end_to_end::{Context, Result, Stage};

/// What `cp` is given, with `C:` for the container; its files are those of the host, in /c.
const CASES: &[&[&str]] = &[
    &["f", "C:/c/new"],
    &["f", "C:/c/new/"],
    &["f", "C:/c/x"],
    &["f", "C:/c/x/"],
    &["f", "C:/c/e"],
    &["f", "C:/c/e/"],
    &["f", "C:/c/none/new"],
    &["f", "C:/c/lf"],
    &["f", "C:/c/ld"],
    &["f", "C:/c/ld/new"],
    &["f", "C:/c/abs/new"],
    &["f/", "C:/c/new"],
    &["nope", "C:/c/new"],
    &["d", "C:/c/new"],
    &["d", "C:/c/new/"],
    &["d", "C:/c/x"],
    &["d", "C:/c/e"],
    &["d/", "C:/c/e"],
    &["d/.", "C:/c/e"],
    &["d/.", "C:/c/new"],
    &["d/.", "C:/c/x"],
    &["d", "C:/c"],
    &["lf", "C:/c/new"],
    &["-L", "lf", "C:/c/new"],
    &["ld", "C:/c/new"],
    &["-L", "ld", "C:/c/new"],
    &["C:/c/f", "new"],
    &["C:/c/f", "new/"],
    &["C:/c/f", "x"],
    &["C:/c/f", "x/"],
    &["C:/c/f", "e"],
    &["C:/c/f", "e/"],
    &["C:/c/f", "none/new"],
    &["C:/c/f", "lf"],
    &["C:/c/f", "ld"],
    &["C:/c/nope", "new"],
    &["C:/c/d", "new"],
    &["C:/c/d", "new/"],
    &["C:/c/d", "x"],
    &["C:/c/d", "e"],
    &["C:/c/d/", "e"],
    &["C:/c/d/.", "e"],
    &["C:/c/d/.", "new"],
    &["C:/c/d/.", "x"],
    &["C:/c/d", "."],
    &["C:/c/lf", "new"],
    &["-L", "C:/c/lf", "new"],
    &["C:/c/ld", "new"],
    &["-L", "C:/c/ld", "new"],
    &["-L", "C:/c/abs", "new"],
    &["C:c/f", "new"],
    &["C:/c/../c/f", "new"],
    &["x", "f"],
    &["C:/c/f", "C:/c/new"],
];

/// The same files on either side.
const TREE: &str = "rm -rf /c; mkdir -p /c/d /c/e; cd /c; echo f > f; echo in > d/in; echo x > x; \
    ln -s f lf; ln -s d ld; ln -s /c/d abs; chmod 640 f; chown 12:34 x";

fn make_tree(host: &Path) -> Result {
    let _ = fs::remove_dir_all(host);
    fs::create_dir_all(host.join("d"))?;
    fs::create_dir(host.join("e"))?;
    for (name, content) in [("f", "f\n"), ("d/in", "in\n"), ("x", "x\n")] {
        fs::write(host.join(name), content)?;
    }
    for (target, name) in [("f", "lf"), ("d", "ld")] {
        symlink(target, host.join(name))?;
    }
    fs::set_permissions(host.join("f"), std::os::unix::fs::PermissionsExt::from_mode(0o640))?;
    chown(host.join("x"), Some(12), Some(34))?;
    Ok(())
}

/// What a case leads to: whether it worked, and what either side is like then.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    worked: bool,
    host: BTreeMap<String, String>,
    container: String,
}

fn outcome(case: &[&str], host: &Path, engine: &dyn Fn(&[&str]) -> Command) -> Result<Outcome> {
    make_tree(host)?;
    run(&mut engine(&["exec", "cc", "sh", "-c", TREE]))?.success()?;
    let case: Vec<String> = case.iter().map(|word| word.replacen("C:", "cc:", 1)).collect();
    let words: Vec<&str> = ["cp"].into_iter().chain(case.iter().map(String::as_str)).collect();
    let copied = run(engine(&words).current_dir(host))?;
    let mut found = BTreeMap::new();
    list(host, host, &mut found)?;
    let listing = "cd /c; find . | sort | while read p; do stat -c '%n %F %a %u:%g %N' $p; test -f $p && cat $p; done";
    let container = run(&mut engine(&["exec", "cc", "sh", "-c", listing]))?;
    Ok(Outcome { worked: copied.code == 0, host: found, container: container.stdout })
}

fn list(top: &Path, dir: &Path, found: &mut BTreeMap<String, String>) -> Result {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        let content = match metadata.file_type() {
            kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path)?.display()),
            kind if kind.is_file() => fs::read_to_string(&path)?,
            _ => String::new(),
        };
        let (mode, uid, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
        let name = path.strip_prefix(top).context("is below the top")?.display().to_string();
        found.insert(name, format!("{mode:o} {uid}:{gid} {content}"));
        if metadata.is_dir() {
            list(top, &path, found)?;
        }
    }
    Ok(())
}

#[test]
fn what_docker_does_with_slashes_dots_and_symlinks() -> Result {
    let stage = Stage::busybox()?;
    let archive = stage.phial.scratch().join("image.tar");
    let archive = archive.to_str().context("is text")?;
    stage.phial.ok(&["save", "-o", archive, &stage.image])?;
    let docker = Docker::start(&stage.phial.scratch().join("docker"))?;
    docker.ok(&["load", "-i", archive])?;
    let forever: &[&str] = &[&stage.image, "sleep", "1000"];
    docker.ok(&[&["run", "-d", "--network", "none", "--name", "cc"], forever].concat())?;
    stage.phial.ok(&[&["run", "-d", "--name", "cc"], forever].concat())?;
    let host = stage.phial.scratch().join("host");
    for case in CASES {
        let want = outcome(case, &host, &|words| docker.command(words))?;
        let got = outcome(case, &host, &|words| stage.phial.command(words))?;
        assert_eq!(got, want, "cp {}", case.join(" "));
    }
    Ok(())
}

#[test]
fn what_it_says() -> Result {
    let stage = Stage::busybox()?;
    let (phial, host) = (&stage.phial, stage.phial.scratch().join("host"));
    stage.start(&["--name", "cc"], &["sh", "-c", &format!("{TREE}; sleep 1000")])?;
    phial.ok(&["exec", "cc", "sh", "-c", TREE])?;
    make_tree(&host)?;
    let at = |name: &str| host.join(name).display().to_string();
    let said = |words: &[&str]| -> Result<Output> { phial.run(&[&["cp"], words].concat()) };
    let output = said(&["cc:/c/f", &at("new")])?.exited(0)?;
    assert_eq!((output.stdout.as_str(), output.stderr), ("", format!("Successfully copied 2.05kB to {}\n", at("new"))));
    let output = said(&["-q", "cc:/c/d", &at("e")])?.exited(0)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    let cases: [(&[&str], &str); 7] = [
        (&["cc:/c/nope", "."], "could not find the file /c/nope"),
        (&["cc:/c/d", &at("x")], "cannot copy a directory"),
        (&["cc:/c/f", &at("none/")], "no such directory"),
        (&["cc:/c/f", "cc:/c/g"], "copying between containers is not supported"),
        (&[&at("x"), &at("f")], "must specify at least one container source"),
        (&["none:/c/f", "."], "no such container"),
        (&["-", "cc:/c/x"], "not a directory"),
    ];
    for (words, expected) in cases {
        let output = said(words)?.exited(1)?;
        assert!(output.stderr.contains(expected), "cp {words:?}: {output:?}");
    }
    Ok(())
}

#[test]
fn owners_are_kept_only_when_asked_for() -> Result {
    let stage = Stage::busybox()?;
    let (phial, host) = (&stage.phial, stage.phial.scratch().join("host"));
    stage.start(&["--name", "cc"], &["sleep", "1000"])?;
    make_tree(&host)?;
    let at = |name: &str| host.join(name).display().to_string();
    phial.ok(&["cp", "-a", &at("x"), "cc:/tmp/kept"])?;
    assert_eq!(phial.ok(&["exec", "cc", "stat", "-c", "%u:%g", "/tmp/kept"])?, "12:34");
    phial.ok(&["cp", "-a", "cc:/tmp/kept", &at("kept")])?;
    let kept = fs::metadata(host.join("kept"))?;
    assert_eq!((kept.uid(), kept.gid()), (12, 34));
    Ok(())
}

#[test]
fn archives_on_both_ends() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "cc"], &["sleep", "1000"])?;
    phial.ok(&["exec", "cc", "sh", "-c", TREE])?;
    let archive = phial.scratch().join("d.tar");
    let mut copy = phial.command(&["cp", "cc:/c/d", "-"]);
    assert_eq!(copy.stdout(fs::File::create(&archive)?).status()?.code(), Some(0));
    let listed = run(Command::new("tar").arg("-tf").arg(&archive))?.success()?;
    assert_eq!(listed, "d/\nd/in\n");
    run_with_input(&mut phial.command(&["cp", "-", "cc:/c/e"]), &fs::read(&archive)?)?.exited(0)?;
    assert_eq!(phial.ok(&["exec", "cc", "cat", "/c/e/d/in"])?, "in");
    // What is no archive, and what leads out of the directory, changes nothing.
    run_with_input(&mut phial.command(&["cp", "-", "cc:/c/e"]), &[7; 2000])?.exited(1)?;
    Ok(())
}

#[test]
fn volumes_and_what_does_not_run() -> Result {
    let stage = Stage::busybox()?;
    let (phial, host) = (&stage.phial, stage.phial.scratch().join("host"));
    make_tree(&host)?;
    let bind = format!("{}:/bound", host.display());
    stage.start(&["--name", "cc", "-v", &bind, "--tmpfs", "/memory"], &["sleep", "1000"])?;
    phial.ok(&["exec", "cc", "sh", "-c", &format!("{TREE}; echo m > /memory/m")])?;
    let at = |name: &str| phial.scratch().join(name).display().to_string();
    phial.ok(&["cp", "cc:/bound/d/in", &at("one")])?;
    phial.ok(&["cp", "cc:/memory/m", &at("memory")])?;
    phial.ok(&["stop", "-t", "0", "cc"])?;
    phial.ok(&["cp", "cc:/bound/d/in", &at("two")])?;
    phial.ok(&["cp", "cc:/c/f", &at("three")])?;
    phial.ok(&["cp", &at("one"), "cc:/bound/from-outside"])?;
    phial.ok(&["cp", &at("one"), "cc:/c/from-outside"])?;
    for (name, content) in [("one", "in\n"), ("two", "in\n"), ("memory", "m\n"), ("three", "f\n")] {
        assert_eq!(fs::read_to_string(at(name))?, content, "{name}");
    }
    assert_eq!(fs::read_to_string(host.join("from-outside"))?, "in\n");
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    assert!(!mounts.contains(&phial.root().display().to_string()), "something is left mounted: {mounts}");
    phial.ok(&["start", "cc"])?;
    assert_eq!(phial.ok(&["exec", "cc", "cat", "/c/from-outside"])?, "in");
    Ok(())
}

/// CVE-2018-15664: the container exchanges a directory for a symlink while something is copied there.
#[test]
fn a_container_that_swaps_symlinks_gets_nothing_of_the_host() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let outside = phial.scratch().join("outside");
    fs::create_dir(&outside)?;
    fs::write(outside.join("secret"), "of the host\n")?;
    let script = format!(
        "mkdir -p /c/a; ln -s {} /c/b; echo inside > /c/a/secret; echo ready; \
         while :; do mv -T /c/a /c/t; mv -T /c/b /c/a; mv -T /c/t /c/b; done",
        outside.display()
    );
    stage.start_ready(&["--name", "cc"], &script)?;
    let probe = phial.scratch().join("probe");
    fs::write(&probe, "probe\n")?;
    let copied = phial.scratch().join("copied");
    for _ in 0..150 {
        phial.run(&["cp", &probe.display().to_string(), "cc:/c/a/probe"])?;
        phial.run(&["cp", "-L", "cc:/c/a/secret", &copied.display().to_string()])?;
        assert!(!outside.join("probe").exists(), "the copy left the container");
        if let Ok(content) = fs::read_to_string(&copied) {
            assert_eq!(content, "inside\n");
        }
    }
    Ok(())
}

/// `create -v data:/data; cp . NAME:/data; rm NAME` is how volumes are filled.
#[test]
fn what_is_mounted_where_the_image_has_nothing_is_written_to() -> Result {
    let stage = Stage::busybox()?;
    let (phial, host) = (&stage.phial, stage.phial.scratch().join("host"));
    make_tree(&host)?;
    let at = |name: &str| host.join(name).display().to_string();
    let file = format!("{}:/conf/deep/file", at("f"));
    let flags: &[&str] = &["-v", "data:/data", "-v", "more:/a/b/c", "-v", &file, "--tmpfs", "/memory"];
    phial.ok(&[&["create", "--name", "helper"], flags, &[&stage.image]].concat())?;
    phial.ok(&["cp", &at("."), "helper:/data"])?;
    phial.ok(&["cp", &at("x"), "helper:/a/b/c/"])?;
    let copied = phial.scratch().join("copied");
    phial.ok(&["cp", "helper:/conf/deep/file", &copied.display().to_string()])?;
    assert_eq!(fs::read_to_string(&copied)?, "f\n");
    // Nobody would see it again.
    let refused = phial.run(&["cp", &at("x"), "helper:/memory/x"])?.exited(1)?;
    assert!(refused.stderr.contains("/memory is mounted only while the container runs"), "{refused:?}");
    phial.ok(&["rm", "helper"])?;
    let volumes: &[&str] = &["-v", "data:/d", "-v", "more:/m"];
    assert_eq!(stage.sh(volumes, "cat /d/d/in /d/f; ls /m")?, "in\nf\nx");
    Ok(())
}

/// What a container may see and change of a volume or the host, `cp` may, and no more.
#[test]
fn parts_of_volumes_and_what_is_read_only_stay_so() -> Result {
    let stage = Stage::busybox()?;
    let (phial, host) = (&stage.phial, stage.phial.scratch().join("host"));
    make_tree(&host)?;
    stage.sh(&["-v", "shared:/s"], "mkdir /s/mine /s/theirs; echo mine > /s/mine/f; echo secret > /s/theirs/f")?;
    let at = |name: &str| host.join(name).display().to_string();
    let (bind, file) = (format!("{}:/bound:ro", at("d")), format!("{}:/etc/conf", at("f")));
    let part = "type=volume,source=shared,target=/part,volume-subpath=mine";
    let flags: &[&str] = &["--mount", part, "-v", &bind, "-v", &file];
    phial.ok(&[&["create", "--name", "cc"], flags, &[&stage.image, "sleep", "1000"]].concat())?;
    let copied = phial.scratch().join("copied").display().to_string();
    for state in ["created", "running"] {
        assert_eq!(phial.inspect("cc")?["State"]["Status"], state);
        phial.ok(&["cp", "cc:/part/f", &copied])?;
        assert_eq!(fs::read_to_string(&copied)?, "mine\n");
        phial.run(&["cp", "cc:/part/theirs/f", &copied])?.exited(1)?;
        for (to, why) in [
            ("cc:/bound", "mounted volume is marked read-only"),
            ("cc:/bound/in", "mounted volume is marked read-only"),
            ("cc:/etc/conf", "is mounted itself"),
        ] {
            let refused = phial.run(&["cp", &at("x"), to])?.exited(1)?;
            assert!(refused.stderr.contains(why), "{state}: {to}: {refused:?}");
        }
        phial.ok(&["start", "cc"])?;
    }
    assert_eq!(
        (fs::read_to_string(host.join("d/in"))?, fs::read_to_string(host.join("f"))?),
        ("in\n".into(), "f\n".into())
    );
    Ok(())
}

/// A set-user-id file of the container's must not become one of root's.
#[test]
fn what_comes_to_the_host_gives_nobody_rights() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let script = "mkdir /c; cd /c; echo f > f; chown 1000:1000 f; chmod 6755 f; mkdir d; chmod 2777 d; \
        mknod null c 1 3; mknod disk b 7 0; mkfifo fifo; echo ready; sleep 1000";
    stage.start_ready(&["--name", "cc", "--cap-add", "MKNOD"], script)?;
    let at = |name: &str| phial.scratch().join(name);
    let copied = phial.run(&["cp", "cc:/c", &at("own").display().to_string()])?.exited(0)?;
    assert!(copied.stderr.contains("left out 2 device nodes"), "{copied:?}");
    let mode = |path: &str| Ok::<_, end_to_end::Failure>(fs::symlink_metadata(at(path))?.mode() & 0o7777);
    assert_eq!((mode("own/f")?, mode("own/d")?), (0o755, 0o777));
    assert!(!at("own/null").exists() && !at("own/disk").exists() && at("own/fifo").exists());
    phial.ok(&["cp", "-a", "cc:/c", &at("kept").display().to_string()])?;
    assert_eq!((mode("kept/f")?, fs::metadata(at("kept/f"))?.uid()), (0o6755, 1000));
    assert!(at("kept/null").exists());
    Ok(())
}

#[test]
fn who_wants_what_is_looked_at_is_told_so() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["create", "--name", "cc", &stage.image])?;
    // More than a pipe holds, which nobody reads.
    let mut copy = phial.command(&["cp", "cc:/", "-"]);
    let mut copying = copy.stdout(std::process::Stdio::piped()).spawn()?;
    let mut out = copying.stdout.take().context("is a pipe")?;
    std::io::Read::read_exact(&mut out, &mut [0])?;
    for words in [&["rm", "cc"] as &[&str], &["start", "cc"], &["cp", "cc:/etc/passwd", "-"]] {
        let refused = phial.command(words).stdout(std::process::Stdio::piped()).output()?;
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && stderr.contains("in use by another command"), "{words:?}: {stderr}");
    }
    copying.kill()?;
    copying.wait()?;
    phial.ok(&["rm", "cc"])?;
    Ok(())
}
