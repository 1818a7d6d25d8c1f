//! `phial events`.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use engine::events::{Event, Selection, Type, type_name};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::format::ObjectFormat;
use crate::output::human;

const EXAMPLES: &str = "\
Examples:
  phial events                                       what happens from now on
  phial events --since 10m --until 0s                what happened in the last ten minutes
  phial events -f container=web -f event=die
  phial events --format '{{.Action}} {{.Actor.Attributes.name}}'";

/// What `phial events` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Events {
    /// Show only what matches, such as type=container, event=die, container=web, image=nginx or label=tier=front
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Print 'json', or what a Go template makes of each event
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Begin with what happened at this time: a time, a date, seconds since 1970, or how long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// End at this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Execute for Events {
    const FILTERS: &'static [&'static str] = engine::events::FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || "show events";
        let selection = Selection::parse(self.since.as_deref(), self.until.as_deref(), &self.filter).cannot(doing)?;
        let format = Format::parse(self.format.as_deref())?;
        let engine = context.engine()?;
        let mut out = io::stdout().lock();
        let mut failure = None;
        let mut print = |event: &Event| {
            let printed = format
                .line(event)
                .and_then(|line| out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(Failure::from));
            printed.map_err(|error| {
                failure = Some(error);
                io::ErrorKind::Interrupted.into()
            })
        };
        let read = engine.events(&selection, &mut print);
        match failure {
            Some(failure) => Err(failure),
            None => read.cannot(doing).map(|()| ExitCode::SUCCESS),
        }
    }
}

/// What is printed of each event.
enum Format {
    Line,
    Json,
    Template(ObjectFormat),
}

impl Format {
    /// As docker's, tried on an event that says nothing: a field that no event has is refused before one comes.
    fn parse(format: Option<&str>) -> Result<Format> {
        let text = match format.unwrap_or_default() {
            "" => return Ok(Format::Line),
            "json" | "{{json .}}" => return Ok(Format::Json),
            text => text,
        };
        let template = ObjectFormat::parse(text)?;
        template.line(&fields(&Event::now(Type::Other, "", "")))?;
        Ok(Format::Template(template))
    }

    fn line(&self, event: &Event) -> Result<String> {
        match self {
            Format::Line => Ok(line(event)),
            Format::Json => Ok(serde_json::to_string(event).map_err(|error| Failure::new(error.to_string()))? + "\n"),
            Format::Template(template) => template.line(&fields(event)),
        }
    }
}

/// Docker's line: time, kind, action, id, attributes. They come from images as well: nothing of it is obeyed by a terminal.
fn line(event: &Event) -> String {
    let time = Timestamp::from_nanosecond(event.time_nano.into()).unwrap_or_default();
    let time = human::timestamp(time, 9);
    let mut line = format!("{time} {} {} {}", type_name(event.kind), event.action, event.actor.id);
    let attributes = event.actor.attributes.iter().map(|(key, value)| format!("{key}={value}"));
    let attributes = attributes.collect::<Vec<_>>().join(", ");
    if !attributes.is_empty() {
        write!(line, " ({attributes})").expect("a String takes every write");
    }
    human::harmless(&line) + "\n"
}

/// What templates may ask for: docker's names.
fn fields(event: &Event) -> Value {
    let attribute = |key: &str| event.actor.attributes.get(key).cloned().unwrap_or_default();
    json!({
        "Type": type_name(event.kind),
        "Action": event.action,
        "Actor": {"ID": event.actor.id, "Attributes": event.actor.attributes},
        "Scope": event.scope,
        "Time": event.time,
        "TimeNano": event.time_nano,
        "Status": event.action,
        "ID": event.actor.id,
        "From": attribute("image"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let mut event =
            Event::now(Type::Container, "abc", "die").with([("name", "web"), ("label", "\x1b[31m"), ("exitCode", "3")]);
        (event.time, event.time_nano) = (1_500_000_000, 1_500_000_000_123_000_000);
        event
    }

    #[test]
    fn every_form() {
        let cases = [
            (None, "2017-07-14T02:40:00.123000000Z container die abc (exitCode=3, label=\\u{1b}[31m, name=web)\n"),
            (Some("{{.Action}} {{.Actor.Attributes.name}} {{.ID}} {{.TimeNano}}"), "die web abc 1500000000123000000\n"),
            (
                Some("json"),
                "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"abc\",\"Attributes\":{\"exitCode\":\"3\",\
                 \"label\":\"\\u001b[31m\",\"name\":\"web\"}},\"scope\":\"local\",\"time\":1500000000,\"timeNano\":1500000000123000000}\n",
            ),
        ];
        for (format, expected) in cases {
            assert_eq!(
                Format::parse(format).and_then(|format| format.line(&event())).expect("is printed"),
                expected,
                "{format:?}"
            );
        }
    }
}
