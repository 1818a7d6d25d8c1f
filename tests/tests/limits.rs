//! What `phial run` keeps a container from: memory, processes, files, privileges, system calls, other networks.

use std::path::Path;

use end_to_end::lan::Lan;
use end_to_end::{Result, Stage};

#[test]
fn too_much_memory_kills() -> Result {
    let stage = Stage::busybox()?;
    // `tail` keeps what it reads until a line ends, which zeros never do.
    let id = stage.start(&["-m", "32m"], &["tail", "/dev/zero"])?;
    assert_eq!(stage.phial.ok(&["wait", &id])?, "137");
    let ended = &stage.phial.inspect(&id)?["State"];
    assert_eq!((&ended["OOMKilled"], &ended["ExitCode"]), (&true.into(), &137.into()), "{ended}");
    stage.run(&["-m", "32m"], &["tail", "/dev/zero"])?.exited(137)?;
    // Less than the limit is no harm.
    stage.run(&["-m", "64m"], &["dd", "if=/dev/zero", "of=/dev/null", "bs=16M", "count=2"])?.exited(0).map(drop)
}

/// What the kernel says in the file of that name of this container's cgroup, whatever the hierarchy.
fn cgroup_file(stage: &Stage, flags: &[&str], v1: &str, v2: &str) -> Result<String> {
    stage.sh(flags, &format!("cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}"))
}

#[test]
fn limits_reach_the_kernel() -> Result {
    let stage = Stage::busybox()?;
    let memory = cgroup_file(&stage, &["-m", "48m"], "memory/memory.limit_in_bytes", "memory.max")?;
    assert_eq!(memory, (48 * 1024 * 1024).to_string());
    let pids = cgroup_file(&stage, &["--pids-limit", "17"], "pids/pids.max", "pids.max")?;
    assert_eq!(pids, "17");
    let cpus = cgroup_file(&stage, &["--cpus", "0.5"], "cpu/cpu.cfs_quota_us", "cpu.max")?;
    assert_eq!(cpus.split(' ').next(), Some("50000"));
    Ok(())
}

#[test]
fn too_many_processes_are_refused() -> Result {
    let stage = Stage::busybox()?;
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done; echo all";
    let output = stage.run(&["--pids-limit", "8"], &["sh", "-c", script])?;
    assert!(output.stderr.contains("can't fork"), "{output:?}");
    assert!(!output.stdout.contains("all"), "{output:?}");
    Ok(())
}

#[test]
fn the_supervisor_may_open_more_files_than_the_container() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let words = ["run", "-d", "--name", "box", &stage.image, "sh", "-c", "ulimit -Sn; exec sleep 1000"];
    let command = phial.command(&words);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -Sn 777; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    end_to_end::process::run(&mut limited)?.exited(0)?;
    assert_eq!(phial.ok(&["exec", "box", "sh", "-c", "ulimit -Sn"])?, "777");
    assert_eq!(phial.ok(&["logs", "box"])?, "777");
    let id = phial.ok(&["inspect", "-f", "{{.Id}}", "box"])?;
    let status = std::fs::read(phial.run_dir().join("containers").join(id).join("status.json"))?;
    let status: serde_json::Value = serde_json::from_slice(&status)?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", status["supervisor"]))?;
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    assert!(!files.contains(" 777 "), "{files}");
    Ok(())
}

