//! How a pull looks: a bar for each layer on a terminal, docker's lines anywhere else.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use image::{LayerState, Progress, ProgressEvent, Reference};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::output::human;

/// Where a pull is told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// `pull`, for which it is the output.
    Stdout,
    /// `run`, whose standard output belongs to the container. `missing` tells whether the image was looked for here.
    Stderr {
        /// Then it is said first that it was not found.
        missing: bool,
    },
}

/// Shows a pull. One for each pull; costs nothing as long as nothing is pulled.
pub(crate) struct PullProgress<'a> {
    target: Target,
    name: &'a str,
    /// None where lines are printed.
    bars: OnceLock<Option<MultiProgress>>,
    layers: Mutex<HashMap<String, ProgressBar>>,
    /// No bar moves any more: lines go below them instead of above.
    done: AtomicBool,
}

impl<'a> PullProgress<'a> {
    /// For a pull of `name`, as the user typed it.
    pub(crate) fn new(target: Target, name: &'a str) -> PullProgress<'a> {
        PullProgress { target, name, bars: OnceLock::new(), layers: Mutex::default(), done: AtomicBool::new(false) }
    }

    /// A line that stays. A reader that has gone misses it.
    pub(crate) fn line(&self, line: impl Display) {
        let is_among_bars = !self.done.load(Ordering::Relaxed);
        let written = match (self.bars().filter(|_| is_among_bars), self.target) {
            (Some(bars), _) => bars.println(line.to_string()),
            (None, Target::Stdout) => writeln!(std::io::stdout(), "{line}"),
            (None, Target::Stderr { .. }) => writeln!(std::io::stderr(), "{line}"),
        };
        drop(written);
    }

    fn bars(&self) -> Option<&MultiProgress> {
        let target = || match self.target {
            Target::Stdout => std::io::stdout().is_terminal().then(ProgressDrawTarget::stdout),
            Target::Stderr { .. } => std::io::stderr().is_terminal().then(ProgressDrawTarget::stderr),
        };
        self.bars.get_or_init(|| target().map(MultiProgress::with_draw_target)).as_ref()
    }

    fn familiar(&self) -> String {
        self.name.parse::<Reference>().map_or_else(|_| self.name.to_owned(), |name| name.familiar())
    }

    fn resolving(&self, reference: &str) {
        if self.target == (Target::Stderr { missing: true }) {
            self.line(format_args!("Unable to find image '{}' locally", self.familiar()));
        }
        let Ok(reference) = reference.parse::<Reference>() else { return };
        let version = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or_default().to_owned(),
        };
        self.line(format_args!("{version}: Pulling from {}", reference.repository()));
    }

    fn layer(&self, id: &str, state: LayerState) {
        match self.bars() {
            Some(bars) => self.layer_bar(bars, id, state),
            None => self.layer_line(id, state),
        }
    }

    fn layer_line(&self, id: &str, state: LayerState) {
        match state {
            LayerState::Downloading { .. } => {}
            state => self.line(format_args!("{id}: {}", words(state))),
        }
    }

    fn layer_bar(&self, bars: &MultiProgress, id: &str, state: LayerState) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = layers.entry(id.to_owned()).or_insert_with(|| {
            let bar = ProgressBar::no_length().with_finish(ProgressFinish::Abandon).with_prefix(id.to_owned());
            bars.add(bar.with_style(style("{prefix}: {msg}")))
        });
        if let LayerState::Downloading { done, total } = state {
            if bar.length() != Some(total) {
                bar.set_length(total);
                bar.set_message(words(state));
                bar.set_style(
                    style(
                        "{prefix}: {msg:<13} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
                    )
                    .progress_chars("=> "),
                );
            }
            bar.set_position(done);
            return;
        }
        if state != LayerState::Waiting {
            bar.set_style(style("{prefix}: {msg}"));
        }
        bar.set_message(words(state));
        if matches!(state, LayerState::Done | LayerState::Exists) {
            bar.abandon();
        }
    }

    fn done(&self, digest: &impl Display, already_present: bool) {
        self.done.store(true, Ordering::Relaxed);
        self.line(format_args!("Digest: {digest}"));
        let name = self.familiar();
        if already_present {
            self.line(format_args!("Status: Image is up to date for {name}"));
        } else {
            self.line(format_args!("Status: Downloaded newer image for {name}"));
        }
    }
}

impl Progress for PullProgress<'_> {
    fn event(&self, event: ProgressEvent<'_>) {
        match event {
            ProgressEvent::Resolving { reference, .. } => self.resolving(reference),
            ProgressEvent::Layer { id, state } => self.layer(id, state),
            ProgressEvent::Retrying { what, why } => {
                self.line(format_args!("{}: Retrying: {}", human::harmless(what), human::harmless(why)));
            }
            ProgressEvent::Warning { message } => self.line(format_args!("warning: {}", human::harmless(message))),
            ProgressEvent::Done { digest, already_present } => self.done(digest, already_present),
            _ => {}
        }
    }
}

/// Docker's words for where a layer is.
fn words(state: LayerState) -> &'static str {
    match state {
        LayerState::Exists => "Already exists",
        LayerState::Waiting => "Pulling fs layer",
        LayerState::Downloading { .. } => "Downloading",
        LayerState::Unpacking => "Extracting",
        LayerState::Done => "Pull complete",
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}
