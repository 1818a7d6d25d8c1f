//! Which events are wanted: times and filters, with docker's rules. Pure.

use jiff::Timestamp;
use runtime::protocol::events::{Event, Type};

use crate::error::{Error, Result};
use crate::words::filter::Filters;
use crate::words::when;

/// Docker's filters of events, without those of swarm.
pub const FILTERS: &[&str] = &["container", "daemon", "event", "image", "label", "network", "scope", "type", "volume"];

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only what was not before; None is from now on.
    since: Option<Timestamp>,
    /// Only what was not after; None is without end.
    pub(super) until: Option<Timestamp>,
    filters: Filters,
    began: Option<Timestamp>,
}

impl Selection {
    /// Parses `--since`, `--until` and `--filter`.
    ///
    /// # Errors
    /// `Invalid` for what is no time and no filter.
    pub fn parse(since: Option<&str>, until: Option<&str>, filters: &[String]) -> Result<Selection> {
        let now = Timestamp::now();
        let since = since.map(|text| time("--since", text, now)).transpose()?;
        let until = until.map(|text| time("--until", text, now)).transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(Error::invalid("--since is later than --until"));
        }
        Ok(Selection { since, until, filters: Filters::parse(filters, FILTERS)?, began: Some(now) })
    }

    /// Whether this event is asked for.
    pub fn wants(&self, event: &Event) -> bool {
        let time = i128::from(event.time_nano);
        let not_before = self.since.or(self.began);
        not_before.is_none_or(|since| time >= since.as_nanosecond())
            && self.until.is_none_or(|until| time <= until.as_nanosecond())
            && self.filters.any("type", |wanted| name(event.kind) == wanted)
            && self.filters.any("scope", |wanted| event.scope == wanted)
            && self.filters.any("event", |wanted| is_action(&event.action, wanted))
            && self.filters.labels(&event.actor.attributes)
            && self.filters.any("image", |wanted| is_image(event, wanted))
            && self.of(event, "container", Type::Container)
            && self.of(event, "network", Type::Network)
            && self.of(event, "volume", Type::Volume)
            && self.of(event, "daemon", Type::Daemon)
    }

    /// Whether the thing is one that its filter names, by id, name, or the beginning of either.
    fn of(&self, event: &Event, key: &str, kind: Type) -> bool {
        let is = |wanted: &str| {
            event.actor.id.starts_with(wanted)
                || event.actor.attributes.get("name").is_some_and(|name| name.starts_with(wanted))
        };
        !self.filters.has(key) || (event.kind == kind && self.filters.any(key, is))
    }
}

/// `--since` or `--until`.
pub(crate) fn time(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp> {
    when::parse(text, now).ok_or_else(|| {
        Error::invalid(format!("{flag} {text}: not a time")).with_hint(
            "give a time such as 2026-08-05T12:00:00Z, a date, seconds since 1970, or how long ago, such as 10m",
        )
    })
}

/// Docker's word for a kind of thing.
pub fn name(kind: Type) -> &'static str {
    match kind {
        Type::Builder => "builder",
        Type::Container => "container",
        Type::Daemon => "daemon",
        Type::Image => "image",
        Type::Network => "network",
        Type::Volume => "volume",
        Type::Other => "other",
    }
}

/// `exec_start` stands for `exec_start: sh -c …`, whatever was started.
fn is_action(action: &str, wanted: &str) -> bool {
    let longer = || action.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(':'));
    action == wanted || longer()
}

/// An image, or a container of one; without a tag every tag will do.
fn is_image(event: &Event, wanted: &str) -> bool {
    let attribute = |key: &str| event.actor.attributes.get(key).map(String::as_str);
    let names = match event.kind {
        Type::Image => [Some(event.actor.id.as_str()), attribute("name")],
        Type::Container => [attribute("image"), None],
        _ => return false,
    };
    names.into_iter().flatten().any(|name| name == wanted || without_tag(name) == wanted)
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Type, action: &str, attributes: &[(&str, &str)]) -> Event {
        Event::now(kind, "abcdef", action).with(attributes.to_vec())
    }

    fn selection(filters: &[&str]) -> Selection {
        let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
        Selection::parse(Some("1"), None, &filters).expect("makes sense")
    }

    #[test]
    fn filters_are_dockers() {
        let web = event(
            Type::Container,
            "exec_start: sh -c ls",
            &[("name", "web"), ("image", "localhost:5000/nginx:1"), ("tier", "front")],
        );
        let image = event(Type::Image, "pull", &[("name", "nginx")]);
        let cases: [(&[&str], bool, bool); 16] = [
            (&[], true, true),
            (&["type=container"], true, false),
            (&["type=container", "type=image"], true, true),
            (&["event=exec_start"], true, false),
            (&["event=exec"], false, false),
            (&["event=exec_start: sh -c ls"], true, false),
            (&["event=pull"], false, true),
            (&["container=web"], true, false),
            (&["container=abc"], true, false),
            (&["container=db", "container=web"], true, false),
            (&["container=xyz"], false, false),
            (&["image=localhost:5000/nginx"], true, false),
            (&["image=nginx"], false, true),
            (&["label=tier"], true, false),
            (&["label=tier=back"], false, false),
            (&["scope=swarm"], false, false),
        ];
        for (filters, of_web, of_image) in cases {
            let selection = selection(filters);
            assert_eq!((selection.wants(&web), selection.wants(&image)), (of_web, of_image), "{filters:?}");
        }
    }

    #[test]
    fn times_are_bounds() {
        let mut event = event(Type::Volume, "create", &[]);
        let cases = [
            (Some("10"), None, true),
            (Some("11"), None, false),
            (Some("1"), Some("10"), true),
            (Some("1"), Some("9"), false),
            (None, None, false),
        ];
        event.time_nano = 10_000_000_000;
        for (since, until, expected) in cases {
            let selection = Selection::parse(since, until, &[]).expect("makes sense");
            assert_eq!(selection.wants(&event), expected, "{since:?} {until:?}");
        }
        for (since, until, filter) in
            [(Some("x"), None, ""), (None, Some("x"), ""), (Some("2"), Some("1"), ""), (None, None, "color=red")]
        {
            let filters: Vec<String> =
                [filter].iter().filter(|text| !text.is_empty()).map(ToString::to_string).collect();
            assert!(Selection::parse(since, until, &filters).is_err(), "{since:?} {until:?} {filter}");
        }
    }
}
