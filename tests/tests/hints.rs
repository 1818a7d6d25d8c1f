//! The commonest causes of failures, as a table: what is said must name the thing, and the hint must say what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use end_to_end::bundle::Bundle;
use end_to_end::process::{program, run};
use end_to_end::{Context, Result};
use serde_json::{Value, json};

/// What is wrong, how it comes to be, what is said on the first line and what in the hint.
type Row = (&'static str, fn(&mut Bundle) -> Result, &'static str, &'static str);

/// Writes a file of the root file system.
fn file(bundle: &Bundle, path: &str, mode: u32, content: &[u8]) -> Result {
    let path = bundle.path().join("rootfs").join(path);
    std::fs::create_dir_all(path.parent().context("a directory")?)?;
    std::fs::write(&path, content)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(Into::into)
}

/// A container that executes this file.
fn executes(bundle: &mut Bundle, mode: u32, content: &[u8]) -> Result {
    bundle.arguments(&["/program"]);
    file(bundle, "program", mode, content)
}

fn mount(bundle: &mut Bundle, mount: Value) -> Result {
    bundle.config["mounts"].as_array_mut().context("mounts")?.push(mount);
    Ok(())
}

fn user_namespace(bundle: &mut Bundle) -> Result {
    bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?.push(json!({"type": "user"}));
    for field in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][field] = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
    }
    let mut shell = std::process::Command::new("sh");
    let script = "chmod 755 . rootfs; chown -R 100000:100000 rootfs";
    run(shell.args(["-c", script]).current_dir(bundle.path()))?.success().map(drop)
}

/// The beginning of a program, as another machine has it.
fn foreign() -> Vec<u8> {
    let other = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0"[..], &[other, 0], &[0; 100]].concat()
}

const PROGRAMS: &[Row] = &[
    (
        "another architecture",
        |bundle| executes(bundle, 0o755, &foreign()),
        "exec: \"/program\": exec format error",
        "it was built for ",
    ),
    (
        "no #! line",
        |bundle| executes(bundle, 0o755, b"echo hello\n"),
        "exec: \"/program\": exec format error",
        "a script begins with #! and its interpreter",
    ),
    ("an empty file", |bundle| executes(bundle, 0o755, b""), "exec format error", "the file is empty"),
    (
        "interpreter missing",
        |bundle| executes(bundle, 0o755, b"#!/usr/bin/bash -e\n"),
        "exec: \"/program\": no such file or directory",
        "names the interpreter /usr/bin/bash, which the container does not have",
    ),
    (
        "line ends of another system",
        |bundle| executes(bundle, 0o755, b"#!/bin/sh\r\necho\r\n"),
        "exec: \"/program\": no such file or directory",
        "convert its lines from CRLF to LF",
    ),
    (
        "dynamic loader missing",
        |bundle| executes(bundle, 0o755, &std::fs::read("/bin/ls")?),
        "exec: \"/program\": no such file or directory",
        "it needs the dynamic loader /lib",
    ),
    (
        "not in the PATH",
        |bundle| {
            bundle.arguments(&["nope"]);
            Ok(())
        },
        "exec: \"nope\": executable file not found in $PATH",
        "check the spelling",
    ),
    (
        "no such file",
        |bundle| {
            bundle.arguments(&["/nope"]);
            Ok(())
        },
        "exec: \"/nope\": no such file or directory",
        "the file is missing in the image",
    ),
    (
        "not executable",
        |bundle| executes(bundle, 0o644, b"#!/bin/sh\n"),
        "exec: \"/program\": permission denied",
        "its mode is 0644: give it the x permission",
    ),
    (
        "not executable by this user",
        |bundle| {
            bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
            executes(bundle, 0o700, b"#!/bin/sh\n")
        },
        "exec: \"/program\": permission denied",
        "user 1000 may not execute it",
    ),
    (
        "a directory",
        |bundle| {
            bundle.arguments(&["/bin"]);
            Ok(())
        },
        "exec: \"/bin\": permission denied",
        "it is a directory",
    ),
    (
        "a mount with noexec",
        |bundle| {
            bundle.arguments(&["/data/program"]);
            file(bundle, "../data/program", 0o755, b"#!/bin/sh\n")?;
            let source = bundle.path().join("data");
            file(bundle, "data/.here", 0o644, b"")?;
            mount(
                bundle,
                json!({"destination": "/data", "type": "bind", "source": source, "options": ["bind", "noexec"]}),
            )
        },
        "exec: \"/data/program\": permission denied",
        "it lies on a mount with the option noexec",
    ),
    (
        "arguments too long",
        |bundle| {
            bundle.arguments(&["true", &"x".repeat(200_000)]);
            Ok(())
        },
        "exec: \"true\": Argument list too long",
        "pass a file instead",
    ),
];

