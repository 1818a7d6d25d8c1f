//! `--check` and `--call`: what is asked of a Dockerfile instead of a build. Reads it, and asks no registry.

use std::process::ExitCode;

use build::outline::{Lint, outline, targets};
use build::{Options, near_file};
use dockerfile::evaluate::{Bases, Inputs, Platform, context_name};

use super::csv::meant;
use super::{failed, invalid};
use crate::failure::{Cannot, Failure, Result};
use crate::output::{self, print};

/// What can be asked.
pub(crate) const METHODS: [&str; 5] = ["build", "check", "lint", "outline", "targets"];

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    method: Method,
    is_json: bool,
    /// Findings are no failure.
    ignores_status: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Check,
    Outline,
    Targets,
}

impl Call {
    /// `METHOD[,format=json][,ignorestatus=true]`; None for a build.
    pub(super) fn parse(text: &str) -> Result<Option<Call>> {
        let wrong = |why: String| invalid("--call", text, why);
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let method = match name {
            "" | "build" => return Ok(None),
            "check" | "lint" => Method::Check,
            "outline" => Method::Outline,
            "targets" => Method::Targets,
            other => {
                let failure = wrong(format!("'{other}' is none of {}", METHODS.join(", ")));
                return Err(meant(failure, other, &METHODS));
            }
        };
        let mut call = Call { method, is_json: false, ignores_status: false };
        for part in parts {
            match part.split_once('=').unwrap_or((part, "true")) {
                ("format", "json") => call.is_json = true,
                ("format", "text" | "") => call.is_json = false,
                ("ignorestatus", value) => {
                    call.ignores_status =
                        notation::truth(value).ok_or_else(|| wrong(format!("{part} is neither true nor false")))?;
                }
                _ => return Err(wrong(format!("'{part}' is neither format=json nor ignorestatus=true"))),
            }
        }
        Ok(Some(call))
    }

    /// Asks, and prints the answer. The exit status is 1 if a check has found anything, as docker's.
    /// `bases` knows what images say.
    pub(super) fn run(self, options: &Options, bases: &dyn Bases) -> Result<ExitCode> {
        let file = near_file(options).cannot(|| "read the Dockerfile")?;
        build::check_front_end(options, &file.text)
            .map_err(|error| failed(error.with_file(&file.name, String::from_utf8_lossy(&file.text))))?;
        let host = image::Platform::host();
        let names = options.named_contexts.iter().map(|context| context_name(&context.name).to_owned()).collect();
        let inputs = Inputs {
            arguments: &options.build_args,
            build_platform: platform(&host),
            target_platform: platform(options.platforms.first().unwrap_or(&host)),
            target: options.target.as_deref(),
            // All that is said is looked at, unless one stage is asked for.
            all_stages: self.method == Method::Check && options.target.is_none(),
            ignored: file.ignored.as_ref(),
            bases,
            named_contexts: &names,
        };
        if self.method == Method::Check {
            return self.check(&Lint::of(&file.name, &file.text, &inputs));
        }
        let answer = match self.method {
            Method::Targets => targets(&file.text).map(|found| self.answer(&found, found.text())),
            _ => outline(&file.text, &inputs).map(|found| self.answer(&found, found.text())),
        };
        let text = answer.map_err(|error| {
            let text = String::from_utf8_lossy(&file.text);
            output::build::excerpt(&error.report(&file.name, &text, output::look_of_stderr()));
            Failure::new(format!("cannot read {}: {error}", file.name))
        })?;
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn answer(self, json: &impl serde::Serialize, text: String) -> String {
        if self.is_json { serde_json::to_string_pretty(json).unwrap_or_default() + "\n" } else { text }
    }

    fn check(self, lint: &Lint) -> Result<ExitCode> {
        if self.is_json {
            print(&(serde_json::to_string_pretty(&lint.json()).unwrap_or_default() + "\n"))?;
        } else {
            print(&lint.report(output::look_of_stdout()))?;
        }
        Ok(if lint.is_clean() || self.ignores_status { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn platform(platform: &image::Platform) -> Platform {
    Platform {
        os: platform.os.clone(),
        os_version: String::new(),
        architecture: platform.architecture.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls() {
        let call = |method, is_json, ignores_status| Some(Call { method, is_json, ignores_status });
        let cases = [
            ("build", None),
            ("check", call(Method::Check, false, false)),
            ("lint,format=json", call(Method::Check, true, false)),
            ("outline,format=text", call(Method::Outline, false, false)),
            ("targets,format=json,ignorestatus=true", call(Method::Targets, true, true)),
            ("check,ignorestatus", call(Method::Check, false, true)),
        ];
        for (text, expected) in cases {
            assert_eq!(Call::parse(text).expect("it is one"), expected, "{text}");
        }
        let failure = Call::parse("target").expect_err("there is none");
        assert_eq!(failure.said().1, Some("did you mean targets?"));
        for text in ["check,format=xml", "check,x", "check,ignorestatus=7"] {
            Call::parse(text).expect_err(text);
        }
    }
}
