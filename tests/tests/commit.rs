//! `commit`: what a container has changed becomes an image; and `history`, which tells of it.

use end_to_end::followed::Followed;
use end_to_end::{Context, Phial, Result, Stage};
use serde_json::{Value, json};

const CHANGES: &str = "mkdir -p /d/empty; echo one > /d/one; ln /d/one /d/two; ln -s one /d/link; chmod 4750 /d/one; \
    chown 12:34 /d/empty; mkfifo /d/fifo; rm /etc/passwd; rm -r /etc/init.d 2>/dev/null; rm -rf /home; mkdir /home; touch /home/new";

/// What a script prints that looks at all of that.
const LOOK: &str = "cd /d; for f in empty fifo link one two; do stat -c '%n %F %a %u:%g %h' $f; done; readlink link; \
    cat two; ls -A /home; test -e /etc/passwd || echo gone";

#[test]
fn all_that_changed_is_in_the_image() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start_ready(&["--name", "cc"], &format!("{CHANGES}; echo ready; sleep 1000"))?;
    let want = phial.ok(&["exec", "cc", "sh", "-c", LOOK])?;
    for pause in ["--pause", "--pause=false"] {
        let image = phial.ok(&["commit", pause, "cc", "made:1"])?;
        assert!(image.starts_with("sha256:") && image.len() == 71, "{image}");
        assert_eq!(phial.inspect(&id)?["State"]["Status"], "running", "{pause}");
        assert_eq!(phial.ok(&["run", "--rm", "-u", "0", "made:1", "sh", "-c", LOOK])?, want, "{pause}");
    }
    // Of a container that does not run, and of one of that image.
    phial.ok(&["stop", "-t", "0", "cc"])?;
    phial.ok(&["commit", "cc", "made:2"])?;
    assert_eq!(phial.ok(&["run", "--rm", "-u", "0", "made:2", "sh", "-c", LOOK])?, want);
    phial.ok(&["run", "--name", "next", "-u", "0", "made:2", "sh", "-c", "rm /d/one; echo 2 > /d/three"])?;
    phial.ok(&["commit", "next", "made:3"])?;
    assert_eq!(phial.ok(&["run", "--rm", "made:3", "ls", "/d"])?, "empty\nfifo\nlink\nthree\ntwo");
    // The container goes on as it was.
    phial.ok(&["start", "cc"])?;
    // It changes everything once more.
    let mut logs = Followed::start(phial, &["logs", "-f", "cc"])?;
    (0..2).try_for_each(|_| logs.wait_for("ready"))?;
    assert_eq!(phial.ok(&["exec", "-u", "0", "cc", "sh", "-c", LOOK])?, want);
    // What was made can be saved, loaded and run elsewhere.
    let archive = phial.scratch().join("made.tar").display().to_string();
    phial.ok(&["save", "-o", &archive, "made:3"])?;
    let other = Phial::new()?;
    other.ok(&["load", "-i", &archive])?;
    assert_eq!(other.ok(&["run", "--rm", "made:3", "cat", "/d/three"])?, "2");
    Ok(())
}

