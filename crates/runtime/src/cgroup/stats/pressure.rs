//! Pressure stall information: how long processes waited for a resource (kernel `accounting/psi.rst`). v2 alone.

use serde::Serialize;

use super::super::directory::Directory;
use crate::error::Result;

/// Time lost to waiting for one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Pressure {
    /// While some process waited.
    pub some: PressureLine,
    /// While all did.
    pub full: PressureLine,
}

/// Shares of time, and the time itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PressureLine {
    /// Per cent of the last 10 seconds.
    pub avg10: f64,
    /// Per cent of the last minute.
    pub avg60: f64,
    /// Per cent of the last five minutes.
    pub avg300: f64,
    /// Microseconds since the cgroup was made.
    pub total: u64,
}

/// Reads `cpu.pressure` and its like. None where the kernel measures none.
pub(super) fn read(directory: &Directory, file: &str) -> Result<Option<Pressure>> {
    Ok(directory.find(file)?.as_deref().map(parse))
}

pub(super) fn parse(text: &str) -> Pressure {
    let mut pressure = Pressure::default();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("some", rest)) => pressure.some = parse_line(rest),
            Some(("full", rest)) => pressure.full = parse_line(rest),
            _ => {}
        }
    }
    pressure
}

fn parse_line(rest: &str) -> PressureLine {
    let field = |name: &str| rest.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let average = |name| field(name).and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let total = field("total").and_then(|text| text.parse().ok()).unwrap_or(0);
    PressureLine { avg10: average("avg10"), avg60: average("avg60"), avg300: average("avg300"), total }
}
