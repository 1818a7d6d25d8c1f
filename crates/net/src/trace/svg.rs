//! A trace as a picture: one box per namespace, one below the other, with the steps in it, chains and rules that matter, and
//! an arrow where the packet goes on. No scripts, nothing from elsewhere; a program that shows SVG needs nothing else.

use std::fmt::Write;

use super::step::{ChainStep, Kind, Path, Step, Trace, Verdict};
use super::text::printable;

/// Width of all of it, and of what is around boxes.
const WIDTH: usize = 1080;
const MARGIN: usize = 24;
/// Height of a line of text.
const LINE: usize = 20;
/// How many characters of a line fit; what is behind is cut off.
const CHARACTERS: usize = 118;

/// What is drawn.
struct Picture {
    body: String,
    /// Where the next thing goes.
    y: usize,
}

/// What a line is.
#[derive(Clone, Copy)]
enum Look {
    Step(Kind),
    Chain { passes: bool },
    Rule { depth: usize, is_end: bool },
    Remark,
    Flow,
}

/// The trace, as a picture.
pub fn svg(trace: &Trace) -> String {
    let mut picture = Picture { body: String::new(), y: MARGIN };
    picture.title(&format!("{}, sent by {}", trace.packet, trace.from));
    picture.path(&trace.request);
    let unanswered = trace.answer.as_ref().filter(|answer| !answer.end.arrives());
    if let Some(answer) = unanswered {
        picture.title("The answer");
        picture.path(answer);
    }
    let end = unanswered.map_or(&trace.request.end, |answer| &answer.end);
    picture.ending(trace, &end.words(), end.hint());
    let height = picture.y + MARGIN;
    let label = escaped(&format!("The way of {}: {}", trace.packet, trace.verdict.name()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{label}\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
        picture.body
    )
}

const STYLE: &str = "text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#1f2933}\
.paper{fill:#fff}.title{font-weight:bold;font-size:17px}.space{fill:#f5f7fa;stroke:#9aa5b1}\
.name{font-weight:bold;fill:#243b53}.kind{fill:#627d98}.chain{fill:#334e68}.rule{fill:#486581}\
.remark{fill:#8d5b00;font-style:italic}.flow{fill:#0b69a3;font-weight:bold}.bad{fill:#ba2525;font-weight:bold}\
.good{fill:#207227;font-weight:bold}.arrow{stroke:#627d98;stroke-width:2;fill:none}.head{fill:#627d98}\
.mark{fill:none;stroke:#ba2525;stroke-width:2}.nat{fill:#e3f8ff;stroke:#0b69a3}";

impl Picture {
    fn title(&mut self, text: &str) {
        self.y += LINE;
        self.text(MARGIN, "title", text);
        self.y += LINE / 2;
    }

    fn path(&mut self, path: &Path) {
        let mut rest = path.steps.as_slice();
        let mut is_first = true;
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|step| step.namespace == first.namespace).count();
            let (here, behind) = rest.split_at(count);
            if !is_first {
                self.arrow();
            }
            self.space(&first.namespace, here);
            is_first = false;
            rest = behind;
        }
    }

    /// A namespace, with its steps.
    fn space(&mut self, name: &str, steps: &[Step]) {
        let lines: Vec<(Look, String)> = steps.iter().flat_map(lines).collect();
        let height = LINE * (lines.len() + 2);
        let _ = writeln!(
            self.body,
            "<rect class=\"space\" x=\"{MARGIN}\" y=\"{}\" width=\"{}\" height=\"{height}\" rx=\"8\"/>",
            self.y,
            WIDTH - 2 * MARGIN
        );
        self.y += LINE;
        self.text(MARGIN + 12, "name", name);
        for (look, text) in lines {
            self.y += LINE;
            self.line(look, &text);
        }
        self.y += LINE;
    }

    fn line(&mut self, look: Look, text: &str) {
        let left = MARGIN + 12;
        match look {
            Look::Step(kind) => {
                self.text(left, "kind", word(kind));
                self.text(left + 70, "step", text);
            }
            Look::Flow => {
                let _ = writeln!(
                    self.body,
                    "<rect class=\"nat\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{LINE}\" rx=\"4\"/>",
                    left + 64,
                    self.y - 15,
                    WIDTH - 2 * MARGIN - 90
                );
                self.text(left + 70, "flow", text);
            }
            Look::Chain { passes: true } => self.text(left + 90, "chain", text),
            Look::Chain { passes: false } => self.text(left + 90, "bad", text),
            Look::Rule { depth, is_end } => {
                self.text(left + 110 + 14 * depth, if is_end { "bad" } else { "rule" }, text);
                if is_end {
                    self.cross(left + 96 + 14 * depth);
                }
            }
            Look::Remark => self.text(left + 110, "remark", text),
        }
    }

    fn text(&mut self, x: usize, class: &str, text: &str) {
        let room = CHARACTERS.saturating_sub(x / 9);
        let mut shown: String = printable(text).chars().take(room).collect();
        if shown.chars().count() == room {
            shown.push('…');
        }
        let (y, shown) = (self.y, escaped(&shown));
        let full = if shown.ends_with('…') {
            format!("<title>{}</title>", escaped(&printable(text)))
        } else {
            String::new()
        };
        let _ = writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{shown}{full}</text>");
    }

    fn cross(&mut self, x: usize) {
        let (top, bottom, right) = (self.y - 10, self.y, x + 10);
        let _ =
            writeln!(self.body, "<path class=\"mark\" d=\"M{x} {top}L{right} {bottom}M{right} {top}L{x} {bottom}\"/>");
    }

    fn arrow(&mut self) {
        let (x, from, to) = (WIDTH / 2, self.y, self.y + LINE + 8);
        let _ = writeln!(
            self.body,
            "<path class=\"arrow\" d=\"M{x} {from}V{}\"/><path class=\"head\" d=\"M{} {}h12l-6 8z\"/>",
            to - 6,
            x - 6,
            to - 8
        );
        self.y = to;
    }

    fn ending(&mut self, trace: &Trace, words: &str, hint: Option<&str>) {
        self.y += 2 * LINE;
        let class = if trace.verdict == Verdict::Works { "good" } else { "bad" };
        self.text(MARGIN, class, &format!("{}: {words}", trace.verdict.name().to_uppercase()));
        if let Some(hint) = hint {
            self.y += LINE;
            self.text(MARGIN, "step", &format!("hint: {hint}"));
        }
        let uncertain = "not certain: something on the way depends on what cannot be told";
        for note in trace.notes.iter().map(String::as_str).chain((!trace.certain).then_some(uncertain)) {
            self.y += LINE;
            self.text(MARGIN, "remark", note);
        }
    }
}

