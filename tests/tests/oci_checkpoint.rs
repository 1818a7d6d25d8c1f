//! `phial-runtime checkpoint` and `restore`: a container in files, where criu is installed and can work with the kernel,
//! as in the virtual machine of `cargo xtask test --vm`; one is told so elsewhere.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use end_to_end::bundle::Bundle;
use end_to_end::process::{Running, find, run};
use end_to_end::pty::Pty;
use end_to_end::{Context, Result};
use serde_json::json;

/// Counts in a file. The stream for errors is a file of the test, which a container cannot take along.
const COUNT: &str =
    "exec 2>/dev/null; i=0; while :; do i=$((i+1)); echo $i >/tmp/new; mv /tmp/new /tmp/count; sleep 0.05; done";

/// Whether there is a criu that can do something with this kernel.
fn has_criu() -> Result<bool> {
    match find("criu") {
        None => Ok(false),
        Some(criu) => Ok(run(Command::new(criu).arg("check"))?.code == 0),
    }
}

fn counting() -> Result<Bundle> {
    let mut bundle = Bundle::new()?;
    bundle.config["root"]["readonly"] = json!(false);
    bundle.arguments(&["sh", "-c", COUNT]);
    std::os::unix::fs::symlink("busybox", bundle.path().join("rootfs/bin/mv"))?;
    std::fs::create_dir(bundle.path().join("data"))?;
    std::fs::write(bundle.path().join("data/word"), "outside\n")?;
    let mounts = bundle.config["mounts"].as_array_mut().context("mounts")?;
    mounts.push(json!({"destination": "/data", "type": "bind", "source": "data", "options": ["rbind", "ro"]}));
    bundle.create(&["c"])?;
    bundle.ok(&["start", "c"])?;
    while count(&bundle) < 3 {}
    Ok(bundle)
}

