//! `ADD` and `COPY`: what goes into the image, from where, and how it lies there.

use super::flags::{Flags, Takes};
use crate::error::{Error, Result};
use crate::statement::{Arguments, Heredoc, Statement};

/// Files, archives, and what is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// Sources and destination.
    pub placement: Placement,
    /// Whether a checkout has its `.git`, if that is said.
    pub keep_git_dir: Option<bool>,
    /// What the source's digest or commit is.
    pub checksum: Option<String>,
    /// Whether archives are unpacked, if that is said.
    pub unpack: Option<bool>,
}

/// Files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Sources and destination.
    pub placement: Placement,
    /// A stage, a context or an image, if the sources are not in the build's own context.
    pub from: Option<String>,
    /// Whether directories above a source are made as well.
    pub parents: bool,
}

/// Sources, destination, and how files lie there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Paths and addresses.
    pub sources: Vec<String>,
    /// Files whose content stands in the Dockerfile: each is called as its here-document is.
    pub contents: Vec<Heredoc>,
    /// Where to.
    pub destination: String,
    /// Whose they are there.
    pub chown: Option<String>,
    /// What may be done with them.
    pub chmod: Option<String>,
    /// Whether the layer depends on nothing below it.
    pub link: bool,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
}

const COMMON: [(&str, Takes); 4] =
    [("chown", Takes::Value), ("chmod", Takes::Value), ("link", Takes::Truth), ("exclude", Takes::Values)];

pub(super) fn add(statement: &Statement) -> Result<Add> {
    let own = [("keep-git-dir", Takes::Truth), ("checksum", Takes::Value), ("unpack", Takes::Truth)];
    let mut flags = Flags::parse("ADD", &statement.flags, &[&COMMON[..], &own].concat())?;
    Ok(Add {
        keep_git_dir: flags.truth("keep-git-dir"),
        checksum: flags.value("checksum"),
        unpack: flags.truth("unpack"),
        placement: placement("ADD", statement, &mut flags)?,
    })
}

pub(super) fn copy(statement: &Statement) -> Result<Copy> {
    let own = [("from", Takes::Value), ("parents", Takes::Truth)];
    let mut flags = Flags::parse("COPY", &statement.flags, &[&COMMON[..], &own].concat())?;
    Ok(Copy {
        from: flags.value("from"),
        parents: flags.truth("parents").unwrap_or_default(),
        placement: placement("COPY", statement, &mut flags)?,
    })
}

fn placement(instruction: &str, statement: &Statement, flags: &mut Flags) -> Result<Placement> {
    let (Arguments::Words(words) | Arguments::Exec(words)) = &statement.arguments else {
        return Err(no_destination(instruction));
    };
    let [given @ .., destination] = words.as_slice() else { return Err(no_destination(instruction)) };
    if given.is_empty() {
        return Err(no_destination(instruction));
    }
    if Heredoc::parse(destination).is_ok_and(|heredoc| heredoc.is_some()) {
        return Err(Error::syntax(format!("{instruction}: a heredoc cannot be the destination"))
            .with_hint("name the file or directory after it")
            .at_word(destination));
    }
    let is_exec = matches!(statement.arguments, Arguments::Exec(_));
    let mut bodies = statement.heredocs.iter();
    let mut sources = Vec::new();
    let mut contents = Vec::new();
    for source in given {
        let is_heredoc = !is_exec && Heredoc::parse(source).is_ok_and(|heredoc| heredoc.is_some());
        match is_heredoc.then(|| bodies.next()).flatten() {
            Some(heredoc) => contents.push(heredoc.clone()),
            None => sources.push(source.clone()),
        }
    }
    Ok(Placement {
        sources,
        contents,
        destination: destination.clone(),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.truth("link").unwrap_or_default(),
        exclude: flags.values("exclude"),
    })
}

fn no_destination(instruction: &str) -> Error {
    Error::syntax(format!("{instruction} needs at least two arguments: the last one is the destination"))
        .at_word(instruction)
}
