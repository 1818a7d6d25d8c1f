//! What becomes of the container, told to the journal of events.

use jiff::Timestamp;
use runtime::protocol::events::{Event, Type};
use runtime::protocol::{ExitRecord, NAME_FILE, Request};

/// Tells what happened to the container. A journal that cannot be written stops nothing.
pub(super) fn container(request: &Request, action: &str, attributes: &[(&str, &str)]) {
    let Some(subject) = &request.events else { return };
    let event = Event::now(Type::Container, &*request.id, action).with(&subject.attributes).with(attributes.to_vec());
    let event = match std::fs::read_to_string(request.run_dir.join(NAME_FILE)) {
        Ok(name) => event.with([("name", name)]),
        Err(_) => event,
    };
    subject.journal.write(&event).ok();
}

/// Tells that its first process has ended.
pub(super) fn died(request: &Request, record: &ExitRecord) {
    let seconds = seconds_between(&record.started_at, &record.finished_at).unwrap_or_default().to_string();
    container(request, "die", &[("exitCode", &record.exit_code.to_string()), ("execDuration", &seconds)]);
}

/// Tells that a further process has ended.
pub(super) fn further_died(request: &Request, id: &str, exit_code: i32) {
    container(request, "exec_die", &[("execID", id), ("exitCode", &exit_code.to_string())]);
}

fn seconds_between(from: &str, to: &str) -> Option<i64> {
    let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    Some(to.as_second() - from.as_second())
}
