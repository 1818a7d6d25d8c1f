//! What the administrator of this host says about networks: `/etc/phial/networks.toml`, and the environment before that.

use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::Path;

use net::Backend;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The file. It need not be there.
const FILE: &str = "/etc/phial/networks.toml";
/// Environment variable that says by what the rules of the firewall are made.
const FIREWALL: &str = "PHIAL_FIREWALL";
/// More than this is no settings file.
const FILE_MAX: u64 = 64 * 1024;

/// The file's contents.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    firewall: Option<String>,
}

/// By what the rules of the firewall are made, if somebody has chosen.
///
/// # Errors
/// `Invalid` for a word that is none of the two, and for a file that is not understood.
pub(super) fn firewall() -> Result<Option<Backend>> {
    match std::env::var(FIREWALL) {
        Ok(word) if !word.is_empty() => backend(&word, &FIREWALL).map(Some),
        _ => of_file(Path::new(FILE)),
    }
}

fn of_file(path: &Path) -> Result<Option<Backend>> {
    let refuse = |why: &dyn std::fmt::Display| Error::invalid(format!("networks file {}: {why}", path.display()));
    let mut text = String::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(FILE_MAX).read_to_string(&mut text).map_err(|error| refuse(&error))?,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(&error)),
    };
    let settings: Settings = toml::from_str(&text).map_err(|error| refuse(&error.message()))?;
    let word = settings.firewall.as_deref();
    word.map(|word| backend(word, &format_args!("networks file {}: firewall", path.display()))).transpose()
}

fn backend(word: &str, what: &dyn std::fmt::Display) -> Result<Backend> {
    Backend::from_name(word).ok_or_else(|| {
        let known: Vec<&str> = Backend::ALL.into_iter().map(Backend::name).collect();
        Error::invalid(format!("{what}: {word:?} is none of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_chooses_or_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("networks.toml");
        assert_eq!(of_file(&path).expect("it need not be there"), None);
        for (text, expected) in [("", None), ("firewall = 'iptables'", Some(Backend::Iptables))] {
            std::fs::write(&path, text).expect("is written");
            assert_eq!(of_file(&path).expect("is understood"), expected);
        }
        for (text, expected) in [("firewall = 'ufw'", "\"ufw\" is none of nftables, iptables"), ("fire = 1", "fire")] {
            std::fs::write(&path, text).expect("is written");
            let error = of_file(&path).expect_err("is refused").to_string();
            assert!(error.contains(expected) && error.contains("networks.toml"), "{error}");
        }
    }
}
