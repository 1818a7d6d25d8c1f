//! `phial-runtime --systemd-cgroup`: a container as a unit of systemd. Where the host was not booted with systemd, which
//! is everywhere but in the virtual machine of `cargo xtask test --vm`, one is told so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::bundle::Bundle;
use end_to_end::process::run;
use end_to_end::{Context, Result};
use serde_json::{Value, json};

/// A bundle with limits, for the unit `phial-NAME.scope` of the slice `phialtest.slice`; None without systemd.
fn bundle() -> Result<Option<(Bundle, String)>> {
    let mut bundle = Bundle::new()?;
    let name = bundle.config["linux"]["cgroupsPath"].as_str().context("cgroupsPath")?.trim_matches('/').to_owned();
    bundle.config["linux"]["cgroupsPath"] = json!(format!("phialtest.slice:phial:{name}"));
    let resources = &mut bundle.config["linux"]["resources"];
    resources["memory"] = json!({"limit": 64 << 20});
    resources["pids"] = json!({"limit": 30});
    resources["cpu"] = json!({"shares": 512});
    bundle.arguments(&["sleep", "1000"]);
    if Path::new("/run/systemd/system").exists() {
        return Ok(Some((bundle, format!("phial-{name}.scope"))));
    }
    let refused = bundle.run(&["--systemd-cgroup", "run", "c"])?.exited(1)?;
    assert!(refused.stderr.contains("use the cgroupfs driver"), "{refused:?}");
    assert_eq!(bundle.ok(&["list", "-q"])?, "");
    Ok(None)
}

