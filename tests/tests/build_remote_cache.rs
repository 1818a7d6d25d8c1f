//! What a build leaves for other hosts: in a registry, in a directory, in its own image. A step that is never the same twice shows
//! whether it was taken or done.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::registry::Registry;
use end_to_end::{Context, Output, Phial, Result, Stage};

const TEXT: &str = "AS first\n\
    RUN mkdir /made && head -c 32 /dev/urandom > /made/one\n\
    FROM scratch AS second\n\
    COPY --from=first /bin /bin\n\
    COPY --from=first /made /made\n\
    COPY file /made/file\n\
    RUN head -c 32 /dev/urandom > /made/two\n";

/// Two hosts with the same image, a registry that both can write to, and the same context on each.
struct Hosts {
    phial: Phial,
    other: Phial,
    registry: Registry,
    image: String,
    _images: Registry,
}

impl Hosts {
    fn new() -> Result<Hosts> {
        let Stage { phial, registry: images, image } = Stage::busybox()?;
        let other = Phial::new()?;
        other.ok(&["pull", &image])?;
        Ok(Hosts { phial, other, registry: Registry::start()?, image, _images: images })
    }
}

fn build(phial: &Phial, image: &str, text: &str, flags: &[&str]) -> Result<Output> {
    let directory = phial.scratch().join("context");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("Dockerfile"), format!("FROM {image} {text}"))?;
    fs::write(directory.join("file"), "of the context\n")?;
    let context = directory.to_str().context("is text")?;
    let always = ["build", "--network", "none", "--progress", "plain", "-t", "built"];
    phial.run(&[&always, flags, &[context]].concat())?.exited(0)
}

fn id(phial: &Phial) -> Result<String> {
    phial.ok(&["image", "inspect", "-f", "{{.Id}}", "built"])
}

fn layers(phial: &Phial) -> Result<usize> {
    Ok(fs::read_dir(phial.root().join("layers"))?.count())
}

#[test]
fn in_a_registry() -> Result {
    let Hosts { phial, other, registry, image, .. } = &Hosts::new()?;
    let cache = registry.name("cache:max");
    build(phial, image, TEXT, &["--cache-to", &format!("type=registry,ref={cache},mode=max")])?;
    let from = format!("type=registry,ref={cache}");
    let output = build(other, image, TEXT, &["--cache-from", &from])?;
    assert_eq!(id(other)?, id(phial)?, "nothing was done anew: {output:?}");
    other.run(&["system", "check"])?.exited(0)?;
    // What was fetched is as good as what was done.
    other.ok(&["rmi", "built"])?;
    build(other, image, TEXT, &[])?;
    assert_eq!(id(other)?, id(phial)?);
    other.ok(&["rmi", "built"])?;
    other.run(&["builder", "prune", "-af"])?.exited(0)?;
    build(other, image, TEXT, &[])?;
    assert_ne!(id(other)?, id(phial)?);

    // A third one, whose build begins as theirs does and goes on in another way, fetches the beginning and no more.
    let third = Phial::new()?;
    third.ok(&["pull", image])?;
    let before = layers(&third)?;
    let other_way = TEXT.replace("COPY file /made/file", "RUN echo other > /made/file");
    build(&third, image, &other_way, &["--cache-from", &cache])?;
    let read = |phial: &Phial, file: &str| phial.ok(&["run", "--rm", "--network", "none", "built", "cat", file]);
    build(phial, image, TEXT, &[])?;
    assert_eq!(read(&third, "/made/one")?, read(phial, "/made/one")?);
    assert_eq!(read(&third, "/made/file")?, "other");
    // One of the first stage, four of the second, two of which were made here: these have a second name.
    assert_eq!(layers(&third)? - before, 5 + 2);
    Ok(())
}

#[test]
fn only_what_leads_to_the_result() -> Result {
    let Hosts { phial, other, registry, image, .. } = &Hosts::new()?;
    let cache = registry.name("cache:min");
    build(phial, image, TEXT, &["--cache-to", &cache])?;
    let output = build(other, image, TEXT, &["--cache-from", &cache])?;
    assert_ne!(id(other)?, id(phial)?, "the first stage was done anew: {output:?}");
    Ok(())
}

#[test]
fn in_the_image_itself() -> Result {
    let Hosts { phial, other, registry, image, .. } = &Hosts::new()?;
    let name = registry.name("team/app:1");
    let text = "\nRUN head -c 32 /dev/urandom > /one\nRUN head -c 32 /dev/urandom > /two\n";
    build(phial, image, text, &["-t", &name, "--build-arg", "BUILDKIT_INLINE_CACHE=1"])?;
    phial.ok(&["push", &name])?;
    let flags = ["--cache-to", "type=inline", "--cache-from", &name];
    build(other, image, text, &flags)?;
    assert_eq!(id(other)?, id(phial)?);
    // One that has no cache in it, and one that is not there: the build says so, and goes on.
    let third = Phial::new()?;
    third.ok(&["pull", image])?;
    let nothing = registry.name("team/nothing:1");
    let output = build(&third, image, text, &["--cache-from", image, "--cache-from", &nothing])?;
    assert!(output.stderr.contains("it is an image without a cache in it"), "{output:?}");
    assert!(output.stderr.contains(&format!("cache {nothing}: there is none")), "{output:?}");
    Ok(())
}

