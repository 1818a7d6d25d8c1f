//! `phial-runtime` by itself, with runc's command line, on bundles.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use end_to_end::bundle::Bundle;
use end_to_end::process::Running;
use end_to_end::pty::Pty;
use end_to_end::{Context, Result};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn run_gives_output_and_status() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sh", "-c", "echo out; echo err >&2; exit 7"]);
    let output = bundle.run(&["run", "one"])?.exited(7)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    bundle.arguments(&["sh", "-c", "kill -USR1 $$; kill -KILL $$; sleep 1000"]);
    // pid 1 of a namespace gets no signal that it does not wait for.
    let mut run = Running::start(&mut bundle.command(&["run", "two"])?)?;
    while !bundle.run(&["state", "two"])?.stdout.contains("\"running\"") {
        assert!(run.is_alive());
    }
    bundle.ok(&["kill", "two", "KILL"])?;
    assert_eq!(run.wait()?, 137);
    Ok(())
}

#[test]
fn the_null_device_of_a_stream_is_the_containers() -> Result {
    let mut bundle = Bundle::new()?;
    let same = "test /proc/self/fd/0 -ef /dev/null && echo same";
    bundle.arguments(&["sh", "-c", same]);
    // Tests have nothing on stdin, and a pipe as stdout.
    assert_eq!(bundle.ok(&["run", "c"])?, "same\n");
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    assert_eq!(bundle.ok(&["exec", "c", "sh", "-c", same])?, "same\n");
    // Where there is none, the stream stays.
    bundle.ok(&["delete", "--force", "c"])?;
    bundle.config["mounts"].as_array_mut().context("mounts")?.retain(|mount| mount["destination"] != "/dev");
    bundle.config["mounts"].as_array_mut().context("mounts")?.push(json!({
        "destination": "/dev", "type": "bind", "source": "rootfs/tmp", "options": ["rbind"],
    }));
    bundle.config["mounts"]
        .as_array_mut()
        .context("mounts")?
        .retain(|mount| !mount["destination"].as_str().is_some_and(|place| place.starts_with("/dev/")));
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.arguments(&["cat"]);
    assert_eq!(bundle.ok(&["run", "d"])?, "");
    Ok(())
}

#[test]
fn a_container_from_create_to_delete() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["--pid-file", "pid", "c"])?;
    let state = bundle.state("c")?;
    assert_eq!((&state["status"], &state["id"]), (&json!("created"), &json!("c")));
    assert_eq!(state["pid"].to_string(), std::fs::read_to_string(bundle.path().join("pid"))?);
    assert_eq!(state["bundle"], json!(bundle.path()));
    let again = bundle.run(&["create", "c"])?.exited(1)?;
    assert!(again.stderr.contains("container with given ID already exists"), "{again:?}");

    bundle.ok(&["start", "c"])?;
    assert_eq!(bundle.state("c")?["status"], "running");
    assert!(bundle.run(&["start", "c"])?.exited(1)?.stderr.contains("cannot start an already running container"));
    let refused = bundle.run(&["delete", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("cannot delete container c that is not stopped: running"), "{refused:?}");
    assert!(bundle.ok(&["list"])?.lines().any(|line| line.starts_with("c ") && line.contains("running")));
    let list: serde_json::Value = serde_json::from_str(&bundle.ok(&["list", "--format", "json"])?)?;
    assert_eq!((&list[0]["owner"], &list[0]["ociVersion"]), (&json!("root"), &json!("1.3.0")), "{list}");
    assert!(bundle.ok(&["ps", "c"])?.contains("sleep 1000"));

    bundle.ok(&["kill", "c", "KILL"])?;
    while bundle.state("c")?["status"] != "stopped" {}
    assert!(bundle.run(&["kill", "c"])?.exited(1)?.stderr.contains("container not running"));
    assert!(bundle.run(&["exec", "c", "true"])?.exited(255)?.stderr.contains("cannot exec in a stopped container"));
    bundle.ok(&["delete", "c"])?;
    assert!(bundle.run(&["state", "c"])?.exited(1)?.stderr.contains("container does not exist: c"));
    bundle.ok(&["delete", "--force", "c"]).map(drop)
}

