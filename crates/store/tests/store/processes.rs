//! Several processes at once, and processes that are killed. This test program is its own other process.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use store::{Digest, ErrorKind, ImageRecord, LayerSlot, Use};

use crate::scene::{ALPINE, Scene, names_in, record};

/// What the other process does, and in which store.
const ROLE: &str = "STORE_TEST_ROLE";
const DIRECTORY: &str = "STORE_TEST_DIRECTORY";
/// Begins the lines that the other process reports with: the test harness writes lines of its own.
const REPORT: &str = "report: ";

/// The other process. It is killed when this is dropped.
struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(scene: &Scene, role: &str) -> Other {
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", "processes::other_process", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, scene.directory())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        Other { child, lines }
    }

    /// The next report; None when the process has ended.
    fn report(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map(|line| line.expect("is text"))
            .find_map(|line| line.split_once(REPORT).map(|(_, report)| report.to_owned()))
    }

    fn kill(mut self) {
        self.child.kill().expect("is ours");
        self.child.wait().expect("is ours");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Both fail if it has ended and was waited for, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "is what the other tests start as another process"]
fn other_process() {
    let directory = std::env::var(DIRECTORY).expect("is started by a test");
    let scene = Scene::in_directory(directory.as_ref());
    match std::env::var(ROLE).expect("is started by a test").as_str() {
        "open" => report("opened"),
        "layer" => write_half_a_layer(&scene),
        "lease" => {
            let lease = scene.lease();
            scene.layer(&lease, "under lease");
            report_and_wait("ready");
        }
        "reserve" => {
            let id = store::ContainerId::generate().expect("the kernel has random bytes");
            let reservation = scene.store.reserve_container(&id).expect("is reserved");
            report_and_wait(&reservation.id().hex());
        }
        "create" => {
            let image = scene.store.find_image(ALPINE).expect("is there");
            let record = record(&image, "killed");
            let _lock = scene.create(&record).expect("is created");
            report_and_wait(&record.id.hex());
        }
        "same name" => {
            let image = scene.store.find_image(ALPINE).expect("is there");
            let created = scene.create(&record(&image, "wanted"));
            report_and_wait(if created.is_ok() { "created" } else { "refused" });
        }
        "churn" => churn(&scene),
        other => panic!("unknown role {other}"),
    }
}

#[expect(clippy::print_stdout, reason = "the other process reports on its output")]
fn report(text: &str) {
    println!("{REPORT}{text}");
}

/// Until the test closes the input, or kills.
fn report_and_wait(text: &str) {
    report(text);
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("reads");
}

fn write_half_a_layer(scene: &Scene) {
    let lease = scene.lease();
    let slot = scene.store.begin_layer(&lease, &Digest::of(b"layer")).expect("begins");
    let LayerSlot::Write(writer) = slot else { panic!("the layer is there") };
    std::fs::create_dir(writer.path().join("half")).expect("is made");
    report_and_wait("ready");
}

/// Everything the store does, again and again, until killed.
fn churn(scene: &Scene) {
    for round in 0_u64.. {
        let number = round % 4;
        let image = scene.image(&format!("image {number}"), &["base", &format!("layer {number}")], &[ALPINE]);
        let mut record = record(&image, "");
        let reservation = scene.store.reserve_container(&record.id).expect("is reserved");
        match reservation.commit_with_random_name(&mut record) {
            Ok(lock) => scene.store.remove_container(lock).expect("is removed"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "only that another deletes the image: {error}"),
        }
        if let Err(error) = scene.store.delete_image(&image.id, Use::Refuse) {
            assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict), "others use it too: {error}");
        }
        let collected = scene.store.collect();
        assert!(collected.errors.is_empty(), "{:?}", collected.errors);
        report(&round.to_string());
    }
}

#[test]
fn many_processes_make_one_store() {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let start = |_| {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--exact", "processes::other_process", "--ignored"]);
        command.env(ROLE, "open").env(DIRECTORY, directory.path()).stdout(Stdio::null());
        command.spawn().expect("starts")
    };
    let children: Vec<Child> = (0..12).map(start).collect();
    for mut child in children {
        assert!(child.wait().expect("is ours").success());
    }
    assert!(Scene::in_directory(directory.path()).store.images().expect("lists").is_empty());
}

