//! A stage while it is made: its files, its configuration, and what follows from each instruction.

use dockerfile::evaluate::{Beginning, EvaluatedStage, Origin, PATH, Step};
use dockerfile::{Error, Instruction, Kind, Lines, path};
use engine::config::change::Changed;
use image::History;

use super::{Conversion, Files, NoCache, Result, history};
use crate::llb::message::file::{Action, Chown, FileAction, FileOp, MakeDirectory, Owner, OwnerKind, OwnerName};
use crate::llb::message::{Kind as Operation, Location, OpMetadata, Platform, Position, Range};
use crate::llb::{called, operation};

/// What a stage is so far.
#[derive(Debug, Clone)]
pub(super) struct SoFar {
    pub(super) output: Files,
    pub(super) changed: Changed,
    pub(super) author: Option<String>,
    pub(super) history: Vec<History>,
    pub(super) platform: Platform,
    /// What the image is for: what the one says that it begins with.
    pub(super) result: Platform,
    /// Whether it is made anew whatever was made before.
    pub(super) ignores_cache: bool,
    numbers: Numbers,
}

/// How operations of a stage are numbered for people.
#[derive(Debug, Clone, Default)]
struct Numbers {
    /// What the stage is called, if there are others.
    stage: String,
    /// How many operations there were.
    done: usize,
    /// How many there are.
    total: usize,
}

impl Numbers {
    /// Those of a stage: what begins it counts if that is an image.
    fn of(stage: &EvaluatedStage, is_only: bool) -> Numbers {
        let is_counted = |step: &&Step| {
            matches!(step.instruction.kind, Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_))
        };
        let begins = matches!(stage.begins_with, Beginning::Image(_) | Beginning::Given(_));
        let total = stage.steps.iter().filter(is_counted).count() + usize::from(begins);
        Numbers { stage: if is_only { String::new() } else { format!("{} ", shown(stage)) }, done: 0, total }
    }

    /// The name of the next one.
    fn next(&mut self, text: &str) -> String {
        self.done += 1;
        let width = self.total.max(1).ilog10() as usize + 1;
        format!("[{}{:width$}/{}] {text}", self.stage, self.done, self.total)
    }
}

/// What a stage is called for people: without a name, by its number.
fn shown(stage: &EvaluatedStage) -> String {
    stage.name.clone().unwrap_or_else(|| format!("stage-{}", stage.number))
}

impl SoFar {
    pub(super) fn empty(platform: Platform) -> SoFar {
        SoFar {
            output: None,
            changed: Changed::default(),
            author: None,
            history: Vec::new(),
            result: platform.clone(),
            platform,
            ignores_cache: false,
            numbers: Numbers::default(),
        }
    }

    fn scratch(platform: Platform) -> SoFar {
        let mut so_far = SoFar::empty(platform);
        "/".clone_into(&mut so_far.changed.config.working_dir);
        so_far
    }

    fn of_image(output: Files, found: super::Found, platform: Platform) -> SoFar {
        let of = found.config.platform();
        let mut config = found.config.config;
        config.on_build.clear();
        SoFar {
            output,
            changed: Changed::new(config),
            author: found.config.author,
            history: found.config.history,
            result: of_image(&of, &platform),
            platform,
            ignores_cache: false,
            numbers: Numbers::default(),
        }
    }

    /// Where its instructions run.
    pub(super) fn directory(&self) -> &str {
        match self.changed.config.working_dir.as_str() {
            "" => "/",
            directory => directory,
        }
    }

    /// What is said of the next operation of this stage.
    pub(super) fn metadata(&mut self, text: &str) -> OpMetadata {
        OpMetadata { ignore_cache: self.ignores_cache, ..called(self.numbers.next(text)) }
    }
}

