//! What a Dockerfile means for one build: which stages are needed, and every instruction with the values of its variables.
//!
//! Pure: what images say is asked of whoever knows it ([`Bases`]). The result has nothing that is still to be looked up in the
//! file, so whoever makes a graph of it knows nothing of arguments, quotes and triggers.

/// Arguments of the build: those that are always there, and those before the first stage.
mod arguments;
/// Which stages are needed, and what each begins with.
mod needs;
/// One stage, instruction by instruction.
mod stage;

pub use arguments::Platform;
pub use stage::PATH;

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Config, Finding, Findings, form};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::ignore::Patterns;
use crate::instruction::{Instruction, Mount};
use crate::stages::Stages;
use crate::statement::Dockerfile;
use arguments::Global;

/// What a build is given besides the file.
pub struct Inputs<'a> {
    /// `--build-arg`.
    pub arguments: &'a BTreeMap<String, String>,
    /// Where the build runs.
    pub build_platform: Platform,
    /// What it is for.
    pub target_platform: Platform,
    /// `--target`: a stage by its name or number; the last one without.
    pub target: Option<&'a str>,
    /// Whether all stages are looked at, as checks do, and not only those that are needed.
    pub all_stages: bool,
    /// `.dockerignore`.
    pub ignored: Option<&'a Patterns>,
    /// What images say.
    pub bases: &'a dyn Bases,
    /// `--build-context`: names, as [`context_name`] writes them, which may end in `::` and a platform. They stand for stages
    /// and images that are called the same.
    pub named_contexts: &'a BTreeSet<String>,
}

/// Whoever knows what images say.
pub trait Bases {
    /// Of the image that a stage begins with.
    ///
    /// # Errors
    /// In words, if there is no such image.
    fn base(&self, image: &str, platform: Option<&str>) -> Result<Base, String>;

    /// Of the named context that a stage begins with, or that stands for it. Files alone say nothing.
    ///
    /// # Errors
    /// In words, if it is an image that there is not.
    fn context(&self, _name: &str, _platform: Option<&str>) -> Result<Base, String> {
        Ok(Base::default())
    }
}

/// What an image says that instructions depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// Its variables.
    pub environment: Environment,
    /// Whether it has a shell of its own choice.
    pub has_shell: bool,
    /// Its `ONBUILD` instructions.
    pub triggers: Vec<String>,
    /// Its platform, if that is not the one that was asked for.
    pub other_platform: Option<String>,
}

/// What a Dockerfile means for one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Stages that are needed, in the order of the file.
    pub stages: Vec<EvaluatedStage>,
    /// Which of them is what is wanted.
    pub target: usize,
    /// What checks have found.
    pub findings: Vec<Finding>,
    /// Whether the file says that these are errors.
    pub findings_are_errors: bool,
}

/// A stage with all its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluatedStage {
    /// Its number in the file.
    pub number: usize,
    /// What it is called.
    pub name: Option<String>,
    /// The instruction that begins it.
    pub beginning: Instruction,
    /// What it begins with.
    pub begins_with: Beginning,
    /// For which platform, if the stage says it.
    pub platform: Option<String>,
    /// Its instructions, after those that its image triggers.
    pub steps: Vec<Step>,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// Nothing.
    Scratch,
    /// An image.
    Image(String),
    /// Another stage, by its number in the file.
    Stage(usize),
    /// A named context, as [`Inputs::named_contexts`] has it.
    Given(String),
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The build's own context.
    Context,
    /// Another stage, by its number in the file.
    Stage(usize),
    /// An image.
    Named(String),
    /// A named context, as [`Inputs::named_contexts`] has it.
    Given(String),
}

/// An instruction with all its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The instruction, of which variables are replaced.
    pub instruction: Instruction,
    /// Whether an image or a stage below has triggered it.
    pub is_triggered: bool,
    /// Variables as `RUN` sees them: those of the image, and arguments. No other instruction needs them any more, and a copy
    /// for each would make a long file a very large one.
    pub environment: Environment,
    /// Arguments with the values they have: for `RUN` all that are declared so far, for `ARG` its own.
    pub arguments: Vec<(String, Option<String>)>,
    /// Where the files of `ADD` and `COPY` come from.
    pub origin: Option<Origin>,
    /// What `RUN` mounts, each with where it comes from.
    pub mounts: Vec<(Mount, Origin)>,
}

/// A name of an image as named contexts are called: without what is meant anyway.
pub fn context_name(name: &str) -> &str {
    let short = name.strip_prefix("index.").unwrap_or(name).strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(short);
    short.strip_suffix(":latest").unwrap_or(short)
}

/// Which checks are made: whoever builds decides, or else the file.
fn checks(file: &Dockerfile, inputs: &Inputs<'_>) -> Result<Config> {
    const ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";
    match (inputs.arguments.get(ARGUMENT), &file.directives.check) {
        (Some(given), _) => {
            Config::parse(given).map_err(|error| Error::meaning(format!("--build-arg {ARGUMENT}={given}: {error}")))
        }
        (None, Some(check)) => Config::parse(&check.value)
            .map_err(|error| error.in_lines(crate::Lines { first: check.line, last: check.line })),
        (None, None) => Ok(Config::default()),
    }
}

/// Evaluates a file.
///
/// # Errors
/// `Syntax` and `Expansion` with the lines, for what is wrong in stages that are needed, and for a target that there is not.
pub fn evaluate(file: Dockerfile, inputs: &Inputs<'_>) -> Result<Evaluated> {
    let escape = file.directives.escape;
    let mut findings = Findings::new(checks(&file, inputs)?);
    let empty = file.empty_continuations.clone();
    let stages = Stages::of(file)?;
    form(&stages, &empty, &mut findings);

    let target = target(&stages, inputs)?;
    let global = Global::new(&stages, target, inputs, escape)?;
    arguments::check_defaults(&stages, target, inputs, escape, &mut findings);
    let mut outlines = needs::outlines(&stages, &global, inputs, &mut findings, escape)?;
    let needed = needs::needed(&mut outlines, target, inputs, &mut findings)?;
    let mut evaluation = stage::Evaluation { escape, global, inputs, findings, done: BTreeMap::new() };
    let mut evaluated = Vec::new();
    for (outline, _) in outlines.into_iter().zip(needed).filter(|(_, is_needed)| *is_needed) {
        evaluated.push(evaluation.stage(outline)?);
    }
    let target = evaluated.iter().position(|stage| stage.number == target).unwrap_or_default();
    let (findings, findings_are_errors) = evaluation.findings.all();
    Ok(Evaluated { stages: evaluated, target, findings, findings_are_errors })
}

fn target(stages: &Stages, inputs: &Inputs<'_>) -> Result<usize> {
    let last = stages.stages.len() - 1;
    let Some(key) = inputs.target else { return Ok(last) };
    stages.find(key, stages.stages.len()).ok_or_else(|| {
        let names = stages.stages.iter().filter_map(|stage| stage.from.name.as_deref());
        Error::unknown(format!("target stage {key:?} could not be found"), key, names)
    })
}

#[cfg(test)]
mod tests;
