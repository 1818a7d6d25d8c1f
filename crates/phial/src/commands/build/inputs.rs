//! What is built and what goes into it: the Dockerfile, arguments, secrets, further contexts, what was made before.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use build::{Agent, CacheOption, Context, Dockerfile, NamedContext, Options, Secret, SecretSource};
use clap::Args;
use image::Platform;

use super::csv::{Fields, meant};
use super::invalid;
use crate::failure::{Failure, Result};

/// The argument that says of when everything is.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// What `--allow` takes.
pub(crate) const RIGHTS: [&str; 3] = ["network.host", "security.insecure", "device"];

/// Where caches are kept.
const CACHES: [&str; 3] = ["registry", "local", "inline"];

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// The Dockerfile, or - for standard input; PATH/Dockerfile if it is left out
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// The stage that is built; the last one if it is left out
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// What it is for: OS/ARCHITECTURE[/VARIANT], several with commas
    #[arg(long, value_name = "PLATFORM")]
    platform: Vec<String>,
    /// Give an ARG of the Dockerfile a value; that of the environment if it is left out
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    #[arg(
        long,
        value_name = "NAME=VALUE",
        help = "One more context: a directory, docker-image://IMAGE, oci-layout://DIR, or an address"
    )]
    build_context: Vec<String>,
    /// A secret that RUN --mount=type=secret sees
    #[arg(long, value_name = "id=NAME[,src=FILE|,env=NAME]")]
    secret: Vec<String>,
    /// The socket of an agent that RUN --mount=type=ssh sees
    #[arg(long, value_name = "default|NAME[=SOCKET]")]
    ssh: Vec<String>,
    /// Ask registries although images are here
    #[arg(long)]
    pull: bool,
    /// Do everything anew
    #[arg(long)]
    no_cache: bool,
    /// Do these stages anew
    #[arg(long, value_name = "STAGE")]
    no_cache_filter: Vec<String>,
    /// Where something was left that need not be done anew
    #[arg(long, value_name = "IMAGE|type=TYPE,…")]
    cache_from: Vec<String>,
    /// Where what was done is left for others
    #[arg(long, value_name = "IMAGE|type=TYPE,…")]
    cache_to: Vec<String>,
    /// Let commands have more than a container has: network.host, security.insecure, device
    #[arg(long, value_name = "NAME")]
    allow: Vec<String>,
}

impl Flags {
    /// Puts all of them into `options`.
    pub(super) fn apply(&self, options: &mut Options, environment: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        options.dockerfile = dockerfile(self.file.as_deref(), &options.context)?;
        options.target = self.target.clone().filter(|target| !target.is_empty());
        options.platforms = platforms(&self.platform)?;
        options.build_args = arguments(&self.build_arg, environment)?;
        options.named_contexts = self.build_context.iter().map(|text| named_context(text)).collect::<Result<_>>()?;
        options.secrets = self.secret.iter().map(|text| secret(text, environment)).collect::<Result<_>>()?;
        options.agents = self.ssh.iter().map(|text| agent(text, environment, &is_socket)).collect::<Result<_>>()?;
        options.pull = self.pull;
        options.no_cache = self.no_cache;
        let stages = self.no_cache_filter.iter().flat_map(|text| text.split(',')).map(str::trim);
        options.no_cache_stages = stages.filter(|stage| !stage.is_empty()).map(str::to_owned).collect();
        options.cache_from = caches("--cache-from", &self.cache_from)?;
        options.cache_to = caches("--cache-to", &self.cache_to)?;
        options.allowed = self.allow.iter().map(|text| allowed(text)).collect::<Result<_>>()?;
        Ok(())
    }
}

/// `-f`. Standard input has one thing at a time.
fn dockerfile(flag: Option<&str>, context: &Context) -> Result<Dockerfile> {
    match flag {
        None | Some("") => Ok(Dockerfile::Default),
        Some("-") if *context == Context::Stdin => {
            Err(Failure::new("cannot build: -f - -: the Dockerfile and the context cannot both be standard input"))
        }
        Some("-") => Ok(Dockerfile::Stdin),
        Some(path) => Ok(Dockerfile::File(PathBuf::from(path))),
    }
}

fn platforms(texts: &[String]) -> Result<Vec<Platform>> {
    let mut found = Vec::new();
    for text in texts {
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let platform: Platform = if part == "local" {
                Platform::host()
            } else {
                part.parse().map_err(|why| invalid("--platform", text, why))?
            };
            if !found.contains(&platform) {
                found.push(platform);
            }
        }
    }
    Ok(found)
}

/// `NAME=VALUE`, and `NAME` for what the environment has: what it has not is not given. The time that everything is said to be
/// of (<https://reproducible-builds.org/specs/source-date-epoch/>) is given whether or not anybody says so.
fn arguments(texts: &[String], environment: &dyn Fn(&str) -> Option<String>) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for text in texts {
        let (name, value) = text.split_once('=').map_or((text.as_str(), None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err(invalid("--build-arg", text, "there is no name").with_hint("give NAME=VALUE"));
        }
        match value.map(str::to_owned).or_else(|| environment(name)) {
            Some(value) => found.insert(name.to_owned(), value),
            None => found.remove(name),
        };
    }
    let is_named = texts.iter().any(|text| text.split('=').next() == Some(EPOCH));
    if let Some(time) = environment(EPOCH).filter(|time| !is_named && !time.is_empty()) {
        found.insert(EPOCH.to_owned(), time);
    }
    Ok(found)
}

