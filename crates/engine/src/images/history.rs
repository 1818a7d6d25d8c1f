//! How an image came to be: `history`. And its names: `tag`.

use image::{ImageConfig, Platform, Reference};

use crate::engine::Engine;
use crate::error::{Error, Result};

/// One step of an image's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryStep {
    /// The image's id, of the last step; nobody knows those of the others.
    pub id: Option<String>,
    /// RFC 3339.
    pub created: Option<String>,
    /// The instruction.
    pub created_by: String,
    /// Bytes of the layer that it made; 0 without one.
    pub size: u64,
    /// What was said about it.
    pub comment: String,
}

impl Engine {
    /// The steps that made an image, the last first.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub fn history(&self, name: &str, platform: Option<&Platform>) -> Result<Vec<HistoryStep>> {
        let image = self.image_for(name, platform)?;
        let config = ImageConfig::parse(&self.store.blob(&image.id)?)?;
        let mut sizes = image.layers.iter().map(|layer| layer.size);
        let mut steps: Vec<HistoryStep> = config
            .history
            .into_iter()
            .map(|step| HistoryStep {
                id: None,
                created: step.created,
                created_by: step.created_by.unwrap_or_default(),
                size: if step.empty_layer { 0 } else { sizes.next().unwrap_or_default() },
                comment: step.comment.unwrap_or_default(),
            })
            .collect();
        // Layers of which no step tells.
        let untold = |size| HistoryStep {
            id: None,
            created: image.created.clone(),
            created_by: String::new(),
            size,
            comment: String::new(),
        };
        steps.extend(sizes.map(untold));
        steps.reverse();
        if let Some(last) = steps.first_mut() {
            last.id = Some(image.id.to_string());
        }
        Ok(steps)
    }

    /// Gives an image one more name, which another one loses if it had it.
    ///
    /// # Errors
    /// `NotFound` for the image, `Invalid` for a name that cannot be one or has a digest.
    pub fn tag(&self, image: &str, name: &str) -> Result<()> {
        let reference = new_name(name)?;
        let image = self.image(image)?;
        self.store.tag(&image.id, &reference.canonical())?;
        self.tell_image(&image.id.to_string(), "tag", &reference.familiar());
        Ok(())
    }
}

/// A name that an image is to get.
///
/// # Errors
/// `Invalid` for what cannot be one.
pub(crate) fn new_name(name: &str) -> Result<Reference> {
    let reference: Reference = name.parse()?;
    if reference.digest().is_some() {
        let message = format!("{name}: a name with a digest cannot be given, it follows from the image");
        return Err(Error::invalid(message));
    }
    Ok(reference)
}