/// How far it is.
fn count(bundle: &Bundle) -> u64 {
    let text = std::fs::read_to_string(bundle.path().join("rootfs/tmp/count")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[test]
fn a_container_goes_on_where_it_was() -> Result {
    if !has_criu()? {
        return Ok(());
    }
    let bundle = counting()?;
    let image = bundle.path().join("image");
    let image = image.to_string_lossy();
    bundle.quiet(&["checkpoint", "--image-path", &image, "c"])?;
    assert!(bundle.run(&["state", "c"])?.exited(1)?.stderr.contains("container does not exist"));
    let before = count(&bundle);
    assert!(before >= 3);
    for id in ["d", "e"] {
        bundle.quiet(&["restore", "--image-path", &image, "--pid-file", "pid", "-d", id])?;
        let state = bundle.state(id)?;
        assert_eq!(state["status"], "running");
        assert_eq!(std::fs::read_to_string(bundle.path().join("pid"))?, state["pid"].to_string());
        // It goes on from where it was, and does not begin again.
        let reached = count(&bundle);
        while count(&bundle) < reached + 3 {}
        assert!(reached >= before);
        assert_eq!(bundle.ok(&["exec", id, "sh", "-c", "echo $$ >/dev/null; readlink /proc/1/exe"])?, "/bin/busybox\n");
        let (members, pid) = (bundle.cgroup_file(id, "cgroup.procs", "cgroup.procs")?, state["pid"].to_string());
        assert!(members.lines().any(|line| line == pid), "{members}");
        // What came from outside is there as well, and what was hidden is still.
        assert_eq!(bundle.ok(&["exec", id, "cat", "/data/word", "/proc/kcore"])?, "outside\n");
        bundle.ok(&["delete", "--force", id])?;
    }
    Ok(())
}

#[test]
fn a_container_is_written_while_it_runs() -> Result {
    if !has_criu()? {
        return Ok(());
    }
    let bundle = counting()?;
    bundle.quiet(&["checkpoint", "--pre-dump", "--image-path", "parent", "c"])?;
    assert_eq!(bundle.state("c")?["status"], "running");
    let options = ["checkpoint", "--leave-running", "--image-path", "image", "--parent-path", "../parent"];
    bundle.quiet(&[&options, &["--work-path", "work", "c"][..]].concat())?;
    assert_eq!(bundle.state("c")?["status"], "running");
    assert!(bundle.path().join("work/dump.log").exists());
    bundle.ok(&["delete", "--force", "c"])?;
    // In the foreground, with its end as the end.
    let mut foreground = Running::start(&mut bundle.command(&["restore", "--image-path", "image", "f"])?)?;
    while !bundle.run(&["state", "f"])?.stdout.contains("\"running\"") {
        assert!(foreground.is_alive());
    }
    bundle.ok(&["kill", "f", "KILL"])?;
    assert_eq!(foreground.wait()?, 137);
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(())
}

/// A network namespace with a name, which goes with this value.
struct Network(String);

impl Network {
    fn new(name: &str) -> Result<Network> {
        run(Command::new("ip").args(["netns", "add", name]))?.success()?;
        Ok(Network(name.to_owned()))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A test that failed says more than what its clean-up could not do.
        let _ = run(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}

#[test]
fn a_network_that_was_given_is_given_again() -> Result {
    if !has_criu()? {
        return Ok(());
    }
    let mut bundle = Bundle::new()?;
    let network = Network::new(&bundle.id())?;
    let path = Path::new("/run/netns").join(&network.0);
    for namespace in bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")? {
        if namespace["type"] == "network" {
            namespace["path"] = json!(path);
        }
    }
    let inode = |pid: &str| std::fs::metadata(format!("/proc/{pid}/ns/net")).map(|file| file.ino());
    // The stream for errors of 'quiet' is a file of the test, which a container cannot take along.
    bundle.arguments(&["sh", "-c", "exec 2>/dev/null; echo >/tmp/ready; sleep 1000"]);
    bundle.config["root"]["readonly"] = json!(false);
    bundle.quiet(&["run", "-d", "c"])?;
    while !bundle.path().join("rootfs/tmp/ready").exists() {}
    bundle.quiet(&["checkpoint", "--image-path", "image", "c"])?;
    bundle.quiet(&["restore", "--image-path", "image", "-d", "d"])?;
    assert_eq!(inode(&bundle.state("d")?["pid"].to_string())?, std::fs::metadata(&path)?.ino());
    bundle.ok(&["delete", "--force", "d"]).map(drop)
}

#[test]
fn a_terminal_is_handed_over() -> Result {
    if !has_criu()? {
        return Ok(());
    }
    let mut bundle = Bundle::new()?;
    bundle.config["process"]["terminal"] = json!(true);
    bundle.arguments(&["sh", "-c", "echo ready; read line; echo got $line; exit 5"]);
    let directory = bundle.path().display().to_string();
    let mut pty = Pty::start(&bundle.command(&["run", "--keep", "--bundle", &directory, "c"])?, 24, 80)?;
    pty.wait_for("ready")?;
    let image = bundle.path().join("image").display().to_string();
    bundle.quiet(&["checkpoint", "--image-path", &image, "c"])?;
    assert_eq!(pty.finish()?.0, 137);
    let words = ["restore", "--bundle", &directory, "--image-path", &image, "d"];
    let mut pty = Pty::start(&bundle.command(&words)?, 24, 80)?;
    pty.send("word\n")?;
    pty.wait_for("got word")?;
    let (code, output) = pty.finish()?;
    assert_eq!(code, 5, "{output}");
    Ok(())
}

#[test]
fn what_cannot_be_is_said() -> Result {
    let mut bundle = Bundle::new()?;
    bundle.arguments(&["sleep", "1000"]);
    bundle.create(&["c"])?;
    let check = |words: &[&str], said: &str| -> Result {
        let refused = bundle.run(words)?.exited(1)?;
        assert!(refused.stderr.contains(said), "{refused:?}");
        Ok(())
    };
    check(&["checkpoint", "c"], "Container cannot be checkpointed in created state")?;
    bundle.ok(&["start", "c"])?;
    check(&["--criu", "/no/criu", "checkpoint", "c"], "exec: \"/no/criu\": executable file not found in $PATH")?;
    check(&["checkpoint", "--status-fd", "77", "c"], "invalid --status-fd 77")?;
    // Options are read once criu is there.
    let criu = ["--criu", "/bin/true", "checkpoint"];
    for (option, value, said) in [
        ("--manage-cgroups-mode", "other", "is none of soft, full, strict and ignore"),
        ("--parent-path", "/absolute", "must be relative"),
        ("--parent-path", "nowhere", "there is no such directory"),
        ("--page-server", "nowhere", "is not ADDRESS:PORT"),
        ("--empty-ns", "pid", "is not supported"),
    ] {
        check(&[&criu, &[option, value, "c"][..]].concat(), said)?;
    }
    // One that says nothing has failed, and the container goes on.
    check(&[&criu, &["c"][..]].concat(), "criu")?;
    assert_eq!(bundle.state("c")?["status"], "running");
    check(&["restore", "--image-path", "nowhere", "d"], "nowhere")?;
    assert!(!Path::new(&bundle.path().join("state/d")).exists());
    Ok(())
}
