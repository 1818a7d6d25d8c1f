//! `phial-runtime` for a user who is nobody: no capability, no cgroup of his own.

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::bundle::Bundle;
use end_to_end::process::{Output, run};
use end_to_end::{Context, Result};
use serde_json::json;

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

const PROGRAM: &str = "phial-runtime";

/// A bundle of his own, with the configuration that `spec --rootless` writes for him.
fn bundle_of_nobody() -> Result<Bundle> {
    let mut bundle = Bundle::new()?;
    // Where the program was built he may not be allowed to look.
    let program = bundle.command(&[])?.get_program().to_owned();
    fs::copy(program, bundle.path().join(PROGRAM))?;
    fs::create_dir(bundle.path().join("spec"))?;
    own(bundle.path())?;
    as_nobody(&bundle, &["spec", "--rootless", "--bundle", "spec"])?.success()?;
    bundle.config = serde_json::from_slice(&fs::read(bundle.path().join("spec/config.json"))?)?;
    bundle.config["process"]["terminal"] = json!(false);
    Ok(bundle)
}

fn own(path: &Path) -> Result {
    run(Command::new("chown").arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(path))?.success().map(drop)
}

/// The runtime with these arguments, run by nobody.
fn as_nobody(bundle: &Bundle, arguments: &[&str]) -> Result<Output> {
    run(&mut of_nobody(bundle, &bundle.command(arguments)?))
}

/// The same command, run by nobody.
fn of_nobody(bundle: &Bundle, command: &Command) -> Command {
    let mut other = Command::new("setpriv");
    other.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    other.arg(bundle.path().join(PROGRAM)).args(command.get_args()).current_dir(bundle.path());
    other
}

/// A container `c` of his that sleeps.
fn sleeping() -> Result<Bundle> {
    let mut bundle = bundle_of_nobody()?;
    bundle.arguments(&["sleep", "1000"]);
    let mut create = of_nobody(&bundle, &bundle.command(&["create", "c"])?);
    let none = std::process::Stdio::null;
    assert!(create.stdin(none()).stdout(none()).stderr(none()).status()?.success());
    as_nobody(&bundle, &["start", "c"])?.success()?;
    Ok(bundle)
}

#[test]
fn a_user_has_containers_of_his_own() -> Result {
    let mut bundle = bundle_of_nobody()?;
    bundle.arguments(&["sh", "-c", "id -u; cat /proc/self/uid_map; grep cgroup /proc/self/mounts; exit 3"]);
    let output = as_nobody(&bundle, &["run", "one"])?.exited(3)?;
    let mut lines = output.stdout.lines();
    assert_eq!(lines.next(), Some("0"), "{output:?}");
    let map: Vec<&str> = lines.next().context("a map")?.split_whitespace().collect();
    assert_eq!(map, ["0", &NOBODY.to_string(), "1"]);
    // Nothing there can be written to (CVE-2023-25809).
    for line in lines.filter(|line| line.split(' ').nth(2).is_some_and(|kind| kind.starts_with("cgroup"))) {
        let options = line.split(' ').nth(3).context("options")?;
        assert!(options.split(',').any(|option| option == "ro"), "{line}");
    }
    Ok(())
}

#[test]
fn a_user_can_do_all_with_his_containers() -> Result {
    let bundle = sleeping()?;
    assert!(as_nobody(&bundle, &["state", "c"])?.success()?.contains("\"running\""));
    assert_eq!(as_nobody(&bundle, &["exec", "c", "id", "-u"])?.success()?, "0\n");
    assert!(as_nobody(&bundle, &["list"])?.success()?.contains("running"));
    as_nobody(&bundle, &["kill", "c", "KILL"])?.success()?;
    as_nobody(&bundle, &["delete", "--force", "c"])?.success()?;
    assert_eq!(as_nobody(&bundle, &["list", "-q"])?.success()?, "");
    Ok(())
}

#[test]
fn containers_of_a_user_share_namespaces() -> Result {
    let mut bundle = sleeping()?;
    let state: serde_json::Value = serde_json::from_str(&as_nobody(&bundle, &["state", "c"])?.success()?)?;
    let pid = state["pid"].to_string();
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
    for space in namespaces.iter_mut() {
        for (kind, file) in [("user", "user"), ("ipc", "ipc"), ("uts", "uts")] {
            if space["type"] == kind {
                space["path"] = json!(format!("/proc/{pid}/ns/{file}"));
            }
        }
    }
    // The maps are still there, and are those of the namespace.
    bundle.arguments(&["sh", "-c", "id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/ipc"]);
    let told = as_nobody(&bundle, &["run", "member"])?.success()?;
    let of_first = |kind: &str| as_nobody(&bundle, &["exec", "c", "readlink", kind])?.success();
    assert_eq!(told, format!("0\n{}{}", of_first("/proc/self/ns/user")?, of_first("/proc/self/ns/ipc")?));
    as_nobody(&bundle, &["delete", "--force", "c"])?.success()?;
    Ok(())
}

#[test]
fn ranges_that_the_host_has_set_aside_are_given() -> Result {
    let mut bundle = bundle_of_nobody()?;
    let maps = json!([
        {"containerID": 0, "hostID": NOBODY, "size": 1},
        {"containerID": 1, "hostID": 200_000, "size": 2000}
    ]);
    bundle.config["linux"]["uidMappings"] = maps.clone();
    bundle.config["linux"]["gidMappings"] = maps;
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [7]});
    bundle.arguments(&["id"]);
    // Nothing is set aside for him on this host; in a mount namespace of the test there is.
    let refused = as_nobody(&bundle, &["run", "one"])?.exited(1)?;
    assert!(refused.stderr.contains("newuidmap"), "{refused:?}");
    assert!(refused.stderr.contains("/etc/subuid"), "{refused:?}");
    let ranges = bundle.path().join("ranges");
    fs::write(&ranges, "nobody:200000:2000\n")?;
    let script = "mount --bind ranges /etc/subuid && mount --bind ranges /etc/subgid && exec \"$@\"";
    let inner = of_nobody(&bundle, &bundle.command(&["run", "one"])?);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(bundle.path());
    let output = run(&mut command)?.success()?;
    assert!(output.contains("uid=1000 gid=1000") && output.contains('7'), "{output}");
    Ok(())
}

/// That he may do without a cgroup does not make a path right that is none.
#[test]
fn what_is_wrong_for_root_is_wrong_for_him() -> Result {
    let mut bundle = bundle_of_nobody()?;
    bundle.config["linux"]["cgroupsPath"] = json!("/../elsewhere");
    let refused = as_nobody(&bundle, &["run", "one"])?.exited(1)?;
    assert!(refused.stderr.contains("linux.cgroupsPath"), "{refused:?}");
    Ok(())
}

#[test]
fn limits_need_what_he_has_not() -> Result {
    let mut bundle = bundle_of_nobody()?;
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 100_000_000}});
    let refused = as_nobody(&bundle, &["run", "one"])?.exited(1)?;
    assert!(refused.stderr.contains("cgroup"), "{refused:?}");
    assert!(refused.stderr.contains("root"), "{refused:?}");
    Ok(())
}
