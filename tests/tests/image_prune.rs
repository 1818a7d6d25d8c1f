//! `image prune`, and `image mount` with what it must not lose.

use std::fs;

use end_to_end::process::run_with_input;
use end_to_end::{Result, Stage};

#[test]
fn images_that_nobody_uses_go() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["run", "--name", "cc", &stage.image, "touch", "/new"])?;
    let nameless = phial.ok(&["commit", "cc"])?;
    let named = phial.ok(&["commit", "-c", "LABEL keep=yes", "cc", "named:1"])?;
    // Whoever says nothing, or no, keeps everything.
    for answer in [&b""[..], b"n\n"] {
        let output = run_with_input(&mut phial.command(&["image", "prune"]), answer)?.exited(1)?;
        assert!(output.stdout.starts_with("WARNING! This will remove all dangling images."), "{output:?}");
    }
    phial.inspect(&nameless)?;
    let output = run_with_input(&mut phial.command(&["image", "prune"]), b"y\n")?.success()?;
    assert!(
        output.contains(&format!("Deleted Images:\ndeleted: {nameless}\n"))
            && output.contains("Total reclaimed space: "),
        "{output}"
    );
    phial.inspect("named:1")?;
    phial.ok(&["image", "prune", "-af", "--filter", "label!=keep"])?;
    phial.ok(&["image", "prune", "-af", "--filter", "until=2000-01-01"])?;
    phial.inspect("named:1")?;
    let output = phial.ok(&["image", "prune", "-af"])?;
    assert!(output.contains("untagged: named:1") && output.contains(&named), "{output}");
    // The container's own image stays.
    phial.inspect(&stage.image)?;
    phial.ok(&["rm", "cc"])?;
    phial.ok(&["image", "prune", "-af"])?;
    assert_eq!(phial.ok(&["images", "-q"])?, "");
    let left: Vec<_> = fs::read_dir(phial.root().join("layers"))?.flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    phial.run(&["image", "prune", "-f", "--filter", "color=blue"])?.exited(1)?;
    Ok(())
}

#[test]
fn an_image_is_mounted_to_be_looked_at() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let place = phial.ok(&["image", "mount", &stage.image])?;
    assert!(fs::read_to_string(format!("{place}/etc/passwd"))?.starts_with("root:"));
    assert!(fs::write(format!("{place}/new"), "").is_err(), "it can be written");
    // It stays where it is, is listed, and its image cannot go.
    assert_eq!(phial.ok(&["image", "mount", &stage.image])?, place);
    assert!(phial.ok(&["image", "mount"])?.ends_with(&place));
    let output = phial.run(&["rmi", &stage.image])?.exited(1)?;
    assert!(output.stderr.contains("is mounted on"), "{output:?}");
    phial.ok(&["image", "prune", "-af"])?;
    phial.ok(&["image", "unmount", &stage.image])?;
    assert_eq!(phial.ok(&["image", "mount"])?, "");
    phial.run(&["image", "unmount", &stage.image])?.exited(1)?;
    // On a directory of one's own; several layers.
    phial.ok(&["run", "--name", "cc", "-u", "0", &stage.image, "sh", "-c", "echo new > /new; rm /etc/passwd"])?;
    phial.ok(&["commit", "cc", "made:1"])?;
    let own = phial.scratch().join("own");
    fs::create_dir(&own)?;
    phial.ok(&["image", "mount", "made:1", &own.display().to_string()])?;
    assert_eq!(fs::read_to_string(own.join("new"))?, "new\n");
    assert!(!own.join("etc/passwd").exists());
    phial.ok(&["image", "unmount", "--all"])?;
    assert_eq!(fs::read_dir(&own)?.count(), 0);
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    assert!(!mounts.contains(&phial.scratch().display().to_string()), "{mounts}");
    phial.run(&["image", "mount", "made:1", "/nonexistent"])?.exited(1)?;
    assert_eq!(phial.ok(&["image", "mount"])?, "");
    Ok(())
}
