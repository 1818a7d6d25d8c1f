//! `# check=skip=…;error=…;experimental=…`: at the top of a file for all of it, and before an instruction for that one.

use std::collections::BTreeSet;

use super::Rule;
use crate::error::{Error, Result};

/// Which rules are looked at, and whether what breaks them is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    skipped: Choice,
    experimental: Choice,
    /// Whether a finding is an error.
    pub is_error: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Choice {
    all: bool,
    names: BTreeSet<String>,
}

impl Choice {
    fn add(&mut self, list: &str) {
        match list.trim() {
            "all" => self.all = true,
            names => self.names.extend(names.split(',').map(|name| name.trim().to_owned())),
        }
    }

    fn has(&self, rule: Rule) -> bool {
        self.all || self.names.contains(rule.name())
    }
}

impl Config {
    /// Reads what follows `check=`. A name that no rule has is taken: the rule may be of a later version.
    ///
    /// # Errors
    /// `Syntax`.
    pub fn parse(text: &str) -> Result<Config> {
        let mut config = Config::default();
        for option in text.split(';').map(str::trim).filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match (key.trim(), value.trim()) {
                ("skip", rules) if !rules.is_empty() => config.skipped.add(rules),
                ("experimental", rules) if !rules.is_empty() => config.experimental.add(rules),
                ("error", value) if let Some(is_error) = notation::truth(value) => config.is_error = is_error,
                _ => {
                    return Err(Error::syntax(format!("check: {option:?} is no option"))
                        .with_hint("write skip=RULE,…;error=true;experimental=RULE,…, or all in place of rules")
                        .at_word(option));
                }
            }
        }
        Ok(config)
    }

    /// Whether a rule is looked at for an instruction with these comments before it.
    pub(super) fn wants(&self, rule: Rule, comments: &[String]) -> bool {
        let own = comments.iter().filter_map(|comment| {
            let (name, value) = comment.split_once('=')?;
            let is_check = name.trim().eq_ignore_ascii_case("check");
            is_check.then(|| Config::parse(value.split(' ').next().unwrap_or_default()).unwrap_or_default())
        });
        let all: Vec<Config> = own.collect();
        let has = |choice: fn(&Config) -> &Choice| all.iter().chain([self]).any(|config| choice(config).has(rule));
        if rule.is_experimental() { has(|config| &config.experimental) } else { !has(|config| &config.skipped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at() {
        let of = |text: &str| Config::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (rule, experimental) = (Rule::UndefinedVar, Rule::InvalidDefinitionDescription);
        assert!(of("").wants(rule, &[]) && !of("").wants(experimental, &[]));
        assert!(!of("skip=all").wants(rule, &[]) && !of("skip=StageNameCasing, UndefinedVar").wants(rule, &[]));
        assert!(of("skip=StageNameCasing").wants(rule, &[]));
        assert!(of("experimental=all;skip=all").wants(experimental, &[]));
        assert!(of("error=true").is_error && !of("error=true;error=false").is_error);
        let comments = ["other".to_owned(), "check=skip=UndefinedVar because".to_owned()];
        assert!(!of("").wants(rule, &comments) && of("").wants(Rule::StageNameCasing, &comments));
        for wrong in ["skip", "skip=", "error=maybe", "what=ever"] {
            assert!(Config::parse(wrong).is_err(), "{wrong}");
        }
    }
}
