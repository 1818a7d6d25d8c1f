//! Logs in the journal of systemd, read by its own program: its files have many forms, and only that knows them all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::Value;

use super::follow::time_left;
use super::{LogEntry, LogOptions, Stream, not_readable};
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::session::Connection;

const PROGRAM: &str = "journalctl";

/// The field that says who wrote an entry.
const OWNER: &str = "CONTAINER_ID_FULL";

/// Fields that are no attributes of the container.
const OWN_PREFIXES: [&str; 6] = ["_", "CONTAINER_", "IMAGE_NAME", "SYSLOG_", "MESSAGE", "PRIORITY"];

type Sink<'a> = dyn FnMut(&LogEntry<'_>) -> io::Result<()> + 'a;

impl Engine {
    pub(super) fn read_journal(&self, container: &Container, options: &LogOptions, sink: &mut Sink<'_>) -> Result<()> {
        let id = container.record.id.hex();
        let waiting = if options.follow && container.state.is_running() { self.waiting(container)? } else { None };
        let mut words =
            vec!["--output=json".to_owned(), "--all".to_owned(), "--no-pager".to_owned(), "--quiet".to_owned()];
        if let Some(entries) = options.tail {
            words.push(format!("--lines={entries}"));
        } else if waiting.is_some() {
            // Otherwise it begins with the last ten.
            words.push("--lines=all".to_owned());
        }
        if let Some(since) = options.since {
            words.push(format!("--since=@{}", since.as_second()));
        }
        let mut cursor = None;
        if let Some(connection) = waiting {
            let follow = [words.clone(), vec!["--follow".to_owned()]].concat();
            Reading::start(&id, &follow)?.follow(&connection, options.until, &mut cursor, sink).map_err(failed)?;
            // What it had not shown when the container ended.
            words.retain(|word| !word.starts_with("--lines") && !word.starts_with("--since"));
            match &cursor {
                Some(cursor) => words.push(format!("--after-cursor={cursor}")),
                None if options.tail.is_some() => return Ok(()),
                None => {}
            }
        }
        Reading::start(&id, &words)?.finish(&mut cursor, sink).map_err(failed)
    }
}

fn failed(error: io::Error) -> Error {
    Error::system(PROGRAM, error)
}

/// The program at work; ended when this value goes.
struct Reading {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Reading {
    fn start(id: &str, words: &[String]) -> Result<Reading> {
        let mut command = Command::new(PROGRAM);
        command.args(words).arg(format!("{OWNER}={id}")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_readable(": there is no journalctl on this host")
                .with_hint("install systemd, or use --log-driver json-file"),
            _ => failed(error),
        })?;
        let output = child.stdout.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Reading { child, output: BufReader::new(output) })
    }

    fn finish(mut self, cursor: &mut Option<String>, sink: &mut Sink<'_>) -> io::Result<()> {
        while self.entry(cursor, sink)? {}
        let status = self.child.wait()?;
        // It ends with 1 where nothing was found.
        if status.code().is_some_and(|code| code > 1) { Err(io::Error::other(status.to_string())) } else { Ok(()) }
    }

    fn follow(
        mut self,
        connection: &Connection,
        until: Option<Timestamp>,
        cursor: &mut Option<String>,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        loop {
            if self.output.buffer().is_empty() {
                let left = until.map(time_left);
                let (output, connection) = (self.output.get_ref().as_fd(), connection.as_fd());
                let mut both = [PollFd::new(&output, PollFlags::IN), PollFd::new(&connection, PollFlags::IN)];
                match poll(&mut both, left.as_ref()) {
                    Err(Errno::INTR) => continue,
                    Ok(0) => return Ok(()),
                    other => other?,
                };
                if both[0].revents().is_empty() {
                    return Ok(());
                }
            }
            if !self.entry(cursor, sink)? {
                return Ok(());
            }
        }
    }

    /// Hands on the next entry; false at the end.
    fn entry(&mut self, cursor: &mut Option<String>, sink: &mut Sink<'_>) -> io::Result<bool> {
        let mut line = Vec::new();
        if self.output.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&line) {
            if let Some(place) = value["__CURSOR"].as_str() {
                *cursor = Some(place.to_owned());
            }
            entry(&value).map_or(Ok(()), |entry| sink(&entry))?;
        }
        Ok(true)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn entry(value: &Value) -> Option<LogEntry<'_>> {
    let text = |name: &str| value[name].as_str();
    let mut message = match &value["MESSAGE"] {
        Value::String(text) => text.as_bytes().to_vec(),
        // What is not UTF-8 comes as numbers.
        Value::Array(bytes) => bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect(),
        _ => return None,
    };
    if text("CONTAINER_PARTIAL_MESSAGE") != Some("true") {
        message.push(b'\n');
    }
    let received =
        || text("__REALTIME_TIMESTAMP")?.parse().ok().and_then(|time| Timestamp::from_microsecond(time).ok());
    let time = text("SYSLOG_TIMESTAMP").and_then(|time| time.parse().ok()).or_else(received)?;
    let stream = if text("PRIORITY") == Some("3") { Stream::Stderr } else { Stream::Stdout };
    let fields = value.as_object()?.iter();
    let attributes: BTreeMap<String, String> = fields
        .filter(|(key, _)| !OWN_PREFIXES.iter().any(|own| key.starts_with(own)))
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    Some(LogEntry { text: Cow::Owned(message), stream, time, attributes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_the_journal() {
        let value = json!({
            "MESSAGE": [104, 255], "PRIORITY": "3", "__REALTIME_TIMESTAMP": "1785931200500000", "TIER": "front",
            "CONTAINER_NAME": "web", "_PID": "7",
        });
        let found = entry(&value).expect("is an entry");
        assert_eq!((&*found.text, found.stream), (&b"h\xff\n"[..], Stream::Stderr));
        assert_eq!(found.time.to_string(), "2026-08-05T12:00:00.5Z");
        assert_eq!(found.attributes.into_iter().collect::<Vec<_>>(), [("TIER".to_owned(), "front".to_owned())]);
        let value = json!({
            "MESSAGE": "part", "CONTAINER_PARTIAL_MESSAGE": "true", "PRIORITY": "6", "SYSLOG_TIMESTAMP": "2026-08-05T12:00:00Z",
        });
        let found = entry(&value).expect("is an entry");
        assert_eq!((&*found.text, found.stream), (&b"part"[..], Stream::Stdout));
        assert_eq!(entry(&json!({"PRIORITY": "6"})), None);
    }
}
