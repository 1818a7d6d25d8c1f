//! `phial logout`.

use std::process::ExitCode;

use clap::Args;

use super::{Execute, credentials};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial logout                          Docker Hub
  phial logout registry.example:5000";

/// What `phial logout` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logout {
    /// The registry: HOST or HOST:PORT. Docker Hub if it is left out
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

impl Execute for Logout {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let cannot = |error: image::Error| Failure::new(format!("cannot log out: {error}"));
        let domain = image::login_domain(self.server.as_deref()).map_err(cannot)?;
        let shown = if domain == "docker.io" { "https://index.docker.io/v1/" } else { domain.as_str() };
        if image::logout(&domain, &credentials(context)).map_err(cannot)? {
            output::print_line(&format!("Removing login credentials for {shown}"))?;
        } else {
            output::print_line(&format!("Not logged in to {shown}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
