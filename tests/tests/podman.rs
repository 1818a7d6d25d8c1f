//! `phial-runtime` as the runtime of Debian's podman, through conmon: containers, and pods that share namespaces.

use end_to_end::engines::{Podman, limit};
use end_to_end::process::{run, run_with_input};
use end_to_end::pty::Pty;
use end_to_end::{Output, Result, images, phial};
use tempfile::TempDir;

/// A podman with an image in it.
struct Stage {
    podman: Podman,
    _dir: TempDir,
}

const IMAGE: &str = "busybox";

impl Stage {
    fn new() -> Result<Stage> {
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        let podman = Podman::new(&dir.path().join("podman"), phial::program()?.with_file_name("phial-runtime"))?;
        let registry = images::registry()?;
        let name = registry.name(images::BUSYBOX);
        podman.ok(&["pull", "--quiet", "--tls-verify=false", &name])?;
        podman.ok(&["tag", &name, IMAGE])?;
        Ok(Stage { podman, _dir: dir })
    }

    fn run(&self, flags: &[&str], program: &[&str]) -> Result<Output> {
        run(&mut self.podman.run(&[&["--rm"], flags].concat(), IMAGE, program))
    }

    /// What a shell script in a new container prints; it must succeed.
    fn sh(&self, flags: &[&str], script: &str) -> Result<String> {
        Ok(self.run(flags, &["sh", "-c", script])?.success()?.trim_end_matches('\n').to_owned())
    }

    /// A container of this name that runs this script.
    fn start(&self, name: &str, flags: &[&str], script: &str) -> Result {
        let flags = [&["--detach", "--name", name], flags].concat();
        run(&mut self.podman.run(&flags, IMAGE, &["sh", "-c", script]))?.success().map(drop)
    }

    fn ok(&self, arguments: &[&str]) -> Result<String> {
        self.podman.ok(arguments)
    }
}

#[test]
fn run_and_exec_give_output_and_status() -> Result {
    let stage = Stage::new()?;
    let output = stage.run(&[], &["sh", "-c", "echo out; echo err >&2; exit 7"])?.exited(7)?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    // Podman finds out by the words of the runtime which of the two it is.
    let missing = stage.run(&[], &["no-such-program"])?.exited(127)?;
    assert!(missing.stderr.contains("executable file not found in $PATH"), "{missing:?}");
    assert!(stage.run(&[], &["/etc/passwd"])?.exited(126)?.stderr.contains("permission denied"));

    stage.start("box", &[], "exec sleep 1000")?;
    let exec = |words: &[&str]| stage.podman.output(&[&["exec"], words].concat());
    let told = exec(&[
        "--user",
        "1000:2000",
        "--workdir",
        "/tmp",
        "--env",
        "A=b",
        "box",
        "sh",
        "-c",
        "id -u; id -g; pwd; echo $A",
    ])?;
    assert_eq!(told.success()?, "1000\n2000\n/tmp\nb\n");
    exec(&["box", "sh", "-c", "exit 9"])?.exited(9)?;
    exec(&["box", "no-such-program"])?.exited(127)?;
    exec(&["--detach", "box", "touch", "/tmp/detached"])?.exited(0)?;
    while exec(&["box", "test", "-e", "/tmp/detached"])?.code != 0 {}
    let mut piped = stage.podman.command(&["exec", "--interactive", "box", "cat"]);
    assert_eq!(run_with_input(&mut piped, b"through")?.success()?, "through");
    assert!(stage.ok(&["top", "box"])?.contains("sleep 1000"));
    Ok(())
}

