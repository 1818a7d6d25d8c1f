//! `inspect` of an image.

use ::image::{ImageConfig, Reference};
use serde_json::{Value, json};
use store::ImageRecord;

use crate::engine::Engine;
use crate::error::Result;
use crate::images::familiar;

impl Engine {
    /// An image in docker's shape.
    ///
    /// # Errors
    /// `Store` when its configuration is not there.
    pub fn inspect_image(&self, image: &ImageRecord) -> Result<Value> {
        let config = ImageConfig::parse(&self.store.blob(&image.id)?)?;
        let by_digest = |name: &&String| name.parse::<Reference>().is_ok_and(|reference| reference.digest().is_some());
        let (digests, tags): (Vec<String>, Vec<String>) = {
            let (digests, tags): (Vec<&String>, Vec<&String>) = image.references.iter().partition(by_digest);
            (digests.into_iter().cloned().collect(), tags.into_iter().cloned().collect())
        };
        let mut directories = self.layers(image).into_iter().map(|path| path.display().to_string());
        let upper = directories.next();
        let mut data = json!({"UpperDir": upper});
        let lower: Vec<String> = directories.collect();
        if !lower.is_empty() {
            data["LowerDir"] = lower.join(":").into();
        }
        let comment = config.history.last().and_then(|step| step.comment.as_deref());
        let layers: Vec<String> = image.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        Ok(json!({
            "Id": image.id.to_string(),
            "RepoTags": familiar(&tags),
            "RepoDigests": familiar(&digests),
            "Parent": "",
            "Comment": comment.unwrap_or_default(),
            "Created": config.created,
            "DockerVersion": "",
            "Author": config.author.as_deref().unwrap_or_default(),
            "Config": config.config,
            "Architecture": config.architecture,
            "Variant": config.variant.as_deref().unwrap_or_default(),
            "Os": config.os,
            "Size": image.size,
            "GraphDriver": {"Name": "overlay2", "Data": data},
            "RootFS": {"Type": "layers", "Layers": layers},
            "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        }))
    }
}
