//! What can be mounted besides volumes: images, tmpfs, binds with their options, mounts of other containers; in which
//! order; and what `inspect` says of it all.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use end_to_end::process::run;
use end_to_end::{Output, Result, Stage};
use serde_json::json;

#[test]
fn images_are_mounted_read_only() -> Result {
    let stage = Stage::busybox()?;
    let whole = format!("type=image,source={},target=/img", stage.image);
    let part = format!("type=image,src={},dst=/img,image-subpath=etc", stage.image);
    let link = format!("type=image,src={},dst=/img,image-subpath=var/run", stage.image);
    let absent = format!("type=image,src={},dst=/img,image-subpath=absent", stage.image);
    stage.check(&[
        (
            &["--mount", &whole],
            "cat /img/etc/motd; ls /img/etc/removed 2>/dev/null || echo gone",
            "a small vessel for amd64\ngone",
        ),
        (
            &["--mount", &whole],
            "touch /img/x 2>/dev/null || echo refused; rm /img/etc/motd 2>/dev/null || echo refused",
            "refused\nrefused",
        ),
        (
            &["--mount", &part],
            "cat /img/motd; touch /img/x 2>/dev/null || echo refused",
            "a small vessel for amd64\nrefused",
        ),
        (&["--mount", &link], "ls -A /img", ""),
    ])?;
    let output = stage.run(&["--mount", &absent], &["true"])?.exited(125)?;
    assert!(output.stderr.contains("absent"), "{output:?}");
    // An image that is mounted is in use.
    stage.phial.ok(&["create", "--name", "holder", "--mount", &whole, &stage.image, "true"])?;
    let mounts = &stage.phial.inspect("holder")?["Mounts"];
    assert_eq!((&mounts[0]["Type"], &mounts[0]["RW"]), (&json!("image"), &json!(false)), "{mounts}");
    Ok(())
}

#[test]
fn a_part_of_a_volume_is_found_in_the_volume_only() -> Result {
    let stage = Stage::busybox()?;
    let secret = stage.phial.scratch().join("secret");
    fs::create_dir(&secret)?;
    fs::write(secret.join("key"), "of the host")?;
    stage.sh(&["-v", "data:/d"], "mkdir -p /d/a/b; echo inside > /d/a/b/file")?;
    let data = stage.phial.root().join("volumes/data/_data");
    symlink(&secret, data.join("absolute"))?;
    symlink(format!("../../../../../../../..{}", secret.display()), data.join("up"))?;
    symlink("/proc/self/root", data.join("magic"))?;
    symlink("a", data.join("fine"))?;
    let part = |path: &str| format!("type=volume,src=data,dst=/part,volume-subpath={path}");
    stage.check(&[
        (&["--mount", &part("a/b")], "cat /part/file", "inside"),
        (&["--mount", &part("fine/b")], "cat /part/file", "inside"),
        (&["--mount", &part("a/b/file")], "cat /part", "inside"),
    ])?;
    for path in ["absolute", "up", "magic", "absent", "absolute/key"] {
        let output = stage.run(&["--mount", &part(path)], &["cat", "/part/key"])?.exited(125)?;
        assert!(output.stderr.contains(path) && !output.stdout.contains("of the host"), "{output:?}");
    }
    Ok(())
}

#[test]
fn a_container_that_swaps_links_does_not_lead_a_subpath_out() -> Result {
    let stage = Stage::busybox()?;
    let secret = stage.phial.scratch().join("secret");
    fs::create_dir(&secret)?;
    fs::write(secret.join("key"), "of the host")?;
    let up = format!("../../../../../../../..{}", secret.display());
    let swap = format!(
        "mkdir /d/dir; ln -s {up} /d/link; echo ready; while :; do mv /d/dir /d/x; mv /d/link /d/dir; mv /d/dir /d/link; mv /d/x /d/dir; done"
    );
    let swapper = stage.start_ready(&["-v", "data:/d"], &swap)?;
    for _ in 0..40 {
        let output = stage.run(&["--mount", "src=data,dst=/part,volume-subpath=dir"], &["cat", "/part/key"])?;
        assert!(!output.stdout.contains("of the host"), "{output:?}");
    }
    stage.phial.ok(&["rm", "-f", &swapper])?;
    Ok(())
}

#[test]
fn mounts_lie_in_one_another() -> Result {
    let stage = Stage::busybox()?;
    let host = stage.phial.scratch().join("host");
    fs::create_dir_all(host.join("in"))?;
    let bind = format!("{}:/a", host.display());
    stage.check(&[
        // Whatever the order of the flags.
        (&["-v", "inner:/a/in/deep", "-v", &bind], "echo x > /a/in/deep/file; mount | grep -c ' /a'", "2"),
        (&["-v", "outer:/o", "--tmpfs", "/o/t", "-v", "inner:/o/t/v"], "ls /o/t/v; ls -A /o", "file\nt"),
        (&["-v", "inner:/dev/shm"], "ls /dev/shm", "file"),
    ])?;
    assert!(host.join("in/deep").is_dir() && !host.join("in/deep/file").exists());
    Ok(())
}

