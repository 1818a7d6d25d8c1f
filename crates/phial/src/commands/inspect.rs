//! `phial inspect`, and its forms for containers, images, networks and volumes.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use engine::{Engine, Error, ErrorKind};
use image::Platform;
use serde_json::Value;

use super::Execute;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output;
use crate::output::format::{FormatFlag, InspectFormat};

const EXAMPLES: &str = "\
Examples:
  phial inspect web
  phial inspect -f '{{.State.Pid}}' web
  phial inspect --type image alpine debian";

/// What `phial inspect` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// Only things of this type; a container goes before an image, a network and a volume otherwise
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Kind>,
    #[command(flatten)]
    format: FormatFlag,
    /// Also how much containers have written
    #[arg(short, long)]
    size: bool,
    /// Names or ids
    #[arg(value_name = "NAME|ID", required = true)]
    names: Vec<String>,
}

/// What `phial container inspect` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial container inspect web")]
pub(crate) struct InspectContainer {
    #[command(flatten)]
    format: FormatFlag,
    /// Also how much they have written
    #[arg(short, long)]
    size: bool,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// What `phial image inspect` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial image inspect alpine")]
pub(crate) struct InspectImage {
    #[command(flatten)]
    format: FormatFlag,
    /// What the images must be for: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true)]
    names: Vec<String>,
}

/// What `phial network inspect` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  phial network inspect bridge\n  phial network inspect -f '{{json .IPAM.Config}}' web"
)]
pub(crate) struct InspectNetwork {
    #[command(flatten)]
    format: FormatFlag,
    /// Docker's, for swarms
    #[arg(long, value_name = "SCOPE", hide = true)]
    scope: Option<String>,
    /// Docker's, for swarms
    #[arg(short, long, hide = true)]
    verbose: bool,
    /// Names or ids of networks
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<String>,
}

/// What `phial volume inspect` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial volume inspect data")]
pub(crate) struct InspectVolume {
    #[command(flatten)]
    format: FormatFlag,
    /// Names of volumes
    #[arg(value_name = "VOLUME", required = true)]
    names: Vec<String>,
}

/// What can be inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

impl Execute for Inspect {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        match self.kind {
            Some(kind) => inspect(&self.names, kind.word(), &self.format, |name| {
                kind.find(&engine, name).and_then(|value| with_size(&engine, self.size, value))
            }),
            None => inspect(&self.names, "object", &self.format, |name| {
                find_any(&engine, name).and_then(|value| with_size(&engine, self.size, value))
            }),
        }
    }
}

impl Execute for InspectContainer {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        inspect(&self.names, Kind::Container.word(), &self.format, |name| {
            Kind::Container.find(&engine, name).and_then(|value| with_size(&engine, self.size, value))
        })
    }
}

impl Execute for InspectImage {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        inspect(&self.names, Kind::Image.word(), &self.format, |name| {
            engine.inspect_image(&engine.image_for(name, self.platform.as_ref())?)
        })
    }
}

impl Execute for InspectNetwork {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        inspect(&self.names, Kind::Network.word(), &self.format, |name| Kind::Network.find(&engine, name))
    }
}

impl Execute for InspectVolume {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        inspect(&self.names, Kind::Volume.word(), &self.format, |name| Kind::Volume.find(&engine, name))
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Container => "container",
            Kind::Image => "image",
            Kind::Network => "network",
            Kind::Volume => "volume",
        }
    }

    fn find(self, engine: &Engine, name: &str) -> Result<Value, Error> {
        match self {
            Kind::Container => engine.inspect_container(&engine.container(name)?),
            Kind::Image => engine.inspect_image(&engine.image(name)?),
            Kind::Network => engine.inspect_network(name),
            Kind::Volume => engine.volume(name).map(|volume| engine.inspect_volume(&volume)),
        }
    }
}

/// With the sizes, if they are asked for and it is a container.
fn with_size(engine: &Engine, size: bool, mut value: Value) -> Result<Value, Error> {
    if let (true, Some(id)) = (size && value.get("HostConfig").is_some(), value["Id"].as_str()) {
        let (written, whole) = engine.sizes(&engine.container(id)?)?;
        value["SizeRw"] = written.into();
        value["SizeRootFs"] = whole.into();
    }
    Ok(value)
}

/// A container of this name, else an image, a network, a volume; else the error that knows what was meant.
fn find_any(engine: &Engine, name: &str) -> Result<Value, Error> {
    let knows = |error: &Error| error.hint().is_some_and(|hint| hint.starts_with("did you mean"));
    let mut missing: Option<Error> = None;
    for kind in [Kind::Container, Kind::Image, Kind::Network, Kind::Volume] {
        match kind.find(engine, name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if missing.as_ref().is_none_or(|before| !knows(before) && knows(&error)) {
                    missing = Some(error);
                }
            }
            other => return other,
        }
    }
    missing.map_or(Ok(Value::Null), Err)
}

/// Prints what was found, then says what was not.
pub(super) fn inspect(
    names: &[String],
    word: &str,
    flag: &FormatFlag,
    find: impl Fn(&str) -> Result<Value, Error>,
) -> Result<ExitCode> {
    let format = InspectFormat::parse(flag)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match find(name) {
            Ok(value) => found.push(value),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let failure = Failure::new(format!("no such {word}: {name}"));
                // That it could be pulled is not what was asked.
                let meant = error.hint().filter(|hint| hint.starts_with("did you mean"));
                failures.push(match meant.map(|hint| hint.split(" If not:").next().unwrap_or(hint)) {
                    Some(hint) => failure.with_hint(hint),
                    None => failure,
                });
            }
            Err(error) => failures.push(Failure::new(format!("cannot inspect {name}: {error}"))),
        }
    }
    output::print(&format.text(&found)?)?;
    failures.iter().for_each(Failure::print);
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
