//! `phial pull` from a real registry: every form an image comes in, every way in, and what goes wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::network::{Flaky, Tokens};
use end_to_end::registry::{Access, Options, PASSWORD, Registry, USER};
use end_to_end::{Context, Phial, Result, images, process};

#[test]
fn every_form_of_an_image() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    let forms = [
        images::BUSYBOX,
        images::BUSYBOX_DOCKER,
        images::BUSYBOX_PLAIN,
        images::BUSYBOX_ZSTD,
        images::BUSYBOX_INDEX,
        images::BUSYBOX_LIST,
    ];
    for form in forms {
        // `run` pulls what is absent.
        let output = phial.run(&["run", "--rm", &registry.name(form), "cat", "/etc/motd"])?.exited(0)?;
        assert_eq!(output.stdout, "a small vessel for amd64\n", "{form}: {output:?}");
    }
    Ok(())
}

#[test]
fn what_is_printed() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    let image = registry.name(images::BUSYBOX);
    let first = phial.ok(&["pull", &image])?;
    assert!(first.contains("latest: Pulling from busybox") || first.contains("Pulling from"), "{first}");
    assert_eq!(first.matches(": Pull complete").count(), 2, "{first}");
    let digest = first.lines().find_map(|line| line.strip_prefix("Digest: ")).context("no digest was printed")?;
    assert!(first.contains(&format!("Status: Downloaded newer image for {image}")), "{first}");
    assert_eq!(first.lines().last(), Some(image.as_str()));
    let second = phial.ok(&["pull", &image])?;
    assert!(second.contains(&format!("Status: Image is up to date for {image}")), "{second}");
    // Nothing of a bar or a colour where there is no terminal.
    assert!(!first.contains(['\r', '\x1b']), "{first:?}");

    let by_digest = format!("{}@{digest}", registry.name("busybox"));
    assert_eq!(phial.ok(&["run", "--rm", &by_digest, "echo", "by digest"])?, "by digest");
    let other = Phial::new()?;
    assert!(other.ok(&["pull", &by_digest])?.contains(digest));
    Ok(())
}

#[test]
fn a_platform_that_is_asked_for() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    let image = registry.name(images::BUSYBOX_INDEX);
    phial.ok(&["pull", "--platform", "linux/arm64", &image])?;
    assert!(phial.ok(&["inspect", &image])?.contains("\"arm64\""));
    let output = phial.run(&["pull", "--platform", "linux/riscv64", &image])?.exited(1)?;
    assert!(output.stderr.contains("riscv64"), "{output:?}");
    let output = phial.run(&["pull", "--tls-verify=perhaps", &image])?.exited(125)?;
    assert!(output.stderr.contains("perhaps"), "{output:?}");
    phial.ok(&["pull", "--tls-verify=false", &image]).map(drop)
}

#[test]
fn an_image_that_must_be_for_a_platform() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    let image = registry.name(images::BUSYBOX);
    phial.ok(&["pull", &image])?;
    for words in [&["image", "inspect"][..], &["history"], &["rmi", "--no-prune"]] {
        let wrong = [words, &["--platform", "linux/riscv64", &image]].concat();
        let output = phial.run(&wrong)?.exited(1)?;
        assert!(output.stderr.contains("is for linux/amd64"), "{output:?}");
        phial.ok(&[words, &["--platform", "linux/amd64", &image]].concat())?;
    }
    phial.run(&["image", "inspect", &image])?.exited(1).map(drop)
}

#[test]
fn trust_in_content_is_said_as_docker_says_it() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    let image = registry.name(images::BUSYBOX);
    phial.ok(&["create", "--disable-content-trust", "--name", "one", &image])?;
    phial.ok(&["run", "--disable-content-trust=false", "--rm", &image, "true"])?;
    let shown = phial.ok(&["container", "inspect", "-s", "-f", "{{.SizeRw}}", "one"])?;
    assert!(shown.parse::<u64>().is_ok(), "{shown}");
    phial.remove_containers()
}

#[test]
fn a_layer_that_is_there_is_not_fetched_again() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    phial.ok(&["pull", &registry.name(images::BUSYBOX)])?;
    let before = registry.log().matches("/blobs/").count();
    phial.ok(&["pull", &registry.name(images::BUSYBOX_DOCKER)])?;
    let fetched = registry.log().matches("/blobs/").count() - before;
    // Its configuration is the same blob too.
    assert_eq!(fetched, 0, "{}", registry.log());
    Ok(())
}

/// A program whose user has this `~/.docker/config.json`.
fn with_credentials(config: &str) -> Result<Phial> {
    let phial = Phial::new()?;
    let dir = phial.scratch().join(".docker");
    fs::create_dir(&dir)?;
    fs::write(dir.join("config.json"), config)?;
    Ok(phial)
}

#[test]
fn a_password_is_needed() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let image = registry.name(images::BUSYBOX);
    let refused = Phial::new()?.run(&["pull", &image])?.exited(1)?;
    assert!(refused.stderr.contains("credentials"), "{refused:?}");
    // base64 of amphora:secret, as `docker login` writes it.
    let config = format!(r#"{{"auths": {{"{}": {{"auth": "YW1waG9yYTpzZWNyZXQ="}}}}}}"#, registry.address());
    with_credentials(&config)?.ok(&["pull", &image])?;
    let wrong = config.replace("YW1waG9yYTpzZWNyZXQ=", "YW1waG9yYTp3cm9uZw==");
    with_credentials(&wrong)?.run(&["pull", &image])?.exited(1)?;
    Ok(())
}

