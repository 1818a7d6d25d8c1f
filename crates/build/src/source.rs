//! What comes from outside into a build, besides images: repositories, files at addresses, archives on standard input.
//!
//! Everything here is a stranger's. What is fetched lands in a directory of ours, by descriptor where a path of theirs says
//! where, and passwords go to whom they are for: they stand on no command line, in no file and in no error.

/// A context in an archive.
pub(crate) mod archive;
/// What the argument of a build means.
pub(crate) mod context;
/// Repositories.
pub(crate) mod git;
/// Files from web servers.
pub(crate) mod http;
/// Addresses by their parts.
mod url;

pub(crate) use url::without_credentials;

/// Text of a stranger, fit for a line of an error.
fn printable(text: &str) -> String {
    const MOST: usize = 200;
    let shown: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MOST).collect();
    if text.chars().nth(MOST).is_some() { format!("{shown}…") } else { shown.trim().to_owned() }
}

/// A secret that stands in a header.
fn one_line(name: &str, value: Vec<u8>) -> crate::Result<String> {
    let value = String::from_utf8(value).ok().map(|value| value.trim_end().to_owned());
    let value = value.filter(|value| !value.chars().any(char::is_control));
    value.ok_or_else(|| {
        crate::Error::invalid(format!("the secret {}: it is more than one line of text", printable(name)))
    })
}