const MOUNTS: &[Row] = &[
    (
        "root file system missing",
        |bundle| {
            bundle.config["root"]["path"] = json!("nowhere");
            Ok(())
        },
        "root.path ",
        "it names the directory with the container's root file system",
    ),
    (
        "source missing",
        |bundle| {
            mount(bundle, json!({"destination": "/data", "type": "bind", "source": "/no/such", "options": ["bind"]}))
        },
        "mount source /no/such: No such file or directory",
        "the path must exist on this host",
    ),
    (
        "a directory onto a file",
        |bundle| {
            file(bundle, "data", 0o644, b"")?;
            mount(bundle, json!({"destination": "/data", "type": "bind", "source": "/tmp", "options": ["bind"]}))
        },
        "mount /tmp on /data: ",
        "a file only on a file",
    ),
    (
        "no such file system",
        |bundle| mount(bundle, json!({"destination": "/data", "type": "glassfs", "source": "x"})),
        "mount glassfs on /data: No such device (os error 19) (Linux ",
        "this kernel does not have that file system",
    ),
    (
        "no such option",
        |bundle| mount(bundle, json!({"destination": "/data", "type": "tmpfs", "source": "x", "options": ["speed=9"]})),
        "mount tmpfs on /data: Invalid argument",
        "does not take one of the options",
    ),
    (
        "mount point missing on a read-only file system",
        |bundle| {
            let source = bundle.path().join("layer");
            file(bundle, "../layer/.here", 0o644, b"")?;
            file(bundle, "data/.here", 0o644, b"")?;
            mount(
                bundle,
                json!({"destination": "/data", "type": "bind", "source": source, "options": ["bind", "ro"]}),
            )?;
            mount(bundle, json!({"destination": "/data/more", "type": "tmpfs", "source": "tmpfs"}))
        },
        "mount tmpfs on /data/more: Read-only file system",
        "make it in the image",
    ),
    (
        "no permission to mount",
        |bundle| {
            user_namespace(bundle)?;
            let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
            namespaces.retain(|space| space["type"] != "pid");
            Ok(())
        },
        "mount proc on /proc: Operation not permitted",
        "a user namespace may mount proc only with a pid namespace of its own",
    ),
    (
        "a link that leads into /proc",
        |bundle| {
            std::os::unix::fs::symlink("/proc/sys/kernel", bundle.path().join("rootfs/data"))?;
            mount(bundle, json!({"destination": "/data", "type": "bind", "source": "/tmp", "options": ["bind"]}))
        },
        "mount /tmp on /data: ",
        "leads it into /proc, where only proc itself may be mounted",
    ),
    (
        "a way around into /proc",
        |bundle| mount(bundle, json!({"destination": "/tmp/../proc/self/attr", "type": "tmpfs", "source": "tmpfs"})),
        "mount tmpfs on /tmp/../proc/self/attr: ",
        "leads it into /proc",
    ),
    (
        "a terminal without devpts",
        |bundle| {
            bundle.config["process"]["terminal"] = json!(true);
            let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
            mounts.retain(|mount| mount["destination"] != "/dev/pts");
            Ok(())
        },
        "open terminal: No such file or directory",
        "a terminal needs a mount of type devpts on /dev/pts",
    ),
];

