//! The configuration of an image that was built. Pure: what was made when comes from the steps, so that a build of which nothing
//! is new makes the very same image.

use std::collections::VecDeque;

use image::History;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Digest;

use super::{Image, without_nulls};

/// The document.
pub(super) fn document(image: &Image, diff_ids: &[Digest]) -> Value {
    let converted = &image.converted;
    let history = history(image);
    let created = history.iter().filter_map(|step| step.created.clone()).next_back();
    let created = created.or_else(|| image.epoch.and_then(shown)).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let history: Vec<Value> = history.iter().map(|step| without_defaults(json!(step))).collect();
    without_nulls(json!({
        "architecture": image.platform.architecture,
        "os": image.platform.os,
        "variant": image.platform.variant,
        "author": converted.author,
        "created": created,
        "config": without_nulls(json!(converted.config)),
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
                (None, Some(made)) => shown(*made),
                (None, None) => last,
            };
            step.created.clone_from(&last);
        }
        steps.push(step);
    }
    steps
}

/// Seconds since 1970 as times are written in images.
fn shown(seconds: u64) -> Option<String> {
    Some(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

/// What says nothing is not written, as other builders do.
fn without_defaults(step: Value) -> Value {
    let mut step = without_nulls(step);
    if let Some(fields) = step.as_object_mut()
        && fields.get("empty_layer") == Some(&Value::Bool(false))
    {
        fields.remove("empty_layer");
    }
    step
}
