//! Volumes, through the built program: made, used, shared, filled from images, removed; in docker's words, against
//! hostile images, many at once, and killed at every point.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use end_to_end::faults::{self, Operation, at_every_point};
use end_to_end::image::{Compression, Image, Layer};
use end_to_end::leftovers::adopt_orphans;
use end_to_end::process::Running;
use end_to_end::registry::Registry;
use end_to_end::{Context, Phial, Result, Stage, images};
use serde_json::json;

/// What a volume has in it, on the host.
fn data(phial: &Phial, name: &str) -> PathBuf {
    phial.root().join("volumes").join(name).join("_data")
}

fn names(phial: &Phial) -> Result<Vec<String>> {
    Ok(phial.ok(&["volume", "ls", "-q"])?.lines().map(str::to_owned).collect())
}

/// The names of volumes that nobody gave a name.
fn anonymous(phial: &Phial) -> Result<Vec<String>> {
    Ok(names(phial)?.into_iter().filter(|name| name.len() == 64).collect())
}

/// An image of busybox and one more layer, which `change` writes; its configuration has these volumes.
fn image_with(
    registry: &Registry,
    work: &Path,
    volumes: &[&str],
    change: impl FnOnce(&Path) -> Result,
) -> Result<String> {
    let mut image: Image = images::busybox(work)?;
    let tree = work.join("own");
    fs::create_dir_all(&tree)?;
    change(&tree)?;
    image.layers.push(Layer::from_directory(&tree, work, Compression::None)?);
    let set: serde_json::Map<String, serde_json::Value> =
        volumes.iter().map(|path| ((*path).to_owned(), json!({}))).collect();
    image.config["Volumes"] = set.into();
    image.push(registry, "own:latest")?;
    Ok(registry.name("own:latest"))
}

#[test]
fn a_volume_from_its_creation_to_its_end() -> Result {
    let phial = Phial::new()?;
    assert_eq!(phial.ok(&["volume", "create", "data"])?, "data");
    assert_eq!(phial.ok(&["volume", "create", "data"])?, "data", "one that is there stays");
    phial.ok(&["volume", "create", "--label", "stage=test", "other"])?;
    let unnamed = phial.ok(&["volume", "create"])?;
    assert!(unnamed.len() == 64 && unnamed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{unnamed}");
    let table = phial.ok(&["volume", "ls"])?;
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["DRIVER", "VOLUME", "NAME"]);
    assert!(words.contains(&vec!["local", "data"]) && words.contains(&vec!["local", "other"]), "{table}");
    assert_eq!(phial.ok(&["volume", "ls", "-q", "-f", "label=stage=test"])?, "other");
    assert_eq!(phial.ok(&["volume", "ls", "--format", "{{.Name}} {{.Driver}}", "-f", "name=dat"])?, "data local");

    let found: serde_json::Value = serde_json::from_str(&phial.ok(&["volume", "inspect", "other"])?)?;
    assert_eq!(
        (&found[0]["Name"], &found[0]["Scope"], &found[0]["Driver"]),
        (&json!("other"), &json!("local"), &json!("local"))
    );
    assert_eq!(found[0]["Labels"], json!({"stage": "test"}));
    assert_eq!(found[0]["Mountpoint"], json!(data(&phial, "other")));
    assert_eq!(phial.ok(&["inspect", "-f", "{{.Name}}", "other"])?, "other");

    assert_eq!(phial.ok(&["volume", "rm", "data", "other"])?, "data\nother");
    assert!(!data(&phial, "data").exists());
    let output = phial.run(&["volume", "rm", "data"])?.exited(1)?;
    assert!(output.stderr.contains("no such volume: data"), "{output:?}");
    assert_eq!(phial.ok(&["volume", "rm", "-f", "data"])?, "data");
    assert_eq!(names(&phial)?, [unnamed]);
    Ok(())
}