#[test]
fn mounts_of_other_containers() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let host = stage.phial.scratch().join("host");
    fs::create_dir(&host)?;
    let bind = format!("{}:/host", host.display());
    phial.ok(&[
        "run",
        "--name",
        "one",
        "-v",
        "data:/data",
        "-v",
        "/anon",
        "-v",
        &bind,
        "--tmpfs",
        "/mem",
        &stage.image,
        "sh",
        "-c",
        "echo 1 > /data/f; echo 2 > /anon/f",
    ])?;
    stage.check(&[
        (
            &["--volumes-from", "one"],
            "cat /data/f /anon/f; ls -d /host; ls -d /mem 2>/dev/null || echo none",
            "1\n2\n/host\nnone",
        ),
        (
            &["--volumes-from", "one:ro"],
            "touch /data/x 2>/dev/null || echo refused; touch /host/x 2>/dev/null || echo refused",
            "refused\nrefused",
        ),
        (&["--volumes-from", "one", "-v", "other:/data"], "ls -A /data; cat /anon/f", "2"),
    ])?;
    phial.ok(&["create", "--name", "two", "--volumes-from", "one:ro", &stage.image, "true"])?;
    let two = phial.inspect("two")?;
    assert_eq!(two["HostConfig"]["VolumesFrom"], json!(["one:ro"]));
    assert!(
        two["Mounts"]
            .as_array()
            .is_some_and(|mounts| mounts.len() == 3 && mounts.iter().all(|mount| mount["RW"] == false)),
        "{two}"
    );
    Ok(())
}

#[test]
fn inspect_tells_what_is_mounted() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let host = phial.scratch().display().to_string();
    let bind = format!("{host}:/bind:ro,rslave");
    let flags = [
        "-v",
        "data:/v",
        "-v",
        "more:/m:ro",
        "-v",
        &bind,
        "-v",
        "/anon",
        "--mount",
        "type=tmpfs,dst=/t",
        "--tmpfs",
        "/u:size=1m",
    ];
    phial.ok(&[&["create", "--name", "box"], &flags[..], &[&stage.image, "true"]].concat())?;
    let found = phial.inspect("box")?;
    let mount = |target: &str| {
        let mounts = found["Mounts"].as_array().cloned().unwrap_or_default();
        mounts.into_iter().find(|mount| mount["Destination"] == target).unwrap_or_default()
    };
    let volumes = phial.root().join("volumes");
    let volume = |name: &str, target: &str, mode: &str, writable: bool| {
        json!({"Type": "volume", "Name": name, "Source": volumes.join(name).join("_data"), "Destination": target,
               "Driver": "local", "Mode": mode, "RW": writable, "Propagation": ""})
    };
    assert_eq!(mount("/v"), volume("data", "/v", "z", true));
    assert_eq!(mount("/m"), volume("more", "/m", "ro", false));
    let anonymous = mount("/anon");
    assert_eq!(anonymous, volume(anonymous["Name"].as_str().unwrap_or_default(), "/anon", "", true));
    assert_eq!(
        mount("/bind"),
        json!({"Type": "bind", "Source": host, "Destination": "/bind", "Mode": "ro,rslave", "RW": false, "Propagation": "rslave"})
    );
    assert_eq!(
        mount("/t"),
        json!({"Type": "tmpfs", "Source": "", "Destination": "/t", "Mode": "", "RW": true, "Propagation": ""})
    );
    assert_eq!(mount("/u"), json!(null), "--tmpfs is told elsewhere");
    assert_eq!(found["HostConfig"]["Tmpfs"], json!({"/u": "size=1m"}));
    assert_eq!(found["HostConfig"]["Binds"], json!(["data:/v", "more:/m:ro", bind]));
    assert_eq!(found["Config"]["Volumes"], json!({"/anon": {}}));
    Ok(())
}

/// What a script prints in a container that sees `host` as /h: a shared mount, with a file system of its own at `host/sub`.
/// All of it is in a namespace of mounts that goes with the command.
fn with_shared_mount(stage: &Stage, host: &Path, options: &str, script: &str) -> Result<Output> {
    let mount = format!("type=bind,src={},dst=/h,{options}", host.display());
    let command = stage.phial.command(&["run", "--rm", "--mount", &mount, &stage.image, "sh", "-c", script]);
    let prepare = "mount --bind $0 $0 && mount --make-shared $0 && mount -t tmpfs none $0/sub && touch $0/sub/file";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &format!("{prepare} && exec \"$@\"")]).arg(host);
    unshare.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    run(&mut unshare)
}

#[test]
fn how_binds_are_propagated_and_how_deep_they_go() -> Result {
    let stage = Stage::busybox()?;
    let host = stage.phial.scratch().join("host");
    fs::create_dir_all(host.join("sub"))?;
    let propagation = "grep ' /h ' /proc/self/mountinfo | grep -o 'shared:\\|master:' || echo none";
    let depth = "ls /h/sub; touch /h/sub/new 2>/dev/null && echo written";
    let cases = [
        ("bind-propagation=rshared", propagation, "shared:\n"),
        ("bind-propagation=rslave", propagation, "master:\n"),
        ("bind-propagation=rprivate", propagation, "none\n"),
        ("bind-recursive=enabled", depth, "file\nwritten\n"),
        ("bind-recursive=disabled", depth, "written\n"),
        ("readonly,bind-recursive=writable", depth, "file\nwritten\n"),
        ("readonly,bind-propagation=rprivate,bind-recursive=readonly", depth, "file\n"),
    ];
    for (options, script, expected) in cases {
        let output = with_shared_mount(&stage, &host, options, script)?;
        assert_eq!(output.stdout, expected, "{options}: {output:?}");
    }
    for options in ["bind-propagation=public", "bind-recursive=perhaps", "bind-recursive=readonly"] {
        let output = with_shared_mount(&stage, &host, options, "true")?.exited(125)?;
        assert!(output.stderr.contains(options.split('=').next().unwrap_or_default()), "{options}: {output:?}");
    }
    Ok(())
}
