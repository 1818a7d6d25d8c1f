//! `save` and `load`: what other programs make of our archives, what we make of theirs, and of those that nobody should have made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::engines::Docker;
use end_to_end::process::{run, run_with_input};
use end_to_end::{Context, Phial, Result, Stage};
use serde_json::{Value, json};

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("is text")
}

fn id(phial: &Phial, name: &str) -> Result<String> {
    Ok(phial.inspect(name)?["Id"].as_str().context("an id")?.to_owned())
}

#[test]
fn what_is_saved_is_the_same_again() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let dir = phial.scratch().to_owned();
    let (one, two) = (dir.join("one.tar"), dir.join("two.tar"));
    phial.ok(&["tag", &stage.image, "saved:1"])?;
    phial.ok(&["save", "-o", text(&one)?, "saved:1"])?;
    let mut save = phial.command(&["save", "saved:1"]);
    assert_eq!(save.stdout(fs::File::create(&two)?).status()?.code(), Some(0));
    assert!(fs::read(&one)? == fs::read(&two)?, "the same image gives another archive");

    // Into an empty store, under the same id, from a file, compressed, from a pipe, and from a directory.
    let want = id(phial, "saved:1")?;
    let layout = dir.join("layout");
    fs::create_dir(&layout)?;
    run(Command::new("tar").args(["-xf", text(&one)?, "-C", text(&layout)?]))?.success()?;
    let mut sources: Vec<PathBuf> = vec![one.clone(), layout];
    for (program, end) in [("gzip", "gz"), ("zstd", "zst"), ("bzip2", "bz2"), ("xz", "xz")] {
        let compressed = dir.join(format!("one.tar.{end}"));
        let mut command = Command::new(program);
        command.arg("-1").arg("-c").arg(&one).stdout(fs::File::create(&compressed)?);
        assert!(command.status().context(program)?.success(), "{program}");
        sources.push(compressed);
    }
    for source in sources {
        let other = Phial::new()?;
        let said = other.ok(&["load", "-i", text(&source)?])?;
        assert_eq!(said, "Loaded image: saved:1", "{}", source.display());
        assert_eq!(id(&other, "saved:1")?, want);
        if source == one {
            assert_eq!(other.ok(&["run", "--rm", "saved:1", "cat", "/etc/hostname"])?.len(), 12);
            let again = dir.join("again.tar");
            other.ok(&["save", "-o", text(&again)?, "saved:1"])?;
            assert!(fs::read(&again)? == fs::read(&one)?, "saved, loaded and saved again");
        }
    }
    let piped = Phial::new()?;
    let output = run_with_input(&mut piped.command(&["load", "-q"]), &fs::read(&one)?)?;
    assert_eq!(output.success()?, "Loaded image: saved:1\n");
    Ok(())
}

#[test]
fn docker_and_skopeo_read_ours_and_we_read_theirs() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let dir = phial.scratch().to_owned();
    let ours = dir.join("ours.tar");
    phial.ok(&["tag", &stage.image, "shared:1"])?;
    phial.ok(&["save", "-o", text(&ours)?, "shared:1"])?;
    let want = id(phial, "shared:1")?;

    let docker = Docker::start(&dir.join("docker"))?;
    docker.ok(&["load", "-i", text(&ours)?])?;
    assert_eq!(docker.inspect("shared:1")?["Id"], want.as_str());
    let theirs = dir.join("theirs.tar");
    docker.ok(&["save", "-o", text(&theirs)?, "shared:1"])?;
    let copies = [
        (format!("docker-archive:{}", text(&ours)?), format!("docker-archive:{}:copied:1", text(&dir.join("s1.tar"))?)),
        (format!("docker-archive:{}", text(&ours)?), format!("oci-archive:{}:copied:2", text(&dir.join("s2.tar"))?)),
        (format!("oci-archive:{}", text(&ours)?), format!("oci:{}:copied:3", text(&dir.join("s3"))?)),
    ];
    for (from, to) in &copies {
        run(Command::new("skopeo").args(["--insecure-policy", "copy", "-q", from, to]))?.success()?;
    }
    for (archive, name) in [
        (theirs, "shared:1"),
        (dir.join("s1.tar"), "copied:1"),
        (dir.join("s2.tar"), "copied:2"),
        (dir.join("s3"), "copied:3"),
    ] {
        let other = Phial::new()?;
        let said = other.ok(&["load", "-i", text(&archive)?])?;
        assert_eq!(said, format!("Loaded image: {name}"), "{}", archive.display());
        // Skopeo writes another configuration, and with it another id, when it makes an OCI image.
        if ["shared:1", "copied:1"].contains(&name) {
            assert_eq!(id(&other, name)?, want, "{}", archive.display());
        }
        assert_eq!(other.ok(&["run", "--rm", name, "echo", "runs"])?, "runs");
    }
    Ok(())
}