#[test]
fn wrong_volumes_are_refused_and_leave_nothing() -> Result {
    let stage = Stage::busybox()?;
    let image = stage.image.as_str();
    let cases: [(&[&str], i32, &str); 18] = [
        (&["volume", "create", "a"], 1, "two characters"),
        (&["volume", "create", "a/b"], 1, "a/b"),
        (&["volume", "create", "-d", "nfs-plugin", "ab"], 1, "nfs-plugin"),
        (&["volume", "create", "-o", "color=red", "ab"], 1, "invalid option: 'color'"),
        (&["volume", "create", "-o", "type=tmpfs", "ab"], 1, "missing required option: 'device'"),
        (&["volume", "create", "-o", "size=10m", "ab"], 1, "no quota support"),
        (&["volume", "ls", "-f", "color=red"], 1, "color"),
        (&["volume", "inspect", "absent"], 1, "no such volume: absent"),
        (&["run", "-v", "a:/x", image], 125, "two characters"),
        (&["run", "-v", "new:relative", image], 125, "relative"),
        (&["run", "-v", "new:/x:wat", image], 125, "wat"),
        (&["run", "-v", "new:/x", "-v", "other:/x", image], 125, "duplicate mount point: /x"),
        (&["run", "-v", "new:/x", "--tmpfs", "/x", image], 125, "duplicate mount point: /x"),
        (&["run", "--volume-driver", "ceph", "-v", "new:/x", image], 125, "ceph"),
        (&["run", "--volumes-from", "absent", "-v", "new:/x", image], 125, "absent"),
        (&["run", "--mount", "type=image,src=absent,dst=/x", "-v", "new:/y", image], 125, "no such image: absent"),
        (&["run", "--mount", "src=new,dst=/x,volume-opt=size=1m", image], 125, "size"),
        (&["run", "-v", "new:/etc/passwd", image], 125, "has a file at /etc/passwd"),
    ];
    for (arguments, code, named) in cases {
        let output = stage.phial.run(arguments)?.exited(code)?;
        assert!(output.stderr.contains(named) && output.stderr.starts_with("phial: "), "{output:?}");
    }
    assert_eq!((names(&stage.phial)?, stage.phial.containers()?), (Vec::new(), Vec::new()));
    assert!(fs::read_dir(stage.phial.root().join("volumes")).map_or(true, |mut all| all.next().is_none()));
    Ok(())
}

#[test]
fn a_named_volume_outlives_its_containers() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.check(&[
        (&["-v", "data:/data"], "echo kept > /data/file; stat -c %a:%u /data", "755:0"),
        (
            &["-v", "data:/elsewhere:ro"],
            "cat /elsewhere/file; touch /elsewhere/x 2>/dev/null || echo refused",
            "kept\nrefused",
        ),
        (
            &["--mount", "src=data,dst=/data,readonly"],
            "cat /data/file; touch /data/x 2>/dev/null || echo refused",
            "kept\nrefused",
        ),
        (&["--mount", "type=volume,source=data,target=/data"], "echo more > /data/other; ls /data", "file\nother"),
    ])?;
    let id = stage.start(&["--name", "holder", "-v", "data:/data"], &["sleep", "1000"])?;
    let output = phial.run(&["volume", "rm", "data"])?.exited(1)?;
    assert!(
        output.stderr.contains("volume is in use")
            && output.stderr.contains("holder")
            && output.stderr.contains(&id[..12]),
        "{output:?}"
    );
    assert_eq!(phial.ok(&["ps", "-q", "--no-trunc", "--filter", "volume=data"])?, id);
    assert_eq!(phial.ok(&["volume", "ls", "-q", "-f", "dangling=true"])?, "");
    phial.ok(&["rm", "-fv", "holder"])?;
    assert_eq!(phial.ok(&["volume", "ls", "-q", "-f", "dangling=true"])?, "data", "rm -v takes no volume with a name");
    phial.ok(&["volume", "rm", "data"])?;
    Ok(())
}

#[test]
fn what_was_stopped_finds_its_volume_again() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&[
        "run",
        "--name",
        "twice",
        "-v",
        "/data",
        &stage.image,
        "sh",
        "-c",
        "echo run >> /data/log; cat /data/log",
    ])?;
    assert_eq!(phial.ok(&["start", "-a", "twice"])?, "run\nrun");
    // Somebody who has the volume while it is not running does not change which one it is.
    let name = anonymous(phial)?.pop().context("it has a volume")?;
    phial.ok(&["run", "--rm", "-v", &format!("{name}:/x"), &stage.image, "sh", "-c", "echo other >> /x/log"])?;
    assert_eq!(phial.ok(&["start", "-a", "twice"])?, "run\nrun\nother\nrun");
    Ok(())
}

