//! Mounts, devices and the root of a container, as a configuration describes them (runtime-spec 1.3).

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use end_to_end::bundle::Bundle;
use end_to_end::process::find;
use end_to_end::{Context, Result};
use serde_json::{Value, json};

/// A bundle whose program is a script, with more mounts than the default ones.
fn with(mounts: &Value, script: &str) -> Result<Bundle> {
    let mut bundle = Bundle::new()?;
    let list = bundle.config["mounts"].as_array_mut().context("mounts")?;
    list.extend(mounts.as_array().cloned().unwrap_or_default());
    bundle.arguments(&["sh", "-c", script]);
    Ok(bundle)
}

/// What a container with these mounts prints.
fn told(mounts: &Value, script: &str) -> Result<String> {
    with(mounts, script)?.ok(&["run", "c"])
}

/// What a container with these mounts fails with.
fn refused(mounts: &Value) -> Result<String> {
    Ok(with(mounts, "true")?.run(&["run", "c"])?.exited(1)?.stderr)
}

/// Options of a mount point and of what lies below it: of the mount, and of the file system.
const OPTIONS: &str = "while read a b c d point options rest; do case $point in /mnt*) echo $point $options;; esac; \
    done < /proc/self/mountinfo";

#[test]
fn recursive_options_reach_every_mount_below_and_others_do_not() -> Result {
    // The host's /dev has a devpts and more in it.
    let mount =
        |options: &[&str]| json!([{"destination": "/mnt", "type": "bind", "source": "/dev", "options": options}]);
    let all =
        told(&mount(&["rbind", "rro", "rnosuid", "rnoexec", "rnoatime", "rnodiratime", "rnosymfollow"]), OPTIONS)?;
    assert!(all.lines().count() > 1, "{all}");
    for line in all.lines() {
        for word in ["ro", "nosuid", "noexec", "noatime", "nodiratime", "nosymfollow"] {
            assert!(line.split([' ', ',']).any(|option| option == word), "{word} is not in {line}");
        }
    }
    let some = told(&mount(&["rbind", "ro", "rnosuid", "rstrictatime", "noexec"]), OPTIONS)?;
    for line in some.lines() {
        let has = |word: &str| line.split([' ', ',']).any(|option| option == word);
        assert!(has("nosuid") && !has("noatime") && !has("relatime"), "{line}");
        assert_eq!(has("ro"), line.starts_with("/mnt "), "{line}");
    }
    // What is recursive wins.
    let last = told(&mount(&["rbind", "ro", "rrw"]), OPTIONS)?;
    assert!(last.lines().all(|line| line.split([' ', ',']).any(|option| option == "rw")), "{last}");
    Ok(())
}

#[test]
fn options_of_mounts_and_of_file_systems() -> Result {
    let line = |options: &[&str]| {
        let mounts = json!([{"destination": "/mnt", "type": "tmpfs", "source": "some", "options": options}]);
        told(&mounts, "while read line; do case $line in *' /mnt '*) echo $line;; esac; done < /proc/self/mountinfo")
    };
    let all = line(&["nosymfollow", "nosuid", "sync", "lazytime", "silent", "size=64k", "mode=700", "noatime"])?;
    for word in ["nosymfollow", "nosuid", "noatime", "sync", "lazytime", "size=64k", "mode=700", "some", "tmpfs"] {
        assert!(all.trim_end().split([' ', ',']).any(|option| option == word), "{word} is not in {all}");
    }
    // What fsconfig(2) cannot say goes by mount(2).
    let version = line(&["iversion", "nodev", "size=64k"])?;
    for word in ["nodev", "size=64k", "relatime"] {
        assert!(version.trim_end().split([' ', ',']).any(|option| option == word), "{word} is not in {version}");
    }
    let refused = refused(&json!([{"destination": "/mnt", "source": "/tmp", "options": ["bind", "lazytime"]}]))?;
    assert!(refused.contains("mount on /mnt: sync, dirsync, mand, lazytime and iversion belong"), "{refused}");
    Ok(())
}

