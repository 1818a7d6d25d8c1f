//! Ids of containers: chosen by callers, and names of directories here.

use crate::failure::{Failure, Result};

/// Longest id; a name of a file has at most 255 bytes.
const LONGEST: usize = 250;

/// Whether this can be an id: letters, digits, `_`, `+`, `-`, `.`, and neither `.` nor `..`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(id: &str) -> Result<()> {
    let invalid = |why: &str| Failure::new(format!("invalid container ID format {id:?}: {why}"));
    if id.is_empty() {
        return Err(Failure::new("container id cannot be empty"));
    }
    if id.len() > LONGEST {
        let shown: String = id.chars().take(40).collect();
        return Err(Failure::new(format!("invalid container ID format {shown:?}…: is longer than {LONGEST} bytes")));
    }
    if matches!(id, "." | "..") {
        return Err(invalid("is a directory's own name"));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
    if id.bytes().all(fits) { Ok(()) } else { Err(invalid("has other bytes than letters, digits and _ + - .")) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn ids_are_names() {
        for id in ["a", "0123", "a_b+c-d.e", "...", "-x", &"x".repeat(250)] {
            assert!(check(id).is_ok(), "{id}");
        }
        for id in ["", ".", "..", "a/b", "../x", "a b", "ä", "a\n", &"x".repeat(251)] {
            assert!(check(id).is_err(), "{id}");
        }
    }
}
