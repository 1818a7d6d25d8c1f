//! How a pull looks: a bar for each layer on a terminal, docker's lines anywhere else.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use image::{LayerState, Progress, ProgressEvent, Reference, UploadState};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::output::human;

/// A bar of which nothing moves.
const STILL: &str = "{prefix}: {msg}";

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

/// Shows a pull or a push. One for each; costs nothing as long as nothing is pulled.
pub(crate) struct PullProgress<'a> {
    target: Target,
    name: &'a str,
    /// None where lines are printed.
    bars: OnceLock<Option<MultiProgress>>,
    layers: Mutex<HashMap<String, ProgressBar>>,
    /// The name that is being pulled: a short one may stand for several, and there may be one for each tag.
    current: Mutex<Option<Reference>>,
    /// No bar moves any more: lines go below them instead of above.
    done: AtomicBool,
}

impl<'a> PullProgress<'a> {
    /// For a pull of `name`, as the user typed it.
    pub(crate) fn new(target: Target, name: &'a str) -> PullProgress<'a> {
        PullProgress {
            target,
            name,
            bars: OnceLock::new(),
            layers: Mutex::default(),
            current: Mutex::default(),
            done: AtomicBool::new(false),
        }
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
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map_or_else(|| Reference::familiar_of(self.name), Reference::familiar)
    }

    fn resolving(&self, reference: &str) {
        if self.target == (Target::Stderr { missing: true }) {
            self.line(format_args!("Unable to find image '{}' locally", self.familiar()));
        }
        let Ok(reference) = reference.parse::<Reference>() else { return };
        self.done.store(false, Ordering::Relaxed);
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(reference.clone());
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

    /// The bar of a layer.
    fn bar(&self, bars: &MultiProgress, id: &str) -> ProgressBar {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            let bar = ProgressBar::no_length().with_finish(ProgressFinish::Abandon).with_prefix(id.to_owned());
            bars.add(bar.with_style(style(STILL)))
        };
        layers.entry(id.to_owned()).or_insert_with(fresh).clone()
    }

    fn layer_bar(&self, bars: &MultiProgress, id: &str, state: LayerState) {
        let bar = self.bar(bars, id);
        if let LayerState::Downloading { done, total } = state {
            if bar.length() != Some(total) {
                bar.set_message(words(state));
                moving(&bar, Some(total));
            }
            bar.set_position(done);
            return;
        }
        if state != LayerState::Waiting {
            bar.set_style(style(STILL));
        }
        bar.set_message(words(state));
        if matches!(state, LayerState::Done | LayerState::Exists) {
            bar.abandon();
        }
    }

    /// Of several tags of a repository, the first says it for all.
    fn pushing(&self, repository: &str) {
        let again = self.done.swap(false, Ordering::Relaxed);
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if !again {
            self.line(format_args!("The push refers to repository [{repository}]"));
        }
    }

    fn upload(&self, id: &str, state: UploadState<'_>) {
        match (self.bars(), state) {
            (None, UploadState::Pushing { done, .. }) if done > 0 => {}
            (None, state) => self.line(format_args!("{id}: {}", upload_words(state))),
            (Some(bars), state) => self.upload_bar(bars, id, state),
        }
    }

    fn upload_bar(&self, bars: &MultiProgress, id: &str, state: UploadState<'_>) {
        let bar = self.bar(bars, id);
        if let UploadState::Pushing { done, total } = state {
            // How long it will be is known once it is compressed, which is while it is sent.
            if bar.length() != total || done == 0 {
                moving(&bar, total);
            }
            bar.set_message(upload_words(state));
            bar.set_position(done);
            return;
        }
        bar.set_style(style(STILL));
        bar.set_message(upload_words(state));
        if state != UploadState::Preparing {
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
            ProgressEvent::Pushing { repository } => self.pushing(repository),
            ProgressEvent::Upload { id, state } => self.upload(id, state),
            ProgressEvent::Pushed { tag, digest, size } => {
                self.done.store(true, Ordering::Relaxed);
                self.line(format_args!("{tag}: digest: {digest} size: {size}"));
            }
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

/// Docker's words for where a layer of a push is.
fn upload_words(state: UploadState<'_>) -> String {
    match state {
        UploadState::Preparing => "Preparing".to_owned(),
        UploadState::Exists => "Layer already exists".to_owned(),
        UploadState::Mounted { from } => format!("Mounted from {from}"),
        UploadState::Pushing { .. } => "Pushing".to_owned(),
        UploadState::Done => "Pushed".to_owned(),
    }
}

/// Has a bar show bytes that move, `total` of them if that is known.
pub(crate) fn moving(bar: &ProgressBar, total: Option<u64>) {
    let template = if let Some(total) = total {
        bar.set_length(total);
        "{prefix}: {msg:<13} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}"
    } else {
        "{prefix}: {msg:<13} {decimal_bytes} {decimal_bytes_per_sec}"
    };
    bar.set_style(style(template).progress_chars("=> "));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}
