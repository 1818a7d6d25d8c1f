//! `--check` and `--call`: what is asked of a Dockerfile instead of a build. Reads it, and asks no registry.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use build::outline::{Lint, outline, targets};
use build::{Context, Dockerfile, Options};
use dockerfile::evaluate::{Bases, Inputs, Platform, context_name};
use dockerfile::ignore::Patterns;
use fsroot::Root;

use super::csv::{meant, truth};
use super::{failed, invalid};
use crate::failure::{Cannot, Failure, Result};
use crate::output::{self, print};

/// What is longer is no Dockerfile.
const LONGEST: u64 = 16 << 20;

/// What can be asked.
const METHODS: [&str; 5] = ["build", "check", "lint", "outline", "targets"];

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
                        truth(value).ok_or_else(|| wrong(format!("{part} is neither true nor false")))?;
                }
                _ => return Err(wrong(format!("'{part}' is neither format=json nor ignorestatus=true"))),
            }
        }
        Ok(Some(call))
    }

    /// Asks, and prints the answer. The exit status is 1 if a check has found anything, as docker's.
    /// `bases` knows what images say.
    pub(super) fn run(self, options: &Options, bases: &dyn Bases) -> Result<ExitCode> {
        let file = read(options)?;
        build::check_front_end(options, &file.bytes)
            .map_err(|error| failed(error.with_file(&file.name, String::from_utf8_lossy(&file.bytes))))?;
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
            return self.check(&Lint::of(&file.name, &file.bytes, &inputs));
        }
        let answer = match self.method {
            Method::Targets => targets(&file.bytes).map(|found| self.answer(&found, found.text())),
            _ => outline(&file.bytes, &inputs).map(|found| self.answer(&found, found.text())),
        };
        let text = answer.map_err(|error| {
            let text = String::from_utf8_lossy(&file.bytes);
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

/// A Dockerfile and what goes with it.
struct Source {
    name: String,
    bytes: Vec<u8>,
    ignored: Option<Patterns>,
}

/// Reads the Dockerfile where it is near: on this host, or on standard input.
fn read(options: &Options) -> Result<Source> {
    let context = match &options.context {
        Context::Directory(path) => {
            Some(Root::open(path).map_err(build::Error::from).cannot(|| format!("read {}", path.display()))?)
        }
        _ => None,
    };
    let (name, bytes) = match (&options.dockerfile, &options.context, &context) {
        (Dockerfile::Stdin, _, _) | (Dockerfile::Default, Context::Stdin, _) => {
            ("Dockerfile".to_owned(), bounded(std::io::stdin().lock(), "standard input")?)
        }
        // A path of whoever types it, and none of the context's.
        (Dockerfile::File(path), _, _) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
            (name.clone(), bounded(file, &name)?)
        }
        (Dockerfile::Default, _, Some(root)) => {
            let read = |name: &str| root.read_regular(name, LONGEST).map(|bytes| (name.to_owned(), bytes));
            // Some write it small.
            let found = read("Dockerfile").or_else(|error| match error.kind() {
                fsroot::ErrorKind::NotFound => read("dockerfile").map_err(|_| error),
                _ => Err(error),
            });
            found.map_err(build::Error::from).cannot(|| "read Dockerfile")?
        }
        (Dockerfile::Default, _, None) => {
            let failure = Failure::new("cannot check: the Dockerfile is in a context that is somewhere else");
            return Err(failure.with_hint("fetch it first, and give the directory"));
        }
    };
    let ignored = context.as_ref().and_then(|root| ignored(root, options));
    Ok(Source { name, bytes, ignored })
}

/// What is left out: a file of the Dockerfile's own counts before that of the context. One that is wrong is the build's to tell.
fn ignored(root: &Root, options: &Options) -> Option<Patterns> {
    let own = match &options.dockerfile {
        Dockerfile::File(path) => {
            let name = format!("{}.dockerignore", path.display());
            File::open(&name).ok().and_then(|file| bounded(file, &name).ok())
        }
        _ => root.read_regular(Path::new("Dockerfile.dockerignore"), LONGEST).ok(),
    };
    let bytes = own.or_else(|| root.read_regular(".dockerignore", LONGEST).ok())?;
    Patterns::parse(&bytes).ok()
}

fn bounded(file: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::new(format!("cannot read {name}: it is longer than {LONGEST} bytes")));
    }
    Ok(bytes)
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

    #[test]
    fn a_dockerfile_is_read_below_its_context() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = || Options { context: Context::Directory(directory.path().to_owned()), ..Options::default() };
        assert!(read(&options()).is_err());
        std::os::unix::fs::symlink("/etc/hostname", directory.path().join("Dockerfile")).expect("room");
        assert!(read(&options()).is_err(), "a link of the context leads nowhere outside it");
        std::fs::remove_file(directory.path().join("Dockerfile")).expect("it is there");
        std::fs::write(directory.path().join("dockerfile"), "FROM a\n").expect("room");
        assert_eq!(read(&options()).expect("it is there").name, "dockerfile");
        std::fs::write(directory.path().join("Dockerfile"), "FROM scratch\n").expect("room");
        std::fs::write(directory.path().join(".dockerignore"), "x\n").expect("room");
        let found = read(&options()).expect("it is there");
        assert_eq!((found.name.as_str(), found.bytes.len()), ("Dockerfile", 13));
        assert!(found.ignored.is_some_and(|patterns| patterns.exclude("x")));
    }
}
