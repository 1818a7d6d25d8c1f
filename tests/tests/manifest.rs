//! `phial manifest`: images of several platforms under one name, made of what a registry has and of what is here.

use std::process::Command;

use end_to_end::process::{self, program};
use end_to_end::registry::Registry;
use end_to_end::{Phial, Result, images};
use serde_json::Value;

fn skopeo_raw(name: &str) -> Result<Value> {
    let mut skopeo = Command::new(program("skopeo", "skopeo")?);
    skopeo.args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")]);
    Ok(serde_json::from_str(&process::run(&mut skopeo)?.success()?)?)
}

/// A registry with an image for each of two processors, `app:amd64` and `app:arm64`, and the program that pushed them.
fn two_platforms() -> Result<(Registry, Phial)> {
    let (source, registry, phial) = (images::registry()?, Registry::start()?, Phial::new()?);
    for processor in ["amd64", "arm64"] {
        let image = source.name(images::BUSYBOX_INDEX);
        phial.ok(&["pull", "-q", "--platform", &format!("linux/{processor}"), &image])?;
        let name = registry.name(&format!("app:{processor}"));
        phial.ok(&["tag", &image, &name])?;
        phial.ok(&["push", "-q", &name])?;
    }
    Ok((registry, phial))
}

#[test]
fn a_list_is_made_changed_and_pushed() -> Result {
    let (registry, phial) = two_platforms()?;
    let list = registry.name("app:1");
    let (amd64, arm64) = (registry.name("app:amd64"), registry.name("app:arm64"));
    assert_eq!(phial.ok(&["manifest", "create", &list, &amd64])?, format!("Created manifest list {list}"));
    let again = phial.run(&["manifest", "create", &list, &arm64])?.exited(1)?;
    assert!(again.stderr.contains("refusing to amend an existing manifest list with no --amend flag"), "{again:?}");
    phial.ok(&["manifest", "create", "--amend", &list, &arm64])?;
    phial.ok(&["manifest", "annotate", "--variant", "v8", "--os-features", "a,b", &list, &arm64])?;

    let shown: Value = serde_json::from_str(&phial.ok(&["manifest", "inspect", &list])?)?;
    let output = phial.ok(&["manifest", "push", "--purge", &list])?;
    // Both are in that repository.
    assert_eq!(output.lines().count(), 1, "{output}");
    let pushed = skopeo_raw(&list)?;
    assert_eq!(pushed, shown);
    assert_eq!(pushed["mediaType"], "application/vnd.oci.image.index.v1+json");
    let platform = &pushed["manifests"][1]["platform"];
    assert_eq!((&platform["variant"], &platform["os.features"][1]), (&"v8".into(), &"b".into()), "{pushed}");
    // The last line is the digest of what is there now.
    let digest = output.lines().last().unwrap_or_default();
    let other = Phial::new()?;
    assert!(other.ok(&["pull", &list])?.contains(&format!("Digest: {digest}")));
    assert_eq!(other.ok(&["run", "--rm", &list, "cat", "/etc/motd"])?, "a small vessel for amd64");
    // It is purged; what it was is in the registry, and that is shown now.
    let shown: Value = serde_json::from_str(&phial.ok(&["manifest", "inspect", &list])?)?;
    assert_eq!(shown, pushed);
    let gone = phial.run(&["manifest", "rm", &list])?.exited(1)?;
    assert!(gone.stderr.contains("no such manifest"), "{gone:?}");
    Ok(())
}

#[test]
fn images_of_other_repositories_and_of_this_host() -> Result {
    let (registry, phial) = two_platforms()?;
    // One is lent by another repository, the other is in no registry that can be reached.
    let list = registry.name("other/app:1");
    let local = registry.name("never/pushed:arm64");
    phial.ok(&["tag", &registry.name("app:arm64"), &local])?;
    phial.ok(&["manifest", "create", &list, &registry.name("app:amd64"), &local])?;
    let output = phial.ok(&["manifest", "push", &list])?;
    assert_eq!(output.matches("Pushed ref ").count(), 2, "{output}");
    phial.ok(&["manifest", "rm", &list])?;

    let other = Phial::new()?;
    other.ok(&["pull", "--all-platforms", &list])?;
    // The name is that of the image for this host; the other one is there by its digest.
    assert_eq!(other.inspect(&list)?["Architecture"], "amd64");
    let index = skopeo_raw(&list)?;
    let digest = index["manifests"][1]["digest"].as_str().unwrap_or_default();
    let arm64 = format!("{}@{digest}", registry.name("other/app"));
    assert_eq!(other.inspect(&arm64)?["Architecture"], "arm64");
    Ok(())
}

#[test]
fn what_is_shown_of_a_registry() -> Result {
    let (registry, phial) = (images::registry()?, Phial::new()?);
    let image = registry.name(images::BUSYBOX_LIST);
    let shown: Value = serde_json::from_str(&phial.ok(&["manifest", "inspect", &image])?)?;
    assert_eq!(shown, skopeo_raw(&image)?);
    let verbose = phial.ok(&["manifest", "inspect", "-v", &registry.name(images::BUSYBOX)])?;
    let verbose: Value = serde_json::from_str(&verbose)?;
    assert_eq!(verbose["Descriptor"]["platform"]["architecture"], "amd64");
    assert_eq!(verbose["OCIManifest"], skopeo_raw(&registry.name(images::BUSYBOX))?);
    Ok(())
}

#[test]
fn what_makes_no_list() -> Result {
    let (registry, phial) = (images::registry()?, Phial::new()?);
    let (list, index) = (registry.name("app:1"), registry.name(images::BUSYBOX_INDEX));
    let image = registry.name(images::BUSYBOX);
    phial.ok(&["manifest", "create", &list, &image])?;
    for (words, part) in [
        (&["create", "app:2", &image][..], "is in another registry than app:2, and there is no such image here"),
        (&["create", &registry.name("app:2"), &registry.name("absent")], "no such manifest"),
        (&["create", &registry.name("app:2"), &index], "is a manifest list"),
        (&["annotate", "--arch", "arm", &registry.name("app:3"), &image], "no such manifest"),
        (&["annotate", "--arch", "a b", &list, &image], "--arch \"a b\""),
        (&["push", &registry.name("app:3")], "no such manifest"),
        (&["rm", &registry.name("app:3")], "no such manifest"),
        (&["inspect", &list, &registry.name("absent")], "no such manifest in"),
    ] {
        let output = phial.run(&[&["manifest"], words].concat())?.exited(1)?;
        assert!(output.stderr.contains(part), "{output:?}");
        assert!(output.stderr.lines().count() <= 2, "{output:?}");
    }
    Ok(())
}
