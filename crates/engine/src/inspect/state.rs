//! `State` of `inspect`.

use runtime::protocol::ExitRecord;
use runtime::protocol::policy::Health;
use serde_json::{Value, json};

use crate::containers::lifecycle::{State, UNKNOWN};

/// What docker writes for a time that was not.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A state in docker's shape. One that waits to be started again counts as running there.
pub(super) fn state(state: &State, health: Option<Health>) -> Value {
    let status = match state {
        State::Lost(status) => status.as_ref(),
        other => other.status(),
    };
    let exit: Option<&ExitRecord> = match state {
        State::Exited(exit) | State::Created(Some(exit)) => Some(exit),
        State::Restarting(status) => status.last.as_ref(),
        _ => None,
    };
    let started = status.map(|status| &status.started_at).or(exit.map(|exit| &exit.started_at));
    let started = started.filter(|time| !time.is_empty()).map_or(NEVER, String::as_str);
    // Of one that runs it is the end of the run before.
    let finished = exit.or_else(|| state.status()?.last.as_ref());
    let ended = |exit: &&ExitRecord| !exit.started_at.is_empty();
    let mut value = json!({
        "Status": state.name(),
        "Running": state.is_running(),
        "Paused": matches!(state, State::Paused(_)),
        "Restarting": matches!(state, State::Restarting(_)),
        "OOMKilled": exit.is_some_and(|exit| exit.oom_killed) || status.is_some_and(|status| status.oom_killed),
        "Dead": matches!(state, State::Lost(_)),
        "Pid": state.status().map_or(0, |status| status.pid),
        "ExitCode": match state {
            State::Lost(_) => UNKNOWN,
            _ => exit.map_or(0, |exit| exit.exit_code),
        },
        "Error": exit.and_then(|exit| exit.error.as_deref()).unwrap_or_default(),
        "StartedAt": started,
        "FinishedAt": finished.filter(ended).map_or(NEVER, |exit| exit.finished_at.as_str()),
    });
    if let (Some(health), Some(object)) = (health, value.as_object_mut()) {
        object.insert("Health".to_owned(), json!(health));
    }
    value
}

/// How often the container's policy has started it.
pub(super) fn restarts(state: &State) -> u32 {
    match state {
        State::Exited(exit) | State::Created(Some(exit)) => exit.restarts,
        State::Lost(status) => status.as_ref().map_or(0, |status| status.restarts),
        other => other.status().map_or(0, |status| status.restarts),
    }
}