const PROCESSES: &[Row] = &[
    (
        "working directory is a file",
        |bundle| {
            bundle.config["process"]["cwd"] = json!("/bin/busybox");
            Ok(())
        },
        "make working directory /bin/busybox: Not a directory",
        "is a file in the container",
    ),
    (
        "working directory may not be entered",
        |bundle| {
            bundle.config["process"]["cwd"] = json!("/proc/self/fd/3");
            Ok(())
        },
        "working directory /proc/self/fd/3",
        "",
    ),
    (
        "limit above the hard one",
        |bundle| {
            let limit = json!({"type": "RLIMIT_NOFILE", "soft": 2_000_000_000_u64, "hard": 2_000_000_000_u64});
            bundle.config["process"]["rlimits"] = json!([limit]);
            Ok(())
        },
        "set limit nofile to 2000000000:2000000000: Operation not permitted",
        "give a lower value; nofile ends at /proc/sys/fs/nr_open",
    ),
    (
        "a user who is not mapped",
        |bundle| {
            user_namespace(bundle)?;
            bundle.config["process"]["user"] = json!({"uid": 5000, "gid": 5000});
            Ok(())
        },
        "become user 5000 group 5000: Invalid argument",
        "linux.uidMappings and gidMappings have no such user",
    ),
    (
        "an unknown capability",
        |bundle| {
            bundle.config["process"]["capabilities"]["bounding"] = json!(["CAP_FLY"]);
            Ok(())
        },
        "config.json: unknown capability CAP_FLY at line 1 column",
        "see capabilities(7)",
    ),
    (
        "an unknown namespace",
        |bundle| {
            bundle.config["linux"]["namespaces"] = json!([{"type": "space"}]);
            Ok(())
        },
        "config.json: unknown variant `space` at line 1 column",
        "one of `mount`",
    ),
    (
        "no nodes",
        |bundle| {
            bundle.config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "63"});
            Ok(())
        },
        "set memory policy MPOL_BIND 63: Invalid argument",
        "see /sys/devices/system/node/online",
    ),
    (
        "deadline without all processors",
        |bundle| {
            let times = json!({"policy": "SCHED_DEADLINE", "runtime": 10, "deadline": 20, "period": 30});
            bundle.config["process"]["scheduler"] = times;
            Ok(())
        },
        "set scheduler SCHED_DEADLINE: Invalid argument",
        "this kernel does not take that policy with these flags and numbers",
    ),
];

const HOSTS: &[Row] = &[
    (
        "an uid map of nothing",
        |bundle| {
            user_namespace(bundle)?;
            bundle.config["linux"]["uidMappings"] = json!([
                {"containerID": 0, "hostID": 100_000, "size": 10}, {"containerID": 5, "hostID": 200_000, "size": 10}
            ]);
            Ok(())
        },
        "linux.uidMappings: ",
        "ranges must not overlap",
    ),
    (
        "host name too long",
        |bundle| {
            bundle.config["hostname"] = json!("x".repeat(65));
            Ok(())
        },
        "has 65 bytes; the kernel takes 64",
        "give a shorter one",
    ),
    (
        "a kernel parameter that is not there",
        |bundle| {
            bundle.config["linux"]["sysctl"] = json!({"net.ipv4.no_such": "1"});
            Ok(())
        },
        "write 1 to /proc/sys/net/ipv4/no_such: No such file or directory",
        "this kernel has no such parameter",
    ),
    (
        "a kernel parameter that takes no such value",
        |bundle| {
            bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "often"});
            Ok(())
        },
        "write often to /proc/sys/net/ipv4/ip_forward: Invalid argument",
        "the kernel does not take this value",
    ),
    (
        "a hook that is not there",
        |bundle| {
            bundle.config["hooks"] = json!({"createRuntime": [{"path": "/no/such/hook"}]});
            Ok(())
        },
        "hooks.createRuntime: /no/such/hook: No such file or directory",
        "it must be a program on the host",
    ),
    (
        "a hook that fails",
        |bundle| {
            bundle.config["hooks"] = json!({"createContainer": [{"path": "/bin/false"}]});
            Ok(())
        },
        "run hooks createContainer /bin/false: No child process",
        "a hook ended with another status than 0",
    ),
    (
        "a namespace that is gone",
        |bundle| {
            let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
            namespaces.retain(|space| space["type"] != "ipc");
            namespaces.push(json!({"type": "ipc", "path": "/proc/2147483647/ns/ipc"}));
            Ok(())
        },
        "linux.namespaces: ipc /proc/2147483647/ns/ipc: No such file or directory",
        "of a process that still runs",
    ),
    (
        "a limit below the minimum",
        |bundle| {
            bundle.config["linux"]["resources"]["cpu"] = json!({"quota": 10, "period": 100_000});
            Ok(())
        },
        "linux.resources.cpu.quota 10: is neither -1 nor at least 1000 microseconds",
        "",
    ),
    (
        "memory for nothing",
        |bundle| {
            bundle.config["linux"]["resources"]["memory"] = json!({"limit": 4096});
            Ok(())
        },
        "the process was killed before it could become the program",
        "is linux.resources.memory.limit too low",
    ),
    (
        "shares of caches without resctrl",
        |bundle| {
            bundle.config["linux"]["intelRdt"] = json!({"closID": "gold", "l3CacheSchema": "L3:0=f"});
            Ok(())
        },
        "linux.intelRdt (group \"gold\"): no resctrl file system is mounted on this kernel (Linux ",
        "mount -t resctrl resctrl /sys/fs/resctrl",
    ),
    (
        "a configuration that is cut off",
        |bundle| {
            let path = bundle.path().join("half.json");
            std::fs::write(path, "{\"ociVersion\":")?;
            Ok(())
        },
        "half.json: EOF while parsing",
        "it is no OCI runtime configuration, or not whole",
    ),
];

