//! `phial history`.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::HistoryStep;
use serde_json::json;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::{human, print, table};

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
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// How to print: table or json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: String,
    /// A name or the id of the image
    #[arg(value_name = "IMAGE")]
    image: String,
}

impl Execute for History {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let steps = context.engine()?.history(&self.image).cannot(|| format!("show the history of {}", self.image))?;
        let steps: Vec<Shown> = steps.iter().map(|step| self.shown(step)).collect();
        let lines = |line: &dyn Fn(&Shown) -> String| steps.iter().map(|step| line(step) + "\n").collect::<String>();
        match self.format.as_str() {
            _ if self.quiet => print(&lines(&|step| step.id.clone()))?,
            "json" => print(&lines(&Shown::json))?,
            "table" | "" => {
                let heading = ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"].map(str::to_owned).to_vec();
                let rows: Vec<_> = std::iter::once(heading).chain(steps.iter().map(|step| self.row(step))).collect();
                print(&table::layout(&rows))?;
            }
            other => return Err(Failure::new(format!("cannot print as {other}: not one of table, json"))),
        }
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
            created_at: human::harmless(step.created.as_deref().unwrap_or_default()),
            since,
            created_by: if self.no_trunc { created_by } else { human::shortened(&created_by, INSTRUCTION) },
            size: if self.human { human::size(step.size) } else { step.size.to_string() },
            comment: human::harmless(&step.comment),
        }
    }

    fn row(&self, step: &Shown) -> Vec<String> {
        let created = if self.human { &step.since } else { &step.created_at };
        [&step.id, created, &step.created_by, &step.size, &step.comment].map(Clone::clone).to_vec()
    }
}

impl Shown {
    fn json(&self) -> String {
        json!({
            "Comment": self.comment,
            "CreatedAt": self.created_at,
            "CreatedBy": self.created_by,
            "CreatedSince": self.since,
            "ID": self.id,
            "Size": self.size,
        })
        .to_string()
    }
}