#[test]
fn several_images_and_names() -> Result {
    let stage = Stage::busybox()?;
    let (phial, dir) = (&stage.phial, stage.phial.scratch());
    for name in ["many:1", "many:2", "other:1"] {
        phial.ok(&["tag", &stage.image, name])?;
    }
    phial.ok(&["run", "--name", "made", &stage.image, "touch", "/new"])?;
    phial.ok(&["commit", "made", "many:3"])?;
    let archive = dir.join("many.tar");
    // A name without a tag means all of them.
    phial.ok(&["save", "-o", text(&archive)?, "many", "other:1"])?;
    let other = Phial::new()?;
    let said = other.ok(&["load", "-i", text(&archive)?])?;
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["many:1", "many:2", "many:3", "other:1"].map(|name| format!("Loaded image: {name}")));
    assert_eq!(id(&other, "many:3")?, id(phial, "many:3")?);
    // By id it has no name; a name that another image has moves.
    let nameless = dir.join("nameless.tar");
    let whole = id(phial, "many:3")?;
    phial.ok(&["save", "-o", text(&nameless)?, &whole[7..19]])?;
    assert_eq!(other.ok(&["load", "-i", text(&nameless)?])?, format!("Loaded image ID: {whole}"));
    other.ok(&["tag", "many:1", "many:3"])?;
    let said = other.ok(&["load", "-i", text(&archive)?])?;
    assert!(said.contains("The image many:3 already exists, renaming the old one with ID"), "{said}");

    for (words, expected) in [
        (&["save", "-o", text(&archive)?, "nope"][..], "no such image"),
        (&["save", "-o", "/nonexistent/x.tar", "many:1"], "/nonexistent"),
        (&["save", "--platform", "linux/arm64", "-o", text(&archive)?, "many:1"], "linux/arm64"),
        (&["load", "--platform", "linux/arm64", "-i", text(&archive)?], "linux/arm64"),
        (&["load", "-i", "/nonexistent"], "/nonexistent"),
    ] {
        let output = phial.run(words)?.exited(1)?;
        assert!(output.stderr.contains(expected), "{words:?}: {output:?}");
    }
    Ok(())
}

/// An archive of these files, each a name and its contents, or a target after `->`.
fn archive(dir: &Path, files: &[(&str, Vec<u8>)], links: &[(&str, &str)]) -> Result<PathBuf> {
    let tree = dir.join("tree");
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir(&tree)?;
    for (name, contents) in files {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().context("has a parent")?)?;
        fs::write(path, contents)?;
    }
    for (name, target) in links {
        symlink(target, tree.join(name))?;
    }
    let archive = dir.join("hostile.tar");
    run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&tree).arg("."))?.success()?;
    Ok(archive)
}

fn manifest(config: &str, layers: &[&str]) -> Vec<u8> {
    json!([{"Config": config, "RepoTags": ["bad:1"], "Layers": layers}]).to_string().into_bytes()
}

