//! Operations on a container that runs.

use end_to_end::faults::Operation;
use end_to_end::{Phial, Result};

use super::scene::{Scene, died, is_one_of, only};

/// An operation on a container called busy that runs, once `first` was done to it. It is left running, paused, ended or
/// lost, as `can_be` has it, and can be removed.
fn on_a_running_one(first: &[&str], words: &[&str], least: usize, can_be: &[&str]) -> Result {
    let scene = Scene::with_image()?;
    let before = |phial: &Phial| {
        only(phial, &["run", "-d", "--network", "none", "--name", "busy", &scene.image, "sleep", "1000"])?;
        if first.is_empty() { Ok(()) } else { phial.ok(first).map(drop) }
    };
    let after = |phial: &Phial| {
        is_one_of(phial, "busy", can_be)?;
        phial.ok(&["rm", "-f", "busy"]).map(drop)
    };
    died(&scene, least, &Operation { words, before: &before, after: &after })
}

const PAUSE: &[&str] = &["pause", "busy"];
const STOP: &[&str] = &["stop", "--time", "0", "busy"];
const RESTART: &[&str] = &["restart", "--time", "0", "busy"];

#[test]
fn stop() -> Result {
    on_a_running_one(&[], STOP, 6, &["Up ", "Exited (137)", "Dead"])
}

#[test]
fn stop_of_a_paused_one() -> Result {
    on_a_running_one(PAUSE, STOP, 6, &["Up ", "Exited (137)", "Dead"])
}

#[test]
fn restart() -> Result {
    on_a_running_one(&[], RESTART, 12, &["Up ", "Exited (137)", "Dead", "Created"])
}

#[test]
fn restart_of_an_ended_one() -> Result {
    on_a_running_one(STOP, RESTART, 10, &["Up ", "Exited (137)", "Dead", "Created"])
}

#[test]
fn pause() -> Result {
    on_a_running_one(&[], PAUSE, 6, &["(Paused)", "Up ", "Dead"])
}

#[test]
fn unpause() -> Result {
    on_a_running_one(PAUSE, &["unpause", "busy"], 6, &["(Paused)", "Up ", "Dead"])
}

#[test]
fn update() -> Result {
    on_a_running_one(&[], &["update", "--memory", "64m", "--restart", "on-failure", "busy"], 35, &["Up ", "Dead"])
}

#[test]
fn exec() -> Result {
    on_a_running_one(&[], &["exec", "busy", "true"], 4, &["Up ", "Dead"])
}

#[test]
fn exec_in_the_background() -> Result {
    on_a_running_one(&[], &["exec", "-d", "busy", "sleep", "1000"], 2, &["Up ", "Dead"])
}
