//! `RUN --mount`: what is there while a command runs, and is no part of the image.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::word::{Lexer, NoVariables, Variables};

/// Keys there are, each with its other names.
const KEYS: [&[&str]; 14] = [
    &["type"],
    &["from"],
    &["source", "src"],
    &["target", "dst", "destination"],
    &["readonly", "ro"],
    &["readwrite", "rw"],
    &["required"],
    &["size"],
    &["id"],
    &["sharing"],
    &["mode"],
    &["uid"],
    &["gid"],
    &["env"],
];

/// A mount of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is seen; a path that is not absolute is one below the working directory.
    pub target: Option<String>,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// What is seen there.
    pub kind: MountKind,
}

/// What is seen at a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// Files of a context, a stage or an image. What is written there is gone afterwards.
    Bind {
        /// Which of these, if not the build's own context.
        from: Option<String>,
        /// The path in it.
        source: Option<String>,
    },
    /// A directory that later builds find as it was left.
    Cache {
        /// What it is called, if not as its target.
        id: Option<String>,
        /// What becomes of two builds that want it.
        sharing: Sharing,
        /// What it has in the beginning.
        from: Option<String>,
        /// The path in that.
        source: Option<String>,
        /// Whose it is when it is made.
        owner: Owner,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// How many bytes it takes at most.
        size: Option<u64>,
    },
    /// A secret of who builds, as a file or a variable.
    Secret {
        /// What it is called there.
        id: String,
        /// The variable it is given in; empty for one that is called as the secret is.
        env: Option<String>,
        /// Whether the build fails without it.
        required: bool,
        /// Whose the file is.
        owner: Owner,
    },
    /// The socket of an agent of who builds.
    Ssh {
        /// Which.
        id: Option<String>,
        /// Whether the build fails without it.
        required: bool,
        /// Whose the socket is.
        owner: Owner,
    },
}

/// What becomes of two builds that want the same directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// Both have it.
    #[default]
    Shared,
    /// The second one has another.
    Private,
    /// The second one waits.
    Locked,
}

/// Whose something is, where that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// What is given, key by key.
#[derive(Default)]
struct Given {
    from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: Option<bool>,
    required: Option<bool>,
    size: Option<u64>,
    id: Option<String>,
    sharing: Option<Sharing>,
    owner: Owner,
    env: Option<String>,
}

impl Mount {
    /// Refuses what is wrong whatever variables are.
    pub(super) fn check(text: &str) -> Result<()> {
        for (key, value) in fields(text)? {
            let is_variable =
                value.as_ref().is_some_and(|value| value.find('$').is_some_and(|at| at + 1 < value.len()));
            if key == "from" && is_variable {
                return Err(wrong(text, "from cannot have variables")
                    .with_hint("begin a stage with FROM and the variable, and name that stage"));
            }
        }
        if text.contains('$') {
            return Ok(());
        }
        Mount::parse(text, '\\', &NoVariables, &mut BTreeSet::new()).map(drop)
    }

    /// Reads one, and notes which variables of it are not set.
    ///
    /// # Errors
    /// `Syntax` for what no mount is, `Expansion`.
    pub(super) fn parse(
        text: &str,
        escape: char,
        variables: &dyn Variables,
        unset: &mut BTreeSet<String>,
    ) -> Result<Mount> {
        let mut kind = "bind".to_owned();
        let mut given = Given::default();
        for (key, value) in fields(text)? {
            let value = match value {
                None => None,
                Some(value) => {
                    let expanded = Lexer::new(escape).expand(&value, variables)?;
                    unset.extend(expanded.unset);
                    Some(expanded.text)
                }
            };
            match (key, value) {
                ("type", Some(value)) => kind = value.to_ascii_lowercase(),
                (key, value) => given.set(text, key, value)?,
            }
        }
        given.mount(text, &kind)
    }
}

/// What stands after `from`.
pub(super) fn from(text: &str) -> Option<String> {
    let fields = fields(text).unwrap_or_default();
    fields.into_iter().rev().find(|(key, _)| *key == "from").and_then(|(_, value)| value)
}

fn wrong(text: &str, why: impl std::fmt::Display) -> Error {
    Error::syntax(format!("RUN --mount={text}: {why}")).at_word(text)
}