#[test]
fn a_helper_knows_the_password() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let phial = with_credentials(&format!(r#"{{"credHelpers": {{"{}": "shelf"}}}}"#, registry.address()))?;
    let programs = phial.scratch().join("programs");
    fs::create_dir(&programs)?;
    let helper = programs.join("docker-credential-shelf");
    let answer = format!(r#"{{"ServerURL":"x","Username":"{USER}","Secret":"{PASSWORD}"}}"#);
    fs::write(
        &helper,
        format!("#!/bin/sh\ntest \"$1\" = get && grep -q '^{}' && echo '{answer}'\n", registry.address()),
    )?;
    fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let image = registry.name(images::BUSYBOX);
    process::run(phial.command(&["pull", &image]).env("PATH", path))?.success().map(drop)
}

#[test]
fn a_token_is_fetched_where_the_registry_says() -> Result {
    let tokens = Tokens::start()?;
    let registry = images::registry_with(Access::Bearer { realm: tokens.realm() })?;
    Phial::new()?.ok(&["pull", &registry.name(images::BUSYBOX)])?;
    assert!(tokens.given() > 0, "no token was fetched");
    Ok(())
}

#[test]
fn broken_connections_are_resumed() -> Result {
    let registry = images::registry()?;
    let whole = Flaky::start(registry.address(), 0, 0)?;
    let image = |proxy: &Flaky| format!("{}/{}", proxy.address(), images::DEBIAN);
    Phial::new()?.ok(&["pull", &image(&whole)])?;
    let broken = Flaky::start(registry.address(), 4, 1_000_000)?;
    let phial = Phial::new()?;
    phial.ok(&["pull", &image(&broken)])?;
    assert_eq!(broken.breaks_left(), 0);
    // What had arrived was not fetched again.
    assert!(broken.bytes() < whole.bytes() + 2_000_000, "{} bytes, {} without breaks", broken.bytes(), whole.bytes());
    let version = phial.ok(&["run", "--rm", &image(&broken), "cat", "/etc/debian_version"])?;
    assert!(version.starts_with("12."), "{version}");
    Ok(())
}

#[test]
fn a_falsified_layer_is_found_out() -> Result {
    let dir = tempfile::Builder::new().prefix("phial-false-").tempdir()?;
    let storage = dir.path().join("storage");
    let registry = Registry::with(Options { storage: Some(storage.clone()), ..Options::default() })?;
    images::busybox(dir.path())?.push(&registry, images::BUSYBOX)?;
    let layer = largest(&storage)?;
    let mut bytes = fs::read(&layer)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&layer, bytes)?;

    let phial = Phial::new()?;
    let image = registry.name(images::BUSYBOX);
    let output = phial.run(&["pull", &image])?.exited(1)?;
    assert!(output.stderr.contains("sha256:") || output.stderr.contains("layer"), "{output:?}");
    assert!(!phial.ok(&["images"])?.contains("busybox"));
    // The good one is taken as soon as it is there.
    let mut bytes = fs::read(&layer)?;
    bytes[middle] ^= 1;
    fs::write(&layer, bytes)?;
    assert_eq!(phial.ok(&["run", "--rm", &image, "echo", "good"])?, "good");
    Ok(())
}

fn largest(dir: &Path) -> Result<PathBuf> {
    let (mut dirs, mut largest) = (vec![dir.to_owned()], (0, PathBuf::new()));
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let (path, size) = (entry.path(), entry.metadata()?.len());
            if path.is_dir() {
                dirs.push(path);
            } else if size > largest.0 {
                largest = (size, path);
            }
        }
    }
    Ok(largest.1)
}

#[test]
fn what_is_not_there() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    for name in ["busybox:absent", "absent:latest"] {
        let image = registry.name(name);
        let output = phial.run(&["pull", &image])?.exited(1)?;
        assert!(output.stderr.contains("not found") || output.stderr.contains("unknown"), "{output:?}");
        let output = phial.run(&["run", "--rm", &image, "true"])?.exited(125)?;
        assert!(output.stderr.contains(name.split(':').next().unwrap_or_default()), "{output:?}");
    }
    let address = registry.address();
    drop(registry);
    let output = phial.run(&["pull", &format!("{address}/busybox")])?.exited(1)?;
    assert!(output.stderr.contains(&address.to_string()), "{output:?}");
    Ok(())
}

#[test]
fn many_pulls_of_one_image_at_once() -> Result {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    let image = registry.name(images::DEBIAN);
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..4).map(|_| scope.spawn(|| phial.run(&["pull", &image]))).collect();
        pulls.into_iter().map(|pull| pull.join().expect("the thread does not panic")).collect()
    });
    for output in outputs {
        output?.success()?;
    }
    assert_eq!(phial.ok(&["images"])?.matches("debian").count(), 1);
    assert_eq!(phial.ok(&["run", "--rm", &image, "ls", "/opt/phial"])?, "same\nscript\nstays");
    Ok(())
}

#[test]
fn whoever_is_not_known_is_told_how_to_log_in() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let output = Phial::new()?.run(&["pull", &registry.name(images::BUSYBOX)])?.exited(1)?;
    assert_eq!(output.stderr.lines().last(), Some(format!("hint: phial login {}", registry.address()).as_str()));
    Ok(())
}
