//! The configuration of an image that was built. Pure: what was made when comes from the steps, so that a build of which nothing
//! is new makes the very same image.

use std::collections::VecDeque;

use image::History;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Digest;

use super::{Image, without_nulls};
use crate::images::of_message;

/// The document.
pub(super) fn document(image: &Image, diff_ids: &[Digest]) -> Value {
    let converted = &image.converted;
    let platform = of_message(&converted.platform);
    let history = history(image);
    let created = history.iter().filter_map(|step| step.created.clone()).next_back();
    let created = created.or_else(|| image.epoch.and_then(shown)).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let history: Vec<Value> = history.iter().map(|step| without_defaults(json!(step))).collect();
    without_nulls(json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "variant": platform.variant,
        "author": converted.author,
        "created": created,
        "config": without_empty(json!(converted.config)),
        "history": history,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))
}

/// How it came to be, with the times: a step that made a layer has that of the layer, and others that of the step before.
fn history(image: &Image) -> Vec<History> {
    let mut layers: VecDeque<&Digest> = image.tree.layers.iter().collect();
    let mut last = None;
    let mut steps = Vec::new();
    for step in &image.converted.history {
        let layer = if step.empty_layer { None } else { layers.pop_front() };
        let made = layer.and_then(|layer| image.created.get(layer));
        let mut step = step.clone();
        if step.created.is_some() {
            // One of the image that it begins with.
            last.clone_from(&step.created);
        } else {
            last = match (image.epoch, made) {
                (Some(epoch), _) => shown(epoch),
                (None, Some(made)) => shown(made.at),
                (None, None) => last,
            };
            step.created.clone_from(&last);
        }
        steps.push(step);
    }
    // Each layer has its line, also that of a context that an image begins with.
    steps.extend(layers.into_iter().map(|layer| History {
        created: image.epoch.or_else(|| image.created.get(layer).map(|made| made.at)).and_then(shown),
        created_by: image.created.get(layer).map(|made| made.of.clone()),
        comment: Some("buildkit.exporter.image.v0".to_owned()),
        ..History::default()
    }));
    steps
}

/// Seconds since 1970 as times are written in images.
fn shown(seconds: u64) -> Option<String> {
    Some(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

/// What says nothing is not written, as other builders do.
fn without_empty(config: Value) -> Value {
    let mut config = without_nulls(config);
    let says_nothing = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|_, value| !says_nothing(value));
    }
    config
}

/// The same of a step of the history.
fn without_defaults(step: Value) -> Value {
    let mut step = without_nulls(step);
    if let Some(fields) = step.as_object_mut()
        && fields.get("empty_layer") == Some(&Value::Bool(false))
    {
        fields.remove("empty_layer");
    }
    step
}