#[test]
fn anonymous_volumes_go_when_they_are_told_to() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let volumes = ["-v", "/data", "-v", "named:/named"];
    stage.sh(&volumes, "echo x > /data/x")?;
    assert_eq!(names(phial)?, ["named"], "--rm takes those without a name along");
    // In the background, the next command sees to it.
    let id = phial.ok(&[&["run", "-d", "--rm"], &volumes[..], &[&stage.image, "true"]].concat())?;
    while phial.ok(&["ps", "-aq", "--no-trunc"])?.contains(&id) {}
    assert_eq!(names(phial)?, ["named"]);
    assert_eq!(fs::read_dir(phial.root().join("volumes"))?.count(), 1, "and its files are gone");

    let run = |name: &str| phial.ok(&[&["run", "--name", name], &volumes[..], &[&stage.image, "true"]].concat());
    run("kept")?;
    phial.ok(&["rm", "kept"])?;
    assert_eq!(anonymous(phial)?.len(), 1, "rm alone keeps them");
    run("gone")?;
    phial.ok(&["rm", "-v", "gone"])?;
    assert_eq!((anonymous(phial)?.len(), names(phial)?.len()), (1, 2));
    // Of two who share one, the last takes it along.
    phial.ok(&["run", "--name", "one", "-v", "/shared", &stage.image, "true"])?;
    phial.ok(&["run", "--name", "two", "--volumes-from", "one", &stage.image, "true"])?;
    phial.ok(&["rm", "-v", "one"])?;
    assert_eq!(anonymous(phial)?.len(), 2);
    phial.ok(&["rm", "-v", "two"])?;
    assert_eq!(anonymous(phial)?.len(), 1);
    Ok(())
}

#[test]
fn prune() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for label in ["a=1", "b"] {
        phial.ok(&["volume", "create", "--label", label])?;
    }
    phial.ok(&["volume", "create", "named"])?;
    phial.ok(&["run", "--name", "user", "-v", "/used", &stage.image, "true"])?;
    let used = phial.ok(&["inspect", "-f", "{{(index .Mounts 0).Name}}", "user"])?;

    let output = phial.run_with_input(&["volume", "prune"], b"n\n")?.exited(1)?;
    assert!(
        output.stdout.contains("This will remove anonymous local volumes not used by at least one container."),
        "{output:?}"
    );
    assert!(output.stdout.contains("[y/N]") && output.stderr.contains("has been cancelled"), "{output:?}");
    assert_eq!(names(phial)?.len(), 4);
    let pruned = phial.ok(&["volume", "prune", "-f", "--filter", "label=a"])?;
    assert!(pruned.starts_with("Deleted Volumes:\n") && pruned.ends_with("Total reclaimed space: 0B"), "{pruned}");
    assert_eq!(names(phial)?.len(), 3);
    let output = phial.run_with_input(&["volume", "prune"], b"y\n")?.exited(0)?;
    assert!(output.stdout.contains("Total reclaimed space: 0B"), "{output:?}");
    let mut left = vec!["named".to_owned(), used.clone()];
    left.sort();
    assert_eq!(names(phial)?, left);
    stage.sh(&["-v", "named:/n"], "head -c 5000 /dev/zero > /n/file")?;
    let pruned = phial.ok(&["volume", "prune", "--all", "--force"])?;
    assert!(pruned.contains("named") && pruned.ends_with("Total reclaimed space: 5kB"), "{pruned}");
    assert_eq!(names(phial)?, [used]);
    Ok(())
}

