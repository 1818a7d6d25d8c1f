//! Where the files of a build come from, by the form of the argument alone. Reads nothing, and looks only whether a directory is one.

use std::path::Path;

use build::Context;

use crate::failure::{Failure, Result};

/// What the argument means.
pub(super) fn parse(text: &str) -> Result<Context> {
    let found = of_form(text);
    if let Context::Directory(path) = &found {
        let failed = |why: String| Failure::new(format!("cannot build: {text}: {why}"));
        let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
        if !metadata.is_dir() {
            let hint = format!("give a directory; -f {text} names a Dockerfile, and - < {text} is an archive");
            return Err(failed("it is no directory".to_owned()).with_hint(hint));
        }
    }
    Ok(found)
}

/// As docker tells them apart.
fn of_form(text: &str) -> Context {
    let before_fragment = text.split(['#', '?']).next().unwrap_or_default();
    let begins = |with: &[&str]| with.iter().any(|scheme| text.starts_with(scheme));
    let is_web = begins(&["http://", "https://"]);
    let is_git = begins(&["git://", "ssh://", "git@", "github.com/"])
        || (is_web && before_fragment.strip_suffix(".git").is_some());
    match text {
        "-" => Context::Stdin,
        _ if is_git => Context::Git(text.to_owned()),
        _ if is_web => Context::Url(text.to_owned()),
        _ => Context::Directory(Path::new(text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let git = |text: &str| Context::Git(text.to_owned());
        let cases = [
            ("-", Context::Stdin),
            (".", Context::Directory(".".into())),
            ("https://host/a.git#main:src", git("https://host/a.git#main:src")),
            ("https://host/a.git?ref=x", git("https://host/a.git?ref=x")),
            ("git@host:a/b.git", git("git@host:a/b.git")),
            ("github.com/a/b", git("github.com/a/b")),
            ("https://host/a.tar.gz", Context::Url("https://host/a.tar.gz".to_owned())),
            ("a.git", Context::Directory("a.git".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(of_form(text), expected, "{text}");
        }
        parse("/nowhere/at/all").expect_err("there is none");
        parse("/dev/null").expect_err("it is a file");
    }
}