#[test]
fn its_configuration_changes_by_instructions() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "cc", "-e", "OWN=1", "-w", "/tmp", "-l", "own=label"], &["sleep", "1000"])?;
    let changes = [
        "CMD [\"echo\", \"a b\"]",
        "ENV A=1 B=\"2 3\"",
        "ENV C=$A-${OWN:-2}",
        "EXPOSE 80 53/udp",
        "LABEL x=y",
        "USER 7:8",
        "VOLUME /data",
        "WORKDIR /opt",
        "STOPSIGNAL SIGUSR1",
        "HEALTHCHECK --interval=3s CMD true",
        "ONBUILD RUN true",
    ];
    let mut words = vec!["commit", "-a", "Somebody <s@example.org>", "-m", "for a test"];
    words.extend(changes.iter().flat_map(|change| ["-c", change]));
    phial.ok(&[words.as_slice(), &["cc", "made"]].concat())?;
    let image = phial.inspect("made:latest")?;
    assert_eq!((&image["Author"], &image["Comment"]), (&json!("Somebody <s@example.org>"), &json!("for a test")));
    let config = &image["Config"];
    let expected: [(&str, Value); 7] = [
        ("Cmd", json!(["echo", "a b"])),
        ("User", json!("7:8")),
        ("WorkingDir", json!("/opt")),
        ("StopSignal", json!("SIGUSR1")),
        ("ExposedPorts", json!({"53/udp": {}, "80/tcp": {}})),
        ("Volumes", json!({"/data": {}})),
        ("OnBuild", json!(["RUN true"])),
    ];
    for (key, value) in expected {
        assert_eq!(config[key], value, "{key}");
    }
    let env = config["Env"].to_string();
    assert!(["\"OWN=1\"", "\"A=1\"", "\"B=2 3\"", "\"C=1-1\""].iter().all(|entry| env.contains(entry)), "{env}");
    assert_eq!((&config["Labels"]["x"], &config["Labels"]["own"]), (&json!("y"), &json!("label")));
    assert_eq!(config["Healthcheck"]["Interval"], 3_000_000_000_i64);
    assert_eq!(phial.ok(&["run", "--rm", "made"])?, "a b");

    for (words, expected) in [
        (&["commit", "-c", "RUN x", "cc", "bad"][..], "RUN is not a valid change command"),
        (&["commit", "-c", "EXPOSEE 80", "cc", "bad"], "did you mean EXPOSE?"),
        (&["commit", "cc", "Bad"], "lower case"),
        (&["commit", "cc", "bad@sha256:0000000000000000000000000000000000000000000000000000000000000000"], "digest"),
        (&["commit", "none", "bad"], "no such container"),
    ] {
        let output = phial.run(words)?.exited(1)?;
        assert!(output.stderr.contains(expected), "{words:?}: {output:?}");
    }
    assert!(phial.run(&["inspect", "bad"])?.code != 0);
    Ok(())
}

#[test]
fn history_tells_of_every_step() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    phial.ok(&["run", "--name", "cc", &stage.image, "sh", "-c", "echo 12345 > /tmp/new"])?;
    let id = phial.ok(&["commit", "-m", "said", "cc", "made:1"])?;
    let table = phial.ok(&["history", "made:1"])?;
    let mut lines = table.lines();
    let heading: Vec<&str> =
        lines.next().context("a heading")?.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!(heading, ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"]);
    let last = lines.next().context("a step")?;
    assert!(last.starts_with(&id[7..19]) && last.ends_with("said") && last.contains("6B"), "{last}");
    assert!(lines.all(|line| line.starts_with("<missing>")), "{table}");
    let first: Value = serde_json::from_str(
        phial.ok(&["history", "--no-trunc", "--format", "json", "made:1"])?.lines().next().context("a line")?,
    )?;
    assert_eq!((&first["ID"], &first["Comment"], &first["Size"]), (&json!(id), &json!("said"), &json!("6B")));
    assert_eq!(first["CreatedBy"], "sh -c echo 12345 > /tmp/new");
    let bytes = phial.ok(&["history", "--human=false", "made:1"])?;
    assert!(bytes.lines().nth(1).context("a step")?.contains("   6      "), "{bytes}");
    let created = |format: &str| phial.ok(&["history", "--human=false", "--format", format, "made:1"]);
    assert_eq!(created("{{.CreatedSince}}")?, created("{{.CreatedAt}}")?);
    assert_eq!(phial.ok(&["history", "-q", "--no-trunc", "made:1"])?.lines().next(), Some(id.as_str()));
    Ok(())
}

/// Whoever pauses a container for a moment may be killed in it.
#[test]
fn a_commit_that_is_killed_lets_the_container_go() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start_ready(&["--name", "cc"], "head -c 200000000 /dev/urandom > /big; echo ready; sleep 1000")?;
    let status = || Ok::<_, end_to_end::Failure>(phial.inspect("cc")?["State"]["Status"].clone());
    let mut commit = phial.command(&["commit", "cc", "made"]).spawn()?;
    while status()? != "paused" {
        assert!(commit.try_wait()?.is_none(), "the commit was over before it was seen");
    }
    commit.kill()?;
    commit.wait()?;
    while status()? != "running" {}
    phial.ok(&["exec", "cc", "true"])?;
    Ok(())
}

/// An ordinary pause outlives the command, and a commit in it.
#[test]
fn what_somebody_else_has_paused_stays_so() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    stage.start(&["--name", "cc"], &["sleep", "1000"])?;
    phial.ok(&["pause", "cc"])?;
    phial.ok(&["commit", "cc", "made"])?;
    assert_eq!(phial.inspect("cc")?["State"]["Status"], "paused");
    phial.ok(&["unpause", "cc"])?;
    phial.ok(&["commit", "cc", "made"])?;
    assert_eq!(phial.inspect("cc")?["State"]["Status"], "running");
    Ok(())
}
