//! `phial images`.

use std::process::ExitCode;

use clap::Args;
use engine::ImageSummary;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::{human, print, table};

const NONE: &str = "<none>";

const EXAMPLES: &str = "\
Examples:
  phial images
  phial images alpine          only those of this name";

/// What `phial images` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Images {
    /// Only images of this name, and of this tag if there is one
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Execute for Images {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let images = context.engine()?.images().cannot(|| "list images")?;
        let wanted = images.iter().filter(|image| self.wants(image));
        let heading = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(heading).chain(wanted.map(row)).collect();
        print(&table::layout(&rows))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Images {
    fn wants(&self, image: &ImageSummary) -> bool {
        let Some(name) = &self.name else { return true };
        let slash = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[slash..].split_once(':') {
            Some((last, tag)) => (&name[..slash + last.len()], Some(tag)),
            None => (name.as_str(), None),
        };
        image.repository.as_deref() == Some(repository) && (tag.is_none() || image.tag.as_deref() == tag)
    }
}

fn row(image: &ImageSummary) -> Vec<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
    vec![
        or_none(&image.repository),
        or_none(&image.tag),
        image.id.short(),
        image.created.as_deref().map_or_else(|| "N/A".to_owned(), engine::ago),
        human::size(image.size),
    ]
}
