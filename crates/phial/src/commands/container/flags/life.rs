//! What a container is called, and how it ends.

use std::path::PathBuf;

use clap::Args;
use engine::config::{self, ContainerConfig, Signal, limits};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Add an annotation for the runtime
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Write the container's id into a new file
    #[arg(long, value_name = "FILE")]
    pub(super) cidfile: Option<PathBuf>,
    /// Set a label
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Read labels from a file
    #[arg(long, value_name = "FILE")]
    label_file: Vec<String>,
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
        for file in &self.label_file {
            config.labels.extend(config::parse_label_file(file, |path| std::fs::read(path))?);
        }
        for text in &self.label {
            config.labels.extend([config::parse_label(text)?]);
        }
        let annotations = self.annotation.iter().map(|text| limits::parse_annotation(text));
        config.annotations = annotations.collect::<engine::Result<_>>()?;
        config.cidfile = self.cidfile.map(|path| path.display().to_string());
        config.name = self.name;
        config.auto_remove = self.rm;
        config.stop_signal = self.stop_signal.map(|text| Signal::parse("--stop-signal", &text)).transpose()?;
        config.stop_timeout = self.stop_timeout;
        Ok(())
    }
}
