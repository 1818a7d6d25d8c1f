//! What docker's builder before `BuildKit` took. What means nothing any more is taken and does nothing, so that scripts go on.

use clap::Args;

use super::warn;
use crate::failure::{Failure, Result};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Does nothing: nothing is sent anywhere
    #[arg(long, hide = true)]
    compress: bool,
    /// Does nothing: no container stays
    #[arg(long, hide = true, value_name = "BOOL")]
    rm: Option<bool>,
    /// Does nothing: no container stays
    #[arg(long, hide = true, value_name = "BOOL")]
    force_rm: Option<bool>,
    /// Does nothing
    #[arg(long, hide = true, value_name = "BOOL")]
    disable_content_trust: Option<bool>,
    /// Of Windows
    #[arg(long, hide = true, value_name = "NAME")]
    isolation: Option<String>,
    /// Does nothing
    #[arg(long, hide = true, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Is not supported
    #[arg(long, hide = true)]
    squash: bool,
    /// Does nothing: there is one builder
    #[arg(long, hide = true, value_name = "NAME")]
    builder: Option<String>,
}

impl Flags {
    /// Refuses what would be missed.
    pub(super) fn check(&self) -> Result<()> {
        if self.squash {
            let failure = Failure::new("cannot build: --squash is not supported: layers stay as they were made");
            return Err(failure.with_hint("a last stage of FROM scratch and COPY --from=STAGE / / has one layer"));
        }
        if let Some(other) = self.isolation.as_deref().filter(|name| !matches!(*name, "" | "default")) {
            return Err(Failure::new(format!("cannot build: --isolation {other}: it is for containers of Windows")));
        }
        if !self.security_opt.is_empty() {
            warn("--security-opt does nothing: RUN --security=insecure does, with --allow security.insecure");
        }
        Ok(())
    }
}
