//! Images that are made on this host, in a store of their own.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::builtin::{HELLO, TOOLBOX, bootstrap_toolbox, ensure_hello};
use image::{Document, ImageConfig};
use store::{ImageRecord, Paths, Store};

struct Place {
    directory: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let paths = Paths::new(directory.path().join("root"), directory.path().join("run")).expect("absolute paths");
        Place { store: Store::open(&paths).expect("a store"), directory }
    }

    fn layer(&self, image: &ImageRecord) -> PathBuf {
        self.store.layer_dir(&image.layers[0].diff_id)
    }

    fn config(&self, image: &ImageRecord) -> ImageConfig {
        ImageConfig::parse(&self.store.blob(&image.id).expect("the configuration")).expect("an image configuration")
    }

    /// What a registry's client would check.
    fn check(&self, image: &ImageRecord, reference: &str) {
        let bytes = self.store.blob(&image.manifest).expect("the manifest");
        let Document::Manifest(manifest) = Document::parse(&bytes, "").expect("a manifest") else {
            panic!("not a manifest");
        };
        assert_eq!(manifest.config.digest, image.id);
        assert_eq!(manifest.layers.len(), 1);
        assert_eq!(manifest.layers[0].digest, image.layers[0].digest);
        let config = self.config(image);
        assert_eq!(config.rootfs.diff_ids, [image.layers[0].diff_id]);
        assert_eq!(config.platform().to_string(), image.platform);
        assert_eq!(config.created, image.created);
        assert!(image.references.contains(&reference.to_owned()), "{image:?}");
        assert_eq!(self.store.find_image(reference).expect("it is listed"), *image);
    }
}

#[test]
fn hello_is_made_once() {
    let place = Place::new();
    let image = ensure_hello(&place.store, b"program").expect("it is made");
    place.check(&image, HELLO);
    let program = place.layer(&image).join("hello");
    assert_eq!(fs::read(&program).expect("the program"), b"program");
    assert_eq!(fs::metadata(&program).expect("the program").permissions().mode() & 0o7777, 0o755);
    assert_eq!(image.size, 7);
    assert_eq!(place.config(&image).config.entrypoint, Some(vec!["/hello".to_owned()]));

    // A blob that stays away shows that nothing is made a second time.
    fs::remove_file(place.store.paths().blob(&image.manifest)).expect("the manifest was there");
    assert_eq!(ensure_hello(&place.store, b"program").expect("it is there"), image);
    assert!(!place.store.has_blob(&image.manifest));
}

#[test]
fn hello_is_the_same_in_every_store() {
    let images = [Place::new(), Place::new()].map(|place| ensure_hello(&place.store, b"program").expect("it is made"));
    assert_eq!(images[0], images[1]);
}

#[test]
fn another_program_is_another_image_under_the_same_name() {
    let place = Place::new();
    let first = ensure_hello(&place.store, b"program").expect("it is made");
    let second = ensure_hello(&place.store, b"another").expect("it is made");
    assert_ne!(first.id, second.id);
    place.check(&second, HELLO);
    assert_eq!(ensure_hello(&place.store, b"program").expect("it is made again").id, first.id);
}

/// The user may have given our name to an image with anything in it: a pipe at `/hello` must not stop us.
#[test]
fn what_is_not_our_program_is_not_taken_for_it() {
    let place = Place::new();
    let ours = ensure_hello(&place.store, b"program").expect("it is made");
    let program = place.layer(&ours).join("hello");
    let away = place.directory.path().join("away");
    fs::write(&away, "program").expect("a file");
    let link = ["ln", "-s", away.to_str().expect("UTF-8")];
    for replace in [&["mkfifo"][..], &link, &["mkdir"], &["cp", "/dev/null"]] {
        fs::remove_file(&program).or_else(|_| fs::remove_dir(&program)).expect("something was there");
        let status = Command::new(replace[0]).args(&replace[1..]).arg(&program).status().expect("it runs");
        assert!(status.success(), "{replace:?}");
        let error = ensure_hello(&place.store, b"program").expect_err("the layer is not what it was");
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("phial/hello")), "{error:?}");
    }
}

#[test]
fn a_name_that_was_taken_away_comes_back() {
    let place = Place::new();
    let hello = ensure_hello(&place.store, b"program").expect("it is made");
    place.store.tag(&hello.id, "docker.io/library/mine:latest").expect("a second name");
    place.store.untag(HELLO, store::Use::Refuse).expect("the first name goes");
    let again = ensure_hello(&place.store, b"program").expect("it is named again");
    assert_eq!(again.id, hello.id);
    assert_eq!(again.references, ["docker.io/library/mine:latest", HELLO]);
}

/// With the package that the host's apt fetches, as for its users.
#[test]
fn toolbox_is_a_shell_with_commands() {
    let place = Place::new();
    let said = RefCell::new(Vec::new());
    let tell = |line: &str| said.borrow_mut().push(line.to_owned());
    let image = bootstrap_toolbox(&place.store, &tell).expect("apt-get fetches the package");
    place.check(&image, TOOLBOX);
    assert!(said.borrow()[0].contains("busybox-static"), "{said:?}");
    let config = place.config(&image).config;
    assert_eq!(config.cmd, Some(vec!["sh".to_owned()]));
    assert!(config.labels.contains_key("org.opencontainers.image.version"));

    let root = place.layer(&image);
    for (path, mode) in [("bin/busybox", 0o755), ("tmp", 0o1777), ("root", 0o700), ("etc/passwd", 0o644)] {
        let metadata = fs::symlink_metadata(root.join(path)).expect(path);
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
    }
    let answer = in_root(&root, "id -un; echo $((6 * 7)) | /usr/bin/env cat; ls /bin | wc -l; [ -x /usr/bin/[ ]");
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines[..2], ["root", "42"]);
    assert!(lines[2].trim().parse::<u32>().is_ok_and(|count| count > 50), "{answer}");

    assert_eq!(bootstrap_toolbox(&place.store, &|_| {}).expect("a second time"), image);
    assert_eq!(bootstrap_toolbox(&Place::new().store, &|_| {}).expect("in another store"), image);
    assert_eq!(left_over_packages(), 0, "a temporary directory stayed");
}

fn in_root(root: &Path, script: &str) -> String {
    let output = Command::new("chroot").arg(root).args(["/bin/sh", "-ec", script]).output().expect("chroot runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Temporary directories that hold a package, whoever made them: no other test does.
fn left_over_packages() -> usize {
    let entries = fs::read_dir(std::env::temp_dir()).expect("a directory").flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("phial-"));
    ours.filter(|entry| entry.path().join("files/bin/busybox").exists()).count()
}