#[test]
fn a_tmpfs_may_begin_with_what_it_hides() -> Result {
    let script = "ls -lA /mnt /mnt/sub; cat /mnt/sub/file; readlink /mnt/link; echo new > /mnt/new; test -e /mnt/new";
    let bundle = with(
        &json!([{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "size=1m"]}]),
        script,
    )?;
    let hidden = bundle.path().join("rootfs/mnt");
    std::fs::create_dir_all(hidden.join("sub"))?;
    std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o2751))?;
    std::fs::write(hidden.join("sub/file"), "content\n")?;
    std::fs::set_permissions(hidden.join("sub/file"), PermissionsExt::from_mode(0o640))?;
    // A link out of the directory is copied as it is, and not followed.
    symlink("/etc/shadow", hidden.join("link"))?;
    let told = bundle.ok(&["run", "c"])?;
    assert!(told.contains("-rw-r-----") && told.contains("content\n/etc/shadow\n"), "{told}");
    assert!(!hidden.join("new").exists());
    let refused = refused(&json!([{"destination": "/mnt", "source": "/tmp", "options": ["bind", "tmpcopyup"]}]))?;
    assert!(refused.contains("mount on /mnt: tmpcopyup is for tmpfs, and this is none"), "{refused}");
    Ok(())
}

#[test]
fn a_tmpfs_has_the_mode_of_its_directory_unless_it_says_otherwise() -> Result {
    let modes = "stat -c %a /mnt /new";
    for (options, expected) in [(json!([]), "2751\n1777\n"), (json!(["mode=700"]), "700\n1777\n")] {
        let mut bundle = with(
            &json!([{"destination": "/mnt", "type": "tmpfs", "options": options}, {"destination": "/new", "type": "tmpfs"}]),
            modes,
        )?;
        symlink("busybox", bundle.path().join("rootfs/bin/stat"))?;
        std::fs::create_dir(bundle.path().join("rootfs/mnt"))?;
        std::fs::set_permissions(bundle.path().join("rootfs/mnt"), PermissionsExt::from_mode(0o2751))?;
        assert_eq!(bundle.ok(&["run", "c"])?, expected);
        // A read-only one still gets its mount points and devices.
        bundle.config["mounts"] = json!([
            {"destination": "/proc", "type": "proc"},
            {"destination": "/dev", "type": "tmpfs", "options": ["ro", "mode=755"]},
            {"destination": "/dev/inner", "type": "tmpfs"}]);
        bundle.arguments(&["sh", "-c", "test -c /dev/null && ! echo x 2>/dev/null > /dev/x && echo x > /dev/inner/x"]);
        bundle.ok(&["run", "c"])?;
    }
    Ok(())
}

#[test]
fn links_are_followed_or_not_as_asked() -> Result {
    let mut bundle = Bundle::new()?;
    let host = bundle.path().join("host");
    std::fs::create_dir(&host)?;
    std::fs::write(host.join("file"), "through\n")?;
    symlink("file", host.join("link"))?;
    let root = bundle.path().join("rootfs");
    symlink("/tmp/elsewhere", root.join("place"))?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.extend(
        json!([
            // The source may be relative to the bundle, the destination to the root.
            {"destination": "followed", "source": "host/link", "options": ["bind"]},
            {"destination": "/copied", "source": "host/link", "options": ["bind", "copy-symlink"]},
            {"destination": "/place", "source": "host/link", "options": ["bind", "src-nofollow", "dest-nofollow"]},
        ])
        .as_array()
        .cloned()
        .unwrap_or_default(),
    );
    bundle.config["root"]["readonly"] = json!(false);
    bundle.arguments(&[
        "sh",
        "-c",
        "cat followed; readlink copied; readlink place; test -e /tmp/elsewhere || echo untouched",
    ]);
    assert_eq!(bundle.ok(&["run", "c"])?, "through\nfile\nfile\nuntouched\n");
    assert_eq!(std::fs::read_link(root.join("copied"))?, Path::new("file"));
    // The same link is fine, something else is not.
    bundle.ok(&["run", "c"])?;
    std::fs::remove_file(root.join("copied"))?;
    std::fs::write(root.join("copied"), "")?;
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("mount") && refused.contains("on /copied: File exists"), "{refused}");
    Ok(())
}