#[test]
fn a_container_is_paused_updated_stopped_and_started_again() -> Result {
    let stage = Stage::new()?;
    stage.start("box", &[], "trap 'exit 3' TERM; echo ready; while :; do sleep 1000 & wait; done")?;
    while stage.ok(&["logs", "box"])? != "ready" {}
    let status = || stage.ok(&["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "box"]);
    stage.ok(&["pause", "box"])?;
    assert_eq!(status()?, "paused 0");
    stage.ok(&["unpause", "box"])?;
    stage.ok(&["update", "--memory", "64m", "--cpus", "0.5", "box"])?;
    let memory = limit("memory/memory.limit_in_bytes", "memory.max");
    let cpu = limit("cpu/cpu.cfs_quota_us", "cpu.max");
    assert_eq!(stage.ok(&["exec", "box", "sh", "-c", &format!("{memory}; {cpu}")])?, "67108864\n50000");
    assert_eq!(stage.ok(&["stats", "--no-stream", "--format", "{{.PIDs}}", "box"])?, "2");
    stage.ok(&["stop", "box"])?;
    assert_eq!(status()?, "exited 3");
    stage.ok(&["start", "box"])?;
    assert_eq!(status()?, "running 0");
    stage.ok(&["kill", "box"])?;
    assert_eq!(stage.ok(&["wait", "box"])?, "137");
    stage.ok(&["rm", "box"])?;
    assert_eq!(stage.ok(&["ps", "--all", "--quiet"])?, "");
    Ok(())
}

#[test]
fn limits_and_privileges_are_what_was_asked_for() -> Result {
    let stage = Stage::new()?;
    let limits = ["--memory", "32m", "--cpus", "0.25", "--pids-limit", "20"];
    let read = [
        limit("memory/memory.limit_in_bytes", "memory.max"),
        limit("cpu/cpu.cfs_quota_us", "cpu.max"),
        limit("pids/pids.max", "pids.max"),
    ];
    assert_eq!(stage.sh(&limits, &read.join("; "))?, "33554432\n25000\n20");
    let read = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2";
    assert_eq!(
        stage.sh(&["--cap-drop", "ALL", "--security-opt", "no-new-privileges"], read)?,
        "0000000000000000\n1\n2"
    );
    assert_eq!(
        stage.sh(&["--cap-drop", "ALL", "--cap-add", "CHOWN", "--security-opt", "seccomp=unconfined"], read)?,
        "0000000000000001\n0\n0"
    );
    assert_eq!(
        stage.sh(&["--read-only"], "touch /x 2>&1 || touch /tmp/x && echo written")?,
        "touch: /x: Read-only file system\nwritten"
    );
    let maps = ["--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000"];
    assert_eq!(stage.sh(&maps, "awk '{print $1, $2, $3}' /proc/self/uid_map; id -u")?, "0 100000 1000\n0");
    assert_eq!(
        stage.sh(&["--hostname", "small", "--umask", "0077", "--group-add", "33"], "hostname; umask; id -G")?,
        "small\n0077\n0 33"
    );
    assert_eq!(stage.sh(&["--init"], "cat /proc/1/comm")?, "podman-init");
    // The machine's whole set of capabilities: those that it has.
    stage.sh(&["--privileged"], "test -e /dev/null").map(drop)
}

#[test]
fn health_is_looked_after() -> Result {
    let stage = Stage::new()?;
    stage.start("box", &["--health-cmd", "test -e /tmp/well", "--health-retries", "1"], "exec sleep 1000")?;
    stage.podman.output(&["healthcheck", "run", "box"])?.exited(1)?;
    stage.ok(&["exec", "box", "touch", "/tmp/well"])?;
    stage.ok(&["healthcheck", "run", "box"])?;
    assert_eq!(stage.ok(&["inspect", "--format", "{{.State.Health.Status}}", "box"])?, "healthy");
    Ok(())
}

#[test]
fn a_pod_shares_its_namespaces() -> Result {
    let stage = Stage::new()?;
    stage.podman.pod(&["--name", "pod", "--share", "net,ipc,uts,pid"])?;
    stage.ok(&["run", "--detach", "--pod", "pod", "--name", "one", IMAGE, "sleep", "1000"])?;
    stage.ok(&["run", "--detach", "--pod", "pod", "--name", "two", IMAGE, "sleep", "2000"])?;
    let read =
        |container: &str, kind: &str| stage.ok(&["exec", container, "readlink", &format!("/proc/self/ns/{kind}")]);
    for kind in ["net", "ipc", "uts", "pid"] {
        assert_eq!(read("one", kind)?, read("two", kind)?, "{kind}");
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string();
        assert_ne!(read("one", kind)?, host, "{kind}");
    }
    assert_ne!(read("one", "mnt")?, read("two", "mnt")?);
    assert!(stage.ok(&["exec", "one", "ps"])?.contains("sleep 2000"));
    stage.ok(&["pod", "pause", "pod"])?;
    stage.ok(&["pod", "unpause", "pod"])?;
    stage.ok(&[
        "run",
        "--rm",
        "--pod",
        "pod",
        IMAGE,
        "sh",
        "-c",
        "kill -KILL $(ps | awk '/[s]leep 2000/ {print $1}')",
    ])?;
    assert_eq!(stage.ok(&["wait", "two"])?, "137");
    stage.ok(&["pod", "stop", "--time", "0", "pod"])?;
    stage.ok(&["pod", "rm", "pod"])?;

    stage.start("box", &[], "exec sleep 3000")?;
    assert!(stage.sh(&["--pid", "container:box"], "ps")?.contains("sleep 3000"));
    let hostname = stage.ok(&["exec", "box", "hostname"])?;
    assert_eq!(stage.sh(&["--uts", "container:box", "--ipc", "container:box"], "hostname")?, hostname);
    Ok(())
}

#[test]
fn terminals_are_terminals() -> Result {
    let stage = Stage::new()?;
    let mut pty = Pty::start(&stage.podman.run(&["--rm", "-it", "--name", "box"], IMAGE, &["sh"]), 24, 80)?;
    pty.send("tty; while ! stty size | grep '24 80'; do :; done\n")?;
    pty.wait_for("/dev/pts/0")?;
    pty.wait_for("\n24 80")?;
    pty.resize(50, 132)?;
    pty.send("while ! stty size | grep '50 132'; do :; done\n")?;
    pty.wait_for("\n50 132")?;

    let mut other = Pty::start(&stage.podman.command(&["exec", "-it", "box", "sh"]), 30, 90)?;
    other.send("tty; test -t 0 && test -t 2 && echo al''l; exit 6\n")?;
    other.wait_for("/dev/pts/1")?;
    other.wait_for("all")?;
    let (code, output) = other.finish()?;
    assert_eq!(code, 6, "{output}");
    pty.send("exit 5\n")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 5, "{output}");
    Ok(())
}
