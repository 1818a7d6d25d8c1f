//! Arguments of the build: platforms, which are always there, and what `ARG` declares before the first stage.

use std::collections::BTreeSet;

use super::Inputs;
use crate::check::{Findings, Rule};
use crate::environment::Environment;
use crate::error::Result;
use crate::instruction::Kind;
use crate::stages::Stages;
use crate::word::Lexer;

/// A platform, as arguments name its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// The version of the operating system, which only Windows has.
    pub os_version: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `v7`, or empty.
    pub variant: String,
}

impl Platform {
    /// `os/architecture[/variant]`
    pub fn name(&self) -> String {
        let parts = [&self.os, &self.architecture, &self.variant];
        parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("/")
    }
}

/// What is known before the first stage.
#[derive(Debug, Clone)]
pub(super) struct Global {
    /// Values.
    pub(super) values: Environment,
    /// What is declared, with a value or not.
    pub(super) declared: BTreeSet<String>,
}

impl Global {
    pub(super) fn new(stages: &Stages, target: usize, inputs: &Inputs<'_>, escape: char) -> Result<Global> {
        let given = |name: &str| inputs.arguments.get(name).cloned();
        Global::with(stages, target, inputs, escape, &given)
    }

    fn with(
        stages: &Stages,
        target: usize,
        inputs: &Inputs<'_>,
        escape: char,
        given: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Global> {
        let mut values = Environment::default();
        // The target's own name, also if it was asked for by number.
        let name = inputs.target.map(ToOwned::to_owned).or_else(|| stages.stages[target].from.name.clone());
        for (name, value) in predefined(inputs, &name.unwrap_or_else(|| "default".to_owned())) {
            values.set(name, given(name).unwrap_or(value));
        }
        let mut declared: BTreeSet<String> = values.names().map(ToOwned::to_owned).collect();
        for instruction in &stages.arguments {
            let Kind::Arg(arguments) = &instruction.kind else { continue };
            for argument in arguments {
                let value = match (given(&argument.name), &argument.default) {
                    (Some(given), _) => Some(given),
                    (None, None) => None,
                    (None, Some(default)) => {
                        let expanded = Lexer::new(escape).expand(default, &values);
                        Some(expanded.map_err(|error| error.in_lines(instruction.lines))?.text)
                    }
                };
                declared.insert(argument.name.clone());
                if let Some(value) = value {
                    values.set(&argument.name, value);
                }
            }
        }
        Ok(Global { values, declared })
    }
}

fn predefined(inputs: &Inputs<'_>, stage: &str) -> [(&'static str, String); 11] {
    let (build, target) = (&inputs.build_platform, &inputs.target_platform);
    [
        ("BUILDPLATFORM", build.name()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", build.os_version.clone()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", target.name()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", target.os_version.clone()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", target.variant.clone()),
        ("TARGETSTAGE", stage.to_owned()),
    ]
}

/// Every `FROM` names an image also if nobody gives an argument.
pub(super) fn check_defaults(
    stages: &Stages,
    target: usize,
    inputs: &Inputs<'_>,
    escape: char,
    findings: &mut Findings,
) {
    // What is wrong with the arguments themselves is told by whoever needs them.
    let Ok(global) = Global::with(stages, target, inputs, escape, &|_| None) else { return };
    for stage in &stages.stages {
        let Ok(base) = Lexer::new(escape).expand(&stage.from.base, &global.values) else { return };
        if !may_be_image(&base.text) {
            let message = format!("without arguments, '{}' names no image", stage.from.base);
            let beginning = &stage.beginning;
            findings.add(Rule::InvalidDefaultArgInFrom, beginning.lines, &beginning.comments, message);
        }
    }
}

/// Whether a text has the form of an image's name: parts in lower case, a tag, a digest.
fn may_be_image(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let last_slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match name[last_slash..].find(':') {
        Some(colon) => (&name[..last_slash + colon], Some(&name[last_slash + colon + 1..])),
        None => (name, None),
    };
    let is_word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    let has_host = name.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost");
    let path = if has_host { name.split_once('/').map_or("", |(_, path)| path) } else { name };
    let is_part = |part: &str| {
        let is_lower = part.chars().all(|letter| !letter.is_ascii_uppercase());
        let ends = |end: Option<char>| end.is_some_and(|letter| letter.is_ascii_alphanumeric());
        is_word(part, "._-") && is_lower && ends(part.chars().next()) && ends(part.chars().last())
    };
    path.split('/').all(is_part)
        && tag.is_none_or(|tag| is_word(tag, "._-") && tag.len() <= 128)
        && digest
            .is_none_or(|digest| digest.split_once(':').is_some_and(|(_, sum)| sum.len() >= 32 && is_word(sum, "")))
}

#[cfg(test)]
mod tests {
    use super::may_be_image;

    #[test]
    fn names_of_images() {
        let digest = format!("a@sha256:{}", "0".repeat(64));
        for image in ["alpine", "alpine:3.20", "a/b/c", "host:5000/a", "localhost/a:Tag", "ghcr.io/a-b/c_d:1", &digest]
        {
            assert!(may_be_image(image), "{image}");
        }
        for other in ["", ":", "a:", "A", "a//b", "a/", "a b", "a@sha256:1", "-a", "host:5000/", "a:b:c"] {
            assert!(!may_be_image(other), "{other}");
        }
    }
}
