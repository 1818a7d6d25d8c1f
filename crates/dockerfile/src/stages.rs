//! Instructions by stages: what stands before the first of them, and each with what follows it.

use crate::error::{Error, Result};
use crate::instruction::{Argument, From, Instruction, Kind};
use crate::statement::Dockerfile;

/// A Dockerfile by its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stages {
    /// Arguments that are declared before the first stage, for what `FROM` says.
    pub arguments: Vec<Instruction>,
    /// All stages in their order.
    pub stages: Vec<Stage>,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The instruction that begins it.
    pub beginning: Instruction,
    /// What that instruction says.
    pub from: From,
    /// What follows.
    pub instructions: Vec<Instruction>,
}

impl Stages {
    /// Reads a Dockerfile to its end.
    ///
    /// # Errors
    /// `Syntax` with its lines for whatever is wrong in any instruction, for one that needs a stage and stands in none, and
    /// when there is no stage.
    pub fn parse(bytes: &[u8]) -> Result<Stages> {
        Stages::of(Dockerfile::parse(bytes)?)
    }

    /// The stages of a file that was read.
    ///
    /// # Errors
    /// As of [`Stages::parse`].
    pub fn of(file: Dockerfile) -> Result<Stages> {
        let mut found = Stages { arguments: Vec::new(), stages: Vec::new() };
        for statement in file.statements {
            found.add(Instruction::parse(statement)?)?;
        }
        if found.stages.is_empty() {
            return Err(Error::syntax("there is no stage").with_hint("begin one with FROM"));
        }
        Ok(found)
    }

    fn add(&mut self, instruction: Instruction) -> Result<()> {
        match (&instruction.kind, self.stages.last_mut()) {
            (Kind::From(from), _) => {
                let from = from.clone();
                self.stages.push(Stage { beginning: instruction, from, instructions: Vec::new() });
            }
            (_, Some(stage)) => stage.instructions.push(instruction),
            (Kind::Arg(_), None) => self.arguments.push(instruction),
            (_, None) => {
                return Err(Error::syntax(format!("{} stands before the first FROM", instruction.name))
                    .with_hint("only ARG may")
                    .at_word(&instruction.name)
                    .in_lines(instruction.lines));
            }
        }
        Ok(())
    }

    /// The stage that a name or a number means: the last of that name, of those before `before`.
    pub fn find(&self, key: &str, before: usize) -> Option<usize> {
        let by_number = || key.parse().ok().filter(|number| *number < before.min(self.stages.len()));
        self.find_by_name(key, before).or_else(by_number)
    }

    /// The same by name alone.
    pub(crate) fn find_by_name(&self, key: &str, before: usize) -> Option<usize> {
        let stages = &self.stages[..before.min(self.stages.len())];
        let is_called = |stage: &Stage| stage.from.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(key));
        stages.iter().rposition(is_called)
    }

    /// Everything that is declared before the first stage.
    pub fn declared(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().flat_map(|instruction| match &instruction.kind {
            Kind::Arg(arguments) => arguments.as_slice(),
            _ => &[],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_found_by_name_and_number() {
        let text = "ARG A=1 B\nARG C\nFROM a AS one\nRUN x\nFROM one AS Two\nFROM two\n";
        let stages = Stages::parse(text.as_bytes()).expect("it is one");
        let declared: Vec<_> = stages.declared().map(|argument| argument.name.as_str()).collect();
        assert_eq!(declared, ["A", "B", "C"]);
        let cases = [
            ("one", 3, Some(0)),
            ("TWO", 3, Some(1)),
            ("two", 1, None),
            ("2", 3, Some(2)),
            ("2", 2, None),
            ("x", 3, None),
        ];
        for (key, before, expected) in cases {
            assert_eq!(stages.find(key, before), expected, "{key} before {before}");
        }
        assert_eq!(stages.stages[0].instructions.len(), 1);
    }

    #[test]
    fn what_is_no_stage() {
        let refused = |text: &str| Stages::parse(text.as_bytes()).expect_err(text);
        assert_eq!(refused("ARG a\nRUN b\nFROM c").to_string(), "RUN stands before the first FROM");
        assert_eq!(refused("ARG a").to_string(), "there is no stage");
    }
}
