//! How far pulls are, told as parts of a step.

use std::sync::{Mutex, PoisonError};

use image::{LayerState, Progress, ProgressEvent};

use crate::progress::{Amount, Ending, StepId};
use crate::report::Reporter;

/// Tells of pulls.
pub(crate) struct Pulls<'a> {
    reporter: &'a Reporter<'a>,
    /// The step of the pull that is under way.
    step: Mutex<Option<StepId>>,
}

impl<'a> Pulls<'a> {
    pub(crate) fn new(reporter: &'a Reporter<'a>) -> Pulls<'a> {
        Pulls { reporter, step: Mutex::default() }
    }

    /// The pull that is under way, if one is, has come to this.
    pub(crate) fn ended<T, E: ToString>(&self, result: &Result<T, E>) {
        self.end(result.as_ref().map_or_else(|error| Ending::Failed(error.to_string()), |_| Ending::Done));
    }

    fn end(&self, ending: Ending) {
        if let Some(step) = self.step.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.reporter.end(step, ending);
        }
    }
}

impl Progress for Pulls<'_> {
    fn event(&self, event: ProgressEvent<'_>) {
        if let ProgressEvent::Resolving { reference, .. } = event {
            self.end(Ending::Done);
            let step = self.reporter.plan(&format!("[internal] load metadata for {reference}"), None, Vec::new());
            self.reporter.start(step);
            *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
            return;
        }
        let Some(step) = *self.step.lock().unwrap_or_else(PoisonError::into_inner) else { return };
        if let ProgressEvent::Layer { id, state } = event {
            let amount = |current, total| Amount { current, total };
            match state {
                LayerState::Downloading { done, total } => {
                    self.reporter.progress(step, id, amount(done, Some(total)), false);
                }
                LayerState::Done => self.reporter.progress(step, id, amount(0, None), true),
                _ => {}
            }
        }
    }
}

impl Drop for Pulls<'_> {
    fn drop(&mut self) {
        self.end(Ending::Done);
    }
}
