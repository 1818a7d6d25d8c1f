//! Landlock per container (`landlock(7)`), asked for by an annotation: files that its processes can reach at most,
//! whoever they are.
//!
//! The specification of containers has no field for it yet; names are those of its open proposals (runtime-spec pull
//! requests 1111 and 1241), see `docs/landlock.md`.

use std::path::Path;

use oci_spec::runtime::Spec;
use serde::Deserialize;

use super::{Source, Step, c_string, container_path};
use crate::error::{Error, ErrorKind, Result};

/// The annotation.
pub const ANNOTATION: &str = "org.phial.landlock";

/// Kinds of access to files: name, bit of `linux/landlock.h`, and the version of the interface that brought it.
const ACCESS: [(&str, u64, u32); 16] = [
    ("execute", 1 << 0, 1),
    ("write_file", 1 << 1, 1),
    ("read_file", 1 << 2, 1),
    ("read_dir", 1 << 3, 1),
    ("remove_dir", 1 << 4, 1),
    ("remove_file", 1 << 5, 1),
    ("make_char", 1 << 6, 1),
    ("make_dir", 1 << 7, 1),
    ("make_reg", 1 << 8, 1),
    ("make_sock", 1 << 9, 1),
    ("make_fifo", 1 << 10, 1),
    ("make_block", 1 << 11, 1),
    ("make_sym", 1 << 12, 1),
    ("refer", 1 << 13, 2),
    ("truncate", 1 << 14, 3),
    ("ioctl_dev", 1 << 15, 5),
];

/// What a set of rules forbids unless a rule allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    access: u64,
    best_effort: bool,
}

/// Rules, ready to become steps.
#[derive(Debug, Clone)]
pub struct Rules {
    handled: Handled,
    paths: Vec<(std::ffi::CString, u64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Annotation {
    ruleset: Ruleset,
    #[serde(default)]
    rules: RuleLists,
    #[serde(default)]
    disable_best_effort: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ruleset {
    handled_access: HandledAccess,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HandledAccess {
    #[serde(alias = "handledAccessFS")]
    handled_access_fs: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleLists {
    #[serde(default)]
    path_beneath: Vec<PathBeneath>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PathBeneath {
    allowed_access: Vec<String>,
    paths: Vec<String>,
}

impl Handled {
    /// The kinds of access that a kernel with this version of Landlock can handle.
    ///
    /// # Errors
    /// `Unsupported` if it lacks one, and doing without was ruled out.
    pub(crate) fn on(self, version: u32, kernel: &str) -> Result<u64> {
        let lacking: Vec<_> = names(self.access).filter(|(_, _, since)| *since > version).collect();
        match lacking.first() {
            Some((name, _, since)) if !self.best_effort => {
                let message = format!(
                    "{ANNOTATION}: {name} needs version {since} of Landlock; this kernel ({kernel}) has {version}"
                );
                Err(Error::new(ErrorKind::Unsupported, message)
                    .with_hint("without disableBestEffort, what the kernel lacks is left out"))
            }
            _ => Ok(lacking.iter().fold(self.access, |access, (_, bit, _)| access & !bit)),
        }
    }
}

impl Rules {
    /// The rules of a configuration, if its annotation has some.
    ///
    /// # Errors
    /// `Invalid`, naming what is wrong.
    pub fn of(spec: &Spec) -> Result<Option<Rules>> {
        let text = spec.annotations().as_ref().and_then(|annotations| annotations.get(ANNOTATION));
        text.map(|text| Rules::read(text)).transpose()
    }

    fn read(text: &str) -> Result<Rules> {
        let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("annotation {ANNOTATION}: {why}"));
        let annotation: Annotation = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let bits = |list: &[String], field: &str| {
            let bit = |name: &String| ACCESS.iter().find(|(known, ..)| known == name).map(|(_, bit, _)| *bit);
            list.iter().try_fold(0, |all, name| {
                bit(name).map(|bit| all | bit).ok_or_else(|| invalid(format!("{field} {name:?}: is no kind of access")))
            })
        };
        let access = bits(&annotation.ruleset.handled_access.handled_access_fs, "handledAccessFs")?;
        if access == 0 {
            return Err(invalid("handledAccessFs: is empty, so nothing would be forbidden".to_owned()));
        }
        let mut paths = Vec::new();
        for rule in &annotation.rules.path_beneath {
            let allowed = bits(&rule.allowed_access, "allowedAccess")?;
            if let Some((name, ..)) = names(allowed & !access).next() {
                return Err(invalid(format!("allowedAccess {name:?}: is not in handledAccessFs, so never forbidden")));
            }
            for path in &rule.paths {
                let path = container_path(Path::new(path));
                paths.push((c_string(path.as_os_str().as_encoded_bytes(), ANNOTATION)?, allowed));
            }
        }
        let handled = Handled { access, best_effort: !annotation.disable_best_effort };
        Ok(Rules { handled, paths })
    }

    /// Steps that look the paths up, which needs the right to.
    pub(super) fn allow(&self) -> impl Iterator<Item = Step> {
        self.paths.iter().map(|(path, access)| Step::LandlockAllow { path: path.clone(), access: *access })
    }

    /// The step after which they hold.
    pub(super) fn restrict(&self) -> Step {
        Step::Landlock(Source::LandlockRuleset(self.handled))
    }
}

fn names(access: u64) -> impl Iterator<Item = (&'static str, u64, u32)> {
    ACCESS.into_iter().filter(move |(_, bit, _)| access & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{"ruleset":{"handledAccess":{"handledAccessFs":["execute","write_file","refer"]}},
        "rules":{"pathBeneath":[{"allowedAccess":["execute"],"paths":["/bin","lib/"]}]}}"#;

    #[test]
    fn rules_become_steps() {
        let rules = Rules::read(EXAMPLE).expect("valid");
        let steps: Vec<String> = rules.allow().chain([rules.restrict()]).map(|step| step.to_string()).collect();
        assert_eq!(
            steps,
            ["allow access below /bin (Landlock)", "allow access below /lib (Landlock)", "restrict to Landlock rules"]
        );
        assert_eq!(rules.handled.on(2, "x").expect("enough"), 0x2003);
        assert_eq!(rules.handled.on(1, "x").expect("best effort"), 3);
        let strict = Handled { best_effort: false, ..rules.handled };
        let error = strict.on(1, "5.13").expect_err("lacks refer").to_string();
        assert_eq!(error, "org.phial.landlock: refer needs version 2 of Landlock; this kernel (5.13) has 1");
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (from, to, message) in [
            ("\"refer\"", "\"fly\"", "handledAccessFs \"fly\": is no kind of access"),
            ("[\"execute\"]", "[\"read_dir\"]", "allowedAccess \"read_dir\": is not in handledAccessFs"),
            ("[\"execute\",\"write_file\",\"refer\"]", "[]", "handledAccessFs: is empty"),
            ("\"rules\"", "\"lines\"", "unknown field `lines`"),
            ("pathBeneath", "path", "unknown field `path`"),
        ] {
            let error = Rules::read(&EXAMPLE.replacen(from, to, 1)).expect_err("refused").to_string();
            assert!(error.starts_with(&format!("annotation org.phial.landlock: {message}")), "{error}");
        }
    }
}