/// The lines of a step.
fn lines(step: &Step) -> Vec<(Look, String)> {
    let look = if step.kind == Kind::Nat { Look::Flow } else { Look::Step(step.kind) };
    let mut all = vec![(look, step.text.clone())];
    for chain in step.chains.iter().filter(|chain| !chain.is_silent()) {
        all.extend(chain_lines(chain));
    }
    all
}

fn chain_lines(chain: &ChainStep) -> Vec<(Look, String)> {
    let name = format!("{} {} {} ({}): {}", chain.family, chain.table, chain.chain, chain.priority, chain.decision);
    let mut all = vec![(Look::Chain { passes: chain.passes }, name)];
    for (at, rule) in chain.rules.iter().enumerate() {
        let is_end = !chain.passes && at + 1 == chain.rules.len();
        let effects =
            if rule.effects.is_empty() { String::new() } else { format!("  → {}", rule.effects.join(", ")) };
        let text = format!("{} #{} {}{effects}", rule.name.chain, rule.name.number, rule.text);
        all.push((Look::Rule { depth: rule.depth, is_end }, text));
    }
    all.extend(chain.remarks.iter().map(|remark| (Look::Remark, remark.clone())));
    all
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Socket => "socket",
        Kind::Link => "link",
        Kind::Bridge => "bridge",
        Kind::Hook => "hook",
        Kind::Route => "route",
        Kind::Nat => "nat",
    }
}

/// Text that is no markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Not allowed in XML, not even escaped.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_no_markup() {
        assert_eq!(escaped("<script>\"&\u{ffff}"), "&lt;script&gt;&quot;&amp;\u{fffd}");
    }
}
