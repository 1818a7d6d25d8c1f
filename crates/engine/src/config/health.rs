//! Health checks: an image's `HEALTHCHECK`, and `--health-cmd` and the rest in its place.

use runtime::protocol::policy::HealthCheck;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const SECOND: i64 = 1_000_000_000;
/// Docker's defaults, in nanoseconds.
const INTERVAL: i64 = 30 * SECOND;
const TIMEOUT: i64 = 30 * SECOND;
const START_INTERVAL: i64 = 5 * SECOND;
const RETRIES: u32 = 3;
/// Less than this is as good as endless.
const SHORTEST: i64 = 1_000_000;

/// A health check as docker has it. Times are in nanoseconds; 0 is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; empty is the image's.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// For one check.
    pub timeout: i64,
    /// From the start, in which failures do not count.
    pub start_period: i64,
    /// Between two checks in that period.
    pub start_interval: i64,
    /// Failures in a row until the container is unhealthy.
    pub retries: u32,
    /// The image's shell, for `CMD-SHELL`; `/bin/sh -c` otherwise.
    pub shell: Vec<String>,
}

impl Healthcheck {
    /// None at all, whatever the image says (`--no-healthcheck`).
    pub fn none() -> Healthcheck {
        Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() }
    }

    /// With what the image says wherever the user has said nothing; None if neither has.
    ///
    /// # Errors
    /// `Invalid` for a test that is of none of docker's kinds.
    pub(crate) fn effective(own: Option<&Healthcheck>, image: &image::Config) -> Result<Option<Healthcheck>> {
        let of_image = image.healthcheck.as_ref().filter(|check| !check.test.is_empty());
        let mut check = own.cloned().unwrap_or_default();
        if let Some(of_image) = of_image {
            let or = |own: &mut i64, other: i64| *own = if *own == 0 { other.max(0) } else { *own };
            if check.test.is_empty() {
                check.test.clone_from(&of_image.test);
            }
            or(&mut check.interval, of_image.interval);
            or(&mut check.timeout, of_image.timeout);
            or(&mut check.start_period, of_image.start_period);
            or(&mut check.start_interval, of_image.start_interval);
            if check.retries == 0 {
                check.retries = of_image.retries.try_into().unwrap_or(0);
            }
        }
        if check.test.is_empty() {
            return Ok(None);
        }
        check.shell = image.shell.clone().unwrap_or_default();
        match (check.test[0].as_str(), check.test.len()) {
            ("NONE", 1) | ("CMD", 2..) | ("CMD-SHELL", 2) => Ok(Some(check)),
            ("NONE" | "CMD" | "CMD-SHELL", _) => {
                Err(Error::invalid(format!("health check {:?}: not as many words as its kind has", check.test)))
            }
            (kind, _) => Err(Error::invalid(format!("health check {kind:?}: is none of CMD, CMD-SHELL and NONE"))),
        }
    }

    /// What a supervisor is to do; None for no check.
    pub(crate) fn resolve(&self) -> Option<HealthCheck> {
        let command = match (self.test.first()?.as_str(), &self.test[1..]) {
            ("CMD", command) => command.to_vec(),
            ("CMD-SHELL", [line]) if self.shell.is_empty() => ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
            ("CMD-SHELL", [line]) => self.shell.iter().chain([line]).cloned().collect(),
            _ => return None,
        };
        let milliseconds = |time: i64, default: i64| {
            let time = if time == 0 { default } else { time };
            u64::try_from(time / 1_000_000).unwrap_or(0)
        };
        Some(HealthCheck {
            command,
            interval: milliseconds(self.interval, INTERVAL).max(1),
            timeout: milliseconds(self.timeout, TIMEOUT).max(1),
            start_period: milliseconds(self.start_period, 0),
            start_interval: milliseconds(self.start_interval, START_INTERVAL).max(1),
            retries: if self.retries == 0 { RETRIES } else { self.retries },
        })
    }
}

/// Parses a time of a health check; `flag` is named in errors.
///
/// # Errors
/// `Invalid` for what is no time, a negative one, and one under a millisecond.
pub fn parse_health_time(flag: &str, text: &str) -> Result<i64> {
    let hint = "write it with a unit: 500ms, 30s, 1m30s";
    match notation::duration::nanoseconds(text) {
        None => Err(Error::invalid(format!("{flag} {text}: not a duration")).with_hint(hint)),
        Some(time) if time < 0 => Err(Error::invalid(format!("{flag} {text}: cannot be negative"))),
        Some(time) if time != 0 && time < SHORTEST => {
            Err(Error::invalid(format!("{flag} {text}: cannot be less than 1ms")).with_hint(hint))
        }
        Some(time) => Ok(time),
    }
}

/// Checks `--health-retries`.
///
/// # Errors
/// `Invalid` for a negative number, and one that is too large.
pub fn parse_retries(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| {
        let why = if number < 0 { "cannot be negative" } else { "is too large" };
        Error::invalid(format!("--health-retries {number}: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(test: &[&str], interval: i64) -> image::Config {
        let test = test.iter().map(|word| (*word).to_owned()).collect();
        let check = image::Healthcheck { test, interval, retries: 7, ..Default::default() };
        image::Config { healthcheck: Some(check), ..Default::default() }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_users_words_go_before_the_images() {
        let image = image(&["CMD", "true"], 5 * SECOND);
        let own = Healthcheck { test: words(&["CMD-SHELL", "exit 1"]), timeout: SECOND, ..Default::default() };
        let check = Healthcheck::effective(Some(&own), &image).expect("is one").expect("there is one");
        let resolved = check.resolve().expect("is a check");
        assert_eq!(resolved.command, words(&["/bin/sh", "-c", "exit 1"]));
        assert_eq!((resolved.interval, resolved.timeout, resolved.retries), (5000, 1000, 7));
        let only_times = Healthcheck { interval: SECOND, ..Default::default() };
        let check = Healthcheck::effective(Some(&only_times), &image).expect("is one").expect("there is one");
        assert_eq!((check.test, check.interval), (words(&["CMD", "true"]), SECOND));
    }

    #[test]
    fn none_is_none() {
        let image = image(&["CMD", "true"], 0);
        let check = Healthcheck::effective(Some(&Healthcheck::none()), &image).expect("is one").expect("is noted");
        assert_eq!(check.resolve(), None);
        assert_eq!(Healthcheck::effective(None, &image::Config::default()).expect("is nothing"), None);
    }

    #[test]
    fn what_is_no_check_is_refused() {
        for test in [&["CMD"] as &[&str], &["CMD-SHELL"], &["NONE", "x"], &["SHELL", "x"]] {
            assert!(Healthcheck::effective(None, &image(test, 0)).is_err(), "{test:?}");
        }
        for text in ["", "x", "-1s", "1us", "5"] {
            assert!(parse_health_time("--health-interval", text).is_err(), "{text}");
        }
    }
}