impl Conversion<'_> {
    pub(super) fn stage(&mut self, stage: &EvaluatedStage) -> Result<SoFar> {
        self.builder.at(place(&stage.beginning));
        let mut numbers = Numbers::of(stage, self.stages < 2);
        let mut so_far = self.begin(stage, &mut numbers)?;
        so_far.numbers = numbers;
        so_far.ignores_cache = match &self.request.no_cache {
            NoCache::Nothing => false,
            NoCache::Everything => true,
            NoCache::Stages(names) => names.iter().any(|name| name.eq_ignore_ascii_case(&shown(stage))),
        };
        for step in &stage.steps {
            let lines = step.instruction.lines;
            self.builder.at(place(&step.instruction));
            self.step(&mut so_far, step).map_err(|error| error.in_lines(lines))?;
        }
        Ok(so_far)
    }

    fn begin(&mut self, stage: &EvaluatedStage, numbers: &mut Numbers) -> Result<SoFar> {
        let platform = match &stage.platform {
            None => self.request.platform.clone(),
            Some(text) => parse_platform(text, stage.beginning.lines)?,
        };
        let mut so_far = match &stage.begins_with {
            Beginning::Stage(below) => {
                let mut so_far = self.done.get(below).cloned().unwrap_or_else(|| SoFar::empty(platform));
                // What it triggers has been triggered.
                so_far.changed.config.on_build.clear();
                so_far.changed = Changed::new(so_far.changed.config);
                so_far
            }
            Beginning::Scratch => SoFar { result: self.request.platform.clone(), ..SoFar::scratch(platform) },
            Beginning::Image(name) => {
                let called = |reference: &str| numbers.next(&format!("FROM {reference}"));
                let (output, found) = self.found(name, &platform, stage.beginning.lines, called)?;
                SoFar::of_image(output, found, platform)
            }
            Beginning::Given(key) => match self.named(key, &platform, stage.beginning.lines)? {
                (output, Some(found)) => SoFar::of_image(output, found, platform),
                (output, None) => SoFar { output, ..SoFar::scratch(platform) },
            },
        };
        let environment = &mut so_far.changed.config.env;
        if !environment.iter().any(|variable| variable.starts_with("PATH=")) {
            environment.push(format!("PATH={PATH}"));
        }
        Ok(so_far)
    }

    /// An image by its name, and its files.
    fn found(
        &mut self,
        name: &str,
        platform: &Platform,
        lines: Lines,
        called: impl FnOnce(&str) -> String,
    ) -> Result<(Files, super::Found)> {
        let found = self.request.images.image(name, platform);
        let found = found.map_err(|why| Error::meaning(format!("{name}: {why}")).at_word(name).in_lines(lines))?;
        // An image without layers is nothing.
        let is_empty = found.config.rootfs.diff_ids.is_empty();
        let called = called(&found.reference);
        let output = (!is_empty).then(|| self.image(&found.reference, platform, called));
        Ok((output, found))
    }

    /// The files that an instruction takes something of.
    pub(super) fn files(&mut self, origin: &Origin, lines: Lines) -> Result<Files> {
        match origin {
            Origin::Context => self.context().map_err(|error| error.in_lines(lines)),
            Origin::Given(key) => {
                let platform = self.request.platform.clone();
                self.named(key, &platform, lines).map(|(files, _)| files)
            }
            Origin::Stage(stage) => Ok(self.done.get(stage).and_then(|stage| stage.output)),
            Origin::Named(name) if name == "scratch" => Ok(None),
            // An image that is no stage is one for what is built, whatever the stage is for.
            Origin::Named(name) => {
                let platform = self.request.platform.clone();
                self.found(name, &platform, lines, |reference| format!("FROM {reference}")).map(|(files, _)| files)
            }
        }
    }

    fn step(&mut self, so_far: &mut SoFar, step: &Step) -> Result<()> {
        let kind = &step.instruction.kind;
        so_far.changed.apply(kind).map_err(|error| {
            let hint = error.hint().map(ToOwned::to_owned);
            hint.into_iter().fold(Error::meaning(error.to_string()), Error::with_hint)
        })?;
        match kind {
            Kind::Maintainer(name) => so_far.author = Some(name.clone()),
            Kind::Cmd(_) => so_far.changed.config.args_escaped = true,
            Kind::Workdir(_) => self.make_working_directory(so_far, step),
            Kind::Run(run) => self.run(so_far, step, run)?,
            Kind::Add(_) | Kind::Copy(_) => self.place(so_far, step)?,
            _ => {}
        }
        so_far.history.extend(history::entry(step, &so_far.changed));
        Ok(())
    }

    fn make_working_directory(&mut self, so_far: &mut SoFar, step: &Step) {
        if so_far.directory() == "/" {
            return;
        }
        let path = path::clean(so_far.directory());
        let owner = owner(&so_far.changed.config.user, base(so_far));
        let made = MakeDirectory { path, mode: 0o755, make_parents: true, owner, timestamp: -1 };
        let input = if so_far.output.is_some() { 0 } else { -1 };
        let action = FileAction { input, secondary_input: -1, output: 0, action: Some(Action::MakeDirectory(made)) };
        let mut operation = operation(Operation::File(FileOp { actions: vec![action] }), None);
        operation.inputs.extend(so_far.output.map(crate::llb::Output::input));
        // A directory is made in no time, so it is not made anew.
        let metadata = called(so_far.numbers.next(&step.instruction.text));
        so_far.output = Some(self.builder.add(&operation, metadata));
    }
}

/// The input that says who users are: the files so far, if there are any.
pub(super) fn base(so_far: &SoFar) -> i64 {
    if so_far.output.is_some() { 0 } else { -1 }
}

/// `user[:group]`, of which a name is looked up in the input; nothing if nobody is named.
pub(super) fn owner(text: &str, base: i64) -> Option<Chown> {
    if text.is_empty() {
        return None;
    }
    let one = |text: &str| {
        let is_root = text == "root";
        let number = if is_root { Some(0) } else { text.parse::<u32>().ok() };
        let kind =
            number.map_or_else(|| OwnerKind::Name(OwnerName { name: text.to_owned(), input: base }), OwnerKind::Number);
        Owner { user: Some(kind) }
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    Some(Chown { user: Some(one(user)), group: group.map(one) })
}

/// What an image says that it is for, unless that is what it was asked for.
fn of_image(image: &image::Platform, asked: &Platform) -> Platform {
    if (image.os.as_str(), image.architecture.as_str()) == (asked.os.as_str(), asked.architecture.as_str()) {
        return asked.clone();
    }
    let image::Platform { os, architecture, variant } = image.clone();
    Platform { architecture, os, variant: variant.unwrap_or_default(), ..Platform::default() }
}

/// Where an instruction stands.
fn place(instruction: &Instruction) -> Location {
    let line = |line: usize| Some(Position { line: i32::try_from(line).unwrap_or(i32::MAX), character: 0 });
    let Lines { first, last } = instruction.lines;
    Location { source_index: 0, ranges: vec![Range { start: line(first), end: line(last) }] }
}

fn parse_platform(text: &str, lines: Lines) -> Result<Platform> {
    let platform: image::Platform = text.parse().map_err(|error: image::Error| {
        Error::meaning(format!("--platform={text}: {error}")).at_word(text).in_lines(lines)
    })?;
    let platform = platform.normal();
    Ok(Platform {
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant.unwrap_or_default(),
        ..Platform::default()
    })
}
