//! Build checks: what a Dockerfile says and probably does not mean, or should not say any more.
//!
//! A finding is no error, unless the file says so. Which rules there are, what each is called and when it is broken is what
//! `docker build --check` has. Source: <https://docs.docker.com/reference/build-checks/>.

/// Which rules are left out.
mod config;
/// What can be seen of a file without knowing any value.
mod form;
/// All rules.
mod rule;

pub use config::Config;
pub(crate) use form::{form, is_shell_line};
pub use rule::Rule;

use crate::statement::Lines;

/// A rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where.
    pub lines: Lines,
    /// Which rule.
    pub rule: Rule,
    /// What breaks it.
    pub message: String,
}

/// What was found, by whoever looks.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    config: Config,
    found: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new(config: Config) -> Findings {
        Findings { config, found: Vec::new() }
    }

    /// Notes a finding, unless the file or the comments before the instruction leave that rule out.
    pub(crate) fn add(&mut self, rule: Rule, lines: Lines, comments: &[String], message: impl Into<String>) {
        if self.config.wants(rule, comments) {
            self.found.push(Finding { lines, rule, message: message.into() });
        }
    }

    /// All of them, in the order of the file, and whether the file takes them as errors.
    pub(crate) fn all(mut self) -> (Vec<Finding>, bool) {
        self.found.sort();
        self.found.dedup();
        let are_errors = self.config.is_error && !self.found.is_empty();
        (self.found, are_errors)
    }
}
