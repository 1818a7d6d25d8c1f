//! What is said once a build is over: where the time went, and what checks have found. Pure.

use std::time::Duration;

use build::progress::Ending;

use super::state::{State, Step, Warning, since};

/// Steps that are named.
const NAMED: usize = 3;

/// What is faster need not be named.
const NOTABLE: Duration = Duration::from_millis(100);

/// Letters of a step's name.
const LETTERS: usize = 60;

/// A few lines.
pub(super) fn text(state: &State, has_succeeded: bool) -> String {
    let is_told = has_succeeded && !state.steps.is_empty();
    let times = if is_told { format!("\n{}\n", times(state)) } else { String::new() };
    times + &warnings(&state.warnings)
}

/// `Built in 3.2 s (5 of 9 steps cached). Longest: RUN make 2.1 s, COPY . . 0.4 s`
fn times(state: &State) -> String {
    let total = state.began.zip(state.last).map_or(Duration::ZERO, |(began, last)| since(began, last));
    let counts = |step: &&Step| step.is_operation && !step.name.starts_with("[internal]");
    let operations: Vec<&Step> = state.steps.values().filter(counts).collect();
    let is_cached = |step: &&&Step| matches!(step.ended, Some((Ending::Cached, _)));
    let cached = operations.iter().filter(is_cached).count();
    let of_steps = match operations.len() {
        0 => String::new(),
        number => format!(" ({cached} of {number} steps cached)"),
    };
    let text = format!("Built in {}{of_steps}", spaced(total));
    let took = |step: &Step| step.ended.as_ref().map_or(Duration::ZERO, |(_, took)| *took);
    let mut longest: Vec<&Step> = state.steps.values().filter(|step| took(step) >= NOTABLE).collect();
    // Stable: of equals the first.
    longest.sort_by_key(|step| std::cmp::Reverse(took(step)));
    longest.truncate(NAMED);
    if longest.is_empty() {
        return text;
    }
    let named: Vec<String> =
        longest.iter().map(|step| format!("{} {}", short(&step.name), spaced(took(step)))).collect();
    text + ". Longest: " + &named.join(", ")
}

/// The name without the stage and the number.
fn short(name: &str) -> String {
    let name = if name.starts_with('[') { name.split_once("] ").map_or(name, |(_, rest)| rest) } else { name };
    crate::output::human::shortened(name, LETTERS)
}

fn spaced(time: Duration) -> String {
    super::seconds(time).trim_end_matches('s').to_owned() + " s"
}

fn warnings(all: &[Warning]) -> String {
    let heading = match all.len() {
        0 => return String::new(),
        1 => "1 warning found".to_owned(),
        number => format!("{number} warnings found"),
    };
    let line = |warning: &Warning| {
        let place = warning.place.as_ref().map(|(file, line)| format!(" ({file}, line {line})")).unwrap_or_default();
        let url = warning.url.as_deref().map(|url| format!("   {url}\n")).unwrap_or_default();
        format!(" - {}: {}{place}\n{url}", warning.rule, warning.message)
    };
    format!("\n {heading}:\n{}", all.iter().map(line).collect::<String>())
}
