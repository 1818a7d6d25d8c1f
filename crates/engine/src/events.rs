//! Events: told by whoever acts, in docker's words, and read back by `phial events`.
//!
//! Telling costs one short write; a journal that cannot be written stops nothing. The supervisor tells of starts and ends
//! itself (`start`, `die`, `oom`, `exec_die`, and `destroy` of what goes with its end), so that they are told with no
//! command alive.

/// What is in the journal, and what comes.
mod read;
/// Which of it is wanted.
pub(crate) mod select;

use std::collections::BTreeMap;

use runtime::protocol::events::Subject;
pub use runtime::protocol::events::{Actor, Event, Journal, Type};
pub use select::{FILTERS, Selection, name as type_name};
use store::ContainerRecord;

use crate::config::ContainerConfig;
use crate::containers::lifecycle::Container;
use crate::engine::Engine;

impl Engine {
    /// The journal of events.
    pub fn journal(&self) -> Journal {
        Journal::new(self.paths().events())
    }

    /// Tells an event.
    pub(crate) fn tell(&self, event: &Event) {
        self.journal().write(event).ok();
    }

    /// Tells what happened to a container, in docker's word for it; `attributes` are those that belong to the action.
    pub(crate) fn tell_container(&self, container: &Container, action: &str, attributes: &[(&str, &str)]) {
        self.tell(&about_container(&container.record, &container.config, action).with(attributes.to_vec()));
    }

    /// Tells what happened to an image. `id` is what docker has there: the name that was pulled or pushed, the digest for
    /// everything else; `name` is the name or the digest.
    pub(crate) fn tell_image(&self, id: &str, action: &str, name: &str) {
        self.tell(&Event::now(Type::Image, id, action).with([("name", name)]));
    }

    /// What a supervisor needs to tell of its container.
    pub(crate) fn subject(&self, record: &ContainerRecord, config: &ContainerConfig) -> Subject {
        Subject { journal: self.journal(), attributes: attributes(record, config) }
    }
}

/// An event of a container, with what every one of them carries.
pub(crate) fn about_container(record: &ContainerRecord, config: &ContainerConfig, action: &str) -> Event {
    Event::now(Type::Container, record.id.hex(), action).with(attributes(record, config))
}

/// Name, image and labels. Since its creation the configuration has the labels of the image as well.
fn attributes(record: &ContainerRecord, config: &ContainerConfig) -> BTreeMap<String, String> {
    let mut attributes = config.labels.clone();
    attributes.insert("image".to_owned(), record.image_name.clone());
    attributes.insert("name".to_owned(), record.name.clone());
    attributes
}
