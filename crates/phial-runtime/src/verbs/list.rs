//! `list`: all containers below `--root`.

use std::process::ExitCode;

use serde::Serialize;

use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result, print_json, print_lines};

/// One row.
#[derive(Serialize)]
struct Row {
    id: String,
    pid: i32,
    status: Status,
    bundle: std::path::PathBuf,
    rootfs: std::path::PathBuf,
    created: String,
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
    let saved = container.saved;
    let pid = if status == Status::Stopped { 0 } else { saved.init_process_pid };
    Ok(Row { id: saved.id, pid, status, bundle: saved.bundle, rootfs: saved.rootfs, created: saved.created })
}

fn table(rows: &[Row]) -> Vec<String> {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED"].map(str::to_owned);
    let cells = |row: &Row| {
        [
            row.id.clone(),
            row.pid.to_string(),
            row.status.name().to_owned(),
            row.bundle.display().to_string(),
            row.created.clone(),
        ]
    };
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let text = |line: &[String; 5]| {
        let padded = widths.iter().zip(line).map(|(width, cell)| format!("{cell:<width$}   "));
        padded.chain([line[4].clone()]).collect::<String>()
    };
    lines.iter().map(text).collect()
}