fn named_context(text: &str) -> Result<NamedContext> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok(NamedContext { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err(invalid("--build-context", text, "it is not NAME=VALUE")
            .with_hint("give NAME=DIRECTORY, or NAME=docker-image://IMAGE")),
    }
}

/// As buildx reads it: `type=env` makes `src` a variable's name, and an id alone is a variable, or a file if there is none.
fn secret(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Secret> {
    let mut fields = Fields::parse("--secret", text)?;
    let kind = fields.take(&["type"]);
    let id = fields.take(&["id"]).filter(|id| !id.is_empty());
    let file = fields.take(&["src", "source"]).filter(|file| !file.is_empty());
    let variable = fields.take(&["env"]).filter(|name| !name.is_empty());
    fields.only(&["id", "type", "src", "source", "env"])?;
    let id =
        id.ok_or_else(|| fields.wrong("it has no id").with_hint("give id=NAME,src=FILE or id=NAME,env=VARIABLE"))?;
    if let Some(kind) = &kind {
        fields.one_of("type", kind, &["file", "env"])?;
    }
    let source = match (kind.as_deref(), file, variable) {
        (_, Some(_), Some(_)) => return Err(fields.wrong("it is a file or a variable, and not both")),
        (Some("file"), None, Some(name)) => return Err(fields.wrong(format!("env={name} is no file"))),
        (Some("env"), Some(name), None) | (_, None, Some(name)) => SecretSource::Variable(name),
        (_, Some(path), None) => SecretSource::File(path.into()),
        (Some("env"), None, None) => SecretSource::Variable(id.clone()),
        (None, None, None) if environment(&id).is_some() => SecretSource::Variable(id.clone()),
        (_, None, None) => SecretSource::File(id.clone().into()),
    };
    Ok(Secret { id, source })
}

/// `default`, `NAME` or `NAME=SOCKET`.
fn agent(text: &str, environment: &dyn Fn(&str) -> Option<String>, is_socket: &dyn Fn(&Path) -> bool) -> Result<Agent> {
    let (id, path) = text.split_once('=').map_or((text, None), |(id, path)| (id, Some(path)));
    let wrong = |why: String| invalid("--ssh", text, why);
    if id.is_empty() {
        return Err(wrong("it has no name".to_owned()).with_hint("give default, or NAME=SOCKET"));
    }
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        if environment("SSH_AUTH_SOCK").is_none_or(|socket| socket.is_empty()) {
            let hint = "start one with: eval $(ssh-agent); ssh-add";
            return Err(wrong("there is no agent: SSH_AUTH_SOCK is not set".to_owned()).with_hint(hint));
        }
        return Ok(Agent { id: id.to_owned(), socket: None });
    };
    if !is_socket(Path::new(path)) {
        let hint = "add the key to an agent with ssh-add, and give --ssh default";
        return Err(wrong(format!("{path} is not the socket of an agent, and keys are not supported")).with_hint(hint));
    }
    Ok(Agent { id: id.to_owned(), socket: Some(path.into()) })
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// `type=registry,ref=…`, or names of images.
fn caches(flag: &str, texts: &[String]) -> Result<Vec<CacheOption>> {
    let mut found = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        if text.contains('=') {
            found.push(cache(flag, text)?);
            continue;
        }
        for reference in text.split(',').filter(|reference| !reference.is_empty()) {
            found.push(registry_cache(flag, text, reference, BTreeMap::new())?);
        }
    }
    Ok(found)
}

fn cache(flag: &str, text: &str) -> Result<CacheOption> {
    let mut fields = Fields::parse(flag, text)?;
    let kind = fields
        .take(&["type"])
        .ok_or_else(|| fields.wrong("it has no type").with_hint("give type=registry,ref=IMAGE"))?;
    fields.one_of("type", &kind, &CACHES)?;
    // What else can be said of one, the builder knows.
    match kind.as_str() {
        "registry" => {
            let reference = fields.given.get("ref").cloned();
            let reference = reference.ok_or_else(|| fields.wrong("it has no ref").with_hint("give ref=IMAGE"))?;
            return registry_cache(flag, text, &reference, fields.given);
        }
        "local" => {
            let key = if flag == "--cache-to" { "dest" } else { "src" };
            if fields.given.get(key).is_none_or(String::is_empty) {
                return Err(fields.wrong(format!("it has no {key}")).with_hint(format!("give {key}=DIRECTORY")));
            }
        }
        _ => {}
    }
    Ok(CacheOption { kind, attributes: fields.given })
}

fn registry_cache(
    flag: &str,
    text: &str,
    reference: &str,
    mut attributes: BTreeMap<String, String>,
) -> Result<CacheOption> {
    reference.parse::<image::Reference>().map_err(|why| invalid(flag, text, why))?;
    attributes.insert("ref".to_owned(), reference.to_owned());
    Ok(CacheOption { kind: "registry".to_owned(), attributes })
}

fn allowed(text: &str) -> Result<String> {
    if RIGHTS.contains(&text) {
        return Ok(text.to_owned());
    }
    if let Some(name) = text.strip_prefix("device=") {
        // A device, or all of a kind.
        if name.split_once('/').is_some_and(|(vendor, class)| !vendor.is_empty() && !class.is_empty()) {
            return Ok(text.to_owned());
        }
        return Err(invalid("--allow", text, "it is no device of a CDI specification")
            .with_hint("give device=vendor.com/class=name, or device for all"));
    }
    Err(meant(invalid("--allow", text, "there is no such right"), text, &RIGHTS))
}

#[cfg(test)]
mod tests;
