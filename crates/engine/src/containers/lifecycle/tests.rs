//! Containers in a real store, with the files that a supervisor would write put in place by hand: how they come into
//! being, which state is read from what, how they go. What needs a supervisor is tested end to end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runtime::protocol::policy::RUN_FILE;
use runtime::protocol::{EXIT_FILE, ExitRecord, Phase, STATUS_FILE, Status, VERSION};
use store::{ImageRecord, Paths};
use tempfile::TempDir;

use super::*;
use crate::config::{ContainerConfig, Mount, Network, Signal};
use crate::{Created, Engine, ErrorKind, ListOptions, Options, PullPolicy, RemovedImage, Unstarted};

/// An engine on a store of its own, with one image.
struct Bench {
    engine: Engine,
    image: ImageRecord,
    directory: TempDir,
}

fn everything() -> ListOptions {
    ListOptions { all: true, ..ListOptions::default() }
}

impl Bench {
    fn new() -> Bench {
        let directory = TempDir::new().expect("a temporary directory");
        let paths = Paths::new(directory.path().join("root"), directory.path().join("run")).expect("is absolute");
        let options = Options {
            paths,
            runtime_program: b"",
            runtime_build: "test",
            hello_program: b"a program",
            program: None,
            registries: None,
            docker_config: None,
        };
        let engine = Engine::open(options).expect("the store opens");
        let image =
            engine.ensure_image("hello", PullPolicy::Never, &image::PullOptions::default(), &()).expect("is built in");
        Bench { engine, image, directory }
    }

    fn create(&self, name: &str, change: impl FnOnce(&mut ContainerConfig)) -> crate::Result<Created> {
        let mut config =
            ContainerConfig { image: "hello".to_owned(), name: Some(name.to_owned()), ..Default::default() };
        change(&mut config);
        self.engine.create(&config, &self.image, Unstarted::Collect)
    }

    fn state(&self, name: &str) -> State {
        self.engine.container(name).expect("is there").state
    }

    fn put(&self, created: &Created, file: &str, content: &impl serde::Serialize) {
        let paths = self.engine.paths();
        let directory =
            if file == EXIT_FILE { paths.container(created.id()) } else { paths.run_container(created.id()) };
        fs::write(directory.join(file), serde_json::to_vec(content).expect("is JSON")).expect("written");
    }
}

fn status() -> Status {
    let started_at = "2026-08-05T12:00:00.000000000Z".to_owned();
    Status { version: VERSION, pid: 7, supervisor: 6, started_at, ..Status::default() }
}

fn exit(started_at: &str, error: Option<&str>) -> ExitRecord {
    ExitRecord {
        version: VERSION,
        exit_code: 3,
        oom_killed: false,
        error: error.map(str::to_owned),
        started_at: started_at.to_owned(),
        finished_at: "2026-08-05T12:01:00.000000000Z".to_owned(),
        restarts: 0,
    }
}

#[test]
fn a_new_container_has_its_files_and_holds_its_lock() {
    let bench = Bench::new();
    // One on networks gets the files below /etc when it has addresses.
    let own =
        |config: &mut ContainerConfig| (config.network, config.hostname) = (Network::None, Some("box".to_owned()));
    let created = bench.create("one", own).expect("is created");
    let directory = bench.engine.paths().container(created.id());
    let mode = |name: &str| fs::metadata(directory.join(name)).expect("is there").permissions().mode() & 0o7777;
    assert_eq!(["hostname", "hosts", "resolv.conf", "upper", "work"].map(mode), [0o644, 0o644, 0o644, 0o755, 0o700]);
    assert_eq!(fs::read_to_string(directory.join("hostname")).expect("is there"), "box\n");
    let text = fs::read(directory.join("config.json")).expect("is there");
    let spec: oci_spec::runtime::Spec = serde_json::from_slice(&text).expect("is a configuration");
    assert_eq!(spec.hostname().as_deref(), Some("box"));
    assert!(matches!(bench.state("one"), State::Created(None)));
    // Whoever lists while it is held finds it, and collects nothing.
    assert_eq!(bench.engine.containers(true).expect("lists").len(), 1);
}

#[test]
fn a_name_is_taken_until_its_holder_is_gone() {
    let bench = Bench::new();
    let first = bench.create("one", |_| {}).expect("is created");
    let error = bench.create("one", |_| {}).expect_err("the name is taken");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(&first.id().hex()), "{error}");
    assert_eq!(error.hint(), Some("phial rm one, or use another name"));
    assert_eq!(fs::read_dir(bench.engine.paths().containers()).expect("lists").count(), 1, "the second left nothing");
    // Its creator ends without having started it: the next one may have the name.
    drop(first);
    let _second = bench.create("one", |_| {}).expect("is created");
}

