//! Where the image comes from.

use clap::Args;
use engine::{Engine, PullPolicy};
use image::{Platform, Progress, PullOptions};
use store::ImageRecord;

use crate::commands::registry::flags::ContentTrustFlag;
use crate::failure::{Cannot, Result};
use crate::output::progress::{PullProgress, Target};

#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(in crate::commands::container) struct Flags {
    /// The platform of the image, such as linux/arm64
    #[arg(long)]
    platform: Option<String>,
    /// When to ask the registry for the image: always, missing or never
    #[arg(long, value_name = "WHEN")]
    pull: Option<String>,
    /// Do not show how the image is fetched
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    _trust: ContentTrustFlag,
}

/// How an image is found, checked.
pub(in crate::commands::container) struct Fetch {
    policy: PullPolicy,
    options: PullOptions,
    quiet: bool,
}

impl Flags {
    /// What the flags ask for.
    ///
    /// # Errors
    /// For a policy and a platform that are none.
    pub(in crate::commands::container) fn parse(&self) -> engine::Result<Fetch> {
        let policy = self.pull.as_deref().map_or(Ok(PullPolicy::default()), PullPolicy::parse)?;
        let platform = self.platform.as_deref().filter(|text| !text.is_empty());
        let parse = |text: &str| {
            text.parse::<Platform>().map_err(|_| {
                engine::Error::of_flag(format!("--platform {text}: not OS/ARCHITECTURE[/VARIANT], as linux/arm64"))
            })
        };
        let platform = platform.map(parse).transpose()?;
        Ok(Fetch { policy, options: PullOptions { platform, ..PullOptions::default() }, quiet: self.quiet })
    }
}

impl Fetch {
    /// The image, pulled if it must be; the pull is shown on standard error, as standard output is the container's.
    ///
    /// # Errors
    /// Those of finding and pulling it.
    pub(in crate::commands::container) fn image(
        &self,
        engine: &Engine,
        name: &str,
        doing: impl Fn() -> String,
    ) -> Result<ImageRecord> {
        let shown = PullProgress::new(Target::Stderr { missing: self.policy == PullPolicy::Missing }, name);
        let progress: &dyn Progress = if self.quiet { &() } else { &shown };
        engine.ensure_image(name, self.policy, &self.options, progress).cannot(doing)
    }
}
