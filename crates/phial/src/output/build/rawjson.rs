//! `--progress=rawjson`: each event as an object of JSON in a line, as `BuildKit`'s client writes its `SolveStatus`. Tools read it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use build::progress::{Ending, Event, StepId, StepInfo, Stream};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Printer;
use super::state::State;

/// Objects so far.
pub(super) struct RawJson<W> {
    out: W,
    /// Of each step what is told again with every change.
    vertexes: BTreeMap<StepId, Map<String, Value>>,
    /// When each part was first told of.
    parts: BTreeMap<(StepId, String), String>,
}

impl<W: Write> RawJson<W> {
    pub(super) fn new(out: W) -> RawJson<W> {
        RawJson { out, vertexes: BTreeMap::new(), parts: BTreeMap::new() }
    }

    fn write(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{object}")
    }

    fn plan(&mut self, info: &StepInfo) {
        let inputs: Vec<Value> = info.inputs.iter().map(|input| self.digest(*input)).collect();
        let digest = info.operation.as_ref().map_or_else(|| stand_in(info.id), ToString::to_string);
        let mut vertex = Map::from_iter([("digest".to_owned(), json!(digest)), ("name".to_owned(), json!(info.name))]);
        if !inputs.is_empty() {
            vertex.insert("inputs".to_owned(), Value::Array(inputs));
        }
        self.vertexes.insert(info.id, vertex);
    }

    fn digest(&self, id: StepId) -> Value {
        let known = self.vertexes.get(&id).and_then(|vertex| vertex.get("digest")).cloned();
        known.unwrap_or_else(|| json!(stand_in(id)))
    }

    /// Tells of a step with what is new of it.
    fn vertex(&mut self, id: StepId, news: impl IntoIterator<Item = (&'static str, Value)>) -> io::Result<()> {
        let digest = self.digest(id);
        let vertex = self.vertexes.entry(id).or_insert_with(|| Map::from_iter([("digest".to_owned(), digest)]));
        for (key, value) in news {
            vertex.insert(key.to_owned(), value);
        }
        let object = json!({ "vertexes": [vertex] });
        self.write(&object)
    }

    fn ended(&mut self, at: SystemTime, id: StepId, ending: &Ending, took: Duration) -> io::Result<()> {
        let is_started = self.vertexes.get(&id).is_some_and(|vertex| vertex.contains_key("started"));
        let started = (!is_started).then(|| ("started", json!(time(at.checked_sub(took).unwrap_or(at)))));
        let how = match ending {
            Ending::Done | Ending::Shared => None,
            Ending::Cached => Some(("cached", json!(true))),
            Ending::Failed(why) => Some(("error", json!(why))),
            Ending::Canceled => Some(("error", json!("context canceled"))),
        };
        self.vertex(id, started.into_iter().chain(how).chain([("completed", json!(time(at)))]))
    }
}

impl<W: Write> Printer for RawJson<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn event(&mut self, at: SystemTime, event: &Event, lines: &[String], _: &State) -> io::Result<()> {
        match event {
            Event::Planned(info) => {
                self.plan(info);
                self.vertex(info.id, [])
            }
            Event::Started(id) => self.vertex(*id, [("started", json!(time(at)))]),
            Event::Waiting(_) | Event::Paused | Event::Resumed => Ok(()),
            Event::Progress { step, part, amount, done } => {
                let began = self.parts.entry((*step, part.clone())).or_insert_with(|| time(at)).clone();
                let mut status = json!({
                    "id": part, "vertex": self.digest(*step), "current": amount.current, "timestamp": time(at), "started": began,
                });
                if let Some(total) = amount.total {
                    status["total"] = json!(total);
                }
                if *done {
                    status["completed"] = json!(time(at));
                }
                self.write(&json!({ "statuses": [status] }))
            }
            Event::Output { step, stream, bytes } => {
                let stream = if *stream == Stream::Stdout { 1 } else { 2 };
                let log = self.log(at, *step, stream, bytes);
                self.write(&log)
            }
            Event::Explained { step, .. } => {
                let log = self.log(at, *step, 2, (lines.join("\n") + "\n").as_bytes());
                self.write(&log)
            }
            Event::Ended { step, ending, took } => self.ended(at, *step, ending, *took),
            Event::Warning { rule, message, place, url } => {
                let warning = warning(&format!("{rule}: {message}"), place.as_ref(), url.as_deref());
                self.write(&json!({ "warnings": [warning] }))
            }
        }
    }
}

impl<W: Write> RawJson<W> {
    fn log(&self, at: SystemTime, step: StepId, stream: u8, bytes: &[u8]) -> Value {
        let vertex = self.digest(step);
        json!({ "logs": [{ "vertex": vertex, "stream": stream, "data": BASE64.encode(bytes), "timestamp": time(at) }] })
    }
}

fn warning(short: &str, place: Option<&(String, usize)>, url: Option<&str>) -> Value {
    let place_in_short = place.map(|(_, line)| format!(" (line {line})")).unwrap_or_default();
    let mut warning = json!({ "level": 1, "short": BASE64.encode(format!("{short}{place_in_short}")) });
    if let Some(url) = url {
        warning["url"] = json!(url);
    }
    if let Some((file, line)) = place {
        warning["sourceInfo"] = json!({ "filename": file });
        warning["range"] = json!([{ "start": { "line": line }, "end": { "line": line } }]);
    }
    warning
}

/// The digest of what is no operation of the graph: its number, in a form that whoever checks digests takes.
fn stand_in(id: StepId) -> String {
    format!("sha256:{id:064x}")
}

/// RFC 3339 in UTC; the beginning of time for one that no calendar has.
fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