#[test]
fn of_many_processes_one_gets_a_name() {
    let scene = Scene::new();
    scene.image("one", &[], &[ALPINE]);
    let mut others: Vec<Other> = (0..6).map(|_| Other::start(&scene, "same name")).collect();
    let mut answers: Vec<String> = others.iter_mut().map(|other| other.report().expect("reports")).collect();
    answers.sort();
    assert_eq!(answers, ["created", "refused", "refused", "refused", "refused", "refused"]);
    others.into_iter().for_each(Other::kill);
}

#[test]
fn a_layer_whose_writer_was_killed_is_written_anew() {
    let scene = Scene::new();
    let diff_id = Digest::of(b"layer");
    let mut other = Other::start(&scene, "layer");
    assert_eq!(other.report().as_deref(), Some("ready"));
    let lease = scene.lease();
    assert!(scene.store.try_begin_layer(&lease, &diff_id).expect("answers").is_none());
    assert_eq!(scene.store.collect().temporary, 0);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| scene.store.begin_layer(&lease, &diff_id).expect("begins"));
        other.kill();
        let LayerSlot::Write(writer) = waiter.join().expect("does not panic") else { panic!("half a layer is none") };
        assert!(names_in(&writer.path()).is_empty());
        writer.commit(0).expect("is committed");
    });
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn what_a_killed_writer_left_is_collected() {
    let scene = Scene::new();
    let mut other = Other::start(&scene, "layer");
    assert_eq!(other.report().as_deref(), Some("ready"));
    other.kill();
    assert_eq!(scene.names_in_tmp().len(), 2);
    assert_eq!(scene.store.collect().temporary, 1);
    assert!(scene.names_in_tmp().is_empty());
}

#[test]
fn a_lease_ends_with_its_process() {
    let scene = Scene::new();
    let mut other = Other::start(&scene, "lease");
    assert_eq!(other.report().as_deref(), Some("ready"));
    assert!(scene.store.collect().layers.is_empty());
    other.kill();
    assert_eq!(scene.store.collect().layers, [Digest::of(b"under lease")]);
}

#[test]
fn a_container_whose_creator_was_killed_is_collected() {
    let scene = Scene::new();
    scene.image("one", &[], &[ALPINE]);
    for role in ["reserve", "create"] {
        let mut other = Other::start(&scene, role);
        let id = other.report().expect("reports").parse().expect("is an id");
        assert!(scene.store.container_is_live(&id).expect("answers"));
        assert!(scene.store.collect().containers.is_empty(), "{role}");
        other.kill();
        assert!(!scene.store.container_is_live(&id).expect("answers"));
        assert_eq!(scene.store.collect().containers, [id], "{role}");
        assert!(!scene.has_directories(&id), "{role}");
    }
    assert!(scene.store.containers().expect("lists").is_empty());
}

/// Two processes do everything at once; one after the other is killed while it works.
#[test]
fn a_kill_at_any_instant_leaves_a_whole_store() {
    const KILLS: usize = 24;
    let scene = Scene::new();
    let mut bystander = Other::start(&scene, "churn");
    for rounds in 0..KILLS {
        let mut victim = Other::start(&scene, "churn");
        // The next round is somewhere when the report of this one arrives.
        for _ in 0..=rounds % 3 {
            victim.report().expect("goes on until it is killed");
        }
        victim.kill();
        bystander.report().expect("is not disturbed by the death of another");
        scene.store.images().expect("lists").iter().for_each(|image| check_whole(&scene, image));
    }
    bystander.kill();
    for image in scene.store.images().expect("lists") {
        check_whole(&scene, &image);
        scene.store.delete_image(&image.id, Use::Ignore).expect("is there");
    }
    let collected = scene.store.collect();
    assert!(collected.errors.is_empty(), "{:?}", collected.errors);
    let paths = scene.store.paths();
    for directory in [paths.tmp(), paths.layers(), paths.blobs(), paths.containers(), paths.run_containers()] {
        assert_eq!(names_in(&directory), Vec::<String>::new(), "{}", directory.display());
    }
}

/// An image that is listed has all it consists of, unless it was deleted since it was listed.
fn check_whole(scene: &Scene, image: &ImageRecord) {
    let whole = scene.store.blob(&image.id).is_ok()
        && scene.store.blob(&image.manifest).is_ok()
        && image.layers.iter().all(|layer| scene.store.layer_dir(&layer.diff_id).join("name").exists());
    assert!(whole || scene.store.find_image(&image.id.to_string()).is_err(), "{image:?}");
}
