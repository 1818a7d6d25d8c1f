//! `phial container prune`, and `rm` of several.

use end_to_end::{Result, Stage};

#[test]
fn those_that_do_not_run_are_pruned() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let running = stage.start(&["--name", "runs"], &["sleep", "1000"])?;
    phial.ok(&[
        "run",
        "--name",
        "ended",
        "--label",
        "a=1",
        &stage.image,
        "sh",
        "-c",
        "head -c 3000 /dev/zero > /file",
    ])?;
    phial.ok(&["create", "--name", "made", "--label", "b", &stage.image, "true"])?;

    let output = phial.run_with_input(&["container", "prune"], b"no\n")?.exited(1)?;
    assert_eq!(
        output.stdout,
        "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] \n"
    );
    assert!(output.stderr.contains("container prune has been cancelled"), "{output:?}");
    phial.run(&["container", "prune"])?.exited(1)?;
    assert_eq!(phial.containers()?.len(), 3);

    let nothing = phial.ok(&["container", "prune", "-f", "--filter", "until=1h"])?;
    assert_eq!(nothing, "Total reclaimed space: 0B", "nothing is so old");
    phial.run(&["container", "prune", "-f", "--filter", "until=soon"])?.exited(1)?;
    phial.run(&["container", "prune", "-f", "--filter", "name=made"])?.exited(1)?;
    let made = phial.ok(&["inspect", "-f", "{{.Id}}", "made"])?;
    let pruned = phial.ok(&["container", "prune", "-f", "--filter", "label!=a"])?;
    assert_eq!(pruned, format!("Deleted Containers:\n{made}\n\nTotal reclaimed space: 0B"));

    let ended = phial.ok(&["inspect", "-f", "{{.Id}}", "ended"])?;
    let output = phial.run_with_input(&["container", "prune"], b"y\n")?.exited(0)?;
    assert!(
        output.stdout.ends_with(&format!("Deleted Containers:\n{ended}\n\nTotal reclaimed space: 3kB\n")),
        "{output:?}"
    );
    assert_eq!(phial.containers()?, [&running[..12]]);
    Ok(())
}

#[test]
fn several_are_removed() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    for name in ["one", "two"] {
        phial.ok(&["create", "--name", name, &stage.image, "true"])?;
    }
    let running = stage.start(&["--name", "runs"], &["sleep", "1000"])?;
    let output = phial.run(&["rm", "one", "absent", "runs", "two"])?.exited(1)?;
    assert_eq!(output.stdout, "one\ntwo\n");
    assert!(output.stderr.contains("absent") && output.stderr.contains("is running"), "{output:?}");
    let output = phial.run(&["rm", "--link", "runs"])?.exited(1)?;
    assert!(output.stderr.contains("--link"), "{output:?}");
    assert_eq!(phial.containers()?, [&running[..12]]);
    assert_eq!(phial.ok(&["rm", "-f", "runs"])?, "runs");
    Ok(())
}
