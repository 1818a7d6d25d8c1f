//! Instructions: what a statement means, with everything checked that can be known before variables have values.

/// Values in place of variables.
mod expand;
/// `EXPOSE`.
mod expose;
/// `ADD` and `COPY`.
mod files;
/// Words that begin with `--`.
mod flags;
/// `HEALTHCHECK`.
mod health;
/// `RUN --mount`.
mod mount;
/// `RUN`.
mod run;

pub use expose::Exposed;
pub use files::{Add, Copy, Placement};
pub use health::Healthcheck;
pub use mount::{Mount, MountKind, Owner, Sharing};
pub use run::{Device, Network, Run, Security};

use crate::error::{Error, Result};
use crate::statement::{Arguments, Heredoc, Lines, Pair, Statement};
use flags::{Flags, Takes};

/// All instructions there are.
pub const NAMES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its name as it is written.
    pub name: String,
    /// All of it but the bodies of here-documents, joined.
    pub text: String,
    /// Where it stands.
    pub lines: Lines,
    /// Comments directly before it.
    pub comments: Vec<String>,
    /// What it does.
    pub kind: Kind,
}

/// What an instruction does. Texts have their quotes and variables still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Adds files, archives and what is somewhere else.
    Add(Add),
    /// Declares arguments.
    Arg(Vec<Argument>),
    /// What a container runs.
    Cmd(Command),
    /// Adds files.
    Copy(Copy),
    /// What a container always runs.
    Entrypoint(Command),
    /// Sets variables of the container.
    Env(Vec<Pair>),
    /// Ports that somebody may publish.
    Expose(Vec<String>),
    /// Begins a stage.
    From(From),
    /// How it is seen that a container is well.
    Healthcheck(Healthcheck),
    /// What is said of the image.
    Label(Vec<Pair>),
    /// Who made the image.
    Maintainer(String),
    /// An instruction for whoever builds upon the image, as text.
    Onbuild(String),
    /// Runs a command.
    Run(Run),
    /// What runs commands that are no list.
    Shell(Vec<String>),
    /// What ends a container.
    Stopsignal(String),
    /// Who runs commands.
    User(String),
    /// Directories that outlive a container.
    Volume(Vec<String>),
    /// Where commands run.
    Workdir(String),
}

/// The beginning of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// The image or the stage it begins with.
    pub base: String,
    /// What it is called, in lower case.
    pub name: Option<String>,
    /// The name and the word before it as they are written.
    pub written: Option<(String, String)>,
    /// For which platform, if that is said.
    pub platform: Option<String>,
}

/// An argument of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// What it is if nobody says it, if there is that.
    pub default: Option<String>,
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A program and its arguments.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

impl Instruction {
    /// What a statement means.
    ///
    /// # Errors
    /// `Syntax` with its lines, for an instruction that there is not, and for flags and arguments it does not take.
    pub fn parse(statement: Statement) -> Result<Instruction> {
        let lines = statement.lines;
        let kind = Kind::parse(&statement).map_err(|error| error.in_lines(lines))?;
        let text = statement.text.trim().to_owned();
        Ok(Instruction { name: statement.name, text, lines, comments: statement.comments, kind })
    }

    /// What is said of `name` in the comments before the instruction: `# name is for this`.
    pub fn description(&self, name: &str) -> Option<&str> {
        self.comments.iter().find_map(|comment| comment.strip_prefix(name)?.strip_prefix(' '))
    }
}

impl Kind {
    fn parse(statement: &Statement) -> Result<Kind> {
        let name = statement.name.to_ascii_uppercase();
        let flags = |known| Flags::parse(&name, &statement.flags, known);
        let given = &statement.arguments;
        match name.as_str() {
            "ADD" => return files::add(statement).map(Kind::Add),
            "COPY" => return files::copy(statement).map(Kind::Copy),
            "FROM" => return from(statement).map(Kind::From),
            "HEALTHCHECK" => return health::parse(statement).map(Kind::Healthcheck),
            "RUN" => return run::parse(statement).map(Kind::Run),
            known if NAMES.contains(&known) => flags(&[])?,
            _ => {
                return Err(Error::unknown(format!("unknown instruction: {}", statement.name), &statement.name, NAMES));
            }
        };
        Ok(match name.as_str() {
            "ARG" => Kind::Arg(arguments(&words(given))?),
            "CMD" => Kind::Cmd(command(given).unwrap_or_else(nothing)),
            "ENTRYPOINT" => Kind::Entrypoint(command(given).unwrap_or_else(nothing)),
            "ENV" => Kind::Env(pairs(&name, given)?),
            "EXPOSE" => {
                let mut words = some(&name, words(given))?;
                words.sort();
                Kind::Expose(words)
            }
            "LABEL" => Kind::Label(pairs(&name, given)?),
            "ONBUILD" => Kind::Onbuild(trigger(statement)?),
            "SHELL" => Kind::Shell(shell(given)?),
            "VOLUME" => Kind::Volume(volumes(words(given))?),
            "MAINTAINER" => Kind::Maintainer(text(&name, given)?),
            "STOPSIGNAL" => Kind::Stopsignal(text(&name, given)?),
            "USER" => Kind::User(text(&name, given)?),
            _ => Kind::Workdir(text(&name, given)?),
        })
    }
}