/// A file of an archive: its name and its contents.
type File = (&'static str, Vec<u8>);

/// An archive: what is wrong with it, its files, its symlinks, and what is said of it.
type Case = (&'static str, Vec<File>, &'static [(&'static str, &'static str)], &'static str);

const ZEROS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
/// A name whose digest no content here has.
const ONES: &str = "blobs/sha256/1111111111111111111111111111111111111111111111111111111111111111";

fn config(diff_ids: &[&str]) -> Vec<u8> {
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    config.to_string().into_bytes()
}

/// In docker's format.
fn of_docker() -> Vec<Case> {
    let whole = |config: &str, layers: &[&str]| vec![("manifest.json", manifest(config, layers))];
    let with = |files: Vec<File>, more: Vec<File>| [files, more].concat();
    let badly_named = json!([{"Config": "c", "RepoTags": ["../x"], "Layers": []}]).to_string().into_bytes();
    vec![
        ("nothing of images", vec![("file", vec![])], &[], "neither manifest.json nor index.json"),
        ("no JSON", vec![("manifest.json", b"{".to_vec())], &[], "manifest.json is not readable"),
        ("no images", vec![("manifest.json", b"[]".to_vec())], &[], "0 images"),
        ("too large", vec![("manifest.json", vec![b' '; 5 << 20])], &[], "more than the 4194304 allowed"),
        ("no config", whole("c.json", &[]), &[], "c.json, which is not in the archive"),
        ("a config outside", whole("../../etc/passwd", &[]), &[], "leads out of the archive"),
        ("a symlink outside", whole("c", &[]), &[("c", "../../../etc/passwd")], "leads out of the archive"),
        ("an absolute symlink", whole("c", &[]), &[("c", "/etc/passwd")], "not in the archive"),
        ("symlinks in a ring", whole("a", &[]), &[("a", "b"), ("b", "a")], "too many links"),
        ("another digest", with(whole(ONES, &[]), vec![(ONES, config(&[]))]), &[], "has the content of"),
        ("fewer layers", with(whole("c", &[]), vec![("c", config(&[ZEROS]))]), &[], "0 layers"),
        (
            "another layer",
            with(whole("c", &["l"]), vec![("c", config(&[ZEROS])), ("l", vec![0; 1024])]),
            &[],
            "its content is",
        ),
        ("a layer that lacks", with(whole("c", &["l"]), vec![("c", config(&[ZEROS]))]), &[], "the archive lacks it"),
        ("a bad name", vec![("manifest.json", badly_named), ("c", config(&[]))], &[], "invalid image name"),
    ]
}

/// OCI layouts.
fn of_oci() -> Vec<Case> {
    let layout = |index: Value| {
        let marker = br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec();
        vec![("oci-layout", marker), ("index.json", index.to_string().into_bytes())]
    };
    let digest = format!("sha256:{}", "1".repeat(64));
    let entry = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2, "digest": digest});
    let index = |entry: &Value| json!({"schemaVersion": 2, "manifests": [entry]});
    let path = json!({"size": 1, "digest": "sha256:../../../etc/passwd"});
    let both = json!({"schemaVersion": 2, "manifests": [], "layers": [], "config": entry});
    vec![
        ("an index of nothing", layout(json!({"schemaVersion": 2, "manifests": []})), &[], "0 images"),
        ("a blob that lacks", layout(index(&entry)), &[], "lacks the blob"),
        ("a wrong blob", [layout(index(&entry)), vec![(ONES, b"{}".to_vec())]].concat(), &[], "has the content of"),
        ("a digest that is a path", layout(index(&path)), &[], "digest"),
        ("two meanings", layout(both), &[], "two things"),
    ]
}

#[test]
fn archives_that_nobody_should_have_made() -> Result {
    let phial = Phial::new()?;
    let dir = phial.scratch().to_owned();
    for (what, files, links, expected) in of_docker().into_iter().chain(of_oci()) {
        let archive = archive(&dir, &files, links)?;
        let output = phial.run(&["load", "-i", text(&archive)?])?;
        assert!(output.code == 1 && output.stderr.contains(expected), "{what}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{what}: {output:?}");
    }
    // Twice the same name; cut off; no archive at all.
    let twice = archive(&dir, &[("manifest.json", b"[]".to_vec())], &[])?;
    run(Command::new("tar").args(["-rf", text(&twice)?, "-C", text(&dir.join("tree"))?, "./manifest.json"]))?
        .success()?;
    let output = phial.run(&["load", "-i", text(&twice)?])?.exited(1)?;
    assert!(output.stderr.contains("twice"), "{output:?}");
    let whole = archive(&dir, &[("manifest.json", vec![b' '; 100_000])], &[])?;
    fs::write(&whole, &fs::read(&whole)?[..50_000])?;
    let output = phial.run(&["load", "-i", text(&whole)?])?.exited(1)?;
    assert!(output.stderr.contains("cut off"), "{output:?}");
    fs::write(&whole, [7; 5000])?;
    phial.run(&["load", "-i", text(&whole)?])?.exited(1)?;
    assert_eq!(phial.ok(&["images", "-q"])?, "");
    let left: Vec<_> = fs::read_dir(phial.root().join("layers")).map(|dir| dir.flatten().collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