/// Keys by their first names, each with its value if it has one.
fn fields(text: &str) -> Result<Vec<(&'static str, Option<String>)>> {
    let split = notation::fields::split(text).map_err(|why| wrong(text, why))?;
    let field = |field: String| {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let lower = key.to_ascii_lowercase();
        let known = KEYS.iter().find(|names| names.contains(&lower.as_str()));
        let Some(name) = known.and_then(|names| names.first()) else {
            let all = KEYS.iter().flat_map(|names| names.iter().copied());
            return Err(Error::unknown(format!("RUN --mount={text}: there is no key {key:?}"), key, all));
        };
        if value.is_none() && !matches!(*name, "readonly" | "readwrite" | "required") {
            return Err(wrong(text, format!("{key} has no value")).with_hint(format!("write {key}=VALUE")));
        }
        Ok((*name, value.map(ToOwned::to_owned)))
    };
    split.into_iter().map(field).collect()
}

impl Given {
    fn set(&mut self, text: &str, key: &str, value: Option<String>) -> Result<()> {
        let said = value.as_deref().unwrap_or("true");
        let no = |what: &str| wrong(text, format!("{key}={said} is {what}"));
        let truth = || notation::truth(said).ok_or_else(|| no("neither true nor false"));
        let number = || said.parse::<u32>().map_err(|_| no("no number of a user or group"));
        match key {
            "from" => self.from = value,
            "source" => self.source = value,
            "target" => self.target = value,
            "id" => self.id = value,
            "env" => self.env = value,
            "readonly" => self.read_only = Some(truth()?),
            "readwrite" => self.read_only = Some(!truth()?),
            "required" => self.required = Some(truth()?),
            "uid" => self.owner.uid = Some(number()?),
            "gid" => self.owner.gid = Some(number()?),
            "mode" => {
                let mode = u32::from_str_radix(said, 8).ok().filter(|_| !said.starts_with('+'));
                self.owner.mode = Some(mode.ok_or_else(|| no("no permission bits in octal"))?);
            }
            "size" => self.size = Some(notation::amount::bytes(said).ok_or_else(|| no("no size such as 64m"))?),
            _ => {
                self.sharing = Some(match said.to_ascii_lowercase().as_str() {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    _ => {
                        let all = ["shared", "private", "locked"];
                        return Err(Error::unknown(format!("RUN --mount={text}: no sharing {said:?}"), said, all));
                    }
                });
            }
        }
        Ok(())
    }

    fn mount(mut self, text: &str, kind: &str) -> Result<Mount> {
        let kinds = ["bind", "cache", "tmpfs", "secret", "ssh"];
        if !kinds.contains(&kind) {
            return Err(Error::unknown(format!("RUN --mount={text}: there is no type {kind:?}"), kind, kinds));
        }
        self.refuse_foreign(text, kind)?;
        let target = self.target.take();
        let read_only = self.read_only.unwrap_or(!matches!(kind, "cache" | "tmpfs"));
        let (from, source, owner) = (self.from, self.source, self.owner);
        let required = self.required.unwrap_or_default();
        let kind = match kind {
            "bind" => MountKind::Bind { from, source },
            "cache" => MountKind::Cache { id: self.id, sharing: self.sharing.unwrap_or_default(), from, source, owner },
            "tmpfs" => MountKind::Tmpfs { size: self.size },
            "ssh" => MountKind::Ssh { id: self.id, required, owner },
            _ => {
                if source.is_some() && self.id.is_some() {
                    return Err(wrong(text, "source and id are the same key of a secret, and both are given"));
                }
                // Without any of them, a secret is called as the file it is seen in.
                let from_target =
                    || target.as_deref().and_then(|target| target.rsplit('/').next()).map(ToOwned::to_owned);
                let id = self.id.or(source).or_else(from_target).filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| wrong(text, "a secret needs an id"))?;
                MountKind::Secret { id, env: self.env, required, owner }
            }
        };
        Ok(Mount { target, read_only, kind })
    }

    /// Keys that say nothing of this type.
    fn refuse_foreign(&self, text: &str, kind: &str) -> Result<()> {
        let is_given = [
            ("required", self.required.is_some(), &["secret", "ssh"][..]),
            ("size", self.size.is_some(), &["tmpfs"]),
            ("sharing", self.sharing.is_some(), &["cache"]),
            ("mode", self.owner.mode.is_some(), &["secret", "ssh", "cache"]),
            ("uid", self.owner.uid.is_some(), &["secret", "ssh", "cache"]),
            ("gid", self.owner.gid.is_some(), &["secret", "ssh", "cache"]),
        ];
        let foreign = is_given.into_iter().find(|(_, given, kinds)| *given && !kinds.contains(&kind));
        match foreign {
            None => Ok(()),
            Some((key, _, kinds)) => Err(wrong(text, format!("{key} is for mounts of type {}", kinds.join(", ")))),
        }
    }
}
