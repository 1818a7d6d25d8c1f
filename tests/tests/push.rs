//! `phial push` to a real registry: what arrives is what other tools take, nothing is sent that is there, and the image's
//! id is always the same.

use std::fs;

use end_to_end::engines::{Docker, Podman};
use end_to_end::network::Flaky;
use end_to_end::process::{self, program};
use end_to_end::pty::Pty;
use end_to_end::registry::{Access, Options, PASSWORD, Registry, USER};
use end_to_end::{Context, Phial, Result, images};
use serde_json::Value;

/// A program with this image of the test registry in it, named anew for `target`.
fn with_image(image: &str, target: &str) -> Result<Phial> {
    let registry = images::registry()?;
    let phial = Phial::new()?;
    phial.ok(&["pull", &registry.name(image)])?;
    phial.ok(&["tag", &registry.name(image), target])?;
    Ok(phial)
}

/// The digest in docker's last line, `TAG: digest: sha256:… size: N`.
fn digest(output: &str) -> Result<String> {
    let last = output.lines().last().unwrap_or_default();
    let (_, rest) = last.split_once(": digest: ").context(format!("no digest in {output}"))?;
    let (digest, size) = rest.split_once(" size: ").context(format!("no size in {output}"))?;
    assert!(size.parse::<u32>().is_ok(), "{output}");
    Ok(digest.to_owned())
}

/// What skopeo says about an image in a registry.
fn skopeo(arguments: &[&str]) -> Result<String> {
    let mut skopeo = std::process::Command::new(program("skopeo", "skopeo")?);
    process::run(skopeo.args(arguments))?.success()
}

#[test]
fn every_form_comes_back_the_same() -> Result {
    let forms = [images::BUSYBOX, images::BUSYBOX_DOCKER, images::BUSYBOX_PLAIN, images::BUSYBOX_ZSTD, images::DEBIAN];
    for form in forms {
        let registry = Registry::start()?;
        let target = registry.name("team/app:1");
        let phial = with_image(form, &target)?;
        let output = phial.ok(&["push", &target])?;
        let head = format!("The push refers to repository [{}]", registry.name("team/app"));
        assert!(output.starts_with(&head), "{output}");
        let layers = phial.inspect(&target)?["RootFS"]["Layers"].as_array().map_or(0, Vec::len);
        assert_eq!(output.matches(": Preparing").count(), layers, "{output}");
        assert_eq!(output.matches(": Pushed").count(), layers, "{output}");
        let id = phial.inspect(&target)?["Id"].clone();
        let digest = digest(&output)?;
        let digests = phial.inspect(&target)?["RepoDigests"].to_string();
        assert!(digests.contains(&format!("{}@{digest}", registry.name("team/app"))), "{digests}");

        // Whoever pulls it verifies blobs against the manifest and layers against the configuration.
        let other = Phial::new()?;
        assert!(other.ok(&["pull", &target])?.contains(&digest), "{form}");
        assert_eq!(other.inspect(&target)?["Id"], id, "{form}");
        let dir = phial.scratch().join("copy");
        skopeo(&[
            "copy",
            "-q",
            "--src-tls-verify=false",
            &format!("docker://{target}"),
            &format!("dir:{}", dir.display()),
        ])?;
        // The second push sends nothing, and makes the same manifest.
        let again = phial.ok(&["push", &target])?;
        assert_eq!(again.matches(": Layer already exists").count(), layers, "{again}");
        assert_eq!(self::digest(&again)?, digest);
    }
    Ok(())
}

