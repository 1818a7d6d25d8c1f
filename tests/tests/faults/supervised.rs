//! What a supervisor does by itself: restarts, health checks, rotation of logs; and what a boot does for it.

use end_to_end::faults::Operation;
use end_to_end::{Phial, Result, supervisor};

use super::scene::{Scene, died, is_one_of, no_containers, only, status, status_begun};

#[test]
fn run_that_is_to_come_back() -> Result {
    let scene = Scene::with_image()?;
    let words =
        ["run", "-d", "--network", "none", "--name", "web", "--restart", "always", &scene.image, "sleep", "1000"];
    let after = |phial: &Phial| {
        match status_begun(phial, "web")? {
            Some(line) if line.contains("Up ") => phial.ok(&["exec", "web", "true"]).map(drop),
            // Its supervisor was killed, and then whoever was to start it again.
            Some(line) if line.contains("Dead") => phial.ok(&["start", "web"]).map(drop),
            Some(line) => panic!("neither running nor absent: {line}"),
            None => Ok(()),
        }
    };
    died(&scene, 130, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn run_with_checks() -> Result {
    let scene = Scene::with_image()?;
    let health = ["--health-cmd", "true", "--health-interval", "1h"];
    let words =
        [&["run", "-d", "--network", "none", "--name", "web"], &health[..], &[&scene.image, "sleep", "1000"]].concat();
    let after = |phial: &Phial| match status_begun(phial, "web")? {
        Some(line) if line.contains("Dead") => phial.ok(&["rm", "web"]).map(drop),
        Some(line) => {
            assert!(line.contains("(health: starting)"), "{line}");
            Ok(())
        }
        None => Ok(()),
    };
    died(&scene, 115, &Operation { words: &words, before: &no_containers, after: &after })
}

/// Waits until a container has ended for good.
fn ended(phial: &Phial, name: &str) -> Result {
    while status(phial, name)?
        .is_some_and(|line| ["Up ", "Restarting", "Created"].iter().any(|word| line.contains(word)))
    {}
    Ok(())
}

#[test]
fn restarts() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        let script = "echo run; usleep 300000; exit 3";
        only(
            phial,
            &[
                "run",
                "-d",
                "--network",
                "none",
                "--name",
                "fails",
                "--restart",
                "on-failure:1",
                &scene.image,
                "sh",
                "-c",
                script,
            ],
        )
    };
    let after = |phial: &Phial| {
        ended(phial, "fails")?;
        is_one_of(phial, "fails", &["Exited (3)", "Dead"])?;
        phial.ok(&["rm", "fails"]).map(drop)
    };
    // Follows it from run to run, to its last end.
    died(&scene, 36, &Operation { words: &["logs", "-f", "fails"], before: &before, after: &after })
}

#[test]
fn checks_that_fail() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        let health = ["--health-cmd", "false", "--health-interval", "100ms", "--health-retries", "2"];
        only(
            phial,
            &[&["run", "-d", "--network", "none", "--name", "sick"], &health[..], &[&scene.image, "usleep", "400000"]]
                .concat(),
        )
    };
    let after = |phial: &Phial| {
        ended(phial, "sick")?;
        is_one_of(phial, "sick", &["Exited (0)", "Dead"])?;
        phial.ok(&["rm", "sick"]).map(drop)
    };
    died(&scene, 28, &Operation { words: &["wait", "sick"], before: &before, after: &after })
}

#[test]
fn rotation_of_the_log() -> Result {
    let scene = Scene::with_image()?;
    let options = ["max-size=20k", "max-file=5", "compress=true"].map(|option| ["--log-opt", option]).concat();
    let words =
        [&["run", "--network", "none", "--name", "talks"], &options[..], &[&scene.image, "seq", "1", "1000"]].concat();
    let after = |phial: &Phial| {
        if status(phial, "talks")?.is_none_or(|line| line.contains("Created")) {
            return Ok(());
        }
        // No line is lost before the last that is there, and none is there twice.
        let lines = phial.ok(&["logs", "talks"])?;
        let lines: Vec<usize> = lines.lines().map(|line| line.parse().expect("a number")).collect();
        assert_eq!(lines, (1..=lines.len()).collect::<Vec<_>>());
        Ok(())
    };
    died(&scene, 105, &Operation { words: &words, before: &no_containers, after: &after })
}

#[test]
fn boot() -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        no_containers(phial)?;
        for name in ["one", "two"] {
            phial.ok(&[
                "run",
                "-d",
                "--network",
                "none",
                "--name",
                name,
                "--restart",
                "always",
                &scene.image,
                "sleep",
                "1000",
            ])?;
        }
        supervisor::power_failure(phial)
    };
    let after = |phial: &Phial| {
        phial.ok(&["system", "boot"])?;
        for name in ["one", "two"] {
            is_one_of(phial, name, &["Up "])?;
            phial.ok(&["exec", name, "true"])?;
        }
        Ok(())
    };
    died(&scene, 100, &Operation { words: &["system", "boot"], before: &before, after: &after })
}
