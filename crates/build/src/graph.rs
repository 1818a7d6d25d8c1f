//! A build as a picture: which steps waited for which, which were done before, and where the time went.
//!
//! Pure but for [`Recorder`], which remembers what it is told. The picture is one SVG without anything from elsewhere, and the same
//! for the same steps. Names are a stranger's, and are escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::progress::{Ending, Event, StepId, StepInfo, Watch};

/// Of a step in the picture.
const WIDTH: usize = 230;
const HEIGHT: usize = 46;
/// Between steps.
const GAP_ACROSS: usize = 56;
const GAP_DOWN: usize = 14;
const MARGIN: usize = 24;
/// Above the first step of a stage.
const TITLE: usize = 26;
/// Letters of a name that are shown.
const LETTERS: usize = 32;
/// More steps than this are no picture any more.
const MOST: usize = 2_000;

/// Light and dark, as the reader's page is.
const STYLE: &str = "\
svg{font:13px system-ui,sans-serif;background:#fff}text{fill:#1f2328}.dim{fill:#59636e;font-size:11px}\
.stage{fill:#59636e;font-weight:600}path{fill:none;stroke:#8c959f;stroke-width:1.5}\
rect{stroke-width:1.5;fill:#fff;stroke:#8c959f}.done rect{fill:#ddf4ff;stroke:#0969da}.cached rect{fill:#f6f8fa;stroke-dasharray:4 3}\
.failed rect{fill:#ffebe9;stroke:#cf222e}\
@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#f0f6fc}.dim,.stage{fill:#9198a1}path{stroke:#656c76}\
rect{fill:#0d1117;stroke:#656c76}.done rect{fill:#121d2f;stroke:#4493f8}.cached rect{fill:#151b23}.failed rect{fill:#25171c;stroke:#f85149}}";

/// A step and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The step.
    pub info: StepInfo,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    /// How long it took.
    pub took: Duration,
}

/// Remembers the steps of a build.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<BTreeMap<StepId, Node>>);

impl Recorder {
    /// All steps so far, in the order of their numbers.
    pub fn nodes(&self) -> Vec<Node> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Watch for Recorder {
    fn event(&self, _at: SystemTime, event: Event) {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Planned(info) => {
                nodes.insert(info.id, Node { info, ending: None, took: Duration::ZERO });
            }
            Event::Ended { step, ending, took } => {
                if let Some(node) = nodes.get_mut(&step) {
                    (node.ending, node.took) = (Some(ending), took);
                }
            }
            _ => {}
        }
    }
}

/// Where a step is in the picture.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
}

/// The picture: from left to right who waits for whom, and from above to below the stages.
pub fn svg(nodes: &[Node]) -> String {
    let nodes = &nodes[..nodes.len().min(MOST)];
    let layers = layers(nodes);
    let (places, titles, bottom) = places(nodes, &layers);
    let right = layers.iter().max().map_or(0, |last| (last + 1) * (WIDTH + GAP_ACROSS) - GAP_ACROSS);
    let (width, height) = (right.max(WIDTH) + 2 * MARGIN, bottom + MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n"
    );
    for (title, y) in titles {
        let title = escaped(&shortened(&title));
        // A string takes whatever is written.
        let _ = writeln!(text, "<text class=\"stage\" x=\"{MARGIN}\" y=\"{y}\">{title}</text>");
    }
    let index: BTreeMap<StepId, usize> = nodes.iter().enumerate().map(|(at, node)| (node.info.id, at)).collect();
    for (node, to) in nodes.iter().zip(&places) {
        for from in node.info.inputs.iter().filter_map(|input| index.get(input)) {
            edge(&mut text, places[*from], *to);
        }
    }
    for (node, place) in nodes.iter().zip(&places) {
        shape(&mut text, node, *place);
    }
    text + "</svg>\n"
}

/// How many steps each waits for, one after the other. What waits for itself, which no build has, ends somewhere.
fn layers(nodes: &[Node]) -> Vec<usize> {
    let index: BTreeMap<StepId, usize> = nodes.iter().enumerate().map(|(at, node)| (node.info.id, at)).collect();
    let mut layers = vec![0; nodes.len()];
    for _ in 0..nodes.len() {
        let mut is_settled = true;
        for (at, node) in nodes.iter().enumerate() {
            let inputs = node.info.inputs.iter().filter_map(|input| index.get(input));
            let layer = inputs.map(|input| layers[*input] + 1).max().unwrap_or_default().min(nodes.len());
            is_settled &= layer <= layers[at];
            layers[at] = layer.max(layers[at]);
        }
        if is_settled {
            break;
        }
    }
    layers
}

