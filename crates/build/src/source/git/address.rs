//! What people write for a repository: `https://host/a.git#v1:docs`, `git@host:a.git`, `https://host/a.git?tag=v1`. Pure.
//!
//! What it is taken for is what `BuildKit` takes it for. What could mean something else to git than to us is refused here, before
//! any program sees it: references that look like options or patterns (CVE-2018-17456 was one), hosts that do
//! (CVE-2017-1000117), and directories that lead out of the repository.

use dockerfile::path;

use super::super::printable;
use super::super::url::{self, Address, shown};
use crate::{Error, Result};

/// A repository, and what of it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitAddress {
    /// As git takes it, with whoever it names: not for people.
    pub(crate) remote: String,
    /// Host and path, whichever way leads there.
    pub(crate) place: String,
    /// Whether it is reached by ssh.
    pub(crate) by_ssh: bool,
    /// A branch, a tag or a commit; the default branch otherwise.
    pub(crate) reference: Option<String>,
    /// The directory of the repository that is wanted; all of it otherwise.
    pub(crate) directory: Option<String>,
    /// What the commit's name begins with.
    pub(crate) checksum: Option<String>,
    /// Whether the files have their `.git`, if that is said.
    pub(crate) keep_git_dir: Option<bool>,
    /// Whether the repositories in it are fetched as well, if that is said.
    pub(crate) submodules: Option<bool>,
    /// When files are said to be changed, if that is said.
    pub(crate) times: Option<Times>,
    /// Whether the checksum is the commit, whatever the reference means now.
    pub(crate) by_commit: bool,
}

/// When files of a repository are said to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// When they were fetched.
    Checkout,
    /// When the commit was made.
    Commit,
}

impl GitAddress {
    /// What a text means as a source of `ADD`. None: it is no address of a repository.
    ///
    /// # Errors
    /// `Invalid` if it is one that cannot be: with a reference that is none, a directory outside, or a question that nobody asks.
    pub(crate) fn parse(text: &str) -> Result<Option<GitAddress>> {
        if text.starts_with("./") || text.starts_with("../") {
            return Ok(None);
        }
        let found = match text.split_once("://") {
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => by_url(text, scheme)?,
            _ => by_shell(text)?,
        };
        let Some((mut address, query, fragment)) = found else { return Ok(None) };
        address.fragment(&fragment)?;
        address.query(text, &query)?;
        Ok(Some(address))
    }

    /// The same for a context, where `github.com/…` is a repository, too.
    ///
    /// # Errors
    /// As of [`GitAddress::parse`].
    pub(crate) fn parse_context(text: &str) -> Result<Option<GitAddress>> {
        if !text.starts_with("github.com/") {
            return GitAddress::parse(text);
        }
        let Some(address) = Address::parse(&format!("https://{text}")) else { return Err(no_address(text)) };
        let mut found = of_url(&address);
        found.fragment(&address.fragment)?;
        found.query(text, &address.query)?;
        Ok(Some(found))
    }

    fn fragment(&mut self, fragment: &str) -> Result<()> {
        let (reference, directory) = fragment.split_once(':').unwrap_or((fragment, ""));
        if !reference.is_empty() {
            self.reference = Some(checked_reference(reference)?);
        }
        self.directory = checked_directory(directory)?;
        Ok(())
    }

    fn query(&mut self, text: &str, query: &str) -> Result<()> {
        let wrong = |why: String| Error::invalid(format!("{}: {why}", shown(text)));
        let pairs = url::query(query).ok_or_else(|| wrong("what follows the ? cannot be read".to_owned()))?;
        let mut seen: Vec<&str> = Vec::new();
        let mut reference = None;
        for (key, value) in &pairs {
            if seen.contains(&key.as_str()) {
                return Err(wrong(format!("{key} is said twice")));
            }
            seen.push(key);
            let needs_value = !matches!(key.as_str(), "submodules" | "keep-git-dir" | "fetch-by-commit");
            if needs_value && value.is_empty() {
                return Err(wrong(format!("{} has no value", printable(key))));
            }
            // A key alone says yes.
            let given = if value.is_empty() { "true" } else { value.as_str() };
            let truth = || {
                notation::truth(given).ok_or_else(|| wrong(format!("{key}={}: it is true or false", printable(value))))
            };
            match key.as_str() {
                "ref" => set(&mut reference, value.clone()).map_err(wrong)?,
                "tag" => set(&mut reference, with_prefix("refs/tags/", value)).map_err(wrong)?,
                "branch" => set(&mut reference, with_prefix("refs/heads/", value)).map_err(wrong)?,
                "subdir" => set(&mut self.directory, checked_directory(value)?.unwrap_or_default()).map_err(wrong)?,
                "checksum" | "commit" => set(&mut self.checksum, checked_checksum(value)?).map_err(wrong)?,
                "keep-git-dir" => self.keep_git_dir = Some(truth()?),
                "submodules" => self.submodules = Some(truth()?),
                "fetch-by-commit" => self.by_commit = truth()?,
                "mtime" => self.times = Some(times(value).ok_or_else(|| wrong(format!("mtime={}", printable(value))))?),
                key => {
                    return Err(wrong(format!("{} is no question that is asked of a repository", printable(key)))
                        .with_hint("ref, tag, branch, subdir, checksum, keep-git-dir, submodules and mtime are"));
                }
            }
        }
        let Some(reference) = reference else { return Ok(()) };
        set(&mut self.reference, checked_reference(&reference)?).map_err(wrong)
    }

