//! `phial system df`: what takes room, what shares it, and what could be had back.

use end_to_end::{Context, Result, Stage};

#[test]
fn every_kind_is_measured() -> Result {
    let stage = Stage::busybox()?;
    let df = |format: &str| stage.phial.ok(&["system", "df", "--format", format]);
    assert_eq!(
        df("{{.Type}} {{.TotalCount}} {{.Active}}")?,
        "Images 1 0\nContainers 0 0\nLocal Volumes 0 0\nBuild Cache 0 0"
    );
    let line = df("{{.Size}} {{.Reclaimable}}")?;
    let (size, rest) = line.lines().next().and_then(|line| line.split_once(' ')).context("there are images")?;
    assert_eq!(rest, format!("{size} (100%)"), "nothing uses it");
    // One more name, and a container: nothing is counted twice.
    stage.phial.ok(&["tag", &stage.image, "twice:1"])?;
    stage.phial.run(&["run", "--name", "job", &stage.image, "sh", "-c", "printf 1234567 > /file"])?.exited(0)?;
    let lines = df("{{.Type}}={{.TotalCount}},{{.Active}},{{.Size}},{{.Reclaimable}}")?;
    assert!(lines.contains(&format!("Images=1,1,{size},0B (0%)")), "{lines}");
    assert!(lines.contains("Containers=1,0,7B,7B (100%)"), "{lines}");

    stage.phial.ok(&["volume", "create", "data"])?;
    let table = stage.phial.ok(&["system", "df"])?;
    assert!(table.starts_with("TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\n"), "{table}");
    let verbose = stage.phial.ok(&["system", "df", "-v"])?;
    for part in [
        "Images space usage:",
        "SHARED SIZE",
        "Containers space usage:",
        "LOCAL VOLUMES",
        "Local Volumes space usage:",
        "VOLUME NAME",
        "Build cache usage: 0B",
        "job",
    ] {
        assert!(verbose.contains(part), "{part}: {verbose}");
    }
    let json = stage.phial.ok(&["system", "df", "-v", "--format", "json"])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    // What the lists of each kind have, with what only this measures; nothing is cut short, and nothing is "virtual".
    let container = &json["Containers"][0];
    assert_eq!(
        (&container["Names"], &container["Size"], &container["State"]),
        (&"job".into(), &"7B".into(), &"exited".into())
    );
    assert_eq!(container["ID"].as_str().map(str::len), Some(64), "{container}");
    let image = &json["Images"][0];
    assert_eq!(
        (&image["Containers"], &image["SharedSize"], &image["UniqueSize"]),
        (&"1".into(), &"0B".into(), &image["Size"])
    );
    let volume = &json["Volumes"][0];
    assert_eq!((&volume["Name"], &volume["Links"], &volume["Size"]), (&"data".into(), &"0".into(), &"0B".into()));
    assert_eq!(volume["Driver"], "local");
    Ok(())
}

#[test]
fn prune_asks_and_makes_room() -> Result {
    let stage = Stage::busybox()?;
    stage
        .phial
        .run(&["run", "--name", "job", "-v", "/anonymous", &stage.image, "sh", "-c", "printf 12345 > /file"])?
        .exited(0)?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    let output = stage.phial.run_with_input(&["system", "prune"], b"n\n")?.exited(1)?;
    assert!(output.stdout.contains("WARNING! This will remove:\n  - all stopped containers"), "{output:?}");
    assert_eq!(stage.phial.ok(&["ps", "-aq"])?.lines().count(), 2);
    stage.phial.run(&["system", "prune", "-f", "--filter", "label=no.such"])?.exited(0)?;
    assert_eq!(stage.phial.ok(&["ps", "-aq"])?.lines().count(), 2);
    // What one of the parts refuses is refused before any of them removes anything.
    stage.phial.run(&["system", "prune", "-f", "--filter", "until=soon"])?.exited(1)?;
    let twice = ["system", "prune", "-f", "--filter", "until=1ns", "--filter", "until=2ns"];
    stage.phial.run(&twice)?.exited(1)?;
    let long_ago = ["system", "prune", "-f", "--filter", "until=2001-01-01T00:00:00Z"];
    assert_eq!(stage.phial.ok(&long_ago)?, "Total reclaimed space: 0B");
    assert_eq!(stage.phial.ok(&["ps", "-aq"])?.lines().count(), 2);
    let output = stage.phial.run_with_input(&["system", "prune", "--volumes"], b"y\n")?.exited(0)?;
    assert!(
        output.stdout.contains("Deleted Containers:\n") && output.stdout.contains("Deleted Volumes:\n"),
        "{output:?}"
    );
    assert!(output.stdout.ends_with("Total reclaimed space: 5B\n"), "{output:?}");
    assert_eq!(stage.phial.ok(&["ps", "-a", "--format", "{{.Names}}"])?, "web");
    stage.phial.ok(&["rm", "-f", "web"])?;
    let output = stage.phial.run(&["system", "prune", "-af"])?.exited(0)?;
    assert!(output.stdout.contains("untagged: ") && output.stdout.contains("deleted: sha256:"), "{output:?}");
    assert_eq!(stage.phial.ok(&["images", "-q"])?, "");
    Ok(())
}
