//! Which commit a reference means now. A commit's own name is one already, and nobody is asked.

use std::collections::BTreeMap;

use super::super::printable;
use super::program::Git;
use super::{GitAddress, GitAuth};
use crate::{Error, ErrorKind, Result};

/// A commit that a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The name of the object: of the commit, or of a tag that has words of its own.
    pub(crate) object: String,
    /// The commit that such a tag is for, if the server says it.
    pub(crate) peeled: Option<String>,
    /// The whole name of the reference: `refs/heads/main`; the object's own if it was asked for by that.
    pub(crate) reference: String,
}

impl Commit {
    /// What tells the files of this commit from others: the same whichever way, reference or server they come from.
    pub(crate) fn key(&self, address: &GitAddress, keep_git_dir: bool) -> String {
        let mut key = match &self.peeled {
            Some(commit) if !keep_git_dir => commit.clone(),
            _ => self.object.clone(),
        };
        if keep_git_dir {
            key = format!("{key}.git#{}", self.reference);
        }
        if let Some(directory) = &address.directory {
            key = format!("{key}:{directory}");
        }
        if address.submodules == Some(false) {
            key.push_str("(skip-submodules)");
        }
        if address.times == Some(super::address::Times::Checkout) {
            key.push_str("(mtime=checkout)");
        }
        key
    }
}

/// Whether a text is a commit's whole name, of SHA-1 or SHA-256.
pub(crate) fn is_whole_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Which commit the reference of an address means now.
///
/// # Errors
/// `NotFound` if the repository has no such reference, `Changed` if it is another commit than the checksum says, and what
/// git says if it cannot be asked.
pub(crate) fn resolve(address: &GitAddress, auth: &GitAuth) -> Result<Commit> {
    let commit = match (address.reference.as_deref(), address.checksum.as_deref()) {
        (Some(reference), _) if is_whole_commit(reference) => alone(reference, reference),
        (reference, Some(checksum)) if address.by_commit && is_whole_commit(checksum) => {
            let whole =
                |name: &str| if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
            alone(checksum, &reference.map_or_else(|| checksum.to_owned(), whole))
        }
        _ if address.by_commit => {
            return Err(Error::invalid(format!("{}: fetch-by-commit needs a commit's whole name", address.shown())));
        }
        (reference, _) => asked(address, reference, auth)?,
    };
    check(address, &[Some(&commit.object), commit.peeled.as_ref()])?;
    Ok(commit)
}

fn alone(object: &str, reference: &str) -> Commit {
    Commit { object: object.to_owned(), peeled: None, reference: reference.to_owned() }
}

/// Whether one of these begins as the checksum says.
pub(super) fn check(address: &GitAddress, found: &[Option<&String>]) -> Result<()> {
    let Some(checksum) = &address.checksum else { return Ok(()) };
    let names: Vec<&str> = found.iter().copied().flatten().map(String::as_str).collect();
    if names.iter().any(|name| name.starts_with(&checksum.to_ascii_lowercase())) {
        return Ok(());
    }
    let message = format!("{}: it is {}, and {checksum} was expected", address.shown(), names.join(" or "));
    Err(Error::new(ErrorKind::Changed, message).with_hint("somebody has changed it, or the checksum is another one's"))
}

fn asked(address: &GitAddress, reference: Option<&str>, auth: &GitAuth) -> Result<Commit> {
    let git = Git::new(address, auth)?;
    let name = reference.unwrap_or("HEAD");
    let answer = git.run(None, &["ls-remote", "--symref", "--", &git.remote, name, &format!("{name}^{{}}")])?;
    let found = Answer::parse(&answer);
    let short = |prefix: &str| format!("{prefix}{}", name.strip_prefix(prefix).unwrap_or(name));
    // git itself takes a branch if there is a tag of the same name.
    let names = match name {
        "HEAD" => [found.head.clone().unwrap_or_else(|| name.to_owned()), name.to_owned(), name.to_owned()],
        _ => [short("refs/"), short("refs/heads/"), short("refs/tags/")],
    };
    let commit = names.iter().find_map(|whole| {
        let object = found.objects.get(whole).or_else(|| found.objects.get("HEAD").filter(|_| name == "HEAD"))?;
        let peeled = found.objects.get(&format!("{whole}^{{}}")).cloned();
        Some(Commit { object: object.clone(), peeled, reference: whole.clone() })
    });
    commit.ok_or_else(|| match reference {
        Some(name) => {
            Error::new(ErrorKind::NotFound, format!("{}: it has no branch and no tag {}", git.shown(), printable(name)))
                .with_hint("the part of a commit's name is not enough: give all of it")
        }
        None => Error::new(ErrorKind::NotFound, format!("{}: it has no commit", git.shown())),
    })
}

/// What a server says of its references.
#[derive(Debug, Default)]
struct Answer {
    objects: BTreeMap<String, String>,
    /// What its HEAD points to.
    head: Option<String>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let mut answer = Answer::default();
        for (value, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            match value.strip_prefix("ref: ") {
                Some(target) if name == "HEAD" => {
                    answer.head =
                        super::address::checked_reference(target).ok().filter(|name| name.starts_with("refs/"));
                }
                None if is_whole_commit(value) => drop(answer.objects.insert(name.to_owned(), value.to_owned())),
                _ => {}
            }
        }
        answer
    }
}