/// What the image has at `/vol`, in two layers: everything a copy can get wrong.
fn content(tree: &Path) -> Result {
    let vol = tree.join("vol");
    fs::create_dir_all(vol.join("dir/deep"))?;
    fs::write(vol.join("dir/deep/file"), "content")?;
    fs::set_permissions(vol.join("dir/deep/file"), fs::Permissions::from_mode(0o4751))?;
    fs::hard_link(vol.join("dir/deep/file"), vol.join("linked"))?;
    symlink("/etc/passwd", vol.join("absolute"))?;
    symlink("../../../../../../etc/shadow", vol.join("up"))?;
    fs::File::create(vol.join("sparse"))?.set_len(16 << 20)?;
    let device = rustix::fs::makedev(1, 3);
    let mode = rustix::fs::Mode::from_raw_mode(0o640);
    rustix::fs::mknodat(rustix::fs::CWD, vol.join("null"), rustix::fs::FileType::CharacterDevice, mode, device)?;
    rustix::fs::mknodat(rustix::fs::CWD, vol.join("fifo"), rustix::fs::FileType::Fifo, mode, 0)?;
    rustix::fs::setxattr(vol.join("dir"), "user.note", b"kept", rustix::fs::XattrFlags::empty())?;
    std::os::unix::fs::chown(vol.join("dir"), Some(1000), Some(2000))?;
    std::os::unix::fs::chown(&vol, Some(33), Some(44))?;
    fs::set_permissions(&vol, fs::Permissions::from_mode(0o2750))?;
    Ok(())
}

#[test]
fn an_empty_volume_begins_with_what_the_image_has() -> Result {
    let registry = Registry::start()?;
    let phial = Phial::new()?;
    let work = phial.scratch().join("work");
    let image = image_with(&registry, &work, &["/vol"], content)?;
    phial.ok(&["pull", &image])?;
    phial.ok(&["run", "--rm", "-v", "data:/vol", &image, "true"])?;
    let vol = data(&phial, "data");
    let of = |name: &str| fs::symlink_metadata(vol.join(name)).context(name.to_owned());
    let top = fs::metadata(&vol)?;
    assert_eq!((top.mode() & 0o7777, top.uid(), top.gid()), (0o2750, 33, 44));
    let (file, linked, dir) = (of("dir/deep/file")?, of("linked")?, of("dir")?);
    assert_eq!((file.mode() & 0o7777, file.ino(), file.nlink()), (0o4751, linked.ino(), 2));
    assert_eq!((dir.uid(), dir.gid()), (1000, 2000));
    assert_eq!(fs::read_to_string(vol.join("linked"))?, "content");
    let mut note = [0; 16];
    let length = rustix::fs::getxattr(vol.join("dir"), "user.note", &mut note[..])?;
    assert_eq!(&note[..length], b"kept");
    assert_eq!(fs::read_link(vol.join("absolute"))?, Path::new("/etc/passwd"));
    assert_eq!(fs::read_link(vol.join("up"))?, Path::new("../../../../../../etc/shadow"));
    let sparse = of("sparse")?;
    assert!(sparse.len() == 16 << 20 && sparse.blocks() < 1000, "{} blocks", sparse.blocks());
    assert_eq!((of("null")?.rdev(), of("null")?.mode() & 0o7777), (rustix::fs::makedev(1, 3), 0o640));

    // What is in it stays, and nocopy leaves it empty.
    phial.ok(&["run", "--rm", "-v", "data:/vol", &image, "rm", "-r", "/vol/dir"])?;
    phial.ok(&["run", "--rm", "-v", "data:/vol", &image, "true"])?;
    assert!(!vol.join("dir").exists());
    let listed = |mount: &str| phial.ok(&["run", "--rm", "-v", mount, &image, "ls", "-A", "/vol"]);
    assert_eq!(listed("none:/vol:nocopy")?, "");
    // The image's own volume is filled as well; another mount takes its place.
    assert!(phial.ok(&["run", "--rm", &image, "ls", "/vol"])?.contains("sparse"));
    assert_eq!(phial.ok(&["run", "--rm", "--tmpfs", "/vol", &image, "ls", "-A", "/vol"])?, "");
    assert_eq!(names(&phial)?, ["data", "none"]);
    let mounts: serde_json::Value = {
        phial.ok(&["create", "--name", "seen", &image, "true"])?;
        phial.inspect("seen")?["Mounts"].take()
    };
    assert_eq!(
        (&mounts[0]["Type"], &mounts[0]["Destination"], &mounts[0]["RW"]),
        (&json!("volume"), &json!("/vol"), &json!(true))
    );
    Ok(())
}

