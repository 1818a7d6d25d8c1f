//! How the kernel writes numbers: alone, as `max`, or as tables of words and numbers (kernel `cgroup-v2.rst`, "Format").

use std::collections::BTreeMap;

use super::super::directory::Directory;
use crate::error::{Error, ErrorKind, Result};

/// The number in a file; `max` and -1 are [`u64::MAX`]. None if there is no such file.
pub(super) fn number(directory: &Directory, file: &str) -> Result<Option<u64>> {
    let Some(text) = directory.find(file)? else { return Ok(None) };
    parse(text.trim()).map(Some).ok_or_else(|| unreadable(directory, file, &text))
}

/// As [`number`], with zero where there is no file.
pub(super) fn number_or_zero(directory: &Directory, file: &str) -> Result<u64> {
    Ok(number(directory, file)?.unwrap_or(0))
}

/// Lines of a word and a number. Empty if there is no such file; other lines are left out.
pub(super) fn words(directory: &Directory, file: &str) -> Result<BTreeMap<String, u64>> {
    let text = directory.find(file)?.unwrap_or_default();
    let entry = |line: &str| line.split_once(' ').and_then(|(word, rest)| Some((word.to_owned(), parse(rest.trim())?)));
    Ok(text.lines().filter_map(entry).collect())
}

/// Numbers with white space between.
pub(super) fn list(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(parse).collect()
}

fn parse(text: &str) -> Option<u64> {
    match text {
        "max" | "-1" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// An error about what a file says.
pub(super) fn unreadable(directory: &Directory, file: &str, text: &str) -> Error {
    let message = format!("{}: {text:?} is no number", directory.path.join(file).display());
    Error::new(ErrorKind::System, message)
}
