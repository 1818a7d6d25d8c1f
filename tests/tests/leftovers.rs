//! Nothing of a container is left on the host: no mount, cgroup, namespace, link or process. These run while no other
//! test does.

use end_to_end::engines::{Containerd, Docker, Podman};
use end_to_end::lan::Lan;
use end_to_end::leftovers::{Snapshot, adopt_orphans, settle};
use end_to_end::process::run;
use end_to_end::{Context, Phial, Result, Stage, images, phial};

#[test]
fn nothing_is_left_of_containers_that_came_and_went() -> Result {
    let registry = images::registry()?;
    let (lan, phial) = (Lan::new()?, Phial::new()?);
    adopt_orphans()?;
    let before = Snapshot::take();
    let image = registry.name(images::BUSYBOX);
    let mut stage = Stage { phial, registry, image };
    stage.phial.ok(&["pull", &stage.image])?;
    // The default network stays, as it does with docker.
    stage.phial.enter(&lan.host);
    stage.run(&["-m", "64m", "--pids-limit", "50"], &["true"])?.exited(0)?;
    stage.run(&["--init", "--network", "none"], &["sh", "-c", "exit 3"])?.exited(3)?;
    stage.run(&["--network", "host"], &["no-such-program"])?.exited(127)?;
    stage.run(&["-v", "/no:relative"], &["true"])?.exited(125)?;
    let brief = stage.start(&["--rm", "--cpus", "0.5"], &["sh", "-c", "sleep 1000 & sleep 1000"])?;
    stage.phial.ok(&["exec", "-d", &brief, "sleep", "1000"])?;
    stage.phial.ok(&["kill", &brief])?;
    let kept = stage.start(&[], &["sleep", "1000"])?;
    stage.phial.ok(&["rm", "-f", &kept])?;

    let registry = stage.registry.pid();
    let rest = settle(&[registry]);
    assert!(rest.is_empty(), "processes are left: {rest:?}");
    assert_eq!(Snapshot::take().since(&before), Vec::<String>::new());
    let register = std::fs::read_dir(stage.phial.run_dir().join("networks"))?.flatten().map(|entry| entry.path());
    for file in register.filter(|path| path.extension().is_some_and(|end| end == "json")) {
        let register: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
        assert_eq!(register["endpoints"], serde_json::json!([]));
    }
    Ok(())
}

#[test]
fn a_running_container_is_in_no_mount_table_of_the_host() -> Result {
    let stage = Stage::busybox()?;
    adopt_orphans()?;
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo");
    let before = mounts()?;
    let id = stage.start(&[], &["sleep", "1000"])?;
    assert_eq!(mounts()?, before);
    let inspected = stage.phial.inspect(&id)?;
    let pid = inspected["State"]["Pid"].as_i64().context("a running container has a pid")?;
    let inside = std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
    assert!(inside.lines().next().is_some_and(|line| line.contains(" - overlay ")), "{inside}");
    stage.phial.ok(&["rm", "-f", &id])?;
    assert_eq!(settle(&[stage.registry.pid()]), []);
    Ok(())
}

#[test]
fn nothing_is_left_of_what_docker_did_with_it() -> Result {
    let registry = images::registry()?;
    let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
    adopt_orphans()?;
    let before = Snapshot::take();
    {
        let runtime = phial::program()?.with_file_name("phial-runtime");
        let docker = Docker::with_runtime(&dir.path().join("docker"), &runtime)?;
        let image = registry.name(images::BUSYBOX);
        docker.ok(&["pull", "--quiet", &image])?;
        docker.ok(&["run", "--rm", "--network", "none", "--memory", "64m", &image, "true"])?;
        docker.ok(&["run", "--detach", "--network", "none", "--name", "box", &image, "sleep", "1000"])?;
        docker.ok(&["exec", "--detach", "box", "sleep", "1000"])?;
        docker.ok(&["pause", "box"])?;
        docker.ok(&["rm", "--force", "box"])?;
        docker.ok(&["run", "--detach", "--network", "none", &image, "sleep", "1000"])?;
    }
    let rest = settle(&[registry.pid()]);
    assert!(rest.is_empty(), "processes are left: {rest:?}");
    assert_eq!(Snapshot::take().since(&before), Vec::<String>::new());
    Ok(())
}

#[test]
fn nothing_is_left_of_what_containerd_and_podman_did_with_it() -> Result {
    let registry = images::registry()?;
    let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
    let image = registry.name(images::BUSYBOX);
    let runtime = phial::program()?.with_file_name("phial-runtime");
    adopt_orphans()?;
    let before = Snapshot::take();
    {
        let containerd = Containerd::with_runtime(&dir.path().join("containerd"), &runtime)?;
        containerd.output(&["images", "pull", "--plain-http", &image])?.success()?;
        run(&mut containerd.run(&["--rm", &image, "brief", "true"]))?.success()?;
        containerd.run_detached(&[], &image, "box", &["sleep", "1000"])?;
    }
    {
        let podman = Podman::new(&dir.path().join("podman"), &runtime)?;
        podman.ok(&["pull", "--quiet", "--tls-verify=false", &image])?;
        run(&mut podman.run(&["--rm", "--memory", "64m"], &image, &["true"]))?.success()?;
        run(&mut podman.run(&["--detach", "--name", "box"], &image, &["sleep", "1000"]))?.success()?;
        podman.ok(&["exec", "box", "true"])?;
    }
    let rest = settle(&[registry.pid()]);
    assert!(rest.is_empty(), "processes are left: {rest:?}");
    assert_eq!(Snapshot::take().since(&before), Vec::<String>::new());
    Ok(())
}