#[test]
fn a_hostile_image_reaches_nothing_of_the_host() -> Result {
    let registry = Registry::start()?;
    let phial = Phial::new()?;
    let secret = phial.scratch().join("secret");
    fs::create_dir(&secret)?;
    fs::write(secret.join("key"), "of the host")?;
    let hostile = secret.clone();
    let work = phial.scratch().join("work");
    let image = image_with(&registry, &work, &["/out", "../../escape"], move |tree| {
        symlink(format!("../../../../../../../..{}", hostile.display()), tree.join("out"))?;
        symlink("loop", tree.join("loop"))?;
        fs::create_dir(tree.join("nest"))?;
        symlink(&hostile, tree.join("nest/link"))?;
        Ok(())
    })?;
    phial.ok(&["pull", &image])?;
    // Where the links lead the container has nothing: empty volumes, at those paths in the container.
    let volumes = ["-v", "one:/out", "-v", "two:/nest/link"];
    let script = ["sh", "-c", "ls -A /out /nest/link; ls -d /escape; touch /out/x"];
    let printed = phial.ok(&[&["run", "--rm"], &volumes[..], &[&image], &script[..]].concat())?;
    assert!(printed.ends_with("/escape") && !printed.contains("key"), "{printed}");
    assert_eq!(fs::read_to_string(secret.join("key"))?, "of the host");
    assert_eq!(fs::read_dir(&secret)?.count(), 1);
    // A link that leads in circles is no place for a volume, and a refused container leaves none.
    let output = phial.run(&["run", "--rm", "-v", "three:/loop/x", &image, "true"])?.exited(125)?;
    assert!(output.stderr.contains("symlinks"), "{output:?}");
    assert_eq!(names(&phial)?, ["one", "two"]);
    Ok(())
}

#[test]
fn eight_first_users_find_it_whole() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let expected = stage.sh(&[], "ls /bin | wc -l")?;
    for round in 0..3 {
        let name = format!("shared-{round}");
        let mount = format!("{name}:/bin");
        let script = ["run", "--rm", "-v", &mount, &stage.image, "sh", "-c", "ls /bin | wc -l"];
        let mut users = Vec::new();
        for _ in 0..8 {
            users.push(phial.command(&script).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
        }
        for user in users {
            let output = user.wait_with_output()?;
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{output:?}");
        }
        assert_eq!(fs::read_dir(phial.root().join("volumes").join(&name))?.count(), 1, "nothing is left beside it");
    }
    Ok(())
}

#[test]
fn two_who_live_see_the_same_directory() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    // The first one's image has nothing there; the second one's would fill it, under the first one's feet.
    stage.start(&["--name", "first", "-v", "data:/nothing-here"], &["sleep", "1000"])?;
    stage.start(&["--name", "second", "-v", "data:/home"], &["sleep", "1000"])?;
    phial.ok(&["exec", "first", "touch", "/nothing-here/seen"])?;
    assert_eq!(phial.ok(&["exec", "second", "ls", "/home"])?, "seen");
    Ok(())
}

