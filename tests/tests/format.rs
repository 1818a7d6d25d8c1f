//! `--format`, `-q` and `--no-trunc`: tables, JSON and Go templates of lists and objects.

use end_to_end::{Context, Result, Stage};
use serde_json::Value;

/// A stage with one container that runs and one that has ended.
fn stage() -> Result<Stage> {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web", "--label", "com.example.tier-x=front"], &["sleep", "1000"])?;
    stage.phial.run(&["run", "--name", "job", &stage.image, "sh", "-c", "exit 3"])?.exited(3)?;
    Ok(stage)
}

#[test]
fn lists() -> Result {
    let stage = stage()?;
    let id = stage.phial.ok(&["ps", "-q", "--no-trunc"])?;
    assert_eq!(id.len(), 64, "{id}");
    let cases: [(&[&str], String); 9] = [
        (&["ps", "-q"], id[..12].to_owned()),
        (&["ps", "--format", "{{.Names}} {{.ID}} {{.State}}"], format!("web {} running", &id[..12])),
        (&["ps", "--no-trunc", "--format", "{{.ID}} {{.Command}}"], format!("{id} \"sleep 1000\"")),
        (&["ps", "-a", "--format", "{{.Names}}"], "job\nweb".to_owned()),
        (&["ps", "--format", r#"{{.Label "com.example.tier-x"}}"#], "front".to_owned()),
        (&["ps", "--format", r"table {{.Names}}\t{{.State}}"], "NAMES     STATE\nweb       running".to_owned()),
        (&["ps", "--format", r#"table {{.Label "com.example.tier-x"}}"#], "tier x\nfront".to_owned()),
        (&["ps", "--format", "{{if eq .State \"running\"}}{{upper .Names}}{{end}}"], "WEB".to_owned()),
        (&["images", "--format", "{{.Repository}}:{{.Tag}}"], stage.image.clone()),
    ];
    for (words, expected) in cases {
        assert_eq!(stage.phial.ok(words)?, expected, "{words:?}");
    }
    // Cut to twenty characters first, and then quoted.
    stage.phial.ok(&["create", "--name", "quoted", &stage.image, "echo", "a\"b\\c", "\x1b[31m\n0123456789"])?;
    let listed = stage.phial.ok(&["ps", "-al", "--format", "{{.Command}}"])?;
    assert_eq!(listed, r#""echo a\"b\\c \x1b[31m\n01…""#);
    for line in stage.phial.ok(&["ps", "-a", "--format", "json"])?.lines() {
        let object: Value = serde_json::from_str(line)?;
        for field in [
            "Command",
            "CreatedAt",
            "ID",
            "Image",
            "Labels",
            "LocalVolumes",
            "HealthStatus",
            "IPAddresses",
            "Mounts",
            "Names",
            "Networks",
            "Ports",
            "RunningFor",
            "Size",
            "State",
            "Status",
        ] {
            assert!(object[field].is_string(), "{field}: {object}");
        }
    }
    assert_eq!(stage.phial.ok(&["ps", "--format", "{{json .Names}}"])?, "\"web\"");
    Ok(())
}

#[test]
fn objects() -> Result {
    let stage = stage()?;
    let cases: [(&[&str], &str); 7] = [
        (
            &["inspect", "-f", "{{.Name}} {{.State.Running}} {{.State.ExitCode}}", "web", "job"],
            "/web true 0\n/job false 3",
        ),
        (&["inspect", "-f", "{{json .Config.Cmd}}", "web"], r#"["sleep","1000"]"#),
        (&["inspect", "-f", "{{range $i, $w := .Config.Cmd}}{{$i}}={{$w}};{{end}}", "web"], "0=sleep;1=1000;"),
        (&["inspect", "-f", r#"{{index .Config.Labels "com.example.tier-x"}}"#, "web"], "front"),
        (&["container", "inspect", "-f", "{{.Config.Labels.nope}}", "web"], "<no value>"),
        (&["version", "--format", "{{.Server.Os}}"], "linux"),
        (&["info", "--format", "{{.ContainersRunning}}"], "1"),
    ];
    for (words, expected) in cases {
        assert_eq!(stage.phial.ok(words)?, expected, "{words:?}");
    }
    let pid = stage.phial.ok(&["inspect", "-f", "{{.State.Pid}}", "web"])?;
    assert!(pid.parse::<u32>().is_ok_and(|pid| pid > 1), "{pid}");
    let compact = stage.phial.ok(&["inspect", "--format", "json", "web"])?;
    assert!(compact.starts_with("[{") && !compact.contains('\n'), "{compact}");
    for words in [&["ps", "-a"][..], &["version"], &["system", "df"]] {
        let empty = [words, &["--format", ""]].concat();
        assert_eq!(stage.phial.ok(&empty)?, stage.phial.ok(words)?, "{words:?}");
    }
    let info: Value = serde_json::from_str(&stage.phial.ok(&["info", "--format", "json"])?)?;
    assert_eq!(info["Containers"], 2);
    Ok(())
}

#[test]
fn a_wrong_template_is_refused_with_its_position() -> Result {
    let stage = stage()?;
    let cases: [(&[&str], &str); 6] = [
        (&["ps", "--format", "{{.ID"], "template parsing error: template: :1: unclosed action"),
        (&["ps", "--format", "{{nope .ID}}"], "template parsing error: template: :1: function \"nope\" not defined"),
        (
            &["ps", "--format", "{{.Nope}}"],
            "template parsing error: template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope",
        ),
        (
            &["inspect", "-f", "{{.State.Nope}}", "web"],
            "template: :1:8: executing \"\" at <.State.Nope>: map has no entry for key \"Nope\"",
        ),
        (&["inspect", "-f", "{{index .Config.Cmd 9}}", "web"], "error calling index: index out of range: 9"),
        (&["version", "--format", "{{"], "template parsing error: template: :1"),
    ];
    for (words, expected) in cases {
        let output = stage.phial.run(words)?.exited(1)?;
        assert!(output.stderr.contains(expected) && output.stdout.is_empty(), "{words:?}: {output:?}");
    }
    Ok(())
}

#[test]
fn times_are_those_of_the_hosts_zone() -> Result {
    let stage = stage()?;
    let in_zone = |words: &[&str]| -> Result<String> {
        let mut command = stage.phial.command(words);
        end_to_end::process::run(command.env("TZ", "WEST-2:30"))?.success()
    };
    let cases: [(&[&str], &str); 4] = [
        (&["ps", "--format", "{{.CreatedAt}}"], " +0230 WEST\n"),
        (&["images", "--format", "{{.CreatedAt}}"], " +0230 WEST\n"),
        (&["history", "--format", "{{.CreatedAt}}", &stage.image], "+02:30\n"),
        (
            &["events", "--since", "1h", "--until", "0s", "-f", "container=job", "-f", "event=create"],
            "+02:30 container",
        ),
    ];
    for (words, expected) in cases {
        let printed = in_zone(words)?;
        assert!(printed.contains(expected), "{words:?}: {printed}");
    }
    // It is the same moment.
    let hour = |text: String| text.split([' ', ':']).nth(1).and_then(|hour| hour.parse::<i32>().ok());
    let here = hour(stage.phial.ok(&["ps", "--format", "{{.CreatedAt}}"])?);
    let there = in_zone(&["ps", "--format", "{{.CreatedAt}}"])?;
    assert_ne!(here, hour(there.clone()));
    // A time that is given without a zone is in the same one; in UTC it would be still to come.
    let since = there.get(..19).context("ps shows no time")?.replace(' ', "T");
    let seen = in_zone(&["events", "--since", &since, "--until", "0s", "-f", "container=job"])?;
    assert!(seen.contains("container create"), "since {since}: {seen}");
    Ok(())
}
