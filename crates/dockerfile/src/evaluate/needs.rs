//! Which stages are needed, and what each begins with.

use std::rc::Rc;

use super::arguments::Global;
use super::{Beginning, Inputs, Origin, context_name};
use crate::check::{Findings, Rule};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::instruction::{Instruction, Kind};
use crate::stages::Stages;
use crate::statement::Statement;
use crate::word::{Expansion, Lexer, NoVariables, Variables};

/// A stage whose instructions have no values yet.
pub(super) struct Outline {
    pub(super) number: usize,
    pub(super) name: Option<String>,
    pub(super) beginning: Instruction,
    pub(super) begins_with: Beginning,
    pub(super) platform: Option<String>,
    /// Each instruction, whether it is triggered, and where its files come from: one for `COPY`, one for each mount of `RUN`.
    pub(super) instructions: Vec<(Instruction, bool, Vec<Origin>)>,
    /// Variables and shell of the image, once it was asked for.
    pub(super) image: Option<(Environment, bool)>,
    /// Whether a named context stands for it, so that it is not made.
    is_replaced: bool,
    /// Names of all stages, for whoever is triggered.
    names: Rc<[Option<String>]>,
    /// Named contexts for the platform that is built for, for the same.
    contexts: Rc<Contexts>,
}

/// Named contexts for one platform.
struct Contexts {
    names: std::collections::BTreeSet<String>,
    platform: String,
}

impl Contexts {
    /// The one that a name means on a platform, or on that which is built for.
    fn find(&self, name: &str, platform: Option<&str>) -> Option<String> {
        let name = context_name(name);
        // These two always mean themselves.
        if ["scratch", "context"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return None;
        }
        let of_platform = format!("{name}::{}", platform.unwrap_or(&self.platform));
        [of_platform.as_str(), name].into_iter().find_map(|key| self.names.get(key).cloned())
    }
}

/// All stages, with what they begin with.
pub(super) fn outlines(
    stages: &Stages,
    global: &Global,
    inputs: &Inputs<'_>,
    findings: &mut Findings,
    escape: char,
) -> Result<Vec<Outline>> {
    let contexts = Contexts { names: inputs.named_contexts.clone(), platform: inputs.target_platform.name() };
    let contexts = Rc::new(contexts);
    let names: Rc<[Option<String>]> = stages.stages.iter().map(|stage| stage.from.name.clone()).collect();
    let mut outlines = Vec::new();
    for (number, stage) in stages.stages.iter().enumerate() {
        let Instruction { lines, comments, .. } = &stage.beginning;
        let mut expand = |text: &str| -> Result<Expansion> {
            let expanded = Lexer::new(escape).expand(text, &global.values).map_err(|error| error.in_lines(*lines))?;
            for name in expanded.unset.iter().filter(|name| !global.declared.contains(*name)) {
                let known = global.declared.iter().map(String::as_str);
                let hint = notation::similar(name, known).map(|meant| format!(" (did you mean {meant}?)"));
                let message = format!("the argument '{name}' is not declared{}", hint.unwrap_or_default());
                findings.add(Rule::UndefinedArgInFrom, *lines, comments, message);
            }
            Ok(expanded)
        };
        let base = expand(&stage.from.base)?.text;
        if base.is_empty() {
            let wrong = Error::syntax(format!("FROM {}: the name of the image is empty", stage.from.base));
            let hint = "give the arguments values: with --build-arg, or by a default";
            return Err(wrong.with_hint(hint).at_word(&stage.from.base).in_lines(*lines));
        }
        let platform = stage.from.platform.as_deref().map(&mut expand).transpose()?;
        if let Some((written, expanded)) = stage.from.platform.as_deref().zip(platform.as_ref()) {
            check_platform(written, expanded, stage.from.name.as_deref(), global, |rule, message| {
                findings.add(rule, *lines, comments, message);
            });
            if expanded.text.is_empty() {
                let wrong = Error::syntax(format!("FROM --platform={written}: it is empty"));
                return Err(wrong.at_word(written).in_lines(*lines));
            }
        }
        let platform = platform.map(|platform| platform.text);
        let replaces = stage.from.name.as_deref().and_then(|name| contexts.find(name, platform.as_deref()));
        let is_replaced = replaces.is_some();
        let begins_with = match (replaces, stages.find_by_name(&base, number)) {
            (Some(context), _) => Beginning::Given(context),
            (None, Some(stage)) => Beginning::Stage(stage),
            (None, None) if base == "scratch" => Beginning::Scratch,
            (None, None) => match contexts.find(&base, platform.as_deref()) {
                Some(context) => Beginning::Given(context),
                None => Beginning::Image(base),
            },
        };
        let mut outline = Outline {
            number,
            name: stage.from.name.clone(),
            beginning: stage.beginning.clone(),
            begins_with,
            platform,
            instructions: Vec::new(),
            image: None,
            is_replaced,
            names: Rc::clone(&names),
            contexts: Rc::clone(&contexts),
        };
        for instruction in stage.instructions.iter().filter(|_| !is_replaced) {
            let origins = outline.origins(instruction)?;
            outline.instructions.push((instruction.clone(), false, origins));
        }
        outlines.push(outline);
    }
    Ok(outlines)
}

fn check_platform(
    written: &str,
    expanded: &Expansion,
    stage: Option<&str>,
    global: &Global,
    mut add: impl FnMut(Rule, String),
) {
    let platform = &expanded.text;
    if expanded.set.is_empty() && expanded.unset.is_empty() {
        // A stage that is called as its platform is means it.
        let is_named = platform.split('/').take(2).any(|part| stage.is_some_and(|stage| stage.contains(part)));
        if !is_named {
            add(
                Rule::FromPlatformFlagConstDisallowed,
                format!("FROM --platform={platform} is the same for whatever is built for"),
            );
        }
    }
    let is_alone = expanded.set.len() == 1 && expanded.unset.is_empty() && expanded.set.contains("TARGETPLATFORM");
    if is_alone && global.values.value("TARGETPLATFORM") == Some(platform) {
        add(Rule::RedundantTargetPlatform, format!("--platform={written} is what FROM takes anyway"));
    }
}

