//! What the argument of a build means: standard input, a repository, an address, or a directory.

use std::path::{Path, PathBuf};

use super::git::GitAddress;
use super::printable;
use crate::{Context, Error, ErrorKind, Result};

impl Context {
    /// What an argument means. A directory that is there is one, whatever it is called, as docker has it.
    ///
    /// # Errors
    /// `Invalid` for a repository that cannot be one, and `NotFound` for a directory that is not there.
    pub fn parse(text: &str) -> Result<Context> {
        if text == "-" {
            return Ok(Context::Stdin);
        }
        if Path::new(text).is_dir() {
            return Ok(Context::Directory(PathBuf::from(text)));
        }
        if GitAddress::parse_context(text)?.is_some() {
            return Ok(Context::Git(text.to_owned()));
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Context::Url(text.to_owned()));
        }
        let shown = printable(text);
        Err(match (text.is_empty(), Path::new(text).exists()) {
            (true, _) => Error::invalid("the context is empty").with_hint("name a directory: . is this one"),
            (_, true) => Error::invalid(format!("{shown}: it is no directory"))
                .with_hint("a Dockerfile is named by --file, and an archive is read from standard input: - < FILE"),
            _ => Error::new(ErrorKind::NotFound, format!("{shown}: there is no such directory")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_argument_means() {
        let directory = tempfile::tempdir().expect("there is room");
        let there = directory.path().to_str().expect("it is text");
        let git = |text: &str| Context::Git(text.to_owned());
        let url = |text: &str| Context::Url(text.to_owned());
        let cases = [
            ("-", Context::Stdin),
            (there, Context::Directory(directory.path().to_owned())),
            ("https://h/a.git", git("https://h/a.git")),
            ("https://h/a.git#main:d", git("https://h/a.git#main:d")),
            ("git@h:a/b", git("git@h:a/b")),
            ("git://h/a", git("git://h/a")),
            ("ssh://git@h/a#x", git("ssh://git@h/a#x")),
            ("github.com/a/b", git("github.com/a/b")),
            ("https://h/a.tar.gz", url("https://h/a.tar.gz")),
            ("https://github.com/a/b", url("https://github.com/a/b")),
            ("http://h/Dockerfile", url("http://h/Dockerfile")),
        ];
        for (text, expected) in cases {
            assert_eq!(Context::parse(text).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn what_means_nothing() {
        let file = tempfile::NamedTempFile::new().expect("there is room");
        let file = file.path().to_str().expect("it is text");
        let cases = [
            ("", "the context is empty".to_owned()),
            ("/nowhere/at/all", "/nowhere/at/all: there is no such directory".to_owned()),
            (file, format!("{file}: it is no directory")),
            ("https://h/a.git#-x", "\"-x\": it is no branch, tag or commit".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(Context::parse(text).expect_err(text).to_string(), expected, "{text}");
        }
    }
}