#[test]
fn killed_at_any_point_a_volume_is_empty_or_full() -> Result {
    adopt_orphans()?;
    let registry = images::registry()?;
    let image = registry.name(images::BUSYBOX);
    let phial = faults::phial()?;
    phial.ok(&["pull", &image])?;
    let whole = phial.ok(&["run", "--rm", &image, "sh", "-c", "ls /bin | wc -l"])?;
    let before = |phial: &Phial| {
        phial.remove_containers()?;
        phial.ok(&["volume", "rm", "-f", "data"]).map(drop)
    };
    let after = |phial: &Phial| {
        let found = fs::read_dir(data(phial, "data")).map_or(0, Iterator::count).to_string();
        assert!(found == "0" || found == whole, "{found} of {whole}");
        phial.remove_containers()?;
        // The next one finds it full, whatever happened.
        assert_eq!(phial.ok(&["run", "--rm", "-v", "data:/bin", &image, "sh", "-c", "ls /bin | wc -l"])?, whole);
        assert!(anonymous(phial)?.is_empty(), "{:?}", names(phial)?);
        assert_eq!(fs::read_dir(phial.root().join("volumes"))?.count(), names(phial)?.len());
        Ok(())
    };
    let words = ["run", "--rm", "-v", "data:/bin", "-v", "/tmp", &image, "true"];
    let deaths = at_every_point(&phial, &Operation { words: &words, before: &before, after: &after })?;
    assert!(deaths >= 15, "{deaths} deaths only");

    let made = |phial: &Phial| phial.ok(&["volume", "create", "data"]).map(drop);
    let gone = |phial: &Phial| {
        names(phial)?;
        let is_there = phial.root().join("volumes/data").exists();
        assert_eq!(names(phial)?.contains(&"data".to_owned()), is_there);
        Ok(())
    };
    at_every_point(&phial, &Operation { words: &["volume", "rm", "data"], before: &made, after: &gone })?;
    let absent = |phial: &Phial| phial.ok(&["volume", "rm", "-f", "data"]).map(drop);
    at_every_point(&phial, &Operation { words: &["volume", "create", "data"], before: &absent, after: &gone })?;
    Ok(())
}

#[test]
fn options_of_the_local_driver() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let before = fs::read_to_string("/proc/self/mounts")?;
    let host = phial.scratch().join("host");
    fs::create_dir(&host)?;
    fs::write(host.join("file"), "of the host\n")?;
    let device = format!("device={}", host.display());
    phial.ok(&["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=1000", "mem"])?;
    phial.ok(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", &device, "bound"])?;
    let made = "type=volume,src=made,dst=/m,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-label=a=b";
    stage.check(&[
        (
            &["-v", "mem:/mem"],
            "stat -f -c %T /mem; stat -c %u /mem; df -k /mem | tail -n 1 | awk '{print $2}'",
            "tmpfs\n1000\n1024",
        ),
        (
            &["--mount", "src=copy,dst=/etc,volume-opt=type=tmpfs,volume-opt=device=tmpfs"],
            "cat /etc/motd",
            "a small vessel for amd64",
        ),
        (&["-v", "bound:/b"], "cat /b/file; echo more > /b/new", "of the host"),
        (&["--mount", made], "stat -f -c %T /m", "tmpfs"),
    ])?;
    assert_eq!(fs::read_to_string(host.join("new"))?, "more\n");
    let made: serde_json::Value = serde_json::from_str(&phial.ok(&["volume", "inspect", "made"])?)?;
    assert_eq!((&made[0]["Options"]["type"], &made[0]["Labels"]["a"]), (&json!("tmpfs"), &json!("b")));
    phial.ok(&["volume", "rm", "bound", "copy", "mem", "made"])?;
    assert!(host.join("file").exists(), "what is the host's stays");
    assert_eq!(fs::read_to_string("/proc/self/mounts")?, before, "nothing is mounted on the host");
    // Whether its process has failed before or after its network was there: the reason is told.
    for _ in 0..10 {
        let mount = "src=x1,dst=/x,volume-opt=type=nosuchfs,volume-opt=device=none";
        let output = phial.run(&["run", "--rm", "--mount", mount, &stage.image])?;
        assert!(output.code == 125 && output.stderr.contains("nosuchfs"), "{output:?}");
    }
    Ok(())
}

#[test]
fn many_containers_come_and_go_on_one_volume() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let mut running = Vec::new();
    for number in 0..6 {
        let script = format!("echo {number} >> /log/all");
        let words = ["run", "--rm", "-v", "log:/log", &stage.image, "sh", "-c", &script];
        running.push(Running::start(phial.command(&words).stdout(Stdio::null()).stderr(Stdio::null()))?);
        // Somebody tries to take it away all the time.
        phial.run(&["volume", "rm", "log"])?;
    }
    for mut one in running {
        assert_eq!(one.wait()?, 0);
    }
    let found = fs::read_to_string(data(phial, "log").join("all"));
    assert!(found.is_ok_and(|text| !text.is_empty()) || !names(phial)?.contains(&"log".to_owned()));
    Ok(())
}