/// What systemd says of a unit.
fn properties(unit: &str) -> Result<BTreeMap<String, String>> {
    let text = run(Command::new("systemctl").args(["show", unit]))?.success()?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn directory(bundle: &Bundle) -> Result<PathBuf> {
    let saved: Value = serde_json::from_slice(&std::fs::read(bundle.path().join("state/c/state.json"))?)?;
    assert_eq!(saved["cgroup_driver"], "systemd");
    Ok(PathBuf::from(saved["cgroups"][0].as_str().context("no cgroup")?))
}

#[test]
fn a_container_is_a_unit_with_its_limits() -> Result {
    let Some((mut bundle, unit)) = bundle()? else { return Ok(()) };
    bundle.config["annotations"] = json!({"org.systemd.property.TimeoutStopUSec": "uint64 7000000"});
    bundle.quiet(&["--systemd-cgroup", "create", "c"])?;
    let place = directory(&bundle)?;
    assert!(place.ends_with(Path::new("phialtest.slice").join(&unit)), "{}", place.display());
    let told = properties(&unit)?;
    for (name, value) in [
        ("ActiveState", "active"),
        ("Slice", "phialtest.slice"),
        ("MemoryMax", "67108864"),
        ("TasksMax", "30"),
        ("CPUWeight", "59"),
        ("Delegate", "yes"),
        ("TimeoutStopUSec", "7s"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name} of {told:?}");
    }
    let file = |name: &str| std::fs::read_to_string(place.join(name)).map(|text| text.trim().to_owned());
    assert_eq!((file("memory.max")?, file("pids.max")?), ("67108864".to_owned(), "30".to_owned()));
    // Nobody else is in it: what held the place is gone.
    assert_eq!(file("cgroup.procs")?, bundle.state("c")?["pid"].to_string());

    // The other verbs know the driver by themselves.
    bundle.ok(&["start", "c"])?;
    bundle.ok(&["exec", "c", "true"])?;
    bundle.ok(&["pause", "c"])?;
    assert_eq!(bundle.state("c")?["status"], "paused");
    bundle.ok(&["resume", "c"])?;
    bundle.ok(&["update", "--memory", "32m", "--cpu-quota", "50000", "c"])?;
    assert_eq!((file("memory.max")?, file("cpu.max")?), ("33554432".to_owned(), "50000 100000".to_owned()));
    let told = properties(&unit)?;
    assert_eq!(told.get("MemoryMax").map(String::as_str), Some("33554432"));
    assert_eq!(told.get("CPUQuotaPerSecUSec").map(String::as_str), Some("500ms"));
    // systemd reads everything anew, and the limits stay.
    run(Command::new("systemctl").arg("daemon-reload"))?.success()?;
    assert_eq!((file("memory.max")?, file("pids.max")?), ("33554432".to_owned(), "30".to_owned()));
    let event: Value = serde_json::from_str(&bundle.ok(&["events", "--stats", "c"])?)?;
    assert_eq!(event["data"]["memory"]["usage"]["limit"], 32 << 20, "{event}");

    bundle.ok(&["delete", "--force", "c"])?;
    assert!(!place.exists());
    assert_eq!(properties(&unit)?.get("ActiveState").map(String::as_str), Some("inactive"));
    Ok(())
}

#[test]
fn a_unit_goes_with_its_container() -> Result {
    let Some((mut bundle, unit)) = bundle()? else { return Ok(()) };
    bundle.arguments(&["sh", "-c", "exit 7"]);
    bundle.run(&["--cgroup-manager", "systemd", "run", "c"])?.exited(7)?;
    assert_eq!(properties(&unit)?.get("LoadState").map(String::as_str), Some("not-found"));
    // One that ends by itself takes the unit with it; what is kept of the container is deleted all the same.
    bundle.quiet(&["--systemd-cgroup", "run", "-d", "c"])?;
    while bundle.state("c")?["status"] != "stopped" {}
    bundle.ok(&["delete", "c"])?;
    // A program that is not there leaves no unit.
    bundle.arguments(&["nope"]);
    bundle.run(&["--systemd-cgroup", "run", "c"])?.exited(1)?;
    assert_eq!(properties(&unit)?.get("LoadState").map(String::as_str), Some("not-found"));
    Ok(())
}

#[test]
fn names_of_units_are_slice_prefix_name() -> Result {
    let Some((mut bundle, _unit)) = bundle()? else { return Ok(()) };
    for path in ["/a/b", "a.slice:b", "a:b:c", "a.slice:b:c.slice"] {
        bundle.config["linux"]["cgroupsPath"] = json!(path);
        let refused = bundle.run(&["--systemd-cgroup", "run", "c"])?.exited(1)?;
        assert!(refused.stderr.contains("linux.cgroupsPath"), "{refused:?}");
    }
    // Without a path it is named after the id, in systemd's own slice.
    bundle.config["linux"].as_object_mut().context("linux")?.remove("cgroupsPath");
    bundle.quiet(&["--systemd-cgroup", "create", "c"])?;
    assert!(directory(&bundle)?.ends_with("system.slice/phial-c.scope"));
    // An id that is taken is refused before anything is asked of systemd.
    let again = bundle.run(&["--systemd-cgroup", "create", "c"])?.exited(1)?;
    assert!(again.stderr.contains("container with given ID already exists"), "{again:?}");
    bundle.ok(&["delete", "c"])?;
    assert_eq!(properties("phial-c.scope")?.get("LoadState").map(String::as_str), Some("not-found"));
    Ok(())
}

/// A user without rights, and his manager, which ends with this value.
struct User {
    unit: String,
    directory: PathBuf,
}

impl User {
    const ID: &str = "65534";

    fn new(name: &str) -> Result<User> {
        let unit = format!("phialtest-user-{name}.service");
        let directory = PathBuf::from(format!("/run/phialtest-user-{name}"));
        let mut start = Command::new("systemd-run");
        start.arg(format!("--unit={unit}")).args(["-p", "Delegate=yes", "-p", "Type=notify"]);
        start.args(["-p", "User=nobody", "-p", &format!("RuntimeDirectory=phialtest-user-{name}")]);
        for name in ["XDG_RUNTIME_DIR", "HOME"] {
            start.arg("-E").arg(format!("{name}={}", directory.display()));
        }
        start.args(["/lib/systemd/systemd", "--user"]);
        run(&mut start)?.success()?;
        Ok(User { unit, directory })
    }

    /// Runs a command as him, in the part of the tree that he may divide.
    fn run(&self, command: &Command) -> Result<end_to_end::process::Output> {
        const SCRIPT: &str = "mkdir \"$0\" && echo $$ >\"$0/cgroup.procs\" && exec setpriv \"$@\"";
        let place = Path::new("/sys/fs/cgroup/system.slice").join(&self.unit).join("caller");
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]).arg(place).args(["--reuid", User::ID, "--regid", User::ID, "--clear-groups", "--"]);
        shell.env("XDG_RUNTIME_DIR", &self.directory);
        if let Some(directory) = command.get_current_dir() {
            shell.current_dir(directory);
        }
        run(shell.arg(command.get_program()).args(command.get_args()))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // A test that failed says more than what its clean-up could not do.
        let _ = run(Command::new("systemctl").args(["stop", &self.unit]));
    }
}

#[test]
fn a_user_without_rights_has_units_of_his_own_manager() -> Result {
    let Some((mut bundle, unit)) = bundle()? else { return Ok(()) };
    bundle.config["linux"]["namespaces"].as_array_mut().context("namespaces")?.push(json!({"type": "user"}));
    let id: u32 = User::ID.parse().context("a number")?;
    let map = json!([{"containerID": 0, "hostID": id, "size": 1}]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    bundle.config["linux"]["resources"].as_object_mut().context("resources")?.remove("devices");
    for mount in bundle.config["mounts"].as_array_mut().context("mounts")? {
        // The group of terminals is not mapped.
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|option| option != "gid=5");
        }
    }
    bundle.arguments(&["cat", "/proc/self/cgroup", "/sys/fs/cgroup/memory.max"]);
    let command = bundle.command(&["--systemd-cgroup", "run", "c"])?;
    let owned = format!("{}:{}", User::ID, User::ID);
    run(Command::new("chown").args(["-R", &owned]).arg(bundle.path()))?.success()?;
    let user = User::new(unit.trim_end_matches(".scope"))?;
    let output = user.run(&command)?;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("67108864"), "{output:?}");
    Ok(())
}