#[test]
fn exec_is_in_the_container() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    bundle.ok(&["start", "c"])?;
    let script = "id -u; id -g; echo $X; for k in mnt pid net uts ipc cgroup; do readlink /proc/self/ns/$k; done";
    let told = bundle.ok(&["exec", "-e", "X=y", "-u", "5:6", "c", "sh", "-c", script])?;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.get(..3), Some(&["5", "6", "y"][..]), "{told}");
    for (kind, inside) in ["mnt", "pid", "net", "uts", "ipc"].iter().zip(&lines[3..]) {
        let outside = std::fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string();
        assert_ne!(**inside, outside, "{kind}");
    }
    // CVE-2024-40635, CVE-2022-29162.
    for user in ["4294967296", "4294967295", "-1", "root"] {
        bundle.run(&["exec", "-u", user, "c", "true"])?.exited(255)?;
    }
    let inheritable = "while read k v; do test $k = CapInh: && echo $v; done < /proc/self/status; true";
    assert_eq!(bundle.ok(&["exec", "--cap", "CAP_NET_RAW", "c", "sh", "-c", inheritable])?, "0000000000000000\n");
    bundle.run(&["exec", "c", "sh", "-c", "exit 9"])?.exited(9)?;
    assert!(bundle.run(&["exec", "c", "nope"])?.exited(255)?.stderr.contains("executable file not found in $PATH"));
    // CVE-2024-21626.
    for number in 3..20 {
        bundle.run(&["exec", "--cwd", &format!("/proc/self/fd/{number}"), "c", "true"])?.exited(255)?;
    }
    Ok(())
}

#[test]
fn a_paused_container_does_nothing() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    bundle.ok(&["start", "c"])?;
    bundle.ok(&["pause", "c"])?;
    assert_eq!(bundle.state("c")?["status"], "paused");
    assert!(bundle.run(&["exec", "c", "true"])?.exited(255)?.stderr.contains("paused container"));
    bundle.ok(&["resume", "c"])?;
    bundle.ok(&["exec", "c", "true"])?;
    assert!(bundle.run(&["resume", "c"])?.exited(1)?.stderr.contains("container not paused"));
    bundle.ok(&["pause", "c"])?;
    bundle.ok(&["delete", "--force", "c"]).map(drop)
}

#[test]
fn a_container_is_paused_before_its_start_too() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    bundle.ok(&["pause", "c"])?;
    assert_eq!(bundle.state("c")?["status"], "paused");
    assert!(bundle.run(&["start", "c"])?.exited(1)?.stderr.contains("cannot start a container in the paused state"));
    assert!(bundle.run(&["exec", "c", "true"])?.exited(255)?.stderr.contains("paused container"));
    bundle.ok(&["resume", "c"])?;
    assert_eq!(bundle.state("c")?["status"], "created");
    bundle.ok(&["start", "c"]).map(drop)
}

#[test]
fn several_containers_are_named_by_an_expression() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    let group = bundle.config["linux"]["cgroupsPath"].as_str().context("cgroupsPath")?.to_owned();
    for id in ["web1", "web2", "db1"] {
        bundle.config["linux"]["cgroupsPath"] = json!(format!("{group}-{id}"));
        bundle.create(&[id])?;
        bundle.ok(&["start", id])?;
    }
    bundle.ok(&["kill", "--regex", "^web[0-9]$", "KILL"])?;
    while ["web1", "web2"].iter().any(|id| bundle.state(id).is_ok_and(|state| state["status"] != "stopped")) {}
    assert_eq!(bundle.state("db1")?["status"], "running");
    // All are tried, whatever becomes of one.
    let refused = bundle.run(&["delete", "--regex", "."])?.exited(1)?;
    assert!(refused.stderr.contains("cannot delete container db1 that is not stopped: running"), "{refused:?}");
    assert_eq!(bundle.ok(&["list", "-q"])?, "db1\n");
    assert!(bundle.run(&["kill", "--regex", "("])?.exited(1)?.stderr.contains("--regex \"(\""));
    bundle.ok(&["delete", "--regex", "--force", "nothing"])?;
    bundle.ok(&["delete", "--regex", "--force", "^db"])?;
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(())
}

