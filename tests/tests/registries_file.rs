//! The registries file: mirrors, registries without encryption, short names, and what is said about mistakes in it.

use std::fs;

use end_to_end::registry::{Access, Options, Registry};
use end_to_end::{Phial, Result, images, process};

/// A program with this registries file.
fn with_file(text: &str) -> Result<Phial> {
    let phial = Phial::new()?;
    fs::write(phial.scratch().join("registries.toml"), text)?;
    Ok(phial)
}

fn run(phial: &Phial, arguments: &[&str]) -> Result<process::Output> {
    let file = phial.scratch().join("registries.toml");
    process::run(phial.command(arguments).env("PHIAL_REGISTRIES", file))
}

#[test]
fn a_mirror_stands_in_for_a_registry() -> Result {
    let mirror = images::registry()?;
    // Nothing of this name can be reached.
    let file = format!("[registry.\"registry.invalid\"]\nmirrors = [\"{}\"]\n", mirror.address());
    let phial = with_file(&file)?;
    let name = "registry.invalid/busybox:latest";
    assert!(run(&phial, &["pull", name])?.success()?.ends_with("registry.invalid/busybox:latest\n"));
    assert_eq!(phial.ok(&["run", "--rm", name, "echo", "mirrored"])?, "mirrored");
    Ok(())
}

#[test]
fn what_the_mirror_lacks_comes_from_the_registry() -> Result {
    let (empty, origin) = (Registry::start()?, images::registry()?);
    let file = format!("[registry.\"{}\"]\nmirrors = [\"{}\"]\n", origin.address(), empty.address());
    let phial = with_file(&file)?;
    let output = run(&phial, &["pull", &origin.name(images::BUSYBOX)])?.exited(0)?;
    assert!(output.stdout.contains(&format!("warning: mirror {}", empty.address())), "{output:?}");
    assert!(empty.log().contains("/v2/busybox/manifests/latest"), "{}", empty.log());
    Ok(())
}

#[test]
fn short_names_are_looked_for_and_replaced() -> Result {
    let (empty, registry) = (Registry::start()?, images::registry()?);
    let (first, second) = (empty.address(), registry.address());
    let file = format!("search = [\"{first}\", \"{second}\"]\n[aliases]\ntool = \"{second}/busybox\"\n");
    let phial = with_file(&file)?;
    let output = run(&phial, &["pull", "busybox"])?.exited(0)?;
    assert_eq!(output.stdout.lines().last(), Some(format!("{second}/busybox:latest").as_str()), "{output:?}");
    assert!(empty.log().contains("/v2/busybox/manifests/latest"), "{}", empty.log());
    // The alias names what is there by now; nothing is asked for.
    let before = registry.log();
    let output = run(&phial, &["run", "--rm", "--pull", "never", "tool", "echo", "by alias"])?.exited(0)?;
    assert_eq!((output.stdout.as_str(), registry.log()), ("by alias\n", before));
    run(&phial, &["tag", "tool", "kept:1"])?.success()?;
    let output = run(&phial, &["rmi", "tool"])?.exited(0)?;
    assert!(output.stdout.starts_with(&format!("Untagged: {second}/busybox:latest\n")), "{output:?}");
    // Every place that was looked at is named.
    let output = run(&phial, &["pull", "absent"])?.exited(1)?;
    assert!(output.stderr.contains(&first.to_string()) && output.stderr.contains(&second.to_string()), "{output:?}");
    // A registry that cannot be asked is not passed over: the next one's image may be somebody else's.
    drop(empty);
    let output = run(&phial, &["pull", "busybox:docker"])?.exited(1)?;
    assert!(output.stderr.contains(&first.to_string()), "{output:?}");
    Ok(())
}

#[test]
fn an_unknown_certificate_is_accepted_where_the_file_says_so() -> Result {
    let options = Options { storage: Some(images::prepare()?), read_only: true, tls: true, ..Options::default() };
    let registry = Registry::with(options)?;
    let image = registry.name(images::BUSYBOX);
    let phial = with_file("")?;
    let output = run(&phial, &["pull", &image])?.exited(1)?;
    assert!(output.stderr.contains("TLS"), "{output:?}");
    let phial = with_file(&format!("[registry.\"{}\"]\ninsecure = true\n", registry.address()))?;
    run(&phial, &["pull", &image])?.success()?;
    // An authority that this host believes needs no such entry.
    let phial = Phial::new()?;
    let certificate = registry.certificate().expect("it has one");
    process::run(phial.command(&["pull", &image]).env("SSL_CERT_FILE", certificate))?.success().map(drop)
}

#[test]
fn mistakes_are_told_with_their_place() -> Result {
    let registry = images::registry_with(Access::Anonymous)?;
    for (text, part) in [
        ("[registry.\"x.example\"]\nmirrors = \"y.example\"\n", "registries.toml: line 2: invalid type"),
        ("mirror = []\n", "registries.toml: line 1: unknown field `mirror`"),
        ("search = [\"not a host\"]\n", "search: \"not a host\" is no registry"),
    ] {
        let output = run(&with_file(text)?, &["pull", &registry.name(images::BUSYBOX)])?.exited(1)?;
        assert!(output.stderr.contains(part), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    }
    let phial = Phial::new()?;
    let output = phial.run(&["--registries", "/absent.toml", "pull", "busybox"])?.exited(1)?;
    assert!(output.stderr.contains("/absent.toml: No such file"), "{output:?}");
    Ok(())
}
