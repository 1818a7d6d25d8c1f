//! `--progress=plain`: one line after the other, each with the number of its step, whole however long it is. For logs of CI and
//! for whoever reads them with programs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use build::progress::{Ending, Event, StepId};

use super::state::{State, since};
use super::{Printer, seconds};
use crate::output::human;

/// A part that moves is told of again after this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lines so far.
pub(super) struct Plain<W> {
    out: W,
    /// Whose line was the last.
    last: Option<StepId>,
    /// Steps whose names were told.
    named: BTreeSet<StepId>,
    /// When a part was last told of.
    told: BTreeMap<(StepId, String), SystemTime>,
}

impl<W: Write> Plain<W> {
    pub(super) fn new(out: W) -> Plain<W> {
        Plain { out, last: None, named: BTreeSet::new(), told: BTreeMap::new() }
    }

    /// A line of a step, after its name if another step had the last word.
    fn line(&mut self, id: StepId, state: &State, line: &str) -> io::Result<()> {
        self.name(id, state)?;
        writeln!(self.out, "#{} {line}", id + 1)
    }

    fn name(&mut self, id: StepId, state: &State) -> io::Result<()> {
        if self.last == Some(id) {
            return Ok(());
        }
        if self.last.is_some() {
            writeln!(self.out)?;
        }
        self.last = Some(id);
        let is_new = self.named.insert(id);
        let name = state.steps.get(&id).map_or("", |step| step.name.as_str());
        writeln!(self.out, "#{} {}", id + 1, if is_new { name } else { "..." })
    }

    fn part(&mut self, at: SystemTime, id: StepId, name: &str, state: &State) -> io::Result<()> {
        let part = state.steps.get(&id).and_then(|step| step.parts.iter().find(|part| part.name == name));
        let Some(part) = part else { return Ok(()) };
        let key = (id, part.name.clone());
        let is_due = self.told.get(&key).is_none_or(|told| since(*told, at) >= PATIENCE);
        if !is_due && !part.is_done {
            return Ok(());
        }
        self.told.insert(key, at);
        let time = if part.is_done { format!(" {}", seconds(since(part.began, at))) } else { String::new() };
        let text = part.text();
        // `… 3.2MB / 10MB 0.4s done`, as everybody has it.
        let text = text.strip_suffix(" done").map_or_else(|| text.clone(), |text| format!("{text}{time} done"));
        self.line(id, state, &text)
    }

    fn ended(&mut self, id: StepId, ending: &Ending, took: Duration, state: &State) -> io::Result<()> {
        let line = match ending {
            Ending::Done => format!("DONE {}", seconds(took)),
            Ending::Cached => "CACHED".to_owned(),
            Ending::Shared => format!("DONE {} by another build", seconds(took)),
            Ending::Failed(why) => format!("ERROR: {}", human::harmless(why)),
            Ending::Canceled => "CANCELED".to_owned(),
        };
        self.line(id, state, &line)
    }
}

impl<W: Write> Printer for Plain<W> {
    fn event(&mut self, at: SystemTime, event: &Event, lines: &[String], state: &State) -> io::Result<()> {
        if let Event::Output { step: id, .. } | Event::Ended { step: id, .. } | Event::Explained { step: id, .. } =
            event
        {
            let started = state.steps.get(id).and_then(|step| step.started);
            for line in lines {
                let time = since(started.unwrap_or(at), at).as_secs_f64();
                self.line(*id, state, &format!("{time:.3} {line}"))?;
            }
        }
        match event {
            Event::Started(id) => self.name(*id, state)?,
            Event::Waiting(id) => self.line(*id, state, "waiting for another build that does the same")?,
            Event::Progress { step, part, .. } => self.part(at, *step, &super::lines::cleaned(part), state)?,
            Event::Ended { step, ending, took } => self.ended(*step, ending, *took, state)?,
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