/// Each step's place, each stage's title with its own, and where the last one ends.
fn places(nodes: &[Node], layers: &[usize]) -> (Vec<Place>, Vec<(String, usize)>, usize) {
    let mut stages: Vec<&str> = Vec::new();
    for node in nodes {
        let stage = stage(&node.info.name);
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    let (mut places, mut titles, mut top) = (vec![Place { x: 0, y: 0 }; nodes.len()], Vec::new(), MARGIN);
    for wanted in stages {
        titles.push((wanted.to_owned(), top + 14));
        top += TITLE;
        let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
        for at in (0..nodes.len()).filter(|at| stage(&nodes[*at].info.name) == wanted) {
            let row = rows.entry(layers[at]).or_default();
            places[at] = Place { x: MARGIN + layers[at] * (WIDTH + GAP_ACROSS), y: top + *row * (HEIGHT + GAP_DOWN) };
            *row += 1;
        }
        top += rows.values().max().unwrap_or(&0) * (HEIGHT + GAP_DOWN) + GAP_DOWN;
    }
    (places, titles, top)
}

/// `build` of `[build 2/5] RUN make`; what belongs to no stage stands for itself.
fn stage(name: &str) -> &str {
    let inside = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    match inside {
        // A Dockerfile of one stage: `[2/5] RUN make`.
        Some(inside) if inside.contains('/') => inside.rsplit_once(' ').map_or("", |(stage, _)| stage),
        Some(inside) => inside,
        None => "export",
    }
}

fn edge(text: &mut String, from: Place, to: Place) {
    let (x, y) = (from.x + WIDTH, from.y + HEIGHT / 2);
    let (end_x, end_y) = (to.x, to.y + HEIGHT / 2);
    let bend = GAP_ACROSS / 2;
    let (first, second) = (x + bend, end_x.saturating_sub(bend));
    let _ = writeln!(text, "<path d=\"M{x} {y}C{first} {y} {second} {end_y} {end_x} {end_y}\"/>");
}

fn shape(text: &mut String, node: &Node, Place { x, y }: Place) {
    let (class, words) = match &node.ending {
        None => ("waiting", "not done".to_owned()),
        Some(Ending::Cached) => ("cached", "cached".to_owned()),
        Some(Ending::Canceled) => ("waiting", "cancelled".to_owned()),
        Some(Ending::Failed(_)) => ("failed", format!("failed after {}", seconds(node.took))),
        Some(Ending::Shared) => ("cached", format!("{}, by another build", seconds(node.took))),
        Some(Ending::Done) => ("done", seconds(node.took)),
    };
    let name = node.info.name.split_once("] ").map_or(node.info.name.as_str(), |(_, rest)| rest);
    let (left, first, second) = (x + 10, y + 19, y + 36);
    let _ = writeln!(
        text,
        "<g class=\"{class}\"><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text x=\"{left}\" y=\"{first}\">{}</text><text class=\"dim\" x=\"{left}\" y=\"{second}\">{words}</text></g>",
        escaped(&node.info.name),
        escaped(&shortened(name)),
    );
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    text.chars().take(LETTERS - 1).chain(['…']).collect()
}

/// As XML takes it, which knows no control characters at all.
fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '"' => all.push_str("&quot;"),
            '\n' | '\t' => all.push(' '),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => all.push('\u{fffd}'),
            other => all.push(other),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: StepId, name: &str, inputs: &[StepId], ending: Option<Ending>) -> Node {
        let info = StepInfo { id, operation: None, name: name.to_owned(), inputs: inputs.to_vec() };
        Node { info, ending, took: Duration::from_millis(1_250 * id as u64) }
    }

    #[test]
    fn a_build() {
        let failed = Some(Ending::Failed("exit code 1".to_owned()));
        let nodes = [
            node(0, "[internal] load build context", &[], Some(Ending::Done)),
            node(1, "[build 1/2] FROM docker.io/library/gcc", &[], Some(Ending::Cached)),
            node(2, "[build 2/2] RUN test 1 < 2 && make \"all\" \u{1b}[31m with a long line", &[1, 0], failed),
            node(3, "[stage-1 1/1] COPY --from=build /x /", &[2], None),
            node(4, "exporting to image", &[3], None),
        ];
        insta::assert_snapshot!(svg(&nodes));
    }

    #[test]
    fn what_waits_for_itself_has_a_place_too() {
        let nodes = [node(0, "a", &[1], None), node(1, "b", &[0], None), node(2, "c", &[9], None)];
        assert_eq!(svg(&nodes).matches("<rect").count(), 3);
        assert!(svg(&[]).ends_with("</svg>\n"));
    }

    #[test]
    fn the_recorder_knows_how_it_ended() {
        let recorder = Recorder::default();
        let now = SystemTime::UNIX_EPOCH;
        recorder.event(now, Event::Planned(node(7, "[1/1] RUN x", &[], None).info));
        recorder.event(now, Event::Ended { step: 7, ending: Ending::Cached, took: Duration::ZERO });
        recorder.event(now, Event::Ended { step: 8, ending: Ending::Done, took: Duration::ZERO });
        assert_eq!(recorder.nodes().iter().map(|node| node.ending.clone()).collect::<Vec<_>>(), [Some(Ending::Cached)]);
    }

    #[test]
    fn stages_of_names() {
        for (name, expected) in
            [("[a 1/2] RUN x", "a"), ("[1/2] RUN x", ""), ("[internal] y", "internal"), ("exporting", "export")]
        {
            assert_eq!(stage(name), expected, "{name}");
        }
    }
}
