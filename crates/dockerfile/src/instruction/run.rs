//! `RUN`: a command, and in what surroundings it runs.

use std::collections::BTreeSet;

use super::flags::{Flags, Takes};
use super::mount::Mount;
use super::{Command, command};
use crate::error::{Error, Result};
use crate::statement::{Heredoc, Statement};
use crate::word::Variables;

/// A command of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is run. With here-documents it is the line that names them.
    pub command: Command,
    /// What the line names.
    pub heredocs: Vec<Heredoc>,
    /// What is mounted, as it is written: values of variables are put in by [`Run::mounts`].
    mounts: Vec<String>,
    /// Whom it reaches.
    pub network: Network,
    /// What it may do.
    pub security: Security,
    /// Devices of vendors.
    pub devices: Vec<Device>,
}

/// Whom a command reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What the build says.
    #[default]
    Default,
    /// Nobody.
    None,
    /// As the host does.
    Host,
}

/// What a command may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Security {
    /// What a container may.
    #[default]
    Sandbox,
    /// Everything.
    Insecure,
}

/// A device by its CDI name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `vendor/class=name`, or a class.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

impl Run {
    /// What is mounted, with the values of variables, and which of these are not set.
    ///
    /// # Errors
    /// `Syntax` for what no mount is, `Expansion`.
    pub fn mounts(&self, escape: char, variables: &dyn Variables) -> Result<(Vec<Mount>, BTreeSet<String>)> {
        let mut unset = BTreeSet::new();
        let mut mount = |text: &String| Mount::parse(text, escape, variables, &mut unset);
        let mounts = self.mounts.iter().map(&mut mount).collect::<Result<_>>()?;
        Ok((mounts, unset))
    }
}

impl Run {
    /// Where what is mounted comes from, for each mount: what stands after `from`, which has no variables.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Option<String>> {
        self.mounts.iter().map(|text| super::mount::from(text))
    }
}

pub(super) fn parse(statement: &Statement) -> Result<Run> {
    let known =
        [("mount", Takes::Values), ("network", Takes::Value), ("security", Takes::Value), ("device", Takes::Values)];
    let mut flags = Flags::parse("RUN", &statement.flags, &known)?;
    // Without anything it is an empty line of the shell, which does nothing.
    let command = command(&statement.arguments).unwrap_or_else(|| Command::Shell(String::new()));
    let mounts = flags.values("mount");
    mounts.iter().try_for_each(|text| Mount::check(text))?;
    let one_of = |flag: &str, value: &str, names: [&'static str; 3]| {
        let names = names.into_iter().filter(|name| !name.is_empty());
        Error::unknown(
            format!("RUN --{flag}={value}: it is one of {}", names.clone().collect::<Vec<_>>().join(", ")),
            value,
            names,
        )
    };
    let network = match flags.value("network").as_deref() {
        None | Some("default") => Network::Default,
        Some("none") => Network::None,
        Some("host") => Network::Host,
        Some(other) => return Err(one_of("network", other, ["default", "none", "host"])),
    };
    let security = match flags.value("security").as_deref() {
        None | Some("sandbox") => Security::Sandbox,
        Some("insecure") => Security::Insecure,
        Some(other) => return Err(one_of("security", other, ["sandbox", "insecure", ""])),
    };
    let devices = flags.values("device").iter().map(|text| device(text)).collect::<Result<_>>()?;
    Ok(Run { command, heredocs: statement.heredocs.clone(), mounts, network, security, devices })
}

/// `name=VENDOR/CLASS=NAME,required`, of which the first key may be left out.
fn device(text: &str) -> Result<Device> {
    let wrong = |why: String| Error::syntax(format!("RUN --device={text}: {why}")).at_word(text);
    let mut name = None;
    let mut required = false;
    for field in notation::fields::split(text).map_err(wrong)? {
        match field.split_once('=') {
            None if field.eq_ignore_ascii_case("required") => required = true,
            Some((key, value)) if key.eq_ignore_ascii_case("required") => {
                required = notation::truth(value)
                    .ok_or_else(|| wrong(format!("required={value} is neither true nor false")))?;
            }
            given => {
                let is_named = given.filter(|(key, _)| key.eq_ignore_ascii_case("name"));
                let value = is_named.map_or(field.as_str(), |(_, value)| value);
                if name.replace(value.to_owned()).is_some() {
                    return Err(wrong("it has more than one name".to_owned()));
                }
            }
        }
    }
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| wrong("it has no name".to_owned()))?;
    Ok(Device { name, required })
}
