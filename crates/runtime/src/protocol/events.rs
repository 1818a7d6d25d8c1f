//! The journal of events: what happened to containers, images and the rest, one JSON line each in docker's shape.
//!
//! Whoever acts writes: a command, or a supervisor with no other process of ours alive. Each event is one `write(2)` to a
//! file opened with `O_APPEND`, so that any number of writers need no lock. A file that has grown to [`MOST`] bytes is
//! renamed over the one before it. Who still has it open then writes to the renamed one, which is why a reader that
//! follows reads that to its end as well. A disk that is full loses events, and stops nothing.
//!
//! The reader's side is the engine's. The names of the files carry the version of the format.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The file in the journal's directory that is written to.
pub const CURRENT_FILE: &str = "v1.jsonl";
/// The file that was written to before.
pub const PREVIOUS_FILE: &str = "v1.previous.jsonl";

/// Bytes after which a file is renamed. The journal holds between this much and twice this much.
pub const MOST: u64 = 4 * 1024 * 1024;

/// Longest line. Labels come from images and may be of any size; an event with longer ones goes without them.
pub const LONGEST: usize = 64 * 1024;

/// What kind of thing something happened to: docker's `Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// The cache of builds.
    Builder,
    /// A container, or a process in it.
    Container,
    /// The program itself.
    Daemon,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// One that a later version writes.
    #[serde(other)]
    Other,
}

/// What it happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Actor {
    /// A container's id, an image's id or name, a volume's name.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name, image, labels, and what belongs to the action.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The kind of thing.
    #[serde(rename = "Type")]
    pub kind: Type,
    /// What happened: `create`, `die`, `exec_start: sh`.
    #[serde(rename = "Action")]
    pub action: String,
    /// To what.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// Always `local`: there is no swarm.
    #[serde(default = "local")]
    pub scope: String,
    /// Seconds since 1970.
    pub time: i64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

fn local() -> String {
    "local".to_owned()
}

impl Event {
    /// Something that happens now.
    pub fn now(kind: Type, id: impl Into<String>, action: impl Into<String>) -> Event {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Event {
            kind,
            action: action.into(),
            actor: Actor { id: id.into(), attributes: BTreeMap::new() },
            scope: local(),
            time: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            time_nano: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
        }
    }

    /// The same with these attributes.
    #[must_use]
    pub fn with(mut self, attributes: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Event {
        self.actor.attributes.extend(attributes.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// The event as it stands in the journal, with the line's end.
    fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        if line.len() >= LONGEST {
            let mut short = self.clone();
            short.actor.attributes.retain(|key, value| is_own(key) && value.len() < LONGEST / 16);
            short.action.truncate(short.action.floor_char_boundary(LONGEST / 16));
            line = serde_json::to_vec(&short)?;
        }
        line.push(b'\n');
        Ok(line)
    }
}

/// Whether an attribute is not a label.
fn is_own(key: &str) -> bool {
    matches!(key, "name" | "image" | "exitCode" | "signal" | "execID" | "execDuration" | "oldName")
}

/// The journal in a directory, which is made with the first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Journal {
    directory: PathBuf,
}

impl Journal {
    /// The journal in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Journal {
        Journal { directory: directory.into() }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes one event.
    ///
    /// # Errors
    /// Those of the file system. An event that cannot be written is no reason to fail: callers go on.
    pub fn write(&self, event: &Event) -> io::Result<()> {
        let line = event.line()?;
        let mut file = self.open()?;
        let written = file.write(&line)?;
        if written < line.len() {
            // The disk is full. Without a line's end the next event would be taken for the rest of this one.
            file.write_all(b"\n")?;
        }
        if file.stream_position()? >= MOST {
            self.rotate(&file)?;
        }
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        let path = self.directory.join(CURRENT_FILE);
        let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
                open()
            }
            other => other,
        }
    }

    /// Renames the file, unless another has: who holds its lock and finds it in its place is the only one to do so.
    fn rotate(&self, file: &File) -> io::Result<()> {
        if file.try_lock().is_err() {
            return Ok(());
        }
        let path = self.directory.join(CURRENT_FILE);
        let (own, there) = (file.metadata()?, fs::metadata(&path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())) {
            fs::rename(&path, self.directory.join(PREVIOUS_FILE))?;
        }
        Ok(())
    }
}

/// Of whom a supervisor tells, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subject {
    /// Where the events go.
    pub journal: Journal,
    /// What every event of the container carries: name, image, labels.
    pub attributes: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(journal: &Journal, file: &str) -> Vec<Event> {
        let text = fs::read_to_string(journal.directory().join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    #[test]
    fn an_event_has_dockers_shape() {
        let event = Event::now(Type::Container, "c1", "die").with([("exitCode", "0"), ("name", "web")]);
        let mut value = serde_json::to_value(&event).expect("is JSON");
        assert_eq!(value["time"].as_i64().map(|time| time * 1_000_000_000 / 1_000_000_000), value["time"].as_i64());
        value["time"] = 1.into();
        value["timeNano"] = 1.into();
        let expected = serde_json::json!({
            "Type": "container", "Action": "die", "scope": "local", "time": 1, "timeNano": 1,
            "Actor": {"ID": "c1", "Attributes": {"exitCode": "0", "name": "web"}},
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn the_directory_is_made_and_events_are_appended() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(dir.path().join("events"));
        let events: Vec<Event> = ["a", "b"].map(|action| Event::now(Type::Image, "i", action)).into();
        for event in &events {
            journal.write(event).expect("writes");
        }
        assert_eq!(lines(&journal, CURRENT_FILE), events);
    }

    #[test]
    fn labels_of_any_size_do_not_make_a_line_long() {
        let long = "x".repeat(LONGEST);
        let event = Event::now(Type::Container, "c", "create").with([("name", "web"), ("label", &long)]);
        let line = event.line().expect("is JSON");
        assert!(line.len() < LONGEST);
        let event: Event = serde_json::from_slice(&line).expect("an event");
        assert_eq!(event.actor.attributes.keys().collect::<Vec<_>>(), ["name"]);
    }

    #[test]
    fn many_writers_lose_nothing_while_files_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(dir.path());
        let (writers, each) = (4, 700);
        let long = "x".repeat(4000);
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let (journal, long) = (&journal, &long);
                scope.spawn(move || {
                    for number in 0..each {
                        let event = Event::now(Type::Volume, format!("{writer}-{number}"), "x").with([("pad", long)]);
                        journal.write(&event).expect("writes");
                    }
                });
            }
        });
        let mut all = lines(&journal, PREVIOUS_FILE);
        assert!(!all.is_empty(), "the file was not changed");
        all.extend(lines(&journal, CURRENT_FILE));
        // 2800 events of 4 kB fill two files and a part of the third: what is left are the newest, each whole, in order.
        assert!(all.len() as u64 * 4000 >= MOST, "{}", all.len());
        for writer in 0..writers {
            let prefix = format!("{writer}-");
            let own = all.iter().filter_map(|event| event.actor.id.strip_prefix(&prefix)?.parse::<u32>().ok());
            let own: Vec<u32> = own.collect();
            let expected: Vec<u32> = (each - u32::try_from(own.len()).expect("few")..each).collect();
            assert_eq!(own, expected, "writer {writer}");
        }
    }
}