fn words(given: &Arguments) -> Vec<String> {
    match given {
        Arguments::Words(words) | Arguments::Exec(words) => words.clone(),
        _ => Vec::new(),
    }
}

fn some(instruction: &str, words: Vec<String>) -> Result<Vec<String>> {
    if words.is_empty() { Err(missing(instruction)) } else { Ok(words) }
}

fn missing(instruction: &str) -> Error {
    Error::syntax(format!("{instruction} needs at least one argument")).at_word(instruction)
}

fn text(instruction: &str, given: &Arguments) -> Result<String> {
    match given {
        Arguments::Text(text) => Ok(text.clone()),
        _ => Err(Error::syntax(format!("{instruction} needs exactly one argument")).at_word(instruction)),
    }
}

fn pairs(instruction: &str, given: &Arguments) -> Result<Vec<Pair>> {
    match given {
        Arguments::Pairs(pairs) => Ok(pairs.clone()),
        _ => Err(missing(instruction)),
    }
}

/// An instruction alone has an empty line for the shell; an empty list is something else.
fn nothing() -> Command {
    Command::Shell(String::new())
}

fn command(given: &Arguments) -> Option<Command> {
    match given {
        Arguments::Exec(list) => Some(Command::Exec(list.clone())),
        Arguments::Text(text) => Some(Command::Shell(text.clone())),
        _ => None,
    }
}

fn arguments(words: &[String]) -> Result<Vec<Argument>> {
    let argument = |word: &String| {
        let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err(Error::syntax(format!("ARG: no name before '=' in {word:?}")).at_word(word));
        }
        Ok(Argument { name: name.to_owned(), default: default.map(ToOwned::to_owned) })
    };
    if words.is_empty() { Err(missing("ARG")) } else { words.iter().map(argument).collect() }
}

fn volumes(words: Vec<String>) -> Result<Vec<String>> {
    let words = some("VOLUME", words)?;
    if words.iter().any(|word| word.trim().is_empty()) {
        return Err(Error::syntax("VOLUME: a path must not be empty").at_word("\"\""));
    }
    Ok(words.into_iter().map(|word| word.trim().to_owned()).collect())
}

fn shell(given: &Arguments) -> Result<Vec<String>> {
    match given {
        Arguments::Exec(list) if !list.is_empty() => Ok(list.clone()),
        Arguments::Text(text) => Err(Error::syntax("SHELL takes a list in JSON")
            .with_hint("write SHELL [\"executable\", \"parameters\"]")
            .at_word(text)),
        _ => Err(missing("SHELL")),
    }
}

/// The trigger as it is kept in the image: with the bodies of its here-documents, and the lines that end them.
fn trigger(statement: &Statement) -> Result<String> {
    let Arguments::Trigger(trigger) = &statement.arguments else { return Err(missing("ONBUILD")) };
    trigger.refuse_as_trigger()?;
    // Whoever builds upon the image would be told of a mistake that was made here.
    Kind::parse(&Statement { heredocs: statement.heredocs.clone(), ..(**trigger).clone() })?;
    let bodies = statement.heredocs.iter().flat_map(|Heredoc { name, body, .. }| ["\n", body, name]);
    Ok([trigger.text.as_str()].into_iter().chain(bodies).collect())
}

fn from(statement: &Statement) -> Result<From> {
    let words = words(&statement.arguments);
    let mut flags = Flags::parse("FROM", &statement.flags, &[("platform", Takes::Value)])?;
    let (base, written) = match words.as_slice() {
        [base] => (base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => (base, Some((word.clone(), name.clone()))),
        [_, word, _] => {
            return Err(Error::syntax(format!("FROM: {word:?} in the place of AS")).at_word(word));
        }
        _ => {
            return Err(Error::syntax("FROM takes an image, or an image, AS and a name").at_word(&statement.name));
        }
    };
    let name = written.as_ref().map(|(_, name)| stage_name(name)).transpose()?;
    Ok(From { base: base.clone(), name, written, platform: flags.value("platform") })
}

/// A name of a stage: a letter first, so that it is no number of one.
fn stage_name(written: &str) -> Result<String> {
    let name = written.to_lowercase();
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)) {
        return Ok(name);
    }
    Err(Error::syntax(format!("{written:?} cannot be the name of a stage"))
        .with_hint("a name begins with a letter, and has letters, digits, '-', '_' and '.'")
        .at_word(written))
}

#[cfg(test)]
mod tests;
