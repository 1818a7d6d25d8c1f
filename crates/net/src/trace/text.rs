//! A trace as text: one line per step, indented by where it is and by how deep rules jump.

use std::fmt::Write;

use super::packet::Flow;
use super::step::{ChainStep, Path, RuleStep, Step, Trace, Verdict};

/// Whether signs of colour are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// They are, for a terminal.
    On,
    /// They are not.
    Off,
}

const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[1;32m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const FAINT: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

impl Colour {
    fn paint(self, colour: &str, text: &str) -> String {
        if self == Colour::On { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }
}

/// The trace, for people.
pub fn text(trace: &Trace, colour: Colour) -> String {
    let mut out = String::new();
    line(&mut out, 0, &colour.paint(BOLD, &format!("{}, sent by {}", trace.packet, trace.from)));
    path(&mut out, &trace.request, colour);
    if let Some(answer) = trace.answer.as_ref().filter(|answer| !answer.end.arrives()) {
        out.push('\n');
        line(&mut out, 0, &colour.paint(BOLD, "The answer"));
        path(&mut out, answer, colour);
    }
    out.push('\n');
    ending(&mut out, trace, colour);
    out
}

fn path(out: &mut String, path: &Path, colour: Colour) {
    let mut namespace = "";
    for step in &path.steps {
        if step.namespace != namespace {
            namespace = &step.namespace;
            line(out, 1, &colour.paint(BOLD, &printable(namespace)));
        }
        step_lines(out, step, colour);
    }
}

fn step_lines(out: &mut String, step: &Step, colour: Colour) {
    let kind = format!("{:<7}", format!("{:?}", step.kind).to_lowercase());
    let text = printable(&step.text);
    line(out, 2, &format!("{} {text}", colour.paint(FAINT, &kind)));
    let silent = step.chains.iter().filter(|chain| chain.is_silent()).count();
    for chain in step.chains.iter().filter(|chain| !chain.is_silent()) {
        chain_lines(out, chain, colour);
    }
    if silent > 0 {
        let what = if silent == 1 { "chain lets" } else { "chains let" };
        let other = if silent == step.chains.len() { "" } else { "other " };
        line(out, 6, &colour.paint(FAINT, &format!("{silent} {other}{what} it pass, without a rule that matches")));
    }
}

fn chain_lines(out: &mut String, chain: &ChainStep, colour: Colour) {
    let decision = if chain.passes { chain.decision.clone() } else { colour.paint(RED, &chain.decision) };
    let name = printable(&format!("{} {} {}", chain.family, chain.table, chain.chain));
    line(out, 6, &format!("{name} (priority {}): {decision}", chain.priority));
    for (at, rule) in chain.rules.iter().enumerate() {
        let is_end = !chain.passes && at + 1 == chain.rules.len();
        rule_lines(out, rule, is_end, colour);
    }
    for remark in &chain.remarks {
        line(out, 8, &colour.paint(YELLOW, &printable(remark)));
    }
}

fn rule_lines(out: &mut String, rule: &RuleStep, is_end: bool, colour: Colour) {
    let where_ = format!("{} #{}", printable(&rule.name.chain), rule.name.number);
    let text = printable(&rule.text);
    let text = if is_end { colour.paint(RED, &text) } else { text };
    let effects = if rule.effects.is_empty() { String::new() } else { format!("  → {}", rule.effects.join(", ")) };
    line(out, 8 + 2 * rule.depth, &format!("{} {text}{}", colour.paint(FAINT, &where_), printable(&effects)));
    // nft(8) shows comments in the rule; those of iptables are not in it.
    if let Some(comment) = rule.name.comment.as_ref().filter(|comment| !rule.text.contains(comment.as_str())) {
        line(out, 10 + 2 * rule.depth, &colour.paint(FAINT, &format!("“{}”", printable(comment))));
    }
}

fn ending(out: &mut String, trace: &Trace, colour: Colour) {
    let unanswered = trace.verdict == Verdict::Unanswered;
    let end = match &trace.answer {
        Some(answer) if unanswered => &answer.end,
        _ => &trace.request.end,
    };
    let good = trace.verdict == Verdict::Works;
    let word = colour.paint(if good { GREEN } else { RED }, &trace.verdict.name().to_uppercase());
    let subject = if unanswered { "it arrives, but the answer " } else { "it " };
    let words = printable(&end.words());
    line(out, 0, &format!("{word}: {}{words}", subject_for(subject, &words)));
    if let Some(hint) = end.hint() {
        line(out, 2, &format!("hint: {}", printable(hint)));
    }
    if trace.answer.as_ref().is_some_and(|answer| answer.end.arrives()) {
        let back = translated_back(trace).map_or_else(String::new, |flow| format!(", as {flow}"));
        let what = if good { "the answer comes back" } else { "the sender is told" };
        line(out, 2, &format!("{what}{back}"));
    }
    if !trace.certain {
        let text = "not certain: something on the way depends on what cannot be told; see above";
        line(out, 2, &colour.paint(YELLOW, text));
    }
    for note in &trace.notes {
        line(out, 2, &colour.paint(YELLOW, &format!("note: {}", printable(note))));
    }
}

/// Sentences about nobody have a subject of their own.
fn subject_for<'a>(subject: &'a str, words: &str) -> &'a str {
    let has_own = ["nobody", "there", "no way", "the route", "the link", "a link", "a macvlan"];
    if has_own.iter().any(|own| words.starts_with(own)) { "" } else { subject }
}

/// The answer as the sender sees it, if addresses were translated on the way.
fn translated_back(trace: &Trace) -> Option<Flow> {
    let answer = trace.answer.as_ref()?;
    let translated = |path: &Path| path.steps.iter().any(|step| step.before.is_some());
    (translated(&trace.request) || translated(answer)).then(|| answer.steps.last().map(|step| step.packet))?
}

fn line(out: &mut String, indent: usize, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{:indent$}{text}", "");
}

/// Names and comments are written by anybody: nothing of them may move the cursor of a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}
