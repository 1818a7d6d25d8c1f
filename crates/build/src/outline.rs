//! What a Dockerfile offers to whoever builds it, and what looks wrong in it: `--call targets`, `outline` and `check`.
//!
//! Pure: it reads no file and knows no images but through [`Bases`]. The JSON is that of `BuildKit`'s requests of a front end
//! (`frontend/subrequests`), which bake and editors read.

/// What checks have found.
mod lint;
/// Tables for people.
mod text;

pub use lint::{Lint, Warning};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dockerfile::evaluate::{Base, Bases, Beginning, Evaluated, Inputs, evaluate};
use dockerfile::instruction::MountKind;
use dockerfile::{Dockerfile, Instruction, Kind, Lines, Result, Stages};
use engine::Engine;
use image::ImageConfig;
use serde::{Serialize, Serializer};

use crate::images::base_of;

/// Whoever knows the images that are here, and takes each other one for one that says nothing: for questions that are answered
/// without a registry.
pub struct KnownBases<'a>(pub &'a Engine);

impl Bases for KnownBases<'_> {
    fn base(&self, image: &str, platform: Option<&str>) -> Result<Base, String> {
        let Ok(found) = self.0.image(image) else { return UnknownBases.base(image, platform) };
        let config = self.0.store().blob(&found.id).map_err(|error| error.to_string())?;
        let config = ImageConfig::parse(&config).map_err(|error| error.to_string())?;
        Ok(base_of(&config, None))
    }
}

/// Whoever knows no image: each is taken for one that says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnknownBases;

impl Bases for UnknownBases {
    fn base(&self, _image: &str, _platform: Option<&str>) -> Result<Base, String> {
        Ok(Base::default())
    }
}

/// All stages that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// In the order of the file.
    pub targets: Vec<Target>,
    #[serde(serialize_with = "as_base64")]
    sources: Vec<u8>,
}

/// A stage that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// What it is called; empty for one that has only its number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether it is what is built if nobody asks for another.
    #[serde(rename = "default", skip_serializing_if = "is_false")]
    pub is_default: bool,
    /// What is said of it in the comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it begins with, as it is written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// For which platform, as it is written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Where it stands.
    #[serde(rename = "location", serialize_with = "as_location")]
    pub lines: Lines,
}

/// What can be given to a build of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The target; empty for one that has only its number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What is said of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Parameter>,
    /// Secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Need>,
    /// Agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<Need>,
    /// Cache mounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cache: Vec<Cache>,
    #[serde(serialize_with = "as_base64")]
    sources: Vec<u8>,
}

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// What it is called.
    pub name: String,
    /// What is said of it in the comment above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is in this build.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Where it is declared.
    #[serde(rename = "location", serialize_with = "as_location")]
    pub lines: Lines,
}

/// A secret or an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What it is called.
    pub name: String,
    /// Whether the build fails without it.
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// Who needs it first.
    #[serde(rename = "location", serialize_with = "as_location")]
    pub lines: Lines,
}

/// A cache mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// What it is called.
    #[serde(rename = "ID")]
    pub id: String,
    /// Who uses it first.
    #[serde(rename = "location", serialize_with = "as_location")]
    pub lines: Lines,
}

/// The stages of a file.
///
/// # Errors
/// `Syntax` with the lines, for what is no Dockerfile.
pub fn targets(bytes: &[u8]) -> Result<Targets> {
    let stages = Stages::parse(bytes)?.stages;
    let last = stages.len() - 1;
    let target = |(number, stage): (usize, dockerfile::Stage)| {
        let name = stage.from.name.unwrap_or_default();
        Target {
            is_default: number == last,
            description: described(&stage.beginning, &name),
            base: stage.from.base,
            platform: stage.from.platform.unwrap_or_default(),
            lines: stage.beginning.lines,
            name,
        }
    };
    Ok(Targets { targets: stages.into_iter().enumerate().map(target).collect(), sources: bytes.to_vec() })
}

/// What can be given to a build: of the stages that the target needs, everything that is declared, and of the arguments before the
/// first stage those that one of these begins with.
///
/// # Errors
/// What [`evaluate`] says.
pub fn outline(bytes: &[u8], inputs: &Inputs<'_>) -> Result<Outline> {
    let file = Dockerfile::parse(bytes)?;
    let stages = Stages::of(file.clone())?;
    let evaluated = evaluate(file, inputs)?;
    let target = &evaluated.stages[evaluated.target];
    let name = target.name.clone().unwrap_or_default();
    let mut found = Outline {
        description: described(&target.beginning, &name),
        name,
        args: global_arguments(&stages, &evaluated, inputs),
        secrets: Vec::new(),
        ssh: Vec::new(),
        cache: Vec::new(),
        sources: bytes.to_vec(),
    };
    let mut reached = vec![false; evaluated.stages.len()];
    reach(&evaluated, evaluated.target, &mut reached);
    for (stage, _) in evaluated.stages.iter().zip(reached).filter(|(_, is_reached)| *is_reached) {
        // What an image triggers has lines of its own, which are none of this file.
        stage.steps.iter().filter(|step| !step.is_triggered).for_each(|step| found.add(step));
    }
    Ok(found)
}