#[test]
fn hooks_run_at_their_times_with_the_state_and_nothing_else() -> Result {
    let mut bundle = Bundle::new()?;
    let script = bundle.path().join("hook");
    let log = bundle.path().join("log");
    // No output but the log: LD_PRELOAD of the container must not reach a hook (CVE-2025-23266).
    let text = format!(
        "#!/bin/sh\necho \"$1 $(sed 's/.*\"status\":\"\\([a-z]*\\)\".*/\\1/') [$LD_PRELOAD$OWN]\" >> {}\n",
        log.display()
    );
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let hook = |name: &str| json!([{"path": script, "args": ["hook", name], "env": ["OWN=x", "PATH=/usr/bin:/bin"], "timeout": 60}]);
    let names = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
    bundle.config["hooks"] = names.iter().map(|name| ((*name).to_owned(), hook(name))).collect();
    bundle.config["process"]["env"] = json!(["PATH=/bin", "LD_PRELOAD=/evil.so"]);
    bundle.arguments(&["true"]);
    bundle.ok(&["run", "c"])?;
    let told = std::fs::read_to_string(&log)?;
    let expected = "prestart creating [x]\ncreateRuntime creating [x]\ncreateContainer creating [x]\npoststart running [x]\npoststop stopped [x]\n";
    assert_eq!(told, expected);

    bundle.config["hooks"] = json!({"createRuntime": [{"path": "/bin/false"}]});
    let failed = bundle.run(&["run", "c"])?.exited(1)?;
    assert!(failed.stderr.contains("hooks.createRuntime: /bin/false: exit status: 1"), "{failed:?}");
    bundle.config["hooks"] =
        json!({"createContainer": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]});
    let failed = bundle.run(&["run", "c"])?.exited(1)?;
    assert!(failed.stderr.contains("its time was over"), "{failed:?}");
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(())
}

#[test]
fn a_user_namespace_has_the_maps_of_the_configuration() -> Result {
    let mut bundle = Bundle::new()?;
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
    namespaces.push(json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    run_in(bundle.path(), "chmod 755 . rootfs; chown -R 100000:100000 rootfs")?;
    bundle.arguments(&["sh", "-c", "id -u; while read a b c; do echo $a $b $c; done < /proc/self/uid_map"]);
    assert_eq!(bundle.ok(&["run", "c"])?, "0\n0 100000 65536\n");
    Ok(())
}

fn run_in(directory: &Path, script: &str) -> Result {
    let mut shell = std::process::Command::new("sh");
    end_to_end::process::run(shell.args(["-c", script]).current_dir(directory))?.success().map(drop)
}

#[test]
fn a_terminal_in_the_foreground() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.config["process"]["terminal"] = json!(true);
    let directory = bundle.path().display().to_string();
    bundle.arguments(&["sh", "-c", "tty; stty size; read line; echo got $line; exit 5"]);
    let mut pty = Pty::start(&bundle.command(&["run", "--bundle", &directory, "c"])?, 24, 80)?;
    pty.wait_for("/dev/pts/0")?;
    pty.wait_for("24 80")?;
    pty.send("word\n")?;
    pty.wait_for("got word")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 5, "{output}");
    let refused = bundle.run(&["run", "-d", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("cannot allocate tty if runc will detach without setting console socket"));
    Ok(())
}

#[test]
fn signals_reach_the_process() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sh", "-c", "trap 'exit 3' TERM; echo ready > /tmp/ready; while :; do sleep 1000 & wait; done"]);
    bundle.config["root"]["readonly"] = json!(false);
    let mut run = Running::start(&mut bundle.command(&["run", "c"])?)?;
    while !bundle.path().join("rootfs/tmp/ready").exists() {
        assert!(run.is_alive());
    }
    run.signal(Signal::TERM)?;
    assert_eq!(run.wait()?, 3);
    Ok(())
}

#[test]
fn what_is_wrong_is_said_in_one_line_and_in_the_log() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["nope"]);
    let output = bundle.run(&["--log", "log", "--log-format", "json", "run", "c"])?.exited(1)?;
    assert!(
        output.stderr.starts_with("phial-runtime: error: exec: \"nope\": executable file not found in $PATH\n"),
        "{output:?}"
    );
    let entry: serde_json::Value = serde_json::from_slice(&std::fs::read(bundle.path().join("log"))?)?;
    assert_eq!(entry["level"], "error");
    assert!(entry["msg"].as_str().context("msg")?.contains("executable file not found"), "{entry}");
    for id in ["../x", "a/b", ".", "..", ""] {
        bundle.run(&["run", id])?.exited(1)?;
    }
    // What the caller cannot be told of is not left behind.
    bundle.arguments(&["true"]);
    for option in ["--pid-file", "--pidfd-socket"] {
        bundle.run(&["run", option, "/no/such/directory/file", "c"])?.exited(1)?;
    }
    bundle.run(&["--no-such-option", "list"])?.exited(1)?;
    bundle.run(&["run"])?.exited(1)?;
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(())
}

#[test]
fn a_container_cannot_reach_the_program_of_the_host() -> Result {
    // CVE-2019-5736: what the interpreter line names is what this process was before it became the program.
    let mut bundle = Bundle::new()?;
    let script = bundle.path().join("rootfs/bin/script");
    std::fs::write(&script, "#!/proc/self/exe\n")?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    bundle.arguments(&["script"]);
    bundle.create(&["c"])?;
    let pid = bundle.state("c")?["pid"].to_string();
    let program = std::fs::read_link(format!("/proc/{pid}/exe"))?.display().to_string();
    assert!(program.starts_with("/memfd:phial-runtime"), "{program}");
    let writing = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/exe"));
    assert!(writing.is_err());
    bundle.ok(&["delete", "c"]).map(drop)
}

