//! What the container's supervisor does by itself: restart policy and health check.

use clap::Args;
use engine::config::{ContainerConfig, Healthcheck, health, restart};

use crate::failure::{Cannot, Failure, Result};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Command that tells whether the container is well
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks, such as 30s
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_interval: Option<String>,
    /// Failures in a row until it is unhealthy
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    health_retries: Option<i64>,
    /// Time between two checks in the start period
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_start_interval: Option<String>,
    /// Time from the start in which failures do not count
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_start_period: Option<String>,
    /// Time that one check may take
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_timeout: Option<String>,
    /// No health check, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
    /// When to start it again: no, on-failure[:MAX], always, unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
}

impl Flags {
    /// Writes the policies; what else the configuration says must be there already.
    pub(super) fn apply(self, config: &mut ContainerConfig, doing: &dyn Fn() -> String) -> Result<()> {
        if let Some(text) = &self.restart {
            config.restart = restart::parse_restart(text).cannot(doing)?;
            if config.auto_remove && config.restart != engine::config::RestartPolicy::No {
                return Err(conflict(doing, "--restart and --rm"));
            }
        }
        let is_set = self.health_cmd.is_some()
            || self.health_retries.is_some()
            || [&self.health_interval, &self.health_start_interval, &self.health_start_period, &self.health_timeout]
                .into_iter()
                .any(Option::is_some);
        config.health = match (self.no_healthcheck, is_set) {
            (true, true) => return Err(conflict(doing, "--no-healthcheck and --health-*")),
            (true, false) => Some(Healthcheck::none()),
            (false, true) => Some(self.healthcheck().cannot(doing)?),
            (false, false) => None,
        };
        Ok(())
    }

    fn healthcheck(self) -> engine::Result<Healthcheck> {
        let time = |flag: &str, text: Option<String>| text.map_or(Ok(0), |text| health::parse_health_time(flag, &text));
        let command = self.health_cmd.filter(|command| !command.is_empty());
        Ok(Healthcheck {
            test: command.map(|command| vec!["CMD-SHELL".to_owned(), command]).unwrap_or_default(),
            interval: time("--health-interval", self.health_interval)?,
            timeout: time("--health-timeout", self.health_timeout)?,
            start_period: time("--health-start-period", self.health_start_period)?,
            start_interval: time("--health-start-interval", self.health_start_interval)?,
            retries: self.health_retries.map_or(Ok(0), health::parse_retries)?,
            shell: Vec::new(),
        })
    }
}

fn conflict(doing: &dyn Fn() -> String, flags: &str) -> Failure {
    Failure::new(format!("cannot {}: conflicting options: {flags}", doing())).with_hint("leave one of them out")
}
