//! For one audit architecture: every number from 0 to 2³² − 1, in runs of numbers that share one outcome.
//!
//! Owns what happens to numbers that a profile does not name: calls that are newer than the profile, and x32 calls of
//! a profile that does not list x32.

use super::rules::{Decision, ENOSYS, Rule, Rules, answer};
use super::syscalls::{Architecture, X32_BIT};

/// The numbers from `start` up to the next segment's start have this outcome.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: u32,
    pub(super) outcome: Outcome,
}

/// What happens to a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The program returns this.
    Answer(u32),
    /// The first rule that matches decides, or the default.
    FirstOf(Vec<Rule>),
}

/// The segments of an audit architecture, with at least one of its `listed` ABIs, rising, the first one at 0.
///
/// With `future` (see [`super::compile()`]), numbers above the highest that the profile names answer `ENOSYS`.
pub(super) fn segments(rules: &Rules, listed: &[Architecture], future: bool) -> Vec<Segment> {
    let mut segments = Segments(Vec::with_capacity(256));
    let [architecture, ..] = listed else { return segments.0 };
    if architecture.audit_token() != Architecture::X86_64.audit_token() {
        segments.append_abi(rules, *architecture, 0..=u32::MAX, future);
        return segments.0;
    }
    for (architecture, numbers) in [(Architecture::X86_64, 0..=X32_BIT - 1), (Architecture::X32, X32_BIT..=u32::MAX)] {
        if listed.contains(&architecture) {
            segments.append_abi(rules, architecture, numbers, future);
        } else {
            // As for any ABI that the profile does not list.
            segments.push(*numbers.start(), Outcome::Answer(answer::KILL_THREAD));
        }
    }
    if !listed.contains(&Architecture::X32) {
        // A tracer turns a call into number -1 to skip it, and the filter sees that (seccomp(2), "Caveats"). It has
        // bit 30 set, and is no x32 call.
        segments.push(u32::MAX, Outcome::Answer(rules.default));
    }
    segments.0
}

struct Segments(Vec<Segment>);

impl Segments {
    /// Adds the outcomes of one ABI, whose numbers are `range`, to the end.
    fn append_abi(
        &mut self,
        rules: &Rules,
        architecture: Architecture,
        range: std::ops::RangeInclusive<u32>,
        future: bool,
    ) {
        let known = if future { rules.highest(architecture).unwrap_or(u32::MAX) } else { u32::MAX };
        let rest = |number: u32| Outcome::Answer(if number > known { answer::ERRNO | ENOSYS } else { rules.default });
        self.push(*range.start(), rest(*range.start()));
        let mut future_begins = known.checked_add(1);
        for (number, decision) in rules.decisions(architecture) {
            if let Some(begin) = future_begins.take_if(|begin| *begin < number) {
                self.push(begin, rest(begin));
            }
            self.push(
                number,
                match decision {
                    Decision::Answer(answer) => Outcome::Answer(answer),
                    Decision::FirstOf(rules) => Outcome::FirstOf(rules),
                },
            );
            if number < *range.end() {
                self.push(number + 1, rest(number + 1));
            }
            future_begins.take_if(|begin| *begin == number + 1);
        }
        if let Some(begin) = future_begins {
            self.push(begin, rest(begin));
        }
    }

    /// Begins a segment. One that begins where the last one did replaces it; one with the same outcome continues it.
    fn push(&mut self, start: u32, outcome: Outcome) {
        self.0.pop_if(|last| last.start == start);
        if self.0.last().is_none_or(|last| last.outcome != outcome) {
            self.0.push(Segment { start, outcome });
        }
    }
}
