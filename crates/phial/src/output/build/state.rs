//! What is known of a build from all that was told: the one thing that every display is a picture of. Shows nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use build::progress::{Amount, Ending, Event, StepId, StepInfo, Stream};

use super::lines::{Splitter, cleaned};
use super::log::Log;
use crate::output::human;

/// Lines of a running step that can be seen.
pub(super) const TAIL: usize = 6;

/// Everything so far.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Steps by their numbers.
    pub(super) steps: BTreeMap<StepId, Step>,
    /// Those that have begun or ended, in that order.
    pub(super) order: Vec<StepId>,
    /// What checks have found.
    pub(super) warnings: Vec<Warning>,
    /// When the first thing happened.
    pub(super) began: Option<SystemTime>,
    /// When the last thing did.
    pub(super) last: Option<SystemTime>,
    keeps_logs: bool,
}

/// A step so far.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What it is called, harmless.
    pub(super) name: String,
    /// Whether it is an operation of the graph.
    pub(super) is_operation: bool,
    /// When it began, if it has.
    pub(super) started: Option<SystemTime>,
    /// It waits for another build.
    pub(super) is_waiting: bool,
    /// How it ended and how long it took, if it has.
    pub(super) ended: Option<(Ending, Duration)>,
    /// Its parts, in the order in which they were told of.
    pub(super) parts: Vec<Part>,
    /// Its last lines.
    pub(super) tail: VecDeque<String>,
    /// All its lines, if they are kept.
    pub(super) log: RefCell<Log>,
    streams: [Splitter; 2],
}

/// A part of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) amount: Amount,
    pub(super) is_done: bool,
    /// When it was first told of.
    pub(super) began: SystemTime,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) rule: String,
    pub(super) message: String,
    pub(super) place: Option<(String, usize)>,
    pub(super) url: Option<String>,
}

impl State {
    /// Of a build of which nothing is known yet.
    pub(super) fn new(keeps_logs: bool) -> State {
        State { keeps_logs, ..State::default() }
    }

    /// Something has happened. Gives the lines that are whole now of what the step has written.
    pub(super) fn apply(&mut self, at: SystemTime, event: &Event) -> Vec<String> {
        self.began.get_or_insert(at);
        self.last = Some(at);
        match event {
            Event::Paused | Event::Resumed => {}
            Event::Planned(info) => self.plan(info),
            Event::Started(step) => {
                let step = self.begun(*step);
                step.is_waiting = false;
                step.started.get_or_insert(at);
            }
            Event::Waiting(step) => self.begun(*step).is_waiting = true,
            Event::Progress { step, part, amount, done } => self.steps.entry(*step).or_default().progress(Part {
                name: cleaned(part),
                amount: *amount,
                is_done: *done,
                began: at,
            }),
            Event::Output { step, stream, bytes } => {
                let stream = usize::from(*stream == Stream::Stderr);
                let lines = self.steps.entry(*step).or_default().streams[stream].add(bytes);
                self.keep(*step, &lines);
                return lines;
            }
            Event::Ended { step: id, ending, took } => {
                let step = self.begun(*id);
                step.is_waiting = false;
                step.ended = Some((ending.clone(), *took));
                let lines: Vec<String> = step.streams.iter_mut().filter_map(Splitter::rest).collect();
                self.keep(*id, &lines);
                return lines;
            }
            Event::Explained { step, lines } => {
                let lines: Vec<String> = lines.iter().map(|line| format!("why: {}", human::harmless(line))).collect();
                self.keep(*step, &lines);
                return lines;
            }
            Event::Warning { rule, message, place, url } => self.warnings.push(Warning {
                rule: human::harmless(rule),
                message: human::harmless(message),
                place: place.as_ref().map(|(file, line)| (human::harmless(file), *line)),
                url: url.as_deref().map(human::harmless),
            }),
        }
        Vec::new()
    }

    fn plan(&mut self, info: &StepInfo) {
        let step = self.steps.entry(info.id).or_default();
        step.name = human::harmless(&info.name);
        step.is_operation = info.operation.is_some();
    }

    fn begun(&mut self, id: StepId) -> &mut Step {
        let step = self.steps.entry(id).or_default();
        if step.started.is_none() && step.ended.is_none() && !step.is_waiting {
            self.order.push(id);
        }
        step
    }

    fn keep(&mut self, id: StepId, lines: &[String]) {
        let step = self.steps.entry(id).or_default();
        for line in lines {
            if step.tail.len() == TAIL {
                step.tail.pop_front();
            }
            step.tail.push_back(line.clone());
            if self.keeps_logs {
                step.log.get_mut().add(line);
            }
        }
    }

    /// How many steps have ended, and how many there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.steps.values().filter(|step| step.ended.is_some()).count(), self.steps.len())
    }

    /// How long it has gone on.
    pub(super) fn elapsed(&self, now: SystemTime) -> Duration {
        self.began.map_or(Duration::ZERO, |began| since(began, now))
    }
}

impl Step {
    fn progress(&mut self, part: Part) {
        match self.parts.iter_mut().find(|known| known.name == part.name) {
            Some(known) => *known = Part { began: known.began, ..part },
            None => self.parts.push(part),
        }
    }

    /// What can be seen of its output: the last lines, and those that are being written.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let current = self.streams.iter().filter_map(Splitter::current);
        let mut lines: Vec<String> = self.tail.iter().cloned().chain(current).collect();
        lines.drain(..lines.len().saturating_sub(TAIL));
        lines
    }

    /// How long it has taken so far.
    pub(super) fn time(&self, now: SystemTime) -> Duration {
        match (&self.ended, self.started) {
            (Some((_, took)), _) => *took,
            (None, Some(started)) => since(started, now),
            (None, None) => Duration::ZERO,
        }
    }
}

impl Part {
    /// `sha256:… 3.2MB / 10MB`, `transferring context: 4kB`
    pub(super) fn text(&self) -> String {
        let done = if self.is_done { " done" } else { "" };
        match self.amount {
            Amount { current, total: Some(total) } => {
                format!("{} {} / {}{done}", self.name, human::size(current), human::size(total))
            }
            Amount { current: 0, total: None } => format!("{}{done}", self.name),
            Amount { current, total: None } => format!("{}: {}{done}", self.name, human::size(current)),
        }
    }
}

/// A clock that was set back makes no time negative.
pub(super) fn since(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}
