//! `--filter`, `-n`, `-l` and `-s` of lists.

use end_to_end::{Result, Stage};

/// A stage with four containers: one runs, two have ended, one was created from an image by digest.
fn stage() -> Result<Stage> {
    let stage = Stage::busybox()?;
    let image = stage.image.as_str();
    let run = |name: &str, flags: &[&str], script: &str, code: i32| -> Result {
        let words = [&["run", "--name", name], flags, &[image, "sh", "-c", script]].concat();
        stage.phial.run(&words)?.exited(code).map(drop)
    };
    run("first", &["-l", "tier=back", "-l", "stage=test"], "exit 0", 0)?;
    run("second", &["-l", "tier=back", "--expose", "80"], "printf 12345 > /written; exit 3", 3)?;
    stage.start(&["--name", "third", "-l", "tier=front", "-v", "/tmp:/host"], &["sleep", "1000"])?;
    stage.phial.ok(&["create", "--name", "fourth", "--network", "host", image, "true"])?;
    Ok(stage)
}

#[test]
fn containers() -> Result {
    let stage = stage()?;
    let id = stage.phial.ok(&["ps", "-aqf", "name=first"])?;
    let (of_id, ancestor) = (format!("id={}", &id[..6]), format!("ancestor={}", stage.image));
    let image_id = format!("ancestor={}", stage.phial.ok(&["images", "-q"])?);
    let cases: [(&[&str], &str); 31] = [
        (&["-a"], "fourth third second first"),
        (&[], "third"),
        (&["-n", "2"], "fourth third"),
        (&["-n", "-1"], "third"),
        (&["-l"], "fourth"),
        (&["-af", "name=ir"], "third first"),
        (&["-af", "name=^first$"], "first"),
        (&["-af", "name=^/first$"], "first"),
        (&["-af", "name=first", "-f", "name=second"], "second first"),
        (&["-af", &of_id], "first"),
        (&["-af", "label=tier"], "third second first"),
        (&["-af", "label=tier=back"], "second first"),
        (&["-af", "label=tier=back", "-f", "label=stage"], "first"),
        (&["-af", "exited=3"], "second"),
        (&["-af", "exited=0", "-f", "exited=3"], "second first"),
        (&["-f", "status=exited"], "second first"),
        (&["-f", "status=created", "-f", "status=running"], "fourth third"),
        (&["-af", &ancestor], "fourth third second first"),
        (&["-af", &image_id], "fourth third second first"),
        (&["-af", "ancestor=nothing"], ""),
        (&["-af", "before=second"], "first"),
        (&["-af", "since=second"], "fourth third"),
        (&["-af", "volume=/host"], "third"),
        (&["-af", "volume=/tmp"], "third"),
        (&["-af", "network=host"], "fourth"),
        (&["-af", "network=bridge", "-f", "status=running"], "third"),
        (&["-af", "health=none"], "fourth third second first"),
        (&["-af", "health=healthy"], ""),
        (&["-af", "is-task=true"], ""),
        (&["-af", "expose=80/tcp"], "second"),
        (&["-af", "publish=80"], ""),
    ];
    for (flags, expected) in cases {
        let listed = stage.phial.ok(&[&["ps", "--format", "{{.Names}}"], flags].concat())?;
        assert_eq!(listed.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{flags:?}");
    }
    let size = stage.phial.ok(&["ps", "-as", "--format", "{{.Size}}", "-f", "name=second"])?;
    assert!(size.starts_with("5B (virtual ") && size.ends_with(')'), "{size}");
    assert!(stage.phial.ok(&["ps", "-as"])?.lines().next().is_some_and(|heading| heading.ends_with("SIZE")));
    Ok(())
}

#[test]
fn images() -> Result {
    let stage = Stage::busybox()?;
    let image = stage.image.as_str();
    let repository = image.strip_suffix(":latest").unwrap_or(image);
    stage.phial.ok(&["tag", image, "mine/tool:1.2"])?;
    stage.phial.ok(&["run", "--rm", "hello"])?;
    let pattern = format!("reference={}/*", repository.split('/').next().unwrap_or_default());
    let cases: [(&[&str], usize); 12] = [
        (&[], 3),
        (&["mine/tool"], 1),
        (&["mine/tool:1.2"], 1),
        (&["mine/tool:2"], 0),
        (&["mine/*"], 1),
        (&["-f", "reference=mine/t??l"], 1),
        (&["-f", &pattern], 1),
        (&["-f", "reference=*/*:1.*"], 1),
        (&["-f", "dangling=true"], 0),
        (&["-f", "dangling=false"], 3),
        (&["-f", "label=no.such"], 0),
        (&["-f", "before=mine/tool:1.2", "-f", "since=mine/tool:1.2"], 0),
    ];
    for (flags, expected) in cases {
        let listed = stage.phial.ok(&[&["images", "--format", "{{.Repository}}:{{.Tag}}"], flags].concat())?;
        assert_eq!(listed.lines().count(), expected, "{flags:?}: {listed}");
    }
    // Two names are one image.
    assert_eq!(stage.phial.ok(&["images", "-q"])?.lines().count(), 2);
    assert!(stage.phial.ok(&["images", "--digests"])?.contains("DIGEST"));
    // An image whose names another one took.
    stage.phial.ok(&["tag", "hello", image])?;
    stage.phial.ok(&["rmi", "mine/tool:1.2"])?;
    assert!(stage.phial.ok(&["images", "-qf", "dangling=true"])?.lines().count() <= 1);
    Ok(())
}

#[test]
fn what_is_no_filter_is_refused() -> Result {
    let stage = Stage::busybox()?;
    let cases: [(&[&str], &str); 8] = [
        (&["ps", "-f", "name"], "invalid filter 'name'"),
        (&["ps", "-f", "nam=x"], "invalid filter 'nam'"),
        (&["ps", "-f", "status=asleep"], "invalid filter 'status=asleep'"),
        (&["ps", "-f", "exited=x"], "invalid filter 'exited=x'"),
        (&["ps", "-f", "before=nobody"], "no such container: nobody"),
        (&["ps", "-f", "expose=99999"], "invalid filter 'expose=99999'"),
        (&["images", "-f", "dangling=perhaps"], "invalid filter 'dangling=perhaps'"),
        (&["images", "-f", "until=soon"], "invalid filter 'until=soon'"),
    ];
    for (words, expected) in cases {
        let output = stage.phial.run(words)?.exited(1)?;
        assert!(output.stderr.contains(expected), "{words:?}: {output:?}");
    }
    Ok(())
}
