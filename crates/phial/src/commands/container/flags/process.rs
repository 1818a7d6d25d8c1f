//! The process: what runs, with which environment, where, as whom, and what it is connected to.

use clap::Args;
use engine::config::{Attached, ContainerConfig, env};

use crate::failure::{Cannot, Failure, Result};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Connect this terminal to one of stdin, stdout and stderr only
    #[arg(short, long, value_name = "STREAM")]
    attach: Vec<String>,
    /// Replace the image's ENTRYPOINT
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Set an environment variable; NAME alone takes the value it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// Add a supplementary group
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Run a small init as the first process, which forwards signals and reaps processes
    #[arg(long)]
    init: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
    /// User and group, names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory in the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig, doing: &dyn Fn() -> String) -> Result<()> {
        let attached = self.attach.iter().map(|text| Attached::parse(text));
        config.attach = attached.collect::<engine::Result<_>>().cannot(doing)?;
        config.group_add = self.group_add;
        config.entrypoint = self.entrypoint.map(|program| vec![program]);
        config.env = environment(&self.env_file, &self.env, doing)?;
        config.init = self.init;
        config.open_stdin = self.interactive;
        config.tty = self.tty;
        config.user = self.user;
        config.working_dir = self.workdir;
        Ok(())
    }
}

/// `--env-file`, then `-e`, as docker orders them.
pub(in crate::commands::container) fn environment(
    files: &[String],
    variables: &[String],
    doing: &dyn Fn() -> String,
) -> Result<Vec<String>> {
    let here = |name: &str| std::env::var(name).ok();
    let mut list = Vec::new();
    for file in files {
        let content = std::fs::read(file)
            .map_err(|error| Failure::new(format!("cannot {}: --env-file {file}: {error}", doing())))?;
        list.extend(env::parse_file(file, &content, here).cannot(doing)?);
    }
    for variable in variables {
        list.push(env::parse(variable, here).cannot(doing)?);
    }
    Ok(list)
}
