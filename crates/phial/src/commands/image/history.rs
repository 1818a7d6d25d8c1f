//! `phial history`.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::HistoryStep;
use image::Platform;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

/// What docker says for the id of a step that has none.
const MISSING: &str = "<missing>";
/// Characters of an instruction that are shown.
const INSTRUCTION: usize = 45;

const EXAMPLES: &str = "\
Examples:
  phial history alpine
  phial history --no-trunc --format json alpine";

/// What `phial history` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct History {
    /// Times and sizes for people; with false, whole times and bytes
    #[arg(short = 'H', long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    human: bool,
    /// Whole ids and instructions
    #[arg(long)]
    no_trunc: bool,
    /// What the image must be for: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    #[command(flatten)]
    list: ListFlags,
    /// A name or the id of the image
    #[arg(value_name = "IMAGE")]
    image: String,
}

static LISTING: Listing<Shown> = Listing {
    kind: "history step",
    columns: &[
        Column::new("ID", "IMAGE", |step, _| step.id.clone()),
        Column::new("CreatedSince", "CREATED", |step, _| step.since.clone()),
        Column::new("CreatedAt", "CREATED AT", |step, _| step.created_at.clone()),
        Column::new("CreatedBy", "CREATED BY", |step, _| step.created_by.clone()),
        Column::new("Size", "SIZE", |step, _| step.size.clone()),
        Column::new("Comment", "COMMENT", |step, _| step.comment.clone()),
    ],
    table: &["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
    quiet: "ID",
    label: None,
};

impl Execute for History {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let exact = &["ID", "CreatedAt", "CreatedBy", "Size", "Comment"];
        let table = if self.human { LISTING.table } else { exact };
        let printer = LISTING.printer_of(&self.list, self.no_trunc, table)?;
        let steps = context.engine()?.history(&self.image, self.platform.as_ref());
        let steps = steps.cannot(|| format!("show the history of {}", self.image))?;
        let steps: Vec<Shown> = steps.iter().map(|step| self.shown(step)).collect();
        printer.print(&steps)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A step in words.
struct Shown {
    id: String,
    created_at: String,
    since: String,
    created_by: String,
    size: String,
    comment: String,
}

impl History {
    fn shown(&self, step: &HistoryStep) -> Shown {
        let id = step.id.as_deref().unwrap_or(MISSING);
        let short = || id.strip_prefix("sha256:").map_or(id, |digits| &digits[..12]).to_owned();
        let created_by = human::harmless(&step.created_by.replace('\t', " "));
        let since = step.created.as_deref().map_or_else(|| "N/A".to_owned(), engine::ago);
        Shown {
            id: if self.no_trunc { id.to_owned() } else { short() },
            created_at: created_at(step),
            since,
            created_by: if self.no_trunc { created_by } else { human::shortened(&created_by, INSTRUCTION) },
            size: if self.human { human::size(step.size) } else { step.size.to_string() },
            comment: human::harmless(&step.comment),
        }
    }
}

/// When a step was made, with the offset of the host's time zone; empty where the image does not say.
fn created_at(step: &HistoryStep) -> String {
    let created = step.created.as_deref().unwrap_or_default();
    created.parse().map_or_else(|_| human::harmless(created), |time| human::timestamp(time, 0))
}