/// The blobs of a layout of which the beginning is not that of a document.
fn blobs(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(directory.join("blobs/sha256"))?.flatten().map(|entry| entry.path());
    Ok(files.filter(|file| fs::read(file).is_ok_and(|bytes| !bytes.starts_with(b"{"))).collect())
}

#[test]
fn in_a_directory_whatever_is_in_it() -> Result {
    let Hosts { phial, other, image, .. } = &Hosts::new()?;
    let directory = phial.scratch().join("cache");
    let shown = directory.to_str().context("is text")?;
    let (to, from) = (format!("type=local,dest={shown},mode=max"), format!("type=local,src={shown}"));
    build(phial, image, TEXT, &["--cache-to", &to])?;
    build(other, image, TEXT, &["--cache-from", &from])?;
    assert_eq!(id(other)?, id(phial)?);

    let host = || -> Result<Phial> {
        let host = Phial::new()?;
        host.ok(&["pull", image])?;
        Ok(host)
    };
    // Another content than its name says.
    for blob in blobs(&directory)? {
        let mut bytes = fs::read(&blob)?;
        let at = bytes.windows(4).position(|window| window == b"made").unwrap_or(0);
        bytes[at] = b'M';
        fs::write(&blob, bytes)?;
    }
    let third = host()?;
    let output = build(&third, image, TEXT, &["--cache-from", &from])?;
    assert!(output.stderr.contains("it is not used"), "{output:?}");
    assert_ne!(id(&third)?, id(phial)?);
    third.run(&["system", "check"])?.exited(0)?;
    // Devices, links that lead out, and nonsense in the place of documents.
    let index = directory.join("index.json");
    for nonsense in ["", "{", "{\"schemaVersion\":2,\"manifests\":[]}", "[1]"] {
        fs::write(&index, nonsense)?;
        let output = build(&third, image, TEXT, &["--cache-from", &from])?;
        assert!(output.stderr.contains(&format!("cache {shown}: it is not used")), "{nonsense}: {output:?}");
    }
    fs::remove_file(&index)?;
    std::os::unix::fs::symlink("/dev/zero", &index)?;
    let output = build(&third, image, TEXT, &["--cache-from", &from])?;
    assert!(output.stderr.contains(&format!("cache {shown}: ")), "{output:?}");
    fs::remove_dir_all(&directory)?;
    let output = build(&third, image, TEXT, &["--cache-from", &from])?;
    assert!(output.stderr.contains(&format!("cache {shown}: there is none")), "{output:?}");
    Ok(())
}

/// A cache that cannot be written is the end of a build, but for who says that it is not.
#[test]
fn a_cache_that_cannot_be_written() -> Result {
    let Hosts { phial, registry, image, .. } = &Hosts::new()?;
    let file = phial.scratch().join("no-directory");
    fs::write(&file, "")?;
    let nobody = "127.0.0.1:1/cache:1";
    let places = [
        (format!("type=local,dest={}/cache", file.display()), "Not a directory"),
        (format!("type=registry,ref={nobody}"), "127.0.0.1:1"),
    ];
    let directory = phial.scratch().join("context");
    for (place, why) in places {
        let words = ["build", "--network", "none", "--cache-to", &place, directory.to_str().context("is text")?];
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("Dockerfile"), format!("FROM {image}\nRUN echo made > /made\n"))?;
        let failed = phial.run(&words)?.exited(1)?;
        assert!(failed.stderr.contains(why) && failed.stderr.contains("exporting cache to"), "{failed:?}");
        let built =
            build(phial, image, "\nRUN echo made > /made\n", &["--cache-to", &format!("{place},ignore-error=true")])?;
        assert!(built.stderr.contains(why), "it is told of: {built:?}");
        assert_eq!(phial.ok(&["run", "--rm", "--network", "none", "built", "cat", "/made"])?, "made");
        phial.ok(&["rmi", "built"])?;
    }
    // One place that fails keeps nobody from the others.
    let good = registry.name("cache:good");
    let bad = format!("type=registry,ref={nobody},ignore-error=true");
    build(phial, image, TEXT, &["--cache-to", &bad, "--cache-to", &good])?;
    let other = Phial::new()?;
    other.ok(&["pull", image])?;
    let output = build(&other, image, TEXT, &["--cache-from", nobody, "--cache-from", &good])?;
    assert!(output.stderr.contains("127.0.0.1:1") && !output.stderr.contains(&format!("cache {good}: ")), "{output:?}");
    Ok(())
}
