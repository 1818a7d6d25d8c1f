//! What can be seen of a file without knowing any value: names, case, old forms, and instructions that replace each other.

use super::{Findings, Rule};
use crate::instruction::{Command, Instruction, Kind};
use crate::stages::{Stage, Stages};
use crate::statement::{EmptyContinuation, Lines, Pair, Separator};

/// Names of stages that mean something else where a stage can be named.
const RESERVED: [&str; 2] = ["context", "scratch"];

/// Looks at all of a file.
pub(crate) fn form(stages: &Stages, empty: &[EmptyContinuation], findings: &mut Findings) {
    for EmptyContinuation { line, .. } in empty {
        let lines = Lines { first: *line, last: *line };
        findings.add(Rule::NoEmptyContinuation, lines, &[], "an empty line in an instruction that is continued");
    }
    // What is declared here is in no image, so it may be called as it likes.
    for argument in &stages.arguments {
        describes_arguments(argument, findings);
    }
    let mut names: Vec<&str> = Vec::new();
    for stage in &stages.stages {
        beginning(stage, &mut names, findings);
        replaced(stage, findings);
        stage.instructions.iter().for_each(|one| instruction(one, findings));
    }
    casing(stages, findings);
}

fn beginning<'a>(stage: &'a Stage, names: &mut Vec<&'a str>, findings: &mut Findings) {
    let Instruction { lines, comments, name: from, .. } = &stage.beginning;
    let mut add = |rule, message: String| findings.add(rule, *lines, comments, message);
    let Some((name, (word, written))) = stage.from.name.as_deref().zip(stage.from.written.as_ref()) else { return };
    if written.chars().any(char::is_uppercase) {
        add(Rule::StageNameCasing, format!("the name of stage '{written}' is not in lower case"));
    }
    let is_other = match case(from) {
        Some(Case::Lower) => *word != word.to_lowercase(),
        Some(Case::Upper) => *word != word.to_uppercase(),
        // What is neither is found by another rule.
        None => false,
    };
    if is_other {
        add(Rule::FromAsCasing, format!("'{word}' is not in the case of '{from}'"));
    }
    if RESERVED.contains(&name) {
        add(Rule::ReservedStageName, format!("'{name}' is no name for a stage, because it means something else"));
    }
    if names.contains(&name) {
        add(Rule::DuplicateStageName, format!("there is more than one stage '{name}'"));
    }
    names.push(name);
    describes(&stage.beginning, "FROM", &[name], findings);
}

fn instruction(instruction: &Instruction, findings: &mut Findings) {
    let Instruction { lines, comments, .. } = instruction;
    match &instruction.kind {
        Kind::Maintainer(_) => {
            findings.add(
                Rule::MaintainerDeprecated,
                *lines,
                comments,
                "a label says who the author is, and not MAINTAINER",
            );
        }
        Kind::Env(pairs) => {
            legacy(instruction, "ENV", pairs, findings);
            for pair in pairs {
                secret(instruction, "ENV", &pair.name, findings);
            }
        }
        Kind::Label(pairs) => legacy(instruction, "LABEL", pairs, findings),
        Kind::Arg(arguments) => {
            for argument in arguments {
                secret(instruction, "ARG", &argument.name, findings);
            }
            describes_arguments(instruction, findings);
        }
        _ => {}
    }
}

fn legacy(instruction: &Instruction, name: &str, pairs: &[Pair], findings: &mut Findings) {
    if pairs.iter().any(|pair| pair.separator == Separator::Blank) {
        let message = format!("\"{name} key value\" is an old form of \"{name} key=value\"");
        findings.add(Rule::LegacyKeyValueFormat, instruction.lines, &instruction.comments, message);
    }
}

fn secret(instruction: &Instruction, name: &str, variable: &str, findings: &mut Findings) {
    if looks_secret(variable) {
        let message = format!("{name} \"{variable}\" is in the image for everybody, and looks like a secret");
        findings.add(Rule::SecretsUsedInArgOrEnv, instruction.lines, &instruction.comments, message);
    }
}

/// Whether a variable is called as secrets are: one of its words is one of theirs, and none says that it is not.
fn looks_secret(name: &str) -> bool {
    const SECRET: [&str; 10] =
        ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
    const HARMLESS: [&str; 3] = ["public", "file", "version"];
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| name.split('_').any(|word| words.contains(&word));
    has(&SECRET) && !has(&HARMLESS)
}

fn describes_arguments(instruction: &Instruction, findings: &mut Findings) {
    if let Kind::Arg(arguments) = &instruction.kind {
        let names: Vec<&str> = arguments.iter().map(|argument| argument.name.as_str()).collect();
        describes(instruction, "ARG", &names, findings);
    }
}

/// The last comment before something that has a name begins with that name.
fn describes(instruction: &Instruction, what: &str, names: &[&str], findings: &mut Findings) {
    let Some(comment) = instruction.comments.last() else { return };
    let begins = comment.split(' ').next().unwrap_or_default();
    if names.is_empty() || names.contains(&begins) {
        return;
    }
    let name = if let [name] = names { name } else { "<arg_key>" };
    let message = format!("the comment before {what} does not describe it: \"# {name} <description>\"");
    findings.add(Rule::InvalidDefinitionDescription, instruction.lines, &instruction.comments, message);
}

/// CMD, ENTRYPOINT and HEALTHCHECK: each replaces what the one before it says.
fn replaced(stage: &Stage, findings: &mut Findings) {
    for (name, is) in [
        ("CMD", (|kind| matches!(kind, Kind::Cmd(_))) as fn(&Kind) -> bool),
        ("ENTRYPOINT", |kind| matches!(kind, Kind::Entrypoint(_))),
        ("HEALTHCHECK", |kind| matches!(kind, Kind::Healthcheck(_))),
    ] {
        let all: Vec<&Instruction> = stage.instructions.iter().filter(|one| is(&one.kind)).collect();
        for (before, after) in all.iter().zip(all.iter().skip(1)) {
            let message =
                format!("this {name} means nothing, because there is another one in line {}", after.lines.first);
            findings.add(Rule::MultipleInstructionsDisallowed, before.lines, &after.comments, message);
        }
    }
}

/// A command that is run by a shell nobody has chosen.
pub(crate) fn is_shell_line(instruction: &Instruction) -> bool {
    matches!(&instruction.kind, Kind::Cmd(Command::Shell(_)) | Kind::Entrypoint(Command::Shell(_)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

fn case(name: &str) -> Option<Case> {
    if name == name.to_lowercase() { Some(Case::Lower) } else { (name == name.to_uppercase()).then_some(Case::Upper) }
}

/// Instructions are in the case that most are in.
fn casing(stages: &Stages, findings: &mut Findings) {
    let all = || stages.stages.iter().flat_map(|stage| [&stage.beginning].into_iter().chain(&stage.instructions));
    let count = |wanted: Case| all().filter(|one| case(&one.name) == Some(wanted)).count();
    let most = if count(Case::Lower) > count(Case::Upper) { Case::Lower } else { Case::Upper };
    for one in all().filter(|one| case(&one.name) != Some(most)) {
        let word = if most == Case::Lower { "lower" } else { "upper" };
        let message = format!("'{}' is not in {word} case, as most instructions are", one.name);
        findings.add(Rule::ConsistentInstructionCasing, one.lines, &one.comments, message);
    }
}