/// Marks the stages that one needs, and itself. Stages need only those before them, so this ends.
fn reach(evaluated: &Evaluated, from: usize, reached: &mut [bool]) {
    let place = |number: usize| evaluated.stages.iter().position(|stage| stage.number == number);
    let mut waiting = vec![from];
    while let Some(next) = waiting.pop() {
        if std::mem::replace(&mut reached[next], true) {
            continue;
        }
        let stage = &evaluated.stages[next];
        if let Beginning::Stage(number) = stage.begins_with {
            waiting.extend(place(number));
        }
        let origins = stage.steps.iter().flat_map(|step| step.origin.iter().chain(step.mounts.iter().map(|(_, o)| o)));
        for origin in origins {
            if let dockerfile::evaluate::Origin::Stage(number) = origin {
                waiting.extend(place(*number));
            }
        }
    }
}

fn global_arguments(stages: &Stages, evaluated: &Evaluated, inputs: &Inputs<'_>) -> Vec<Parameter> {
    let texts: Vec<&str> = evaluated
        .stages
        .iter()
        .filter_map(|stage| stages.stages.get(stage.number))
        .flat_map(|stage| [Some(stage.from.base.as_str()), stage.from.platform.as_deref()])
        .flatten()
        .collect();
    let mut found: Vec<Parameter> = Vec::new();
    // From the last to the first: a default may name an argument before it.
    for instruction in stages.arguments.iter().rev() {
        let Kind::Arg(arguments) = &instruction.kind else { continue };
        for argument in arguments.iter().rev() {
            let defaults = found.iter().map(|parameter| parameter.value.as_str());
            if !texts.iter().copied().chain(defaults).any(|text| names_variable(text, &argument.name)) {
                continue;
            }
            let given = inputs.arguments.get(&argument.name);
            found.push(Parameter {
                name: argument.name.clone(),
                description: described(instruction, &argument.name),
                value: given.or(argument.default.as_ref()).cloned().unwrap_or_default(),
                lines: instruction.lines,
            });
        }
    }
    found.reverse();
    found
}

/// Whether `$NAME` or `${NAME` stands in a text.
fn names_variable(text: &str, name: &str) -> bool {
    text.split('$').skip(1).any(|after| {
        let after = after.strip_prefix('{').unwrap_or(after);
        let rest = after.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
    })
}

impl Outline {
    fn add(&mut self, step: &dockerfile::evaluate::Step) {
        let lines = step.instruction.lines;
        if let Kind::Arg(_) = &step.instruction.kind {
            for (name, value) in &step.arguments {
                let description = described(&step.instruction, name);
                let value = value.clone().unwrap_or_default();
                if !self.args.iter().any(|known| known.name == *name) {
                    self.args.push(Parameter { name: name.clone(), description, value, lines });
                }
            }
        }
        for (mount, _) in &step.mounts {
            match &mount.kind {
                MountKind::Secret { id, required, .. } => need(&mut self.secrets, id, *required, lines),
                MountKind::Ssh { id, required, .. } => {
                    need(&mut self.ssh, id.as_deref().unwrap_or("default"), *required, lines);
                }
                MountKind::Cache { id, .. } => {
                    let id = id.clone().or_else(|| mount.target.clone()).unwrap_or_default();
                    if !self.cache.iter().any(|known| known.id == id) {
                        self.cache.push(Cache { id, lines });
                    }
                }
                MountKind::Bind { .. } | MountKind::Tmpfs { .. } => {}
            }
        }
    }
}

fn need(found: &mut Vec<Need>, name: &str, required: bool, lines: Lines) {
    match found.iter_mut().find(|known| known.name == name) {
        Some(known) => known.required |= required,
        None => found.push(Need { name: name.to_owned(), required, lines }),
    }
}

fn described(instruction: &Instruction, name: &str) -> String {
    let text = if name.is_empty() { None } else { instruction.description(name) };
    text.unwrap_or_default().trim().to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A list of one file.
fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    [BASE64.encode(bytes)].serialize(serializer)
}

/// `pb.Location`: lines without columns.
fn as_location<S: Serializer>(lines: &Lines, serializer: S) -> Result<S::Ok, S::Error> {
    lint::location(*lines).serialize(serializer)
}

#[cfg(test)]
mod tests;
