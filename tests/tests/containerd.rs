//! `phial-runtime` under Debian's containerd, through its shim for runc, driven by `ctr`.

use end_to_end::engines::{Containerd, limit_of};
use end_to_end::process::run;
use end_to_end::pty::Pty;
use end_to_end::{Output, Result, images, phial};
use tempfile::TempDir;

/// A containerd with an image in it.
struct Stage {
    containerd: Containerd,
    _dir: TempDir,
}

const IMAGE: &str = "docker.io/library/busybox:latest";

impl Stage {
    fn new() -> Result<Stage> {
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        let runtime = phial::program()?.with_file_name("phial-runtime");
        let containerd = Containerd::with_runtime(&dir.path().join("containerd"), &runtime)?;
        let registry = images::registry()?;
        let name = registry.name(images::BUSYBOX);
        containerd.output(&["images", "pull", "--plain-http", &name])?.success()?;
        containerd.output(&["images", "tag", &name, IMAGE])?.success()?;
        Ok(Stage { containerd, _dir: dir })
    }

    /// `ctr run` of a shell script in a new container, to its end.
    fn run(&self, options: &[&str], script: &str) -> Result<Output> {
        let name = self.containerd.fresh();
        run(&mut self.containerd.run(&[&["--rm"], options, &[IMAGE, &name, "sh", "-c", script]].concat()))
    }

    /// What the script prints, which must succeed.
    fn sh(&self, options: &[&str], script: &str) -> Result<String> {
        Ok(self.run(options, script)?.success()?.trim_end_matches('\n').to_owned())
    }

    fn start(&self, name: &str, script: &str) -> Result {
        self.containerd.run_detached(&[], IMAGE, name, &["sh", "-c", script])
    }

    fn task(&self, arguments: &[&str]) -> Result<Output> {
        self.containerd.output(&[&["tasks"], arguments].concat())
    }

    fn exec(&self, name: &str, options: &[&str], script: &str) -> Result<Output> {
        let id = self.containerd.fresh();
        self.task(&[&["exec", "--exec-id", &id], options, &[name, "sh", "-c", script]].concat())
    }

    /// What `ctr tasks list` says a container is doing.
    fn status(&self, name: &str) -> Result<String> {
        let table = self.task(&["list"])?.success()?;
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_default();
        Ok(row.split_whitespace().last().unwrap_or_default().to_owned())
    }
}

#[test]
fn run_and_exec_give_output_and_status() -> Result {
    let stage = Stage::new()?;
    let output = stage.run(&[], "echo out; echo err >&2; exit 7")?.exited(7)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    let missing = run(&mut stage.containerd.run(&["--rm", IMAGE, "missing", "no-such-program"]))?.exited(1)?;
    assert!(missing.stderr.contains("OCI runtime create failed"), "{missing:?}");
    assert!(missing.stderr.contains("executable file not found in $PATH"), "{missing:?}");

    stage.start("box", "exec sleep 1000")?;
    assert_eq!(stage.exec("box", &["--cwd", "/tmp", "--user", "1000"], "pwd; id -u")?.success()?, "/tmp\n1000\n");
    stage.exec("box", &[], "exit 9")?.exited(9)?;
    let id = stage.containerd.fresh();
    let missing = stage.task(&["exec", "--exec-id", &id, "box", "no-such-program"])?.exited(1)?;
    assert!(missing.stderr.contains("OCI runtime exec failed"), "{missing:?}");
    assert!(stage.task(&["ps", "box"])?.success()?.contains(&stage.containerd.pid("box")?.to_string()));
    Ok(())
}