#[test]
fn a_filter_need_only_let_the_program_through() -> Result {
    // What profiles of 2020 allow: close_range(2) is younger, and this program's own last steps are not the container's.
    let mut bundle = Bundle::new()?;
    let names = [
        "access",
        "arch_prctl",
        "brk",
        "capget",
        "capset",
        "chdir",
        "close",
        "dup2",
        "execve",
        "exit",
        "exit_group",
        "fcntl",
        "fstat",
        "getcwd",
        "getpid",
        "getppid",
        "getuid",
        "ioctl",
        "mmap",
        "mprotect",
        "munmap",
        "open",
        "openat",
        "poll",
        "prctl",
        "read",
        "readlink",
        "rt_sigaction",
        "rt_sigprocmask",
        "sendmsg",
        "set_tid_address",
        "setgid",
        "setgroups",
        "setresgid",
        "setresuid",
        "setuid",
        "stat",
        "uname",
        "wait4",
        "write",
        "newfstatat",
        "rseq",
        "set_robust_list",
        "prlimit64",
        "getrandom",
        "geteuid",
        "getegid",
        "getgid",
        "lseek",
        "futex",
    ];
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": names.as_slice(), "action": "SCMP_ACT_ALLOW"}],
    });
    bundle.arguments(&["echo", "through"]);
    for new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(!new_privileges);
        assert_eq!(bundle.ok(&["run", "c"])?, "through\n");
        let mut create = bundle.command(&["create", "d"])?;
        let output = bundle.path().join("output");
        let status =
            create.stdin(Stdio::null()).stdout(std::fs::File::create(&output)?).stderr(Stdio::null()).status()?;
        assert!(status.success());
        bundle.ok(&["start", "d"])?;
        while bundle.state("d")?["status"] != "stopped" {}
        assert_eq!(std::fs::read_to_string(output)?, "through\n");
        bundle.ok(&["delete", "d"])?;
    }
    Ok(())
}

#[test]
fn the_plan_can_be_read() -> Result {
    let bundle = Bundle::new()?;
    let plan = bundle.ok(&["plan"])?;
    for step in ["mount proc on /proc", "mask /proc/kcore", "make it the root", "execute program"] {
        assert!(plan.contains(step), "{step} is not in\n{plan}");
    }
    let json: serde_json::Value = serde_json::from_str(&bundle.ok(&["plan", "--format", "json"])?)?;
    assert_eq!(json["program"][0], "sh");
    Ok(())
}

#[test]
fn the_trace_is_the_plan() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    let plan = bundle.ok(&["plan"])?;
    let id = bundle.id();
    let output = bundle.run(&["run", "--trace", &id])?;
    let done = |line: &str| Some(line.split_once(" ms  ")?.1.trim().to_owned());
    let traced: Vec<String> = output.stderr.lines().filter_map(done).collect();
    let mut rest = traced.iter();
    for line in plan.lines() {
        let step = line.trim_start().split_once("  ").map_or(line, |(_, step)| step);
        // What only 'run' adds, such as its keyring, lies in between; the program is executed without a word.
        if step != "execute program" {
            assert!(rest.any(|line| line == step), "{step:?} is not in its place in {traced:#?}");
        }
    }
    assert_eq!(traced.last().map(String::as_str), Some("in all"));
    output.success().map(drop)
}

/// Little enough that a runtime of several megabytes does not get its own process into it.
#[test]
fn a_memory_limit_of_one_mebibyte_starts_a_static_program() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["true"]);
    for limit in [1 << 20, 1 << 19] {
        bundle.config["linux"]["resources"]["memory"] = json!({"limit": limit});
        bundle.ok(&["run", "small"])?;
    }
    Ok(())
}

/// What it takes to start a container is open beside what the program may open.
#[test]
fn a_limit_of_few_files_is_the_programs_alone() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.config["process"]["cwd"] = json!("/tmp");
    bundle.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    bundle.config["linux"]["sysctl"] = json!({"kernel.domainname": "few"});
    bundle.config["hooks"]["startContainer"] = json!([{"path": "/bin/true", "args": ["true"]}]);
    bundle.arguments(&["sh", "-c", "ulimit -n; pwd"]);
    for limit in [8, 20, 100] {
        bundle.config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": limit, "hard": limit}]);
        assert_eq!(bundle.ok(&["run", "few"])?, format!("{limit}\n/tmp\n"));
    }
    Ok(())
}