#[test]
fn what_nobody_started_goes_or_stays_as_was_asked() {
    let bench = Bench::new();
    drop(bench.create("ran", |_| {}).expect("is created"));
    let config = ContainerConfig { image: "hello".to_owned(), name: Some("kept".to_owned()), ..Default::default() };
    drop(bench.engine.create(&config, &bench.image, Unstarted::Keep).expect("is created"));
    let names = bench.engine.list(&everything()).expect("lists");
    assert_eq!(names.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(names[0].status, "Created");
}

#[test]
fn states_follow_from_lock_status_and_exit() {
    let bench = Bench::new();
    let created = bench.create("one", |_| {}).expect("is created");
    bench.put(&created, STATUS_FILE, &status());
    assert!(matches!(bench.state("one"), State::Running(status) if status.pid == 7));
    let directory = bench.engine.paths().container(created.id());
    let run = bench.engine.paths().run_container(created.id());
    // The record of the run before this one says nothing.
    bench.put(&created, EXIT_FILE, &exit("2026-08-05T11:00:00.000000000Z", None));
    assert!(matches!(bench.state("one"), State::Running(_)));
    for (phase, name) in [(Phase::Paused, "paused"), (Phase::Restarting, "restarting")] {
        bench.put(&created, STATUS_FILE, &Status { phase, ..status() });
        assert_eq!(bench.state("one").name(), name);
    }
    // The supervisor writes the record before it lets the lock go.
    bench.put(&created, EXIT_FILE, &exit(&status().started_at, None));
    assert!(matches!(bench.state("one"), State::Exited(exit) if exit.exit_code == 3));
    fs::remove_file(run.join(STATUS_FILE)).expect("removed");
    bench.put(&created, EXIT_FILE, &exit("", Some("exec: not found")));
    assert!(matches!(bench.state("one"), State::Created(Some(exit)) if exit.error.is_some()));
    bench.put(&created, STATUS_FILE, &status());
    // A supervisor that was killed lets go of the lock and leaves no record.
    fs::remove_file(directory.join(EXIT_FILE)).expect("removed");
    drop(created);
    assert!(matches!(bench.state("one"), State::Lost(Some(status)) if status.pid == 7));
    assert_eq!(bench.engine.list(&everything()).expect("lists")[0].status, "Dead");
    assert!(bench.engine.list(&ListOptions::default()).expect("lists").is_empty());
    // After a reboot there is no status; what must not be forgotten is elsewhere.
    fs::remove_file(run.join(STATUS_FILE)).expect("removed");
    fs::write(directory.join(RUN_FILE), "{}").expect("written");
    assert!(matches!(bench.state("one"), State::Lost(None)));
}

#[test]
fn only_what_does_not_run_is_removed() {
    let bench = Bench::new();
    let created = bench.create("one", |_| {}).expect("is created");
    bench.put(&created, STATUS_FILE, &status());
    let running = bench.engine.container("one").expect("is there");
    let error = bench.engine.remove(&running, RemoveOptions::default()).expect_err("it runs");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Conflict, "container one is running"));
    bench.put(&created, EXIT_FILE, &exit(&status().started_at, None));
    let paths = bench.engine.paths().clone();
    let (directory, run) = (paths.container(created.id()), paths.run_container(created.id()));
    drop(created);
    let ended = bench.engine.container("one").expect("is there");
    assert_eq!(bench.engine.wait(&ended).expect("has ended"), 3);
    bench.engine.stop(&ended, StopOptions::default()).expect("there is nothing to stop");
    let error = bench.engine.kill(&ended, Signal::KILL).expect_err("it has ended");
    assert_eq!(error.to_string(), "container one is not running");
    bench.engine.remove(&ended, RemoveOptions::default()).expect("is removed");
    assert!(!directory.exists() && !run.exists());
    assert_eq!(bench.engine.container("one").expect_err("is gone").kind(), ErrorKind::NotFound);
}

#[test]
fn sources_of_bind_mounts_are_dockers() {
    let bench = Bench::new();
    let (made, missing) = (bench.directory.path().join("a/b"), bench.directory.path().join("c"));
    let text = format!("{}:/b", made.display());
    let volume = Mount::parse_volume(&text, Path::new("/")).expect("is a mount");
    let _created = bench.create("one", |config| config.mounts = vec![volume]).expect("is created");
    assert!(made.is_dir());
    let text = format!("type=bind,src={},dst=/b", missing.display());
    let mount = Mount::parse_mount(&text, Path::new("/")).expect("is a mount");
    let error = bench.create("two", |config| config.mounts = vec![mount]).expect_err("has no source");
    assert_eq!(error.to_string(), format!("--mount: bind source {} does not exist", missing.display()));
    assert!(bench.engine.container("two").is_err() && !missing.exists());
}