#[test]
fn what_is_wrong_is_named_and_a_hint_says_what_to_do() -> Result {
    let mut wrong = Vec::new();
    let rows = [PROGRAMS, MOUNTS, PROCESSES, HOSTS].concat();
    assert!(rows.len() >= 20);
    for (what, make, said, hint) in rows {
        let mut bundle = Bundle::new()?;
        bundle.arguments(&["true"]);
        bundle.config["root"]["readonly"] = json!(false);
        make(&mut bundle).context(what)?;
        let half = bundle.path().join("half.json");
        let verbs: &[&str] = if half.exists() { &["run", "--config", "half.json", "c"] } else { &["run", "c"] };
        let output = bundle.run(verbs)?;
        let mut lines = output.stderr.lines();
        let first = lines.next().unwrap_or_default();
        let rest = lines.next().unwrap_or_default();
        let fine = output.code == 1
            && first.starts_with("phial-runtime: ")
            && first.contains(said)
            && (hint.is_empty() || rest.starts_with("hint: ") && rest.contains(hint));
        if !fine {
            wrong.push(format!("{what}: {output:?}"));
        }
        assert_eq!(bundle.ok(&["list", "-q"])?, "", "{what}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn further_processes_too() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    let rows: [(&[&str], &str, &str); 7] = [
        (&["c", "nope"], "exec: \"nope\": executable file not found in $PATH", "check the spelling"),
        (&["c", "/bin"], "exec: \"/bin\": permission denied", "it is a directory"),
        (&["--cwd", "/nope", "c", "true"], "working directory /nope: No such file", "make it, or give another"),
        (&["--cwd", "/proc/self/fd/9", "c", "true"], "working directory /proc/self/fd/9", ""),
        (&["--user", "root", "c", "true"], "--user root: is no id", "in /etc/passwd and /etc/group of"),
        (&["--cap", "CAP_FLY", "c", "true"], "--cap CAP_FLY: is no capability", "see capabilities(7)"),
        (&["--tty", "--detach", "c", "true"], "without setting console socket", "--console-socket names who gets"),
    ];
    for (arguments, said, hint) in rows {
        let output = bundle.run(&[&["exec"], arguments].concat())?.exited(255)?;
        assert!(output.stderr.contains(said) && output.stderr.contains(hint), "{output:?}");
    }
    Ok(())
}

#[test]
fn user_namespaces_can_be_forbidden() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    user_namespace(&mut bundle)?;
    bundle.config["linux"]["resources"] = Value::Null;
    // In a user namespace of its own the number can be changed without anybody else noticing.
    let command = bundle.command(&["--cgroup-manager", "disabled", "run", "c"])?;
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut unshare = std::process::Command::new(program("unshare", "util-linux")?);
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    let output = run(unshare.args(words).current_dir(bundle.path()))?;
    assert!(output.stderr.contains("No space left on device"), "{output:?}");
    assert!(output.stderr.contains("hint: a limit of namespaces is reached, or 0 forbids them"), "{output:?}");
    Ok(())
}

#[test]
fn a_cgroup_file_system_that_is_read_only() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    let script =
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro $d 2>/dev/null; done; exec \"$@\"";
    let read_only = |words: &[&str]| {
        let command = bundle.command(words)?;
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let mut unshare = std::process::Command::new(program("unshare", "util-linux")?);
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        run(unshare.args(words).current_dir(bundle.path()))
    };
    let output = read_only(&["run", "c"])?.exited(1)?;
    assert!(output.stderr.contains("Read-only file system"), "{output:?}");
    assert!(output.stderr.contains("hint: making cgroups needs root and a writable cgroup file system"), "{output:?}");
    // Root says that it has no rights here; what is not to be limited can do without.
    read_only(&["--rootless", "true", "run", "c"])?.success()?;
    read_only(&["--rootless", "false", "run", "c"])?.exited(1)?;
    assert!(Path::new("/sys/fs/cgroup").exists());
    Ok(())
}