#[test]
fn ulimits() -> Result {
    let stage = Stage::busybox()?;
    stage.check(&[
        (&["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn", "100\n200"),
        (&["--ulimit", "nofile=64"], "ulimit -Sn; ulimit -Hn", "64\n64"),
        (
            &["--ulimit", "core=0", "--ulimit", "nproc=512:1024"],
            "awk '/^Max (core|proc)/ {print $(NF-2), $(NF-1)}' /proc/self/limits",
            "0 0\n512 1024",
        ),
    ])?;
    let output = stage.run(&["--ulimit", "nofile=200:100"], &["true"])?.exited(125)?;
    assert!(output.stderr.contains("nofile"), "{output:?}");
    Ok(())
}

#[test]
fn capabilities() -> Result {
    let stage = Stage::busybox()?;
    let effective = "sed -n 's/^CapEff:\\t//p' /proc/self/status";
    let bounding = "sed -n 's/^CapBnd:\\t//p' /proc/self/status";
    stage.check(&[
        // The fourteen that docker gives.
        (&[], effective, "00000000a80425fb"),
        (&[], bounding, "00000000a80425fb"),
        (&["--cap-add", "NET_ADMIN"], effective, "00000000a80435fb"),
        (&["--cap-add", "CAP_NET_ADMIN", "--cap-drop", "chown"], effective, "00000000a80435fa"),
        (&["--cap-drop", "ALL"], effective, "0000000000000000"),
        (&["--cap-drop", "ALL", "--cap-add", "CHOWN"], bounding, "0000000000000001"),
        (&["-u", "reader"], effective, "0000000000000000"),
        (&["-u", "reader"], bounding, "00000000a80425fb"),
        (&["--cap-drop", "ALL"], "chown reader /etc/motd 2>/dev/null || echo refused", "refused"),
    ])?;
    let output = stage.run(&["--cap-add", "FLY"], &["true"])?.exited(125)?;
    assert!(output.stderr.contains("FLY"), "{output:?}");
    Ok(())
}

#[test]
fn no_new_privileges_and_system_calls() -> Result {
    let stage = Stage::busybox()?;
    let profile = stage.phial.scratch().join("profile.json");
    let rules = r#"[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 122}]"#;
    std::fs::write(&profile, format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {rules}}}"#))?;
    let profile = format!("seccomp={}", profile.display());
    let status = |key: &str| format!("sed -n 's/^{key}:\\t//p' /proc/self/status");
    let (privileges, mode) = (status("NoNewPrivs"), status("Seccomp"));
    stage.check(&[
        (&[], &privileges, "0"),
        (&["--security-opt", "no-new-privileges"], &privileges, "1"),
        (&["--security-opt", "no-new-privileges=true"], &privileges, "1"),
        (&[], &mode, "2"),
        (&["--security-opt", "seccomp=unconfined"], &mode, "0"),
        (&[], "unshare -U true 2>/dev/null || echo refused", "refused"),
        // With the capability, docker's profile lets mount(2) through.
        (&["--cap-add", "SYS_ADMIN"], "mount -t tmpfs none /tmp && echo mounted", "mounted"),
        (&[], "mount -t tmpfs none /tmp 2>/dev/null || echo refused", "refused"),
        (&["--security-opt", &profile], "mkdir /tmp/x 2>&1 | grep -o 'Disk quota.*'", "Disk quota exceeded"),
    ])?;
    stage.run(&["--security-opt", "seccomp=/no/such/profile"], &["true"])?.exited(125)?;
    stage.run(&["--security-opt", "nonsense"], &["true"])?.exited(125).map(drop)
}

#[test]
fn networks() -> Result {
    // On a host of its own, where no links of others come and go.
    let (lan, stage) = Lan::with_stage()?;
    stage.check(&[(&["--network", "none"], "ls /sys/class/net; cat /sys/class/net/lo/operstate", "lo\nunknown")])?;
    let script = "ls /sys/class/net; readlink /proc/self/ns/net";
    let outside =
        lan.host.sh("ip -o link | cut -d ' ' -f 2 | cut -d @ -f 1 | tr -d : | sort; readlink /proc/self/ns/net")?;
    assert!(outside.contains("eth0\n"), "{outside}");
    assert_eq!(stage.sh(&["--network", "host"], script)?, outside);
    Ok(())
}

#[test]
fn namespaces_are_the_containers_own() -> Result {
    let stage = Stage::busybox()?;
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
    let script = kinds.map(|kind| format!("readlink /proc/self/ns/{kind}")).join("; ");
    let inside = stage.sh(&["--network", "none"], &script)?;
    assert_eq!(inside.lines().count(), kinds.len());
    for (kind, inside) in kinds.iter().zip(inside.lines()) {
        let outside = std::fs::read_link(Path::new("/proc/self/ns").join(kind))?.display().to_string();
        // A cgroup namespace is the host's own where docker would share it: hierarchies of version 1.
        if *kind != "cgroup" {
            assert_ne!(inside, outside, "{kind}");
        }
    }
    stage.check(&[(&[], "echo $$; ls -d /proc/[0-9]* | head -n 1", "1\n/proc/1")])
}

#[test]
fn an_init_of_its_own() -> Result {
    let stage = Stage::busybox()?;
    let script = "test $$ != 1 && test $(cat /proc/1/comm) != sh && echo yes";
    stage.check(&[(&["--init"], script, "yes")])?;
    // An orphan of the shell is reaped by the init: no zombie is left of it.
    let orphan = "sh -c 'sleep 0 & exec true'; until ! ps -o stat | grep -q Z; do :; done; echo reaped";
    stage.check(&[(&["--init"], orphan, "reaped")])
}

#[test]
fn what_the_kernel_shows_is_covered() -> Result {
    let stage = Stage::busybox()?;
    let device = "mknod /tmp/disk b 7 0 && head -c 1 /tmp/disk 2>&1 | grep -o 'Operation not permitted'";
    stage.check(&[
        (&[], "head -c 1 /proc/kcore | wc -c; ls -A /sys/firmware | wc -l", "0\n0"),
        (&[], "echo x 2>/dev/null > /proc/sys/kernel/hostname || echo refused", "refused"),
        (&[], "echo x 2>/dev/null > /proc/sysrq-trigger || echo refused", "refused"),
        (&[], "mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused", "refused"),
        (&[], "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done", ""),
        (&[], "for l in fd stdin stdout stderr ptmx; do test -L /dev/$l || echo no $l; done", ""),
        (&[], "echo x > /dev/null; head -c 3 /dev/zero | wc -c", "3"),
        (&[], device, "Operation not permitted"),
        (&[], "ls /dev | grep -c -e '^sd' -e '^vd' -e '^nvme' -e '^loop' -e '^mem$' || true", "0"),
    ])
}