#[test]
fn ids_are_shown_as_the_maps_say() -> Result {
    let mut bundle = Bundle::new()?;
    symlink("busybox", bundle.path().join("rootfs/bin/stat"))?;
    let host = bundle.path().join("host");
    std::fs::create_dir(&host)?;
    std::fs::write(host.join("file"), "")?;
    std::os::unix::fs::chown(host.join("file"), Some(1000), Some(2000))?;
    bundle.arguments(&["sh", "-c", "stat -c %u:%g /mnt/file; echo x > /mnt/made; stat -c %u:%g /mnt/made"]);
    let plain = bundle.config["mounts"].clone();
    let mount = |bundle: &mut Bundle, options: Value, maps: Option<Value>| {
        let mut mount = json!({"destination": "/mnt", "type": "bind", "source": host, "options": options});
        if let Some(maps) = maps {
            mount["uidMappings"] = maps.clone();
            mount["gidMappings"] = maps;
        }
        bundle.config["mounts"] = plain.clone();
        bundle.config["mounts"].as_array_mut().map(|mounts| mounts.push(mount)).context("mounts")
    };
    let maps = json!([{"containerID": 0, "hostID": 500_000, "size": 65_536}]);
    mount(&mut bundle, json!(["rbind", "idmap"]), Some(maps.clone()))?;
    // Nobody of the mount's ids is root of this container.
    bundle.arguments(&["stat", "-c", "%u:%g", "/mnt/file"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "501000:502000\n");
    mount(
        &mut bundle,
        json!(["rbind"]),
        Some(json!([{"containerID": 1000, "hostID": 7, "size": 1},
        {"containerID": 2000, "hostID": 8, "size": 1}])),
    )?;
    assert_eq!(bundle.ok(&["run", "c"])?, "7:8\n");
    mount(&mut bundle, json!(["bind", "idmap"]), None)?;
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(
        refused.contains("mount on /mnt: idmap needs uidMappings and gidMappings, or a user namespace"),
        "{refused}"
    );
    mount(&mut bundle, json!(["bind", "idmap"]), Some(json!([{"containerID": 0, "hostID": 0, "size": 0}])))?;
    assert!(bundle.run(&["run", "c"])?.exited(1)?.stderr.contains("uidMappings: 0 0 0: is no range of ids"));

    // With the container's own maps, files are on the disk as the container sees them.
    bundle.give_user_namespace()?;
    std::os::unix::fs::chown(&host, Some(0), Some(0))?;
    mount(&mut bundle, json!(["rbind", "ridmap"]), None)?;
    bundle.arguments(&["sh", "-c", "stat -c %u:%g /mnt/file; echo x > /mnt/made; stat -c %u:%g /mnt/made"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "1000:2000\n0:0\n");
    let made = std::fs::metadata(host.join("made"))?;
    assert_eq!((made.uid(), made.gid()), (0, 0));

    // As crun takes it, with the ids of the container on the right.
    mount(&mut bundle, json!(["rbind", "idmap=uids=@1000-7-1;gids=@2000-8-1"]), None)?;
    bundle.arguments(&["stat", "-c", "%u:%g", "/mnt/file"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "7:8\n");

    // proc does not map ids.
    let mounts = json!([{"destination": "/mnt", "type": "bind", "source": "/proc/sys", "options": ["bind", "idmap"],
        "uidMappings": maps, "gidMappings": maps}]);
    let error = self::refused(&mounts)?;
    assert!(error.contains("id-mapped mount of /proc/sys: proc does not map ids on Linux "), "{error}");
    Ok(())
}

#[test]
fn any_file_system_of_the_kernel_with_its_options() -> Result {
    let mut bundle = Bundle::new()?;
    // Longer than fsconfig(2) takes a value.
    let long = "a-directory-with-a-very-long-name-".repeat(7);
    for name in ["upper", "work", &format!("lower-{long}")] {
        std::fs::create_dir(bundle.path().join(name))?;
    }
    let lower = bundle.path().join(format!("lower-{long}"));
    std::fs::write(lower.join("file"), "below\n")?;
    let option = |name: &str, path: &Path| format!("{name}={}", path.display());
    let options = [
        option("lowerdir", &lower),
        option("upperdir", &bundle.path().join("upper")),
        option("workdir", &bundle.path().join("work")),
    ];
    assert!(options[0].len() > 256);
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.push(json!({"destination": "/mnt", "type": "overlay", "source": "overlay", "options": options}));
    mounts.push(json!({"destination": "/ram", "type": "ramfs", "source": "none", "options": ["mode=711", "nosuid"]}));
    bundle.arguments(&["sh", "-c", "cat /mnt/file; echo above > /mnt/made; echo x > /ram/x && cat /ram/x"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "below\nx\n");
    assert_eq!(std::fs::read_to_string(bundle.path().join("upper/made"))?, "above\n");
    let unknown = refused(&json!([{"destination": "/mnt", "type": "nosuchfs"}]))?;
    assert!(
        unknown.contains("mount nosuchfs on /mnt") && unknown.contains("does not have that file system"),
        "{unknown}"
    );
    let none = refused(&json!([{"destination": "/mnt", "source": "/tmp"}]))?;
    assert!(none.contains("mount on /mnt: has neither a type nor bind among its options"), "{none}");
    Ok(())
}

#[test]
fn a_remount_changes_what_is_there() -> Result {
    let mounts = json!([{"destination": "/mnt", "type": "tmpfs", "options": ["mode=755"]},
        {"destination": "/mnt", "options": ["remount", "bind", "noexec", "ro"]}]);
    let told = told(&mounts, OPTIONS)?;
    assert_eq!(told, "/mnt ro,noexec,relatime\n");
    Ok(())
}

#[test]
fn cgroups_are_shown_read_only_or_writable() -> Result {
    let mut bundle = Bundle::new()?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    mounts.push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}));
    // On v1 the container's directory of one hierarchy, on v2 of the only one.
    let script = "cd /sys/fs/cgroup; test -d pids && cd pids; mkdir below && rmdir below && echo made";
    for name in ["mkdir", "rmdir"] {
        symlink("busybox", bundle.path().join("rootfs/bin").join(name))?;
    }
    bundle.arguments(&["sh", "-c", script]);
    assert_eq!(bundle.ok(&["run", "c"])?, "made\n");
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.last_mut().context("a mount")?["options"] = json!(["ro"]);
    let failed = bundle.run(&["run", "c"])?;
    assert!(failed.code != 0 && failed.stderr.contains("Read-only file system"), "{failed:?}");
    Ok(())
}

#[test]
fn without_a_cgroup_namespace_the_paths_of_cgroups_are_the_hosts() -> Result {
    let mut bundle = Bundle::new()?;
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
    namespaces.retain(|space| space["type"] != "cgroup");
    // On v1 the container's own directories are shown all the same.
    let script = "while IFS=: read number list path; do \
        if test -z \"$list\"; then place=/sys/fs/cgroup$path; else place=/sys/fs/cgroup/$list; fi; \
        case $list in '') test -e /sys/fs/cgroup/cgroup.procs || continue;; pids) ;; *) continue;; esac; \
        while read pid; do test $pid = $$ && echo found; done < $place/cgroup.procs; \
        echo 0 2>/dev/null > $place/cgroup.procs || echo closed; done < /proc/self/cgroup";
    bundle.arguments(&["sh", "-c", script]);
    assert_eq!(bundle.ok(&["run", "c"])?, "found\nclosed\n");
    Ok(())
}

#[test]
fn sysfs_and_mqueue_need_their_namespaces_in_a_user_namespace() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.give_user_namespace()?;
    let without = |bundle: &mut Bundle, kind: &str| {
        let list = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
        list.retain(|space| space["type"] != kind);
        Ok::<(), end_to_end::Failure>(())
    };
    without(&mut bundle, "network")?;
    // The host's is shown, and nothing of it can be written.
    bundle.arguments(&["sh", "-c", "test -d /sys/class/net && ! echo x 2>/dev/null > /sys/kernel/uevent_helper"]);
    bundle.ok(&["run", "c"])?;
    without(&mut bundle, "ipc")?;
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("mount on /dev/mqueue: mqueue in a user namespace needs an ipc namespace"), "{refused}");
    Ok(())
}