#[test]
fn a_task_is_paused_measured_killed_and_deleted() -> Result {
    let stage = Stage::new()?;
    stage.start("box", "trap 'echo told > /tmp/told' USR1; while :; do sleep 1000 & wait; done")?;
    stage.task(&["pause", "box"])?.success()?;
    assert_eq!(stage.status("box")?, "PAUSED");
    stage.task(&["resume", "box"])?.success()?;
    assert_eq!(stage.status("box")?, "RUNNING");
    let metrics = stage.task(&["metrics", "box"])?.success()?;
    assert!(metrics.contains("pids.current") && metrics.contains("memory."), "{metrics}");

    while stage.exec("box", &[], "cat /tmp/told")?.stdout != "told\n" {
        stage.task(&["kill", "--signal", "SIGUSR1", "box"])?.success()?;
    }
    // Whatever keeps a container from being written to a disk, it goes on.
    let refused = stage.task(&["checkpoint", "--image-path", "/proc/nowhere", "box"])?;
    assert!(refused.code != 0 && !refused.stderr.is_empty(), "{refused:?}");
    stage.exec("box", &[], "true")?.success()?;
    stage.task(&["kill", "--signal", "SIGKILL", "box"])?.success()?;
    while stage.status("box")? != "STOPPED" {}
    let deleted = stage.task(&["delete", "box"])?;
    // What ctr ends with is how the task ended.
    assert!(deleted.stderr.contains("non-zero exit code 137"), "{deleted:?}");
    stage.containerd.output(&["containers", "delete", "box"])?.success().map(drop)
}

#[test]
fn limits_and_privileges_are_what_was_asked_for() -> Result {
    let stage = Stage::new()?;
    let options = ["--memory-limit", "33554432", "--cpus", "0.5"];
    stage.containerd.run_detached(&options, IMAGE, "box", &["sleep", "1000"])?;
    let pid = stage.containerd.pid("box")?;
    assert_eq!(limit_of(pid, "memory/memory.limit_in_bytes", "memory.max")?, "33554432");
    assert_eq!(limit_of(pid, "cpu/cpu.cfs_quota_us", "cpu.max")?, "50000");
    let read = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2";
    assert_eq!(stage.sh(&[], read)?, "00000000a80425fb\n1\n0");
    let options = ["--seccomp", "--allow-new-privs", "--cap-add", "CAP_SYS_ADMIN", "--cap-drop", "CAP_CHOWN"];
    assert_eq!(stage.sh(&options, read)?, "00000000a82425fa\n0\n2");
    assert_eq!(stage.sh(&["--read-only"], "touch /x 2>&1 || true")?, "touch: /x: Read-only file system");
    assert_eq!(stage.sh(&["--no-pivot"], "echo in; test -e /proc/1/root/bin/sh && pwd")?, "in\n/");
    let mount = "type=bind,src=/usr,dst=/host,options=rbind:ro";
    assert_eq!(
        stage.sh(&["--mount", mount], "ls -d /host/bin; touch /host/x 2>&1 || true")?,
        "/host/bin\ntouch: /host/x: Read-only file system"
    );
    Ok(())
}

#[test]
fn namespaces_are_joined() -> Result {
    let stage = Stage::new()?;
    stage.start("box", "exec sleep 1000")?;
    let pid = stage.containerd.pid("box")?;
    for kind in ["ipc", "uts", "network", "pid"] {
        let file = if kind == "network" { "net" } else { kind };
        let path = format!("/proc/{pid}/ns/{file}");
        let inside = stage.sh(&["--with-ns", &format!("{kind}:{path}")], &format!("readlink /proc/self/ns/{file}"))?;
        assert_eq!(inside, std::fs::read_link(&path)?.display().to_string(), "{kind}");
    }
    let host = std::fs::read_link("/proc/self/ns/net")?.display().to_string();
    assert_eq!(stage.sh(&["--net-host"], "readlink /proc/self/ns/net")?, host);
    Ok(())
}

#[test]
fn terminals_are_terminals() -> Result {
    let stage = Stage::new()?;
    let mut pty = Pty::start(&stage.containerd.run(&["--rm", "--tty", IMAGE, "box", "sh"]), 24, 80)?;
    pty.send("tty; test -t 0 && test -t 2 && echo al''l\n")?;
    pty.wait_for("/dev/pts/0")?;
    pty.wait_for("all")?;
    pty.send("exit 5\n")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 5, "{output}");
    Ok(())
}