#[test]
fn podman_runs_what_was_pushed() -> Result {
    let registry = Registry::start()?;
    let target = registry.name("app:latest");
    let phial = with_image(images::DEBIAN, &target)?;
    phial.ok(&["push", &target])?;
    let podman = Podman::new(&phial.scratch().join("podman"), "runc")?;
    podman.ok(&["pull", "--quiet", "--tls-verify=false", &target])?;
    let id = podman.inspect(&target)?["Id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(phial.inspect(&target)?["Id"], format!("sha256:{id}"));
    let output = process::run(&mut podman.run(&["--rm"], &target, &["ls", "/opt/phial"]))?.success()?;
    assert_eq!(output, "same\nscript\nstays\n");
    Ok(())
}

#[test]
fn docker_takes_what_was_pushed() -> Result {
    let registry = Registry::start()?;
    let target = registry.name("app:latest");
    let phial = with_image(images::BUSYBOX_DOCKER, &target)?;
    let digest = digest(&phial.ok(&["push", &target])?)?;
    let docker = Docker::start(&phial.scratch().join("docker"))?;
    assert!(docker.ok(&["pull", &target])?.contains(&format!("Digest: {digest}")));
    assert_eq!(docker.inspect(&target)?["Id"], phial.inspect(&target)?["Id"]);
    // And the other way round: what docker pushes is what is pulled.
    let back = registry.name("back:latest");
    docker.ok(&["tag", &target, &back])?;
    docker.ok(&["push", &back])?;
    phial.ok(&["pull", &back])?;
    assert_eq!(phial.inspect(&back)?["Id"], phial.inspect(&target)?["Id"]);
    Ok(())
}

#[test]
fn layers_are_lent_within_a_registry() -> Result {
    let dir = tempfile::Builder::new().prefix("phial-push-").tempdir()?;
    let registry = Registry::start()?;
    images::busybox(dir.path())?.push(&registry, images::BUSYBOX)?;
    let phial = Phial::new()?;
    let pulled = phial.ok(&["pull", &registry.name(images::BUSYBOX)])?;
    let target = registry.name("elsewhere/box:2");
    phial.ok(&["tag", &registry.name(images::BUSYBOX), &target])?;
    let output = phial.ok(&["push", &target])?;
    assert_eq!(output.matches(": Mounted from busybox").count(), 2, "{output}");
    // Nothing was compressed anew, so the manifest is the one that was pulled.
    assert!(pulled.contains(&format!("Digest: {}", digest(&output)?)), "{pulled}{output}");
    assert!(!registry.log().contains("\"PATCH"), "{}", registry.log());
    Ok(())
}

#[test]
fn zstd_where_it_is_asked_for() -> Result {
    let registry = Registry::start()?;
    let target = registry.name("app:z");
    let phial = with_image(images::BUSYBOX_DOCKER, &target)?;
    phial.ok(&["push", "--compression", "zstd", &target])?;
    let manifest: Value =
        serde_json::from_str(&skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{target}")])?)?;
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    let other = Phial::new()?;
    assert_eq!(other.ok(&["run", "--rm", "-q", &target, "cat", "/etc/motd"])?, "a small vessel for amd64");
    Ok(())
}

#[test]
fn all_tags_and_few_words() -> Result {
    let registry = Registry::start()?;
    let repository = registry.name("app");
    let phial = with_image(images::BUSYBOX, &format!("{repository}:1"))?;
    phial.ok(&["tag", &format!("{repository}:1"), &repository])?;
    let output = phial.ok(&["push", "--all-tags", &repository])?;
    assert_eq!(output.matches("The push refers to repository").count(), 1, "{output}");
    assert!(output.contains("\n1: digest: sha256:") && output.contains("\nlatest: digest: sha256:"), "{output}");
    assert_eq!(phial.ok(&["push", "-q", &repository])?, format!("{repository}:latest"));
    assert!(phial.ok(&["push", &repository])?.starts_with("Using default tag: latest\n"));

    let other = Phial::new()?;
    let pulled = other.ok(&["pull", "--all-tags", &repository])?;
    assert!(pulled.contains("1: Pulling from app") && pulled.contains("latest: Pulling from app"), "{pulled}");
    assert_eq!(pulled.lines().last(), Some(repository.as_str()));
    assert_eq!(other.ok(&["pull", "-q", &repository])?, format!("{repository}:latest"));
    Ok(())
}

#[test]
fn a_terminal_sees_bars() -> Result {
    let registry = Registry::start()?;
    let target = registry.name("app:latest");
    let phial = with_image(images::DEBIAN, &target)?;
    let (code, text) = Pty::start(&phial.command(&["push", &target]), 24, 120)?.finish()?;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Pushing") && text.contains("/s") && text.contains("Pushed"), "{text:?}");
    assert!(text.contains("latest: digest: sha256:"), "{text:?}");
    Ok(())
}

#[test]
fn credentials_and_certificates() -> Result {
    let registry = Registry::with(Options { access: Access::Basic, tls: true, ..Options::default() })?;
    let target = registry.name("app:latest");
    let phial = with_image(images::BUSYBOX, &target)?;
    let certificate = registry.certificate().context("it has one")?;
    let run = |words: &[&str]| process::run(phial.command(words).env("SSL_CERT_FILE", &certificate));
    let refused = run(&["push", &target])?.exited(1)?;
    assert!(refused.stderr.contains("log in"), "{refused:?}");
    run(&["login", "-u", USER, "-p", PASSWORD, &registry.address().to_string()])?.success()?;
    run(&["push", &target])?.success()?;
    let untrusted = phial.run(&["push", &target])?.exited(1)?;
    assert!(untrusted.stderr.contains("TLS"), "{untrusted:?}");
    phial.ok(&["push", "--tls-verify=false", &target]).map(drop)
}

#[test]
fn a_broken_connection_does_not_break_a_push() -> Result {
    let registry = Registry::start()?;
    // The bytes that come from the registry are counted: answers, of which a push of three layers has some twenty.
    let flaky = Flaky::start(registry.address(), 3, 1500)?;
    let target = format!("{}/app:latest", flaky.address());
    let phial = with_image(images::DEBIAN, &target)?;
    let pushed = digest(&phial.ok(&["push", &target])?)?;
    assert_eq!(flaky.breaks_left(), 0);
    let other = Phial::new()?;
    assert!(other.ok(&["pull", &registry.name("app:latest")])?.contains(&pushed));
    Ok(())
}

#[test]
fn what_cannot_be_pushed() -> Result {
    let registry = images::registry()?;
    let target = registry.name("app:latest");
    let phial = with_image(images::BUSYBOX, &target)?;
    let by_digest = format!("{}@sha256:{}", registry.name("app"), "a".repeat(64));
    let with_tag = [&target[..], "-a"];
    for (words, part) in [
        (&["absent"][..], "an image does not exist locally with the tag: absent:latest"),
        (&[&by_digest], "cannot push a digest reference"),
        (&with_tag, "a tag or digest with --all-tags"),
        (&["--platform", "linux/arm64", &target], "is for linux/amd64, not for linux/arm64"),
        // Debian's registry says so of one that is read-only.
        (&[&target], "405"),
    ] {
        let output = phial.run(&[&["push"], words].concat())?.exited(1)?;
        assert!(output.stderr.contains(part), "{output:?}");
    }
    Ok(())
}

#[test]
fn a_layer_that_was_changed_is_not_pushed() -> Result {
    let registry = Registry::start()?;
    let target = registry.name("app:latest");
    let phial = with_image(images::BUSYBOX, &target)?;
    let image = phial.inspect(&target)?;
    let layer = image["RootFS"]["Layers"][1].as_str().context("there are two layers")?.trim_start_matches("sha256:");
    fs::write(phial.root().join("layers").join(layer).join("fs/etc/motd"), "a small vessel for AMD64\n")?;
    let output = phial.run(&["push", &target])?.exited(1)?;
    assert!(output.stderr.contains("was changed on disk"), "{output:?}");
    // Nobody sees an image that is not whole.
    Phial::new()?.run(&["pull", &target])?.exited(1).map(drop)
}

#[test]
fn it_is_told_as_an_event() -> Result {
    let registry = Registry::start()?;
    let target = registry.name("app:latest");
    let phial = with_image(images::BUSYBOX, &target)?;
    phial.ok(&["push", &target])?;
    let events = phial.ok(&["events", "--since", "1h", "--until", "0s", "--filter", "event=push"])?;
    assert!(events.contains(&format!("image push {target}")), "{events}");
    Ok(())
}

#[test]
fn images_that_were_made_and_loaded_here() -> Result {
    let registry = Registry::start()?;
    let (made, loaded) = (registry.name("made:1"), registry.name("loaded:1"));
    let phial = with_image(images::BUSYBOX, "box:1")?;
    phial.ok(&["run", "--name", "maker", "box:1", "sh", "-c", "echo made > /made; rm /etc/motd"])?;
    phial.ok(&["commit", "maker", &made])?;
    phial.ok(&["push", "-q", &made])?;
    let other = Phial::new()?;
    assert_eq!(other.ok(&["run", "--rm", "-q", &made, "sh", "-c", "cat /made; ls /etc/motd || :"])?, "made");
    assert_eq!(other.inspect(&made)?["Id"], phial.inspect(&made)?["Id"]);

    phial.ok(&["tag", &made, &loaded])?;
    let archive = phial.scratch().join("archive.tar").display().to_string();
    phial.ok(&["save", "-o", &archive, &loaded])?;
    let third = Phial::new()?;
    third.ok(&["load", "-i", &archive])?;
    third.ok(&["push", "-q", &loaded])?;
    let fourth = Phial::new()?;
    fourth.ok(&["pull", "-q", &loaded])?;
    assert_eq!(fourth.inspect(&loaded)?["Id"], phial.inspect(&made)?["Id"]);
    Ok(())
}
