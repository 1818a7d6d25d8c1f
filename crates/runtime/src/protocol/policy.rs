//! What a supervisor does by itself while nobody is there: start its container again, ask it how it is, stop it. And
//! what it writes about that.

use serde::{Deserialize, Serialize};

/// File name of [`RunRecord`] in the container's persistent directory.
pub const RUN_FILE: &str = "run.json";
/// File name of [`Health`] in the container's run directory, while there is a health check.
pub const HEALTH_FILE: &str = "health.json";

/// What happens when a container's process has ended by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// It is started again if it has failed, so many times; 0 is any number.
    OnFailure(u32),
    /// It is started again, and also after a boot, even if somebody has stopped it before that.
    Always,
    /// It is started again, and also after a boot unless somebody has stopped it.
    UnlessStopped,
}

impl RestartPolicy {
    /// Docker's word.
    pub fn name(self) -> &'static str {
        match self {
            RestartPolicy::No => "no",
            RestartPolicy::OnFailure(_) => "on-failure",
            RestartPolicy::Always => "always",
            RestartPolicy::UnlessStopped => "unless-stopped",
        }
    }

    /// Whether a container that has ended with this status, not because somebody wanted it to, and that was started again
    /// so many times before, is started again.
    pub fn wants(self, exit_code: i32, restarts: u32) -> bool {
        match self {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure(most) => exit_code != 0 && (most == 0 || restarts < most),
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        }
    }
}

/// How to learn whether a container is well. Times are in milliseconds; every field is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Between two checks.
    pub interval: u64,
    /// For one check.
    pub timeout: u64,
    /// From the start, in which failures do not count.
    pub start_period: u64,
    /// Between two checks in that period.
    pub start_interval: u64,
    /// Failures in a row until the container is unhealthy.
    pub retries: u32,
}

/// Docker's words for how a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// No check has said that it is well, and not enough have failed.
    Starting,
    /// The last check that counts says that it is well.
    Healthy,
    /// Enough checks in a row have failed, or it has ended.
    Unhealthy,
}

impl HealthStatus {
    /// Docker's word.
    pub fn name(self) -> &'static str {
        match self {
            HealthStatus::Starting => "starting",
            HealthStatus::Healthy => "healthy",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }
}

/// How a container is, with its last checks; field names are docker's, so that the file is what `inspect` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Health {
    /// What follows from the checks.
    pub status: HealthStatus,
    /// Checks that have failed in a row.
    pub failing_streak: u32,
    /// The last [`MOST_CHECKS`] checks, the latest last.
    pub log: Vec<Check>,
}

/// How many checks are kept.
pub const MOST_CHECKS: usize = 5;
/// How much of a check's output is kept, in bytes.
pub const MOST_OUTPUT: usize = 4096;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
    /// Its exit status; -1 of one that took too long or could not be started.
    pub exit_code: i32,
    /// The beginning of what it wrote.
    pub output: String,
}

/// Asks for the end of the container: a signal, and after some time SIGKILL. Until it is started by hand it stays ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The first signal; the container's own if there is none.
    pub signal: Option<i32>,
    /// Seconds until SIGKILL.
    pub timeout: Patience,
    /// Why.
    pub reason: Reason,
    /// Whether the container's lock comes with the answer. Then nobody else can start or remove it, and it does not go
    /// with its end.
    pub hand_over: bool,
}

/// How long a container may take to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Patience {
    /// As long as it was created with.
    Own,
    /// So many seconds.
    Seconds(u32),
    /// As long as it takes.
    Endless,
}

/// Why a container is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Somebody wants it. What is `unless-stopped` does not come back with a boot.
    User,
    /// The host goes down. What ran comes back with a boot.
    Shutdown,
    /// To be started once more, by who has asked; if he is gone by then, by the supervisor.
    Restart,
}

/// Asks for all processes to stand still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Only as long as the connection lasts, or until [`super::Kind::Resume`] comes on it: whoever wants it for a moment may be
    /// killed in it.
    #[serde(default)]
    pub leased: bool,
}

/// Changes what a running container's supervisor was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The new policy, from the next end on.
    pub restart: Option<RestartPolicy>,
    /// Whether its memory has another limit from now on.
    #[serde(default)]
    pub memory: bool,
}

/// What a reboot must not take: that a container was started, and whether somebody has stopped it since. Written for
/// containers with a restart policy, and for those that are started a second time: an earlier `exit.json` is removed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`VERSION`](super::VERSION) of the writer.
    pub version: u32,
    /// When it was started the last time, RFC 3339.
    pub started_at: String,
    /// Whether somebody has stopped it.
    #[serde(default)]
    pub stopped: bool,
    /// How often it was started again by its policy.
    #[serde(default)]
    pub restarts: u32,
}

#[cfg(test)]
mod tests {
    use super::RestartPolicy::{self, Always, No, OnFailure, UnlessStopped};

    #[test]
    fn who_is_started_again() {
        let cases = [
            (No, 1, 0, false),
            (OnFailure(0), 1, 1000, true),
            (OnFailure(0), 0, 0, false),
            (OnFailure(2), 1, 1, true),
            (OnFailure(2), 1, 2, false),
            (Always, 0, 1000, true),
            (UnlessStopped, 0, 0, true),
        ];
        for (policy, exit_code, restarts, expected) in cases {
            assert_eq!(policy.wants(exit_code, restarts), expected, "{policy:?} {exit_code} {restarts}");
        }
    }

    #[test]
    fn policies_on_the_wire() {
        for (policy, text) in
            [(No, "\"no\""), (OnFailure(3), "{\"on-failure\":3}"), (UnlessStopped, "\"unless-stopped\"")]
        {
            assert_eq!(serde_json::to_string(&policy).expect("is JSON"), text);
            assert_eq!(serde_json::from_str::<RestartPolicy>(text).expect("reads"), policy);
        }
    }
}
