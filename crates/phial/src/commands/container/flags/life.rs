//! What a container is called, and how it ends.

use clap::Args;
use engine::config::{self, ContainerConfig, Signal};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Set a label
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Name the container
    #[arg(long)]
    name: Option<String>,
    /// Remove the container when it ends
    #[arg(long)]
    rm: bool,
    /// The signal that stops the container
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds between that signal and SIGKILL
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<u32>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.labels = self.label.iter().map(|text| config::parse_label(text)).collect::<engine::Result<_>>()?;
        config.name = self.name;
        config.auto_remove = self.rm;
        config.stop_signal = self.stop_signal.map(|text| Signal::parse("--stop-signal", &text)).transpose()?;
        config.stop_timeout = self.stop_timeout;
        Ok(())
    }
}
