//! One stage, instruction by instruction: what each sees, and what it sets for those after it.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::Global;
use super::needs::Outline;
use super::{Beginning, EvaluatedStage, Inputs, Origin, Step};
use crate::check::{Findings, Rule, is_shell_line};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::instruction::{Argument, Exposed, Instruction, Kind};
use crate::word::{Lexer, Variables};

/// `PATH` of every image that does not say otherwise.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Arguments that say something to the builder, and are no variables.
const NO_VARIABLES: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Bytes of all variables of a stage together: execve(2) takes a quarter of the stack's limit, which is 8 MiB nearly everywhere.
const MOST_VARIABLES: usize = 2 << 20;

/// Evaluates stages in their order.
pub(super) struct Evaluation<'a> {
    pub(super) escape: char,
    pub(super) global: Global,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) findings: Findings,
    /// What each stage has left for those that begin with it.
    pub(super) done: BTreeMap<usize, State>,
}

/// What a stage hands on.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// As commands see it.
    environment: Environment,
    /// As the image has it, without arguments.
    image: Environment,
    arguments: Vec<(String, Option<String>)>,
    has_shell: bool,
    has_workdir: bool,
}

impl Evaluation<'_> {
    pub(super) fn stage(&mut self, outline: Outline) -> Result<EvaluatedStage> {
        let mut state = if let Beginning::Stage(below) = &outline.begins_with {
            self.done.get(below).cloned().unwrap_or_default()
        } else {
            let (image, has_shell) = outline.image.clone().unwrap_or_default();
            State { image, has_shell, ..State::default() }
        };
        if state.image.value("PATH").is_none() {
            state.image.replace("PATH", PATH);
        }
        // Arguments of a stage below are there, and what the image says counts again.
        for (name, value) in state.image.iter() {
            state.environment.set(name, value);
        }
        let mut steps = Vec::new();
        for (instruction, is_triggered, origins) in outline.instructions {
            let lines = instruction.lines;
            let step = self.step(&mut state, instruction, origins).map_err(|error| error.in_lines(lines))?;
            steps.push(Step { is_triggered, ..step });
        }
        self.done.insert(outline.number, state);
        Ok(EvaluatedStage {
            number: outline.number,
            name: outline.name,
            beginning: outline.beginning,
            begins_with: outline.begins_with,
            platform: outline.platform,
            steps,
        })
    }

    fn step(&mut self, state: &mut State, instruction: Instruction, origins: Vec<Origin>) -> Result<Step> {
        let (kind, mut unset) = instruction.kind.expanded(self.escape, &state.environment)?;
        let mut mounts = Vec::new();
        if let Kind::Run(run) = &kind {
            let (expanded, unset_there) = run.mounts(self.escape, &state.environment)?;
            unset.extend(unset_there);
            mounts = expanded;
        }
        if let Kind::Arg(arguments) = &kind {
            for argument in arguments {
                unset.extend(self.declare(state, argument)?);
            }
        }
        self.check_unset(&instruction, unset, state);
        let instruction = Instruction { kind, ..instruction };
        self.check(&instruction, state, &origins);
        match &instruction.kind {
            Kind::Env(pairs) => {
                for pair in pairs {
                    state.environment.set(&pair.name, pair.value.as_str());
                    state.image.replace(&pair.name, pair.value.as_str());
                }
            }
            Kind::Shell(_) => state.has_shell = true,
            Kind::Workdir(_) => state.has_workdir = true,
            _ => {}
        }
        let bytes = state.environment.bytes();
        if matches!(instruction.kind, Kind::Env(_) | Kind::Arg(_)) && bytes > MOST_VARIABLES {
            let message =
                format!("the variables have {bytes} bytes together, and a command takes {MOST_VARIABLES} at most");
            return Err(Error::meaning(message));
        }
        let (environment, arguments) = match &instruction.kind {
            Kind::Run(_) => (state.environment.clone(), state.arguments.clone()),
            Kind::Arg(own) => (Environment::default(), state.arguments[state.arguments.len() - own.len()..].to_vec()),
            _ => Default::default(),
        };
        let is_copying = matches!(instruction.kind, Kind::Add(_) | Kind::Copy(_));
        Ok(Step {
            is_triggered: false,
            environment,
            arguments,
            origin: origins.first().filter(|_| is_copying).cloned(),
            mounts: mounts.into_iter().zip(origins).collect(),
            instruction,
        })
    }

    /// An argument has the value that is given, its own default, or what is known of it before the first stage. Says which
    /// variables the default names that are not set.
    fn declare(&self, state: &mut State, argument: &Argument) -> Result<BTreeSet<String>> {
        let mut unset = BTreeSet::new();
        let value = match (self.inputs.arguments.get(&argument.name), &argument.default) {
            (Some(given), _) => Some(given.clone()),
            // It sees those that the same instruction declares before it.
            (None, Some(default)) => {
                let expanded = Lexer::new(self.escape).expand(default, &state.environment)?;
                unset = expanded.unset;
                Some(expanded.text)
            }
            (None, None) => self.global.values.value(&argument.name).map(ToOwned::to_owned),
        };
        if let Some(value) = value.as_deref().filter(|_| !NO_VARIABLES.contains(&argument.name.as_str())) {
            state.environment.set(&argument.name, value);
        }
        state.arguments.push((argument.name.clone(), value));
        Ok(unset)
    }

    fn check_unset(&mut self, instruction: &Instruction, unset: BTreeSet<String>, state: &State) {
        for name in unset {
            let is_declared = state.arguments.iter().any(|(known, _)| *known == name);
            if is_declared || NO_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let meant =
                notation::similar(&name, state.environment.names()).map(|meant| format!(" (did you mean ${meant}?)"));
            let message = format!("the variable '${name}' is not set{}", meant.unwrap_or_default());
            self.findings.add(Rule::UndefinedVar, instruction.lines, &instruction.comments, message);
        }
    }

    fn check(&mut self, instruction: &Instruction, state: &State, origins: &[Origin]) {
        let Instruction { lines, comments, name, .. } = instruction;
        let mut add = |rule, message: String| self.findings.add(rule, *lines, comments, message);
        match &instruction.kind {
            _ if is_shell_line(instruction) && !state.has_shell => {
                add(
                    Rule::JsonArgsRecommended,
                    format!("{name} is run by a shell, which hands no signals on: write a list in JSON"),
                );
            }
            Kind::Workdir(path) if !state.has_workdir && !path.starts_with('/') => {
                add(Rule::WorkdirRelativePath, format!("where '{path}' is depends on the base image"));
            }
            Kind::Expose(ports) => {
                for (text, port) in ports.iter().filter_map(|text| Some((text, Exposed::parse(text).ok()?))) {
                    if port.protocol != port.protocol.to_lowercase() {
                        add(Rule::ExposeProtoCasing, format!("the protocol in '{text}' is not in lower case"));
                    }
                    if port.is_mapping {
                        add(Rule::ExposeInvalidFormat, format!("'{text}' names an address or a port of the host"));
                    }
                }
            }
            Kind::Add(add) => self.check_ignored(instruction, &add.placement.sources),
            Kind::Copy(copy) if origins.first() == Some(&Origin::Context) => {
                self.check_ignored(instruction, &copy.placement.sources);
            }
            _ => {}
        }
    }

    /// Sources that are left out. What comes back by an exception cannot be seen without looking.
    fn check_ignored(&mut self, instruction: &Instruction, sources: &[String]) {
        let Some(ignored) = self.inputs.ignored.filter(|ignored| !ignored.have_exceptions()) else { return };
        for source in sources.iter().filter(|source| !source.contains("://")) {
            let path = crate::ignore::in_context(source);
            let is_excluded = if path == "." { ignored.exclude_everything() } else { ignored.exclude(&path) };
            if is_excluded {
                let message = format!("{source:?} is left out by .dockerignore");
                self.findings.add(Rule::CopyIgnoredFile, instruction.lines, &instruction.comments, message);
            }
        }
    }
}