#[test]
fn devices_are_what_the_configuration_says() -> Result {
    let mut bundle = Bundle::new()?;
    symlink("busybox", bundle.path().join("rootfs/bin/stat"))?;
    bundle.config["linux"]["devices"] = json!([
        {"path": "/dev/some", "type": "c", "major": 1, "minor": 3, "fileMode": 0o20_600, "uid": 5, "gid": 6},
        {"path": "/dev/raw", "type": "u", "major": 1, "minor": 5},
        {"path": "/dev/disk", "type": "b", "major": 7, "minor": 99, "fileMode": 0o640},
        {"path": "/dev/sub/pipe", "type": "p", "fileMode": 0o622},
        // In the place of a default one.
        {"path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 0o444, "gid": 9},
    ]);
    let names = ["some", "raw", "disk", "sub/pipe", "full", "null"].map(|name| format!("/dev/{name}"));
    let mut arguments = vec!["stat", "-c", "%n %F %t:%T %a %u:%g"];
    arguments.extend(names.iter().map(String::as_str));
    bundle.arguments(&arguments);
    let expected = "/dev/some character special file 1:3 600 5:6\n/dev/raw character special file 1:5 666 0:0\n\
        /dev/disk block special file 7:63 640 0:0\n/dev/sub/pipe fifo 0:0 622 0:0\n\
        /dev/full character special file 1:7 444 0:9\n/dev/null character special file 1:3 666 0:0\n";
    assert_eq!(bundle.ok(&["run", "c"])?, expected);

    bundle.config["linux"]["devices"] = json!([{"path": "/dev/bad", "type": "c", "major": -1, "minor": 0}]);
    assert!(bundle.run(&["run", "c"])?.exited(1)?.stderr.contains("linux.devices /dev/bad: major -1 is no number"));
    // Something else in its place (runtime-spec, "Devices").
    bundle.config["linux"]["devices"] = json!([{"path": "/tmp/null", "type": "c", "major": 1, "minor": 3}]);
    std::fs::write(bundle.path().join("rootfs/tmp/null"), "")?;
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("make device /tmp/null: File exists"), "{refused}");
    assert!(std::fs::metadata(bundle.path().join("rootfs/tmp/null"))?.is_file());
    Ok(())
}

