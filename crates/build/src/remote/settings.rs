//! The attributes of `--cache-to` and `--cache-from`, as they were meant. Pure. What cannot be done is refused by its name, before
//! anything is built.

use image::Compression;

use crate::error::{Error, Result};
use crate::options::{CacheOption, Options};

/// Keys of caches that are written, wherever they go.
const WRITTEN: [&str; 7] = [
    "mode",
    "compression",
    "compression-level",
    "force-compression",
    "image-manifest",
    "oci-mediatypes",
    "ignore-error",
];

/// How a cache is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether all steps are told of, and not only those whose layers the image has.
    pub(super) is_max: bool,
    /// What layers are compressed with.
    pub(super) compression: Compression,
    /// Whether plain HTTP and unknown certificates are fine.
    pub(super) insecure: bool,
    /// Whether the build goes on where it cannot be written.
    pub(super) may_fail: bool,
}

/// Refuses what cannot be done.
///
/// # Errors
/// `Invalid`, naming it.
pub(crate) fn check(options: &Options) -> Result<()> {
    options.cache_to.iter().try_for_each(|option| Settings::of(option).map(drop))?;
    options.cache_from.iter().try_for_each(check_source)
}

/// One that is read. How it was written may be said of it as well, so that both flags can have the same value; nothing comes of that.
fn check_source(option: &CacheOption) -> Result<()> {
    let place = match option.kind.as_str() {
        "inline" => {
            return Err(Error::invalid("--cache-from type=inline: it is in an image")
                .with_hint("give the name of the image: --cache-from IMAGE"));
        }
        "local" => "src",
        _ => "ref",
    };
    Settings::read(option, "--cache-from", place).map(drop)
}

impl Settings {
    /// What is said of one that is written.
    ///
    /// # Errors
    /// `Invalid` for what nobody knows, and for what cannot be done.
    pub(super) fn of(option: &CacheOption) -> Result<Settings> {
        let place = if option.kind == "local" { "dest" } else { "ref" };
        Settings::read(option, "--cache-to", place)
    }

    fn read(option: &CacheOption, flag: &str, place: &str) -> Result<Settings> {
        let mut settings = Settings::default();
        let said = Said { flag, kind: &option.kind };
        let others = if option.kind == "registry" { &["registry.insecure"][..] } else { &[] };
        let known: Vec<&str> = match option.kind.as_str() {
            // It is a part of the configuration: there is no more to it.
            "inline" => Vec::new(),
            _ => [place].iter().chain(&WRITTEN).chain(others).copied().collect(),
        };
        for (key, value) in &option.attributes {
            if !known.contains(&key.as_str()) {
                return Err(said.wrong(format_args!("there is no key {key:?} here")).with_meant(key, &known));
            }
            settings.take(&said, key, value)?;
        }
        Ok(settings)
    }

    fn take(&mut self, said: &Said<'_>, key: &str, value: &str) -> Result<()> {
        match key {
            "mode" => {
                let modes = ["min", "max"];
                if !modes.contains(&value) {
                    return Err(said
                        .wrong(format_args!("mode={value} is neither min nor max"))
                        .with_meant(value, &modes));
                }
                self.is_max = value == "max";
            }
            "compression" if said.kind == "local" && value != "uncompressed" => {
                return Err(said
                    .wrong(format_args!("compression={value}: layers are written as they are"))
                    .with_hint("type=registry compresses them"));
            }
            "compression" => {
                let names = ["gzip", "zstd", "uncompressed"];
                self.compression =
                    value.parse().map_err(|error: image::Error| said.wrong(error).with_meant(value, &names))?;
            }
            "compression-level" => {
                return Err(said
                    .wrong(format_args!("compression-level={value}: the level cannot be chosen"))
                    .with_hint("compression=zstd is smaller and faster than any gzip"));
            }
            "force-compression" if said.truth(key, value)? => {
                return Err(said
                    .wrong("force-compression=true: layers that a registry has are not sent again")
                    .with_hint("leave it out"));
            }
            "image-manifest" | "oci-mediatypes" if !said.truth(key, value)? => {
                return Err(said
                    .wrong(format_args!("{key}={value}: it is an image with OCI's documents"))
                    .with_hint("leave it out"));
            }
            "ignore-error" => self.may_fail = said.truth(key, value)?,
            "registry.insecure" => self.insecure = said.truth(key, value)?,
            _ => {}
        }
        Ok(())
    }
}

/// Of what an error is.
struct Said<'a> {
    flag: &'a str,
    kind: &'a str,
}

impl Said<'_> {
    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::invalid(format!("{} type={}: {why}", self.flag, self.kind))
    }

    fn truth(&self, key: &str, value: &str) -> Result<bool> {
        let wrong = || self.wrong(format_args!("{key}={value} is neither true nor false"));
        notation::truth(value).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(kind: &str, pairs: &[(&str, &str)]) -> CacheOption {
        let attributes = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        CacheOption { kind: kind.to_owned(), attributes }
    }

    #[test]
    fn what_is_meant() {
        let pairs =
            [("ref", "a"), ("mode", "max"), ("compression", "zstd"), ("ignore-error", "1"), ("image-manifest", "true")];
        let expected = Settings { is_max: true, compression: Compression::Zstd, may_fail: true, insecure: false };
        assert_eq!(Settings::of(&option("registry", &pairs)).expect("it is known"), expected);
        check_source(&option("registry", &pairs)).expect("it can be the same value");
        Settings::of(&option("inline", &[])).expect("it is known");
        Settings::of(&option("local", &[("dest", "a"), ("compression", "uncompressed")])).expect("it is known");
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (kind, key, value, why, hint) in [
            ("registry", "mod", "max", "there is no key \"mod\" here", "did you mean mode?"),
            ("registry", "mode", "mox", "mode=mox is neither min nor max", "did you mean max?"),
            (
                "registry",
                "compression",
                "zsdt",
                "compression zsdt: not one of gzip, zstd, uncompressed",
                "did you mean zstd?",
            ),
            ("local", "compression", "zstd", "compression=zstd: layers are written as they are", "registry"),
            ("local", "registry.insecure", "true", "there is no key \"registry.insecure\" here", "there is dest, mode"),
            ("registry", "compression-level", "3", "compression-level=3: the level cannot be chosen", "zstd"),
            ("registry", "force-compression", "true", "force-compression=true", "leave it out"),
            ("registry", "image-manifest", "false", "image-manifest=false", "leave it out"),
            ("registry", "ignore-error", "maybe", "ignore-error=maybe is neither true nor false", ""),
            ("inline", "mode", "max", "there is no key \"mode\" here", ""),
        ] {
            let error = Settings::of(&option(kind, &[(key, value)])).expect_err(why);
            assert!(error.to_string().contains(&format!("--cache-to type={kind}: {why}")), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint());
        }
        check_source(&option("local", &[("src", "a"), ("tag", "b")])).expect_err("there is none");
        check_source(&option("inline", &[])).expect_err("it is in an image");
    }
}
