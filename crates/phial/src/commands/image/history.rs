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

/// A step, and whether times and sizes are for people.
struct Line {
    step: HistoryStep,
    human: bool,
}

static LISTING: Listing<Line> =
    Listing {
        kind: "history step",
        columns: &[
            Column::new("ID", "IMAGE", |line, whole| {
                let id = line.step.id.as_deref().unwrap_or(MISSING);
                let short = id.strip_prefix("sha256:").map(|digits| &digits[..12]);
                short.filter(|_| !whole).unwrap_or(id).to_owned()
            }),
            Column::new("CreatedSince", "CREATED", |line, _| match &line.step.created {
                _ if !line.human => created_at(&line.step),
                Some(created) => engine::ago(created),
                None => "N/A".to_owned(),
            }),
            Column::new("CreatedAt", "CREATED AT", |line, _| created_at(&line.step)),
            Column::new("CreatedBy", "CREATED BY", |line, whole| {
                let text = human::harmless(&line.step.created_by.replace('\t', " "));
                if whole { text } else { human::shortened(&text, INSTRUCTION) }
            }),
            Column::new("Size", "SIZE", |line, _| {
                if line.human { human::size(line.step.size) } else { line.step.size.to_string() }
            }),
            Column::new("Comment", "COMMENT", |line, _| human::harmless(&line.step.comment)),
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
        let lines: Vec<Line> = steps.into_iter().map(|step| Line { step, human: self.human }).collect();
        printer.print(&lines)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// When a step was made, with the offset of the host's time zone; empty where the image does not say.
fn created_at(step: &HistoryStep) -> String {
    let created = step.created.as_deref().unwrap_or_default();
    created.parse().map_or_else(|_| human::harmless(created), |time| human::timestamp(time, 0))
}
