//! What is written down of steps: a field of an image's configuration. An image with it is a cache; if it has further layers than
//! anybody would run, it is nothing else. Pure.
//!
//! ```json
//! {"phial.build.cache": {"version": 1, "steps": [{"key": "sha256:…", "layer": "sha256:…", "created": 1790000000}]}}
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Digest;

/// What the field is called.
pub(crate) const FIELD: &str = "phial.build.cache";
/// The only version that is read: what another one says might mean something else.
const VERSION: u32 = 1;

/// The field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Steps {
    version: u32,
    steps: Vec<Step>,
}

/// What a step has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    /// What it is found by on all hosts.
    pub(super) key: Digest,
    /// The layer that it has written, by the digest of its archive.
    pub(super) layer: Digest,
    /// When: seconds since 1970.
    pub(super) created: u64,
}

impl Steps {
    pub(super) fn of(steps: Vec<Step>) -> Steps {
        Steps { version: VERSION, steps }
    }

    /// The layers, each once.
    pub(super) fn layers(&self) -> Vec<Digest> {
        let mut seen = BTreeSet::new();
        self.steps.iter().map(|step| step.layer).filter(|layer| seen.insert(*layer)).collect()
    }

    /// By key, as far as the layers are in the image.
    pub(super) fn by_key(self, layers: &[Digest]) -> BTreeMap<Digest, Step> {
        let layers: BTreeSet<&Digest> = layers.iter().collect();
        let there = self.steps.into_iter().filter(|step| layers.contains(&step.layer));
        there.map(|step| (step.key, step)).collect()
    }
}

/// What the configuration of an image says: its steps, and its layers.
///
/// # Errors
/// In words, for what is no cache.
pub(super) fn read(config: &[u8]) -> Result<(Steps, Vec<Digest>), String> {
    let mut config: Value = serde_json::from_slice(config).map_err(|error| format!("its configuration: {error}"))?;
    let field = config.get_mut(FIELD).map(Value::take).ok_or("it is an image without a cache in it")?;
    let steps: Steps = serde_json::from_value(field).map_err(|error| format!("{FIELD}: {error}"))?;
    if steps.version != VERSION {
        return Err(format!("{FIELD}: version {} is not {VERSION}", steps.version));
    }
    let layers = config.pointer_mut("/rootfs/diff_ids").map(Value::take).unwrap_or_default();
    Ok((steps, serde_json::from_value(layers).map_err(|error| format!("rootfs.diff_ids: {error}"))?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let [key, layer, other] = [b"k", b"l", b"o"].map(|text| Digest::of(text));
        let step = |key, layer| Step { key, layer, created: 7 };
        let steps = Steps::of(vec![step(key, layer), step(layer, layer), step(other, other)]);
        assert_eq!(steps.layers(), [layer, other]);
        let config = json!({"os": "linux", "rootfs": {"diff_ids": [layer]}, FIELD: steps}).to_string();
        let (found, layers) = read(config.as_bytes()).expect("it is one");
        assert_eq!((&found, layers.as_slice()), (&steps, &[layer][..]));
        let by_key = found.by_key(&layers);
        assert_eq!(
            by_key.keys().copied().collect::<BTreeSet<_>>(),
            [key, layer].into(),
            "of the third there is no layer"
        );

        let refused = |config: Value, why: &str| {
            let error = read(config.to_string().as_bytes()).expect_err("it is none");
            assert!(error.contains(why), "{error}");
        };
        refused(json!({"os": "linux"}), "without a cache");
        refused(json!({FIELD: {"version": 2, "steps": []}}), "version 2");
        refused(json!({FIELD: {"version": 1, "steps": [{"key": "../../etc"}]}}), FIELD);
        refused(json!({FIELD: {"version": 1, "steps": []}, "rootfs": {"diff_ids": 5}}), "diff_ids");
    }
}
