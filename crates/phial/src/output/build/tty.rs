//! `--progress=tty`: a tree that moves. What it looks like at a moment ([`frame`]) is pure: state, time and size become lines.
//!
//! The cursor always stands below the last line and is never hidden, so there is nothing to restore when the program is killed.

use std::io::{self, Write};
use std::time::SystemTime;

use build::progress::{Ending, Event};

use super::lines::{clipped, columns};
use super::state::{State, Step};
use super::{Printer, failed_logs, seconds};

/// Parts of a running step that can be seen.
const PARTS: usize = 8;

/// Taken where the terminal does not say how large it is.
const SIZE: Size = Size { width: 80, height: 24 };

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// What a line is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Usual,
    Done,
    Failed,
    Dim,
}

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    left: String,
    /// At the right edge.
    right: String,
    tone: Tone,
}

impl Line {
    fn new(left: impl Into<String>, right: impl Into<String>, tone: Tone) -> Line {
        Line { left: left.into(), right: right.into(), tone }
    }

    /// The line in so many columns, without colours.
    pub(super) fn text(&self, width: usize) -> String {
        let (right, wide) = clipped(&self.right, width);
        let gap = usize::from(wide > 0);
        let (left, used) = clipped(&self.left, width.saturating_sub(wide + gap));
        if wide == 0 {
            return left;
        }
        format!("{left}{}{right}", " ".repeat(width.saturating_sub(used + wide)))
    }
}

/// The tree at a moment. Never higher than the terminal, of which the last line is left to the cursor; with `is_over` it is as long
/// as it is, for it does not move any more.
pub(super) fn frame(state: &State, now: SystemTime, size: Size, is_over: bool) -> Vec<Line> {
    let (ended, all) = state.counts();
    let finished = if is_over { " FINISHED" } else { "" };
    let header = format!("[+] Building {} ({ended}/{all}){finished}", seconds(state.elapsed(now)));
    let mut lines = vec![Line::new(header, "", Tone::Usual)];
    let room = if is_over { usize::MAX } else { size.height.saturating_sub(2) };
    let shown = state.order.iter().filter_map(|id| state.steps.get(id));
    let running: Vec<&Step> = shown.clone().filter(|step| step.ended.is_none()).collect();
    let finished: Vec<&Step> = shown.clone().filter(|step| step.ended.is_some()).collect();
    // First those that run, then what they say, and what is left is for those that have ended last.
    let running_room = running.len().min(room);
    let skipped_running = running.len() - running_room;
    let below = (room - running_room).checked_div(running_room).unwrap_or_default();
    let details: Vec<Vec<Line>> = running.iter().skip(skipped_running).map(|step| details(step, below)).collect();
    let used = running_room + details.iter().map(Vec::len).sum::<usize>();
    let skipped_finished = finished.len().saturating_sub(room - used);
    let (mut at_running, mut at_finished, mut details) = (0, 0, details.into_iter());
    for step in shown {
        if step.ended.is_some() {
            at_finished += 1;
            if at_finished > skipped_finished {
                lines.push(step_line(step, now));
            }
        } else {
            at_running += 1;
            if at_running > skipped_running {
                lines.push(step_line(step, now));
                lines.extend(details.next().unwrap_or_default());
            }
        }
    }
    lines
}

fn step_line(step: &Step, now: SystemTime) -> Line {
    let (word, tone) = match &step.ended {
        None if step.is_waiting => ("WAITING ", Tone::Dim),
        None => ("", Tone::Usual),
        Some((Ending::Done | Ending::Shared, _)) => ("", Tone::Done),
        Some((Ending::Cached, _)) => ("CACHED ", Tone::Done),
        Some((Ending::Failed(_), _)) => ("ERROR ", Tone::Failed),
        Some((Ending::Canceled, _)) => ("CANCELED ", Tone::Dim),
    };
    Line::new(format!(" => {word}{}", step.name), seconds(step.time(now)), tone)
}

/// What a running step says: its parts and its last lines, at most so many.
fn details(step: &Step, most: usize) -> Vec<Line> {
    let output = step.last_lines();
    let output = &output[output.len().saturating_sub(most)..];
    let moving = step.parts.iter().filter(|part| !part.is_done);
    let done = step.parts.iter().filter(|part| part.is_done);
    let parts = moving.chain(done).take(PARTS.min(most - output.len()));
    let parts = parts.map(|part| Line::new(format!(" => => {}", part.text()), "", Tone::Usual));
    parts.chain(output.iter().map(|line| Line::new(format!(" => => # {line}"), "", Tone::Dim))).collect()
}

/// The tree on a terminal.
pub(super) struct Tree<W> {
    out: W,
    size: fn() -> Option<Size>,
    is_colored: bool,
    /// Columns of each line that is there.
    drawn: Vec<usize>,
    /// It stands still: somebody else has the terminal.
    has_stopped: bool,
}

impl<W: Write> Tree<W> {
    pub(super) fn new(out: W, size: fn() -> Option<Size>, is_colored: bool) -> Tree<W> {
        Tree { out, size, is_colored, drawn: Vec::new(), has_stopped: false }
    }

    fn draw(&mut self, now: SystemTime, state: &State, is_over: bool) -> io::Result<()> {
        let size = (self.size)().unwrap_or(SIZE);
        let lines = frame(state, now, size, is_over);
        // In one piece, so that nobody sees half of it.
        let mut text = match rows(&self.drawn, size.width) {
            0 => String::new(),
            above => format!("\u{1b}[{above}F"),
        };
        self.drawn.clear();
        for line in lines {
            // The last column stays free: some terminals go to the next line with it.
            let shown = line.text(size.width.saturating_sub(1));
            self.drawn.push(shown.chars().map(columns).sum());
            match self.color(line.tone) {
                Some(color) => text.extend(["\u{1b}[", color, "m", &shown, "\u{1b}[0m\u{1b}[K\n"]),
                None => text.extend([&shown, "\u{1b}[K\n"]),
            }
        }
        text += "\u{1b}[J";
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn color(&self, tone: Tone) -> Option<&'static str> {
        if !self.is_colored {
            return None;
        }
        match tone {
            Tone::Usual => None,
            Tone::Done => Some("34"),
            Tone::Failed => Some("31"),
            Tone::Dim => Some("2"),
        }
    }
}

/// How many rows lines take: a terminal that has become narrower has wrapped them.
fn rows(drawn: &[usize], width: usize) -> usize {
    drawn.iter().map(|columns| columns.div_ceil(width.max(1)).max(1)).sum()
}

impl<W: Write> Printer for Tree<W> {
    fn event(&mut self, at: SystemTime, event: &Event, _: &[String], state: &State) -> io::Result<()> {
        match event {
            Event::Paused => {
                self.has_stopped = true;
                self.draw(at, state, false)?;
                self.drawn.clear();
            }
            Event::Resumed => self.has_stopped = false,
            _ => {}
        }
        Ok(())
    }

    fn tick(&mut self, now: SystemTime, state: &State) -> io::Result<()> {
        if self.has_stopped || state.steps.is_empty() { Ok(()) } else { self.draw(now, state, false) }
    }

    fn end(&mut self, now: SystemTime, state: &State) -> io::Result<()> {
        if state.steps.is_empty() {
            return Ok(());
        }
        self.draw(now, state, true)?;
        // The tree has shown only their ends.
        failed_logs(&mut self.out, state)
    }
}

/// How large the terminal is that standard error is.
pub(super) fn size_of_terminal() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    let (width, height) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (width > 0 && height > 0).then_some(Size { width, height })
}
