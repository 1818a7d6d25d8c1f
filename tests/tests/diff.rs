//! `diff`: what a container has changed, in docker's letters.

use end_to_end::{Result, Stage};

/// Runs a script to its end and compares what `diff` says.
fn check(stage: &Stage, script: &str, expected: &[&str]) -> Result {
    stage.phial.ok(&["run", "--name", "cc", "-u", "0", &stage.image, "sh", "-c", script])?;
    let said = stage.phial.ok(&["diff", "cc"])?;
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said, expected, "{script}");
    stage.phial.ok(&["rm", "cc"])?;
    Ok(())
}

#[test]
fn letters() -> Result {
    let stage = Stage::busybox()?;
    check(&stage, "true", &[])?;
    check(&stage, "mkdir /a; touch /a/b", &["A /a", "A /a/b"])?;
    check(&stage, "echo x >> /etc/passwd", &["C /etc", "C /etc/passwd"])?;
    check(&stage, "rm /etc/passwd", &["C /etc", "D /etc/passwd"])?;
    // Attributes alone.
    check(&stage, "chmod 600 /etc/passwd", &["C /etc", "C /etc/passwd"])?;
    check(&stage, "chown 5 /etc/passwd", &["C /etc", "C /etc/passwd"])?;
    check(&stage, "chmod 700 /etc", &["C /etc"])?;
    // Another name of the same file.
    check(&stage, "ln /etc/passwd /etc/again", &["C /etc", "A /etc/again", "C /etc/passwd"])?;
    Ok(())
}

#[test]
fn a_directory_that_was_made_anew() -> Result {
    let stage = Stage::busybox()?;
    stage.phial.ok(&[
        "run",
        "--name",
        "base",
        "-u",
        "0",
        &stage.image,
        "sh",
        "-c",
        "mkdir /t; touch /t/old /t/both; mkdir /t/sub; touch /t/sub/x",
    ])?;
    stage.phial.ok(&["commit", "base", "base:1"])?;
    stage.phial.ok(&[
        "run",
        "--name",
        "cc",
        "-u",
        "0",
        "base:1",
        "sh",
        "-c",
        "rm -r /t; mkdir /t; touch /t/new /t/both",
    ])?;
    assert_eq!(stage.phial.ok(&["diff", "cc"])?, "C /t\nC /t/both\nA /t/new\nD /t/old\nD /t/sub");
    // While it runs, and for a container that never did.
    stage.start(&["--name", "live"], &["sleep", "1000"])?;
    stage.phial.ok(&["exec", "-u", "0", "live", "touch", "/here"])?;
    assert_eq!(stage.phial.ok(&["diff", "live"])?, "A /here");
    stage.phial.ok(&["create", "--name", "never", "base:1"])?;
    assert_eq!(stage.phial.ok(&["diff", "never"])?, "");
    stage.phial.run(&["diff", "none"])?.exited(1)?;
    Ok(())
}

#[test]
fn who_writes_nothing_has_nothing() -> Result {
    let stage = Stage::busybox()?;
    let id = stage.phial.ok(&["create", &stage.image, "true"])?;
    stage.phial.ok(&["start", "-a", &id])?;
    // What a container mounts on is a layer of its own, also where the image lacks it.
    let upper = stage.phial.root().join("containers").join(&id).join("upper");
    assert_eq!(std::fs::read_dir(upper)?.count(), 0);
    Ok(())
}
