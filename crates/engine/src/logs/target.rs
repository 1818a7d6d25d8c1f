//! Where a container's output is to be kept: from `--log-driver` and `--log-opt` to what its supervisor is told.

use std::collections::BTreeMap;
use std::path::Path;

use runtime::protocol::log::{Driver as Target, Log};
use store::ContainerRecord;

use crate::config::ContainerConfig;
use crate::config::logging::{Driver, Logging};
use crate::containers::create::LOG_FILE;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// Where systemd's journal takes entries (systemd's `JOURNAL_NATIVE_PROTOCOL.md`).
const JOURNAL: &str = "/run/systemd/journal/socket";

/// Bytes of labels and variables that every line carries. Labels come from images and may be of any size; a line with more
/// would be more than the journal takes, and than readers look at.
const MOST: usize = 32 * 1024;

impl Engine {
    /// What the container's supervisor does with its output.
    ///
    /// # Errors
    /// `System` when the container's environment, which an option asks for, cannot be read.
    pub(crate) fn log_target(&self, record: &ContainerRecord, config: &ContainerConfig) -> Result<Option<Log>> {
        let logging = &config.logging;
        let driver = match logging.driver {
            Driver::None => return Ok(None),
            Driver::JsonFile => Target::JsonFile,
            Driver::Local => Target::Local,
            Driver::K8sFile => Target::K8sFile,
            Driver::Journald => Target::Journald,
        };
        let environment = if logging.wants_environment() {
            self.process_of(record)?.env().clone().unwrap_or_default()
        } else {
            Vec::new()
        };
        let chosen = bounded(logging.attributes(&config.labels, &environment)?);
        let tag = logging.tag(|field| tag_field(record, field))?;
        let attributes = match driver {
            Target::Journald => journal_fields(record, tag, chosen),
            _ => chosen.into_iter().chain(tag.map(|tag| ("tag".to_owned(), tag))).collect(),
        };
        let files = logging.files()?;
        Ok(Some(Log {
            driver,
            path: self.paths().container(&record.id).join(LOG_FILE),
            max_size: files.max_size,
            max_files: files.max_files,
            compress: files.compress,
            attributes,
            buffer: logging.buffer()?,
        }))
    }
}

/// As many of them as fit.
fn bounded(mut chosen: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut room = MOST;
    chosen.retain(|key, value| {
        let left = room.checked_sub(key.len() + value.len());
        room = left.unwrap_or(room);
        left.is_some()
    });
    chosen
}

/// Whether this host has what the driver writes to.
pub(crate) fn check_host(logging: &Logging) -> Result<()> {
    if logging.driver == Driver::Journald && !Path::new(JOURNAL).exists() {
        let message = format!("--log-driver journald: the journal does not run on this host: there is no {JOURNAL}");
        return Err(Error::new(ErrorKind::System, message).with_hint("json-file and local work everywhere"));
    }
    Ok(())
}

fn tag_field(record: &ContainerRecord, field: &str) -> Option<String> {
    Some(match field {
        "ID" => record.id.short(),
        "FullID" => record.id.hex(),
        "Name" => record.name.clone(),
        "ImageName" => record.image_name.clone(),
        "ImageID" => record.image.short(),
        "ImageFullID" => record.image.to_string(),
        "DaemonName" => "phial".to_owned(),
        _ => return None,
    })
}

/// The fields that every entry of the container has, named as docker names them.
fn journal_fields(
    record: &ContainerRecord,
    tag: Option<String>,
    chosen: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let tag = tag.unwrap_or_else(|| record.id.short());
    let chosen = chosen.into_iter().map(|(key, value)| (field_name(&key), value));
    let mut fields: BTreeMap<String, String> = chosen.filter(|(key, _)| !key.is_empty()).collect();
    for (key, value) in [
        ("CONTAINER_ID", record.id.short()),
        ("CONTAINER_ID_FULL", record.id.hex()),
        ("CONTAINER_NAME", record.name.clone()),
        ("CONTAINER_TAG", tag.clone()),
        ("IMAGE_NAME", record.image_name.clone()),
        ("SYSLOG_IDENTIFIER", tag),
    ] {
        fields.insert(key.to_owned(), value);
    }
    fields
}

/// A label or variable as the name of a field: capitals, digits and underscores, none of these in front, at most 64.
fn field_name(key: &str) -> String {
    let capital = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = key.chars().map(capital).collect();
    let name = name.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit());
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST, bounded, field_name};

    #[test]
    fn labels_of_any_size_do_not_make_a_line_long() {
        let all = [("a", 10), ("b", MOST), ("c", 20)].map(|(key, length)| (key.to_owned(), "x".repeat(length)));
        assert_eq!(bounded(all.into()).keys().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn names_of_fields() {
        for (key, name) in [("com.example-x", "COM_EXAMPLE_X"), ("_a", "A"), ("1é", ""), ("a1", "A1")] {
            assert_eq!(field_name(key), name, "{key}");
        }
    }
}
