//! `--device`, `--device-cgroup-rule`, `--privileged`, and devices of CDI specifications.

use std::path::PathBuf;

use end_to_end::{Result, Stage};

#[test]
fn devices_of_the_host() -> Result {
    let stage = Stage::busybox()?;
    stage.check(&[
        (&["--device", "/dev/zero:/dev/nought"], "head -c 3 /dev/nought | wc -c", "3"),
        (&["--device", "/dev/net"], "test -c /dev/net/tun && echo there", "there"),
    ])?;
    // Loop devices are disks that every kernel of the tests has.
    let Ok(metadata) = std::fs::metadata("/dev/loop0") else { return Ok(()) };
    let number = std::os::unix::fs::MetadataExt::rdev(&metadata);
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let read = format!("mknod /tmp/disk b {major} {minor} && (true < /tmp/disk) && echo readable");
    let refused = format!("mknod /tmp/disk b {major} {minor} && (true < /tmp/disk) 2>/dev/null || echo refused");
    stage.check(&[
        (&["--device", "/dev/loop0:/dev/disk:r"], "(true < /dev/disk) && echo readable", "readable"),
        (&["--device", "/dev/loop0:/dev/disk:w"], "(true < /dev/disk) 2>/dev/null || echo refused", "refused"),
        // What is not given stays closed, although its file can be made.
        (&[], &refused, "refused"),
        (&["--device-cgroup-rule", &format!("b {major}:{minor} r")], &read, "readable"),
        (&["--device-cgroup-rule", &format!("b {major}:* rw")], &read, "readable"),
    ])
}

#[test]
fn privileged_means_everything() -> Result {
    let stage = Stage::busybox()?;
    let status = |key: &str| format!("sed -n 's/^{key}:\\t//p' /proc/self/status");
    let all = std::fs::read_to_string("/proc/self/status")?;
    let all = all.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap_or_default().to_owned();
    let writable =
        "d=$(ls -d /sys/fs/cgroup/memory 2>/dev/null || echo /sys/fs/cgroup); mkdir $d/x && rmdir $d/x && echo yes";
    stage.check(&[
        (&["--privileged"], &status("CapEff"), &all),
        (&["--privileged"], &status("Seccomp"), "0"),
        (&["--privileged"], "(true < /dev/kmsg) && echo readable", "readable"),
        (&["--privileged"], writable, "yes"),
        (&["--privileged"], "mount | grep -c 'on /sys type sysfs (rw'", "1"),
        (&["--privileged"], "awk '$5 ~ \"^/proc/\"' /proc/self/mountinfo | wc -l", "0"),
        (&["--privileged", "--cap-drop", "CHOWN"], &format!("{} | tail -c 3", status("CapEff")), &all_but_chown(&all)),
        (&["--security-opt", "systempaths=unconfined"], "awk '$5 ~ \"^/proc/\"' /proc/self/mountinfo | wc -l", "0"),
        (&["--security-opt", "writable-cgroups=true"], writable, "yes"),
    ])?;
    let id = stage.start(&[], &["sleep", "1000"])?;
    let inside = |flags: &[&str]| stage.phial.ok(&[&["exec"], flags, &[&id, "sh", "-c", &status("CapEff")]].concat());
    assert_eq!((inside(&["--privileged"])?, inside(&[])?), (all, "00000000a80425fb".to_owned()));
    Ok(())
}

/// The last two digits of a mask without its lowest bit.
fn all_but_chown(mask: &str) -> String {
    let mask = u64::from_str_radix(mask, 16).unwrap_or_default() & 0xff & !1;
    format!("{mask:02x}")
}

/// A specification below /var/run/cdi for one test.
struct Specification(PathBuf);

impl Specification {
    fn new(extension: &str, text: &str) -> Result<Specification> {
        std::fs::create_dir_all("/var/run/cdi")?;
        let path = format!("/var/run/cdi/phial-test-{}.{extension}", std::process::id());
        std::fs::write(&path, text)?;
        Ok(Specification(path.into()))
    }
}

impl Drop for Specification {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn devices_of_vendors() -> Result {
    let stage = Stage::busybox()?;
    let file = stage.phial.scratch().join("driver");
    std::fs::write(&file, "driver\n")?;
    let vendor = format!("phial-test-{}.example", std::process::id());
    let text = format!(
        "cdiVersion: \"0.8.0\"\nkind: {vendor}/gpu\ncontainerEdits:\n  env: [DRIVER=1]\n  mounts:\n    - hostPath: {}\n      \
         containerPath: /usr/lib/driver\n      options: [ro]\ndevices:\n  - name: zero\n    containerEdits:\n      \
         env: [GPU=zero]\n      additionalGids: [4242]\n      deviceNodes:\n        - path: /dev/gpu0\n          \
         hostPath: /dev/zero\n",
        file.display()
    );
    let _specification = Specification::new("yaml", &text)?;
    let device = format!("{vendor}/gpu=zero");
    stage.check(&[
        (
            &["--device", &device],
            "echo $DRIVER $GPU; cat /usr/lib/driver; head -c 3 /dev/gpu0 | wc -c",
            "1 zero\ndriver\n3",
        ),
        (&["--device", &device], "id -G | tr ' ' '\\n' | grep 4242", "4242"),
    ])?;
    let absent = format!("{vendor}/gpu=one");
    let output = stage.run(&["--device", &absent], &["true"])?.exited(125)?;
    assert!(output.stderr.contains(&absent) && output.stderr.contains("has zero"), "{output:?}");
    let output = stage.run(&["--gpus", "all"], &["true"])?;
    assert!(output.code == 0 || output.stderr.contains("nvidia.com/gpu=all"), "{output:?}");
    Ok(())
}

#[test]
fn hooks_of_vendors_run() -> Result {
    let stage = Stage::busybox()?;
    let noted = stage.phial.scratch().join("noted");
    let vendor = format!("phial-test-{}.example", std::process::id());
    let hook = serde_json::json!({
        "hookName": "createContainer", "path": "/bin/sh",
        "args": ["sh", "-c", format!("cat > {}", noted.display())],
    });
    let text = serde_json::json!({
        "cdiVersion": "0.6.0", "kind": format!("{vendor}/gpu"),
        "devices": [{"name": "x", "containerEdits": {"hooks": [hook]}}],
    });
    let _specification = Specification::new("json", &text.to_string())?;
    stage.run(&["--device", &format!("{vendor}/gpu=x")], &["true"])?.success()?;
    let written: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(noted)?)?;
    assert_eq!(written["status"], "creating");
    Ok(())
}