#[test]
fn in_a_user_namespace_devices_are_the_hosts() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.give_user_namespace()?;
    bundle.arguments(&["sh", "-c", "echo x > /dev/null && test -c /dev/random && test -p /dev/pipe && echo fine"]);
    bundle.config["linux"]["devices"] = json!([{"path": "/dev/pipe", "type": "p"}]);
    assert_eq!(bundle.ok(&["run", "c"])?, "fine\n");
    bundle.config["linux"]["devices"] = json!([{"path": "/dev/zero", "type": "c", "major": 1, "minor": 1}]);
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("device /dev/zero: is not 1:1 on this host"), "{refused}");
    assert!(std::fs::metadata("/dev/zero")?.file_type().is_char_device());
    Ok(())
}

#[test]
fn a_dev_of_the_host_is_left_alone() -> Result {
    let mut bundle = Bundle::new()?;
    let dev = bundle.path().join("dev");
    std::fs::create_dir(&dev)?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.retain(|mount| !mount["destination"].as_str().is_some_and(|place| place.starts_with("/dev")));
    mounts.push(json!({"destination": "/dev", "type": "bind", "source": dev, "options": ["bind"]}));
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.arguments(&["ls", "/dev"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "");
    assert_eq!(std::fs::read_dir(&dev)?.count(), 0);
    Ok(())
}

#[test]
fn the_root_has_the_propagation_asked_for() -> Result {
    let root = "while read a b c d point options rest; do case $point in /) echo ${rest%% - *};; esac; done < /proc/self/mountinfo";
    for (value, expected) in [
        (json!(null), "-"),
        (json!("private"), "-"),
        (json!("rslave"), "-"),
        (json!("shared"), "shared:"),
        (json!("rshared"), "shared:"),
        (json!("unbindable"), "unbindable"),
        (json!("runbindable"), "unbindable"),
    ] {
        let mut bundle = with(&json!([]), root)?;
        if value.is_string() {
            bundle.config["linux"]["rootfsPropagation"] = value.clone();
        }
        let told = bundle.ok(&["run", "c"])?;
        assert!(told.starts_with(expected), "{value}: {told}");
    }
    let mut bundle = with(&json!([]), "true")?;
    bundle.config["linux"]["rootfsPropagation"] = json!("loud");
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    assert!(refused.contains("linux.rootfsPropagation \"loud\": is no propagation"), "{refused}");
    Ok(())
}

#[test]
fn kernel_parameters_need_their_namespace() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1", "kernel.domainname": "glass"});
    bundle.arguments(&["cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/domainname"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "1\nglass\n");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
    namespaces.retain(|space| space["type"] != "network");
    let refused = bundle.run(&["run", "c"])?.exited(1)?.stderr;
    let expected = "linux.sysctl \"net.ipv4.ip_forward\": needs a network namespace in linux.namespaces";
    assert!(refused.contains(expected), "{refused}");
    Ok(())
}

/// Runs a container where system calls fail with this error.
fn run_with(bundle: &Bundle, calls: &str, error: &str, options: &[&str]) -> Result<end_to_end::Output> {
    let run = bundle.command(&[&["run"], options, &["c"]].concat())?;
    let mut strace = Command::new(find("strace").context("strace is missing: 'cargo xtask setup' installs it")?);
    strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e"]);
    strace.arg(format!("inject={calls}:error={error}"));
    strace.arg(run.get_program()).args(run.get_args()).current_dir(bundle.path());
    end_to_end::process::run(&mut strace)
}

#[test]
fn a_root_that_cannot_be_exchanged_is_moved_if_that_is_allowed() -> Result {
    let mut bundle = Bundle::new()?;
    for name in ["mount", "unshare"] {
        symlink("busybox", bundle.path().join("rootfs/bin").join(name))?;
    }
    // What the kernel says where the host's root is an initramfs.
    let refused = run_with(&bundle, "pivot_root", "EINVAL", &[])?.exited(1)?.stderr;
    assert!(refused.contains("make it the root: Invalid argument") && refused.contains("--no-pivot"), "{refused}");
    // Whoever may mount a bare proc sees what is masked: the host's, if it were still there, would give the permission.
    let script = "unshare -mrpf sh -c 'mount -t proc none /tmp && echo bare'; ls /; ls /proc/1/root /proc/self/cwd/..; \
        while read a b c d point rest; do echo $point; done < /proc/self/mountinfo";
    bundle.arguments(&["sh", "-c", script]);
    let output = run_with(&bundle, "pivot_root", "EINVAL", &["--no-pivot"])?;
    assert_eq!(output.code, 0, "{output:?}");
    let plain = bundle.run(&["run", "c"])?;
    assert_eq!(output.stdout, plain.stdout, "{output:?}");
    assert!(!output.stdout.contains("bare") && output.stderr.contains("not permitted"), "{output:?}");
    Ok(())
}

#[test]
fn mounts_travel_as_far_as_the_propagation_lets_them() -> Result {
    let mut bundle = Bundle::new()?;
    let host = bundle.path().join("host");
    std::fs::create_dir(&host)?;
    symlink("busybox", bundle.path().join("rootfs/bin/mount"))?;
    for set in ["bounding", "effective", "permitted"] {
        let list = bundle.config["process"]["capabilities"][set].as_array_mut().context(set)?;
        list.push(json!("CAP_SYS_ADMIN"));
    }
    bundle.arguments(&["sh", "-c", "mount -t tmpfs inner /mnt/in && test -e /mnt/in"]);
    let plain = bundle.config["mounts"].clone();
    for (options, root, reaches) in [
        (json!(["rbind", "rshared"]), json!("shared"), true),
        (json!(["rbind", "rslave"]), json!("shared"), false),
        (json!(["rbind", "rprivate"]), json!("shared"), false),
        (json!(["rbind"]), json!("rshared"), true),
        (json!(["rbind"]), json!("rslave"), false),
        (json!(["rbind"]), json!("private"), false),
        (json!(["bind"]), json!(null), false),
    ] {
        bundle.config["mounts"] = plain.clone();
        let mount = json!({"destination": "/mnt", "type": "bind", "source": host, "options": options});
        bundle.config["mounts"].as_array_mut().context("mounts")?.push(mount);
        bundle.config["linux"]["rootfsPropagation"] = root.clone();
        if root.is_null() {
            bundle.config["linux"].as_object_mut().context("linux")?.remove("rootfsPropagation");
        }
        let run = bundle.command(&["run", "c"])?;
        // The host is a mount namespace of the test's own, in which one mount is shared.
        let script = "mount -t tmpfs outer host && mount --make-shared host && mkdir host/in && \"$@\" && \
            grep -c ' - tmpfs inner ' /proc/self/mountinfo; true";
        let mut unshare = Command::new(find("unshare").context("unshare is missing")?);
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        unshare.arg(run.get_program()).args(run.get_args()).current_dir(bundle.path());
        let told = end_to_end::process::run(&mut unshare)?;
        assert_eq!(told.stdout, if reaches { "1\n" } else { "0\n" }, "{options} {root}: {told:?}");
    }
    Ok(())
}
