//! `phial build`: docker's and buildx's flags, a build, and how it looks.

/// `--check` and `--call`.
mod call;
/// Values that are lists of keys.
mod csv;
/// What is built, and what goes into it.
mod inputs;
/// What docker had once.
mod legacy;
/// What everybody who builds here needs to reach others.
mod proxies;
/// What becomes of it.
mod results;
/// How much is shown.
mod showing;
/// How commands run.
mod surroundings;

use std::process::ExitCode;
use std::time::SystemTime;

use build::progress::{Event, Watch};
use build::{Built, Options};
use clap::Args;

pub(crate) use call::METHODS;
pub(crate) use inputs::RIGHTS;
pub(crate) use showing::PROGRESS;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result, say};
use crate::output;
use crate::output::build::{Display, Mode};

const EXAMPLES: &str = "\
Examples:
  phial build -t app .
  phial build -t app -f docker/Dockerfile --build-arg VERSION=2 --target test .
  phial build --secret id=token,env=TOKEN -o out .         the files, in the directory out
  phial build --check .                                    what looks wrong in the Dockerfile
  phial build --explain --graph build.svg .                why steps are done anew, and a picture
  phial build https://github.com/team/app.git#main:src";

/// What `phial build` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Build {
    /// A directory, the address of a repository, an archive or a Dockerfile, or - for standard input
    #[arg(value_name = "PATH|URL|-")]
    context: String,
    #[command(flatten, next_help_heading = "What is built")]
    inputs: inputs::Flags,
    #[command(flatten, next_help_heading = "What becomes of it")]
    results: results::Flags,
    #[command(flatten, next_help_heading = "How commands run")]
    surroundings: surroundings::Flags,
    #[command(flatten, next_help_heading = "What is shown")]
    showing: showing::Flags,
    #[command(flatten)]
    legacy: legacy::Flags,
}

impl Execute for Build {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        self.legacy.check()?;
        let environment = |name: &str| std::env::var(name).ok();
        let mode = self.showing.mode(&environment)?;
        let files = build::Context::parse(&self.context).cannot(|| format!("build {}", self.context))?;
        let mut options = Options { context: files, ..Options::default() };
        self.inputs.apply(&mut options, &environment)?;
        if let Some(call) = self.results.call()? {
            return call.run(&options, &build::outline::KnownBases(&context.engine()?));
        }
        self.results.apply(&mut options)?;
        self.surroundings.apply(&mut options)?;
        self.showing.apply(&mut options);
        self.showing.check()?;
        self.results.check(&options)?;
        self.results.forget()?;
        proxies::add(&mut options.build_args, context.config.as_deref(), &environment);
        let display = Display::start(mode, output::look_of_stderr() == dockerfile::Look::Colored);
        let recorder = build::graph::Recorder::default();
        let engine = context.engine()?;
        let built = build::build(&engine, &options, &Both(&display, &recorder));
        display.finish(built.is_ok());
        let drawn = self.showing.draw(&recorder);
        let done = built.map_err(failed).and_then(|built| self.finish(&built, mode, results::takes_stdout(&options)));
        match (done, drawn) {
            // What is wrong with the build is said last: it is what the command is about.
            (Err(failure), Err(also)) => {
                also.print();
                Err(failure)
            }
            (done, drawn) => done.and(drawn).map(|()| ExitCode::SUCCESS),
        }
    }
}

impl Build {
    /// What is known of the image goes where somebody wants it: its id not into an archive on standard output.
    fn finish(&self, built: &Built, mode: Mode, is_stdout_taken: bool) -> Result<()> {
        self.results.write(built)?;
        match &built.image {
            Some(image) if mode == Mode::Quiet && is_stdout_taken => say(image),
            Some(image) if mode == Mode::Quiet => output::print_line(image)?,
            _ => {}
        }
        Ok(())
    }
}

/// Two who want to know.
struct Both<'a>(&'a Display, &'a build::graph::Recorder);

impl Watch for Both<'_> {
    fn event(&self, at: SystemTime, event: Event) {
        // What commands write is not drawn, and is not copied for it.
        if matches!(event, Event::Planned(_) | Event::Ended { .. }) {
            self.1.event(at, event.clone());
        }
        self.0.event(at, event);
    }
}

/// What is said of a build that did not come to its end: with the lines of the Dockerfile that it is about, where there are some.
fn failed(error: build::Error) -> Failure {
    if let (Some(wrong), Some((name, text))) = (error.dockerfile(), error.file()) {
        output::build::excerpt(&wrong.report(name, text, output::look_of_stderr()));
        // What can be done stands below the lines already, but for what only this host knows.
        let failure = Failure::new(format!("cannot build: {error}"));
        return if error.kind() == build::ErrorKind::Full { failure.because_full() } else { failure };
    }
    let failed: Result<()> = Err(error).cannot(|| "build");
    failed.err().unwrap_or_else(|| Failure::new(""))
}

/// A value of a flag that makes no sense.
fn invalid(flag: &str, value: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(format!("cannot build: {flag} {value}: {why}"))
}

/// Says something that is no error.
fn warn(text: &str) {
    say(&format!("WARNING: {text}"));
}
