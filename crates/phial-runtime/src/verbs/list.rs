//! `list`: all containers below `--root`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::SPEC_VERSION;
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result, print_json, print_lines};

/// One row: the state of the specification, with what runc adds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    oci_version: &'static str,
    id: String,
    pid: i32,
    status: Status,
    bundle: PathBuf,
    rootfs: PathBuf,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<HashMap<String, String>>,
    /// Who has made it.
    owner: String,
}

/// Lists them.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let rows = Container::all(global)?.into_iter().map(row).collect::<Result<Vec<_>>>()?;
    if words.has("quiet") {
        print_lines(&rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    match words.text("format")? {
        None | Some("table") => print_lines(&table(&rows))?,
        Some("json") => print_json(&rows)?,
        Some(other) => return Err(Failure::new(format!("--format {other}: is neither table nor json"))),
    }
    Ok(ExitCode::SUCCESS)
}

fn row(container: Container) -> Result<Row> {
    let status = container.status()?;
    // A configuration that cannot be read any more is no reason to hide the others.
    let annotations = container.config().ok().and_then(|spec| spec.annotations().clone());
    let owner = container.owner().map_or_else(String::new, name);
    let saved = container.saved;
    let pid = if status == Status::Stopped { 0 } else { saved.init_process_pid };
    Ok(Row {
        oci_version: SPEC_VERSION,
        id: saved.id,
        pid,
        status,
        bundle: saved.bundle,
        rootfs: saved.rootfs,
        created: saved.created,
        annotations,
        owner,
    })
}

/// The name that the host has for a user, or `#` and the number.
fn name(user: u32) -> String {
    let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_it = |line: &&str| line.split(':').nth(2).and_then(|id| id.parse().ok()) == Some(user);
    let name = table.lines().find(is_it).and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("#{user}"), str::to_owned)
}

fn table(rows: &[Row]) -> Vec<String> {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let cells = |row: &Row| {
        [
            row.id.clone(),
            row.pid.to_string(),
            row.status.name().to_owned(),
            row.bundle.display().to_string(),
            row.created.clone(),
            row.owner.clone(),
        ]
    };
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let text = |line: &[String; 6]| {
        let padded = widths.iter().zip(line).map(|(width, cell)| format!("{cell:<width$}   "));
        padded.chain([line[5].clone()]).collect::<String>()
    };
    lines.iter().map(text).collect()
}