#[test]
fn a_user_the_image_has_not_is_an_error_before_anything_is_made() {
    let bench = Bench::new();
    let error = bench.create("one", |config| config.user = Some("nobody".to_owned())).expect_err("there is none");
    assert_eq!(error.to_string(), "user nobody: no user 'nobody' in the image's /etc/passwd");
    assert_eq!(fs::read_dir(bench.engine.paths().containers()).map_or(0, Iterator::count), 0);
}

#[test]
fn an_image_in_use_is_removed_by_force_only() {
    let bench = Bench::new();
    let _created = bench.create("one", |_| {}).expect("is created");
    assert_eq!(bench.engine.remove_image("hello", false).expect_err("is in use").kind(), ErrorKind::Conflict);
    let removed = bench.engine.remove_image("hello", true).expect("is removed");
    assert_eq!(removed.first(), Some(&RemovedImage::Untagged("phial/hello:latest".to_owned())));
    // The container still has what it is made of.
    let container = bench.engine.container("one").expect("is there");
    let inspected = bench.engine.inspect_container(&container).expect("is described");
    assert_eq!(inspected["Path"], "/hello");
    assert_eq!(bench.engine.image("hello").expect_err("is gone").kind(), ErrorKind::NotFound);
}

#[test]
fn what_inspect_says_is_in_dockers_places() {
    let bench = Bench::new();
    let change = |config: &mut ContainerConfig| {
        config.command = vec!["--json".to_owned()];
        config.memory = Some(64 << 20);
        config.labels = [("a".to_owned(), "b".to_owned())].into();
        config.stop_signal = Some(Signal::KILL);
        config.mounts = vec![Mount::parse_volume("/etc:/b:ro", Path::new("/")).expect("is a mount")];
    };
    let created = bench.create("one", change).expect("is created");
    bench.put(&created, EXIT_FILE, &exit("2026-08-05T12:00:00Z", None));
    let container = bench.engine.container("one").expect("is there");
    let value = bench.engine.inspect_container(&container).expect("is described");
    let id = created.id().hex();
    for (pointer, expected) in [
        ("/Id", serde_json::json!(id)),
        ("/Name", "/one".into()),
        ("/Args", serde_json::json!(["--json"])),
        ("/State/Status", "exited".into()),
        ("/State/ExitCode", 3.into()),
        ("/State/FinishedAt", "2026-08-05T12:01:00.000000000Z".into()),
        ("/Config/Cmd", serde_json::json!(["--json"])),
        ("/Config/Hostname", id[..12].into()),
        ("/Config/Labels/a", "b".into()),
        ("/Config/StopSignal", "SIGKILL".into()),
        ("/HostConfig/Binds", serde_json::json!(["/etc:/b:ro"])),
        ("/HostConfig/Memory", (64 << 20).into()),
        ("/HostConfig/NetworkMode", "bridge".into()),
        ("/NetworkSettings/Networks/bridge/IPAddress", "".into()),
        ("/Mounts/0/Destination", "/b".into()),
        ("/Mounts/0/RW", false.into()),
    ] {
        assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
    }
    let image = bench.engine.inspect_image(&bench.image).expect("is described");
    assert_eq!(image["RepoTags"], serde_json::json!(["phial/hello:latest"]));
    assert_eq!(image["Config"]["Entrypoint"], serde_json::json!(["/hello"]));
}

#[test]
fn whoever_works_with_a_container_waits_for_its_start() {
    let bench = Bench::new();
    for starts in [true, false] {
        let created = bench.create("one", |_| {}).expect("is created");
        let seen = bench.engine.container("one").expect("is there");
        let (engine, id) = (&bench.engine, *created.id());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| engine.settled(&seen).map(|container| container.state.name()));
            if starts {
                // As a supervisor does it: another name first.
                let directory = engine.paths().run_container(&id);
                fs::write(directory.join("new"), serde_json::to_vec(&status()).expect("is JSON")).expect("written");
                fs::rename(directory.join("new"), directory.join(STATUS_FILE)).expect("renamed");
                assert_eq!(waiting.join().expect("does not panic").expect("runs"), "running");
                drop(created);
            } else {
                drop(created);
                assert_eq!(waiting.join().expect("does not panic").expect("is there"), "created");
            }
        });
        let lost = bench.engine.container("one").expect("is there");
        bench.engine.remove(&lost, RemoveOptions::default()).expect("is removed");
    }
}