    /// What is on the web, whatever it is called.
    pub(super) fn of_web(url: &str) -> Option<GitAddress> {
        Address::parse(url).map(|address| of_url(&address))
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        self.place.split('/').next().unwrap_or_default()
    }

    /// For people: without a password.
    pub(crate) fn shown(&self) -> String {
        shown(&self.remote)
    }

    /// The remote without whoever it names, and who that is. The user of ssh is no secret, and stays.
    pub(super) fn without_credentials(&self) -> (String, Option<(String, String)>) {
        match Address::parse(&self.remote) {
            Some(address) if !self.by_ssh => (address.without_credentials(), address.credentials()),
            _ => (self.remote.clone(), None),
        }
    }
}

/// An address, what follows its `?`, and what follows its `#`.
type Parts = (GitAddress, String, String);

fn by_url(text: &str, scheme: &str) -> Result<Option<Parts>> {
    let is_web = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => true,
        "ssh" | "git" => false,
        _ => return Ok(None),
    };
    match Address::parse(text) {
        // What is on the web is a repository if it is called so.
        Some(address) if is_web && address.decoded_path.strip_suffix(".git").is_none() => Ok(None),
        Some(address) => Ok(Some((of_url(&address), address.query.clone(), address.fragment))),
        None if is_web => Ok(None),
        None => Err(no_address(text)),
    }
}

fn of_url(address: &Address) -> GitAddress {
    let place = format!("{}{}", address.host, path::below("/", &address.decoded_path));
    new(address.remote(), place, address.scheme == "ssh")
}

fn new(remote: String, place: String, by_ssh: bool) -> GitAddress {
    GitAddress {
        remote,
        place,
        by_ssh,
        reference: None,
        directory: None,
        checksum: None,
        keep_git_dir: None,
        submodules: None,
        times: None,
        by_commit: false,
    }
}

/// `user@host:path`, as scp(1) writes it.
fn by_shell(text: &str) -> Result<Option<Parts>> {
    let Some((user, rest)) = text.split_once('@') else { return Ok(None) };
    let Some((host, rest)) = rest.split_once(':') else { return Ok(None) };
    let is_made_of = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    if !is_made_of(user, "-_") || !is_made_of(host, "-.") || rest.contains('\n') {
        return Ok(None);
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if [user, host, path].iter().any(|part| part.starts_with('-'))
        || path.is_empty()
        || path.chars().any(char::is_control)
    {
        return Err(no_address(text));
    }
    let place = format!("{host}{}", path::below("/", path));
    Ok(Some((new(format!("{user}@{host}:{path}"), place, true), query.to_owned(), fragment.to_owned())))
}

fn no_address(text: &str) -> Error {
    Error::invalid(format!("{}: it is no address of a repository", shown(text)))
}

/// Two words for one thing are one if they say the same.
fn set(value: &mut Option<String>, new: String) -> Result<(), String> {
    match value.replace(new) {
        Some(old) if *value != Some(old.clone()) => Err(format!(
            "both {} and {} are asked for",
            printable(&old),
            printable(value.as_deref().unwrap_or_default())
        )),
        _ => Ok(()),
    }
}

fn with_prefix(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") }
}

pub(super) fn times(text: &str) -> Option<Times> {
    match text {
        "checkout" => Some(Times::Checkout),
        "commit" => Some(Times::Commit),
        _ => None,
    }
}

/// A name that `git-check-ref-format(1)` allows.
pub(super) fn checked_reference(text: &str) -> Result<String> {
    let is_allowed = |letter: char| !letter.is_control() && !" ~^:?*[\\".contains(letter);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    let is_name = !text.starts_with('-')
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && text.chars().all(is_allowed)
        && text.split('/').all(is_part);
    if is_name {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("{:?}: it is no branch, tag or commit", printable(text)))
        .with_hint("an address with a reference ends in #main, #v1.2 or #main:directory"))
}

/// A directory of the repository, without what means nothing; None for all of it.
pub(super) fn checked_directory(text: &str) -> Result<Option<String>> {
    if text.split('/').any(|part| part == "..") {
        return Err(Error::invalid(format!("{:?}: the directory is outside of the repository", printable(text))));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{:?}: no directory is called so", printable(text))));
    }
    let directory = path::below("/", text)[1..].to_owned();
    Ok(Some(directory).filter(|directory| !directory.is_empty()))
}

/// The beginning of a commit's name.
pub(crate) fn checked_checksum(text: &str) -> Result<String> {
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("{:?}: it is no beginning of a commit's name", printable(text))))
}