impl Outline {
    /// Where the files of an instruction come from.
    fn origins(&self, instruction: &Instruction) -> Result<Vec<Origin>> {
        let wrong = |error: Error| error.in_lines(instruction.lines);
        match &instruction.kind {
            Kind::Add(_) => Ok(vec![Origin::Context]),
            Kind::Copy(copy) => match &copy.from {
                None => Ok(vec![Origin::Context]),
                Some(from) => {
                    let has_variables = Lexer::new('\\').expand(from, &NoVariables).map_err(wrong)?.text != *from;
                    if has_variables {
                        return Err(wrong(
                            Error::syntax(format!("COPY --from={from}: it cannot have variables"))
                                .with_hint("begin a stage with FROM and the variable, and name that stage")
                                .at_word(from),
                        ));
                    }
                    self.origin(from).map(|origin| vec![origin]).map_err(wrong)
                }
            },
            Kind::Run(run) => {
                let of = |from: Option<String>| from.map_or(Ok(Origin::Context), |from| self.origin(&from));
                run.origins().map(of).collect::<Result<_>>().map_err(wrong)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What a name or a number means in this stage.
    fn origin(&self, from: &str) -> Result<Origin> {
        let is_called = |name: &Option<String>| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(from));
        if let Some(stage) = self.names[..self.number].iter().rposition(is_called) {
            return Ok(Origin::Stage(stage));
        }
        if let Some(stage) = self.names.iter().position(is_called) {
            let why = if stage == self.number { "is this one" } else { "begins after this one" };
            return Err(Error::syntax(format!("the stage {from:?} {why}"))
                .with_hint("a stage takes files of those before it")
                .at_word(from));
        }
        match from.parse::<usize>() {
            Ok(stage) if stage < self.number => Ok(Origin::Stage(stage)),
            Ok(_) => Err(Error::syntax(format!("there is no stage {from} before this one")).at_word(from)),
            Err(_) => Ok(match self.contexts.find(from, None) {
                Some(context) => Origin::Given(context),
                None => Origin::Named(from.to_owned()),
            }),
        }
    }

    /// Other stages that it needs.
    fn uses(&self) -> impl Iterator<Item = usize> {
        let begins = match self.begins_with {
            Beginning::Stage(stage) => Some(stage),
            _ => None,
        };
        let origins = self.instructions.iter().flat_map(|(_, _, origins)| origins);
        begins.into_iter().chain(origins.filter_map(|origin| match origin {
            Origin::Stage(stage) => Some(*stage),
            _ => None,
        }))
    }

    /// Puts triggers before the instructions.
    fn trigger(&mut self, triggers: &[String]) -> Result<()> {
        let mut triggered = Vec::new();
        for text in triggers {
            let wrong = |error: Error| error.in_lines(self.beginning.lines);
            let mut statement = Statement::parse_trigger(text).map_err(wrong)?;
            statement.lines = self.beginning.lines;
            let instruction = Instruction::parse(statement)?;
            let origins = self.origins(&instruction)?;
            triggered.push((instruction, true, origins));
        }
        self.instructions.splice(0..0, triggered);
        Ok(())
    }
}

/// Which of the stages are needed. What they begin with is asked for, and what that triggers is put into them.
pub(super) fn needed(
    outlines: &mut [Outline],
    target: usize,
    inputs: &Inputs<'_>,
    findings: &mut Findings,
) -> Result<Vec<bool>> {
    let mut is_needed = vec![false; outlines.len()];
    let mut open = if inputs.all_stages { (0..outlines.len()).collect() } else { vec![target] };
    while let Some(number) = open.pop() {
        if std::mem::replace(&mut is_needed[number], true) {
            continue;
        }
        let triggers = match &outlines[number].begins_with {
            Beginning::Scratch => Vec::new(),
            Beginning::Stage(below) => triggers_of(&outlines[*below]),
            Beginning::Image(name) | Beginning::Given(name) => {
                let outline = &outlines[number];
                let platform = outline.platform.as_deref();
                let base = match &outline.begins_with {
                    Beginning::Given(_) => inputs.bases.context(name, platform),
                    _ => inputs.bases.base(name, platform),
                };
                let Instruction { lines, comments, .. } = &outline.beginning;
                let base =
                    base.map_err(|why| Error::syntax(format!("{name}: {why}")).at_word(name.clone()).in_lines(*lines))?;
                if let Some(other) = base.other_platform {
                    let message = format!("{name} is an image for {other}, and another platform was asked for");
                    findings.add(Rule::InvalidBaseImagePlatform, *lines, comments, message);
                }
                let is_replaced = outline.is_replaced;
                outlines[number].image = Some((base.environment, base.has_shell));
                // Whatever stands for a stage is what that would have become.
                if is_replaced { Vec::new() } else { base.triggers }
            }
        };
        outlines[number].trigger(&triggers)?;
        open.extend(outlines[number].uses());
    }
    Ok(is_needed)
}

fn triggers_of(outline: &Outline) -> Vec<String> {
    let own = outline.instructions.iter().filter(|(_, is_triggered, _)| !is_triggered);
    own.filter_map(|(instruction, _, _)| match &instruction.kind {
        Kind::Onbuild(text) => Some(text.clone()),
        _ => None,
    })
    .collect()
}
